package store

import (
	"context"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// OIDCProvider is an OpenID Connect provider whose tokens an account accepts.
type OIDCProvider struct {
	Account     arn.AccountID
	URL         string // of the issuer without "https://"; what the provider's ARN ends with
	ClientIDs   []string
	Thumbprints []string // SHA-1 of top certificates, 40 lower-case hex digits
	Tags        []Tag
	CreatedAt   time.Time
}

const oidcProviderColumns = `account, url, client_ids, thumbprints, tags, created_at`

const oidcProviderInsert = `INSERT INTO oidc_providers (` + oidcProviderColumns + `) VALUES ($1, $2, $3, $4, $5, $6)`

func scanOIDCProvider(s scanner, p *OIDCProvider) error {
	return s.Scan(&p.Account, &p.URL, list[string]{&p.ClientIDs}, list[string]{&p.Thumbprints}, list[Tag]{&p.Tags}, micros{&p.CreatedAt})
}

func (p *OIDCProvider) args() []any {
	return []any{p.Account, p.URL, toList(p.ClientIDs), toList(p.Thumbprints), toList(p.Tags), toMicros(p.CreatedAt)}
}

// CreateOIDCProvider adds a provider.
func (tx *Tx) CreateOIDCProvider(p *OIDCProvider) error {
	tx.changed(kindOIDCProvider, p.Account, "", p.URL)
	return tx.insert(oidcProviderInsert, p.args()...)
}

// PutOIDCProvider adds or replaces a provider.
func (tx *Tx) PutOIDCProvider(p *OIDCProvider) error {
	tx.changed(kindOIDCProvider, p.Account, "", p.URL)
	_, err := tx.exec(oidcProviderInsert+` ON CONFLICT (account, url) DO UPDATE SET client_ids = excluded.client_ids,
		thumbprints = excluded.thumbprints, tags = excluded.tags, created_at = excluded.created_at`, p.args()...)
	return err
}

// GetOIDCProvider reads a provider by its URL without "https://".
func (tx *Tx) GetOIDCProvider(account arn.AccountID, url string) (*OIDCProvider, error) {
	return one(tx, scanOIDCProvider, `SELECT `+oidcProviderColumns+` FROM oidc_providers WHERE account = $1 AND url = $2`, account, url)
}

// DeleteOIDCProvider removes a provider.
func (tx *Tx) DeleteOIDCProvider(account arn.AccountID, url string) error {
	tx.changed(kindOIDCProvider, account, "", url)
	return tx.remove(`DELETE FROM oidc_providers WHERE account = $1 AND url = $2`, account, url)
}

// ListOIDCProviders pages by URL.
func (tx *Tx) ListOIDCProviders(account arn.AccountID, limit int, after string) ([]OIDCProvider, string, error) {
	return page(tx, scanOIDCProvider, func(p *OIDCProvider) string { return p.URL }, limit,
		`SELECT `+oidcProviderColumns+` FROM oidc_providers WHERE account = $1 AND url > $2 ORDER BY url LIMIT $3`, account, after)
}

// OIDCProvider returns a provider by its URL without "https://".
func (v *View) OIDCProvider(ctx context.Context, account arn.AccountID, url string) (*Cached[OIDCProvider], error) {
	return lookup(v, ctx, change{kindOIDCProvider, account, "", url}, func(tx *Tx, k change) (*OIDCProvider, error) {
		return tx.GetOIDCProvider(k.account, k.id)
	})
}

// CountOIDCProviders counts the providers of an account.
func (tx *Tx) CountOIDCProviders(account arn.AccountID) (int, error) {
	return tx.count(`SELECT COUNT(*) FROM oidc_providers WHERE account = $1`, account)
}
