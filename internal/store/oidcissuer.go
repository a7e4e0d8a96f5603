package store

import (
	"context"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// OIDCIssuer says whether an account hands out web identity tokens. The row stays when the account stops: tokens handed
// out before have to verify.
type OIDCIssuer struct {
	Account   arn.AccountID
	Enabled   bool
	CreatedAt time.Time
}

// OIDCIssuerKey is a key that signs an account's tokens.
type OIDCIssuerKey struct {
	Account   arn.AccountID
	Algorithm string // RS256 or ES384
	Sequence  int    // from 1; two nodes that make the next key meet here
	ID        string // JWK thumbprint, the token's kid
	Public    []byte // PKIX
	Private   []byte // PKCS #8, sealed
	SignsFrom time.Time
	CreatedAt time.Time
}

// IssuerBundle is an account's issuer with its keys, by algorithm and sequence. Without keys it has never been one.
type IssuerBundle struct {
	Issuer OIDCIssuer
	Keys   []OIDCIssuerKey
}

const (
	oidcIssuerColumns = `account, enabled, created_at`
	issuerKeyColumns  = `account, algorithm, sequence, id, public, private, signs_from, created_at`
)

func scanOIDCIssuer(s scanner, i *OIDCIssuer) error {
	return s.Scan(&i.Account, &i.Enabled, micros{&i.CreatedAt})
}

func scanIssuerKey(s scanner, k *OIDCIssuerKey) error {
	return s.Scan(&k.Account, &k.Algorithm, &k.Sequence, &k.ID, blob{&k.Public}, blob{&k.Private}, micros{&k.SignsFrom}, micros{&k.CreatedAt})
}

// PutOIDCIssuer adds or replaces an account's issuer.
func (tx *Tx) PutOIDCIssuer(i *OIDCIssuer) error {
	tx.changed(kindOIDCIssuer, i.Account, "", "")
	_, err := tx.exec(`INSERT INTO oidc_issuers (`+oidcIssuerColumns+`) VALUES ($1, $2, $3)
		ON CONFLICT (account) DO UPDATE SET enabled = excluded.enabled, created_at = excluded.created_at`, i.Account, i.Enabled, toMicros(i.CreatedAt))
	return err
}

// GetOIDCIssuer reads an account's issuer.
func (tx *Tx) GetOIDCIssuer(account arn.AccountID) (*OIDCIssuer, error) {
	return one(tx, scanOIDCIssuer, `SELECT `+oidcIssuerColumns+` FROM oidc_issuers WHERE account = $1`, account)
}

// ListOIDCIssuers pages through those of all accounts, by account.
func (tx *Tx) ListOIDCIssuers(limit int, after string) ([]OIDCIssuer, string, error) {
	return page(tx, scanOIDCIssuer, func(i *OIDCIssuer) string { return string(i.Account) }, limit,
		`SELECT `+oidcIssuerColumns+` FROM oidc_issuers WHERE account > $1 ORDER BY account LIMIT $2`, after)
}

// CreateOIDCIssuerKey adds a key.
func (tx *Tx) CreateOIDCIssuerKey(k *OIDCIssuerKey) error {
	tx.changed(kindOIDCIssuer, k.Account, "", "")
	return tx.insert(`INSERT INTO oidc_issuer_keys (`+issuerKeyColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		k.Account, k.Algorithm, k.Sequence, k.ID, notNil(k.Public), notNil(k.Private), toMicros(k.SignsFrom), toMicros(k.CreatedAt))
}

// ListOIDCIssuerKeys are all keys of an account, by algorithm and sequence. There are a few.
func (tx *Tx) ListOIDCIssuerKeys(account arn.AccountID) ([]OIDCIssuerKey, error) {
	return all(tx, scanIssuerKey, `SELECT `+issuerKeyColumns+` FROM oidc_issuer_keys WHERE account = $1 ORDER BY algorithm, sequence`, account)
}

// DeleteOIDCIssuerKey removes a key.
func (tx *Tx) DeleteOIDCIssuerKey(account arn.AccountID, algorithm string, sequence int) error {
	tx.changed(kindOIDCIssuer, account, "", "")
	return tx.remove(`DELETE FROM oidc_issuer_keys WHERE account = $1 AND algorithm = $2 AND sequence = $3`, account, algorithm, sequence)
}

// Issuer returns an account's issuer with its keys.
func (v *View) Issuer(ctx context.Context, account arn.AccountID) (*Cached[IssuerBundle], error) {
	return lookup(v, ctx, change{kindOIDCIssuer, account, "", ""}, func(tx *Tx, k change) (*IssuerBundle, error) {
		issuer, err := tx.GetOIDCIssuer(k.account)
		if err != nil {
			return nil, err
		}
		keys, err := tx.ListOIDCIssuerKeys(k.account)
		return &IssuerBundle{Issuer: *issuer, Keys: keys}, err
	})
}
