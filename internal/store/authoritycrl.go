package store

import (
	"context"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// AuthorityCRL is the current revocation list of a private CA.
type AuthorityCRL struct {
	Account    arn.AccountID
	Region     arn.Region
	Authority  string
	Number     int64
	NextUpdate time.Time
	DER        []byte
}

const authorityCRLColumns = `account, region, authority, number, next_update, der`

func scanAuthorityCRL(s scanner, c *AuthorityCRL) error {
	return s.Scan(&c.Account, &c.Region, &c.Authority, &c.Number, micros{&c.NextUpdate}, blob{&c.DER})
}

// PutAuthorityCRL adds or replaces a CA's list. One with a lower number than the stored one is left out: of two nodes
// that sign at once, the later list stays.
func (tx *Tx) PutAuthorityCRL(c *AuthorityCRL) error {
	tx.changed(kindAuthorityCRL, "", "", c.Authority)
	_, err := tx.exec(`INSERT INTO authority_crls (`+authorityCRLColumns+`) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (account, region, authority) DO UPDATE SET number = excluded.number, next_update = excluded.next_update,
		der = excluded.der WHERE authority_crls.number <= excluded.number`,
		c.Account, c.Region, c.Authority, c.Number, toMicros(c.NextUpdate), notNil(c.DER))
	return err
}

// GetAuthorityCRL reads a CA's list.
func (tx *Tx) GetAuthorityCRL(account arn.AccountID, region arn.Region, authority string) (*AuthorityCRL, error) {
	return one(tx, scanAuthorityCRL, `SELECT `+authorityCRLColumns+` FROM authority_crls WHERE account = $1 AND region = $2 AND authority = $3`,
		account, region, authority)
}

// FindAuthorityCRL reads the list of the CA with the id, whichever account and region it is in: who fetches a list knows
// nothing else. Ids are random.
func (tx *Tx) FindAuthorityCRL(authority string) (*AuthorityCRL, error) {
	return one(tx, scanAuthorityCRL, `SELECT `+authorityCRLColumns+` FROM authority_crls WHERE authority = $1 LIMIT 1`, authority)
}

// AuthorityCRL returns the list of the CA with the id; see [Tx.FindAuthorityCRL].
func (v *View) AuthorityCRL(ctx context.Context, authority string) (*Cached[AuthorityCRL], error) {
	return lookup(v, ctx, change{kindAuthorityCRL, "", "", authority}, func(tx *Tx, k change) (*AuthorityCRL, error) {
		return tx.FindAuthorityCRL(k.id)
	})
}
