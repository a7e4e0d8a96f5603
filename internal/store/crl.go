package store

import (
	"errors"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// CRL is an imported certificate revocation list.
type CRL struct {
	Account       arn.AccountID
	Region        arn.Region
	ID            string // UUID
	Name          string
	Enabled       bool
	Data          []byte // as imported
	TrustAnchorID string
	Tags          []Tag
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

const crlColumns = `account, region, id, name, enabled, data, trust_anchor_id, tags, created_at, updated_at`

func scanCRL(s scanner, c *CRL) error {
	return s.Scan(&c.Account, &c.Region, &c.ID, &c.Name, &c.Enabled, blob{&c.Data}, &c.TrustAnchorID, list[Tag]{&c.Tags},
		micros{&c.CreatedAt}, micros{&c.UpdatedAt})
}

func (c *CRL) args() []any {
	return []any{c.Account, c.Region, c.ID, c.Name, c.Enabled, notNil(c.Data), c.TrustAnchorID, toList(c.Tags),
		toMicros(c.CreatedAt), toMicros(c.UpdatedAt)}
}

// CreateCRL adds a CRL.
func (tx *Tx) CreateCRL(c *CRL) error {
	tx.changed(kindAnchorCRLs, c.Account, c.Region, c.TrustAnchorID)
	return tx.insert(`INSERT INTO crls (`+crlColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, c.args()...)
}

// PutCRL adds or replaces a CRL.
func (tx *Tx) PutCRL(c *CRL) error {
	if err := tx.anchorOfCRLChanged(c.Account, c.Region, c.ID); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	tx.changed(kindAnchorCRLs, c.Account, c.Region, c.TrustAnchorID)
	_, err := tx.exec(`INSERT INTO crls (`+crlColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (account, region, id) DO UPDATE SET name = excluded.name, enabled = excluded.enabled, data = excluded.data,
		trust_anchor_id = excluded.trust_anchor_id, tags = excluded.tags, created_at = excluded.created_at,
		updated_at = excluded.updated_at`, c.args()...)
	return err
}

// anchorOfCRLChanged notes a change for the anchor that the stored CRL belongs to.
func (tx *Tx) anchorOfCRLChanged(account arn.AccountID, region arn.Region, id string) error {
	anchor, err := one(tx, func(s scanner, id *string) error { return s.Scan(id) },
		`SELECT trust_anchor_id FROM crls WHERE account = $1 AND region = $2 AND id = $3`, account, region, id)
	if err != nil {
		return err
	}
	tx.changed(kindAnchorCRLs, account, region, *anchor)
	return nil
}

// GetCRL reads one CRL.
func (tx *Tx) GetCRL(account arn.AccountID, region arn.Region, id string) (*CRL, error) {
	return one(tx, scanCRL, `SELECT `+crlColumns+` FROM crls WHERE account = $1 AND region = $2 AND id = $3`, account, region, id)
}

// DeleteCRL removes one CRL.
func (tx *Tx) DeleteCRL(account arn.AccountID, region arn.Region, id string) error {
	if err := tx.anchorOfCRLChanged(account, region, id); err != nil {
		return err
	}
	return tx.remove(`DELETE FROM crls WHERE account = $1 AND region = $2 AND id = $3`, account, region, id)
}

// ListCRLs pages by id.
func (tx *Tx) ListCRLs(account arn.AccountID, region arn.Region, limit int, after string) ([]CRL, string, error) {
	return page(tx, scanCRL, func(c *CRL) string { return c.ID }, limit,
		`SELECT `+crlColumns+` FROM crls WHERE account = $1 AND region = $2 AND id > $3 ORDER BY id LIMIT $4`, account, region, after)
}

// ListAnchorCRLs reads every CRL of one trust anchor, disabled ones included, by id.
func (tx *Tx) ListAnchorCRLs(account arn.AccountID, region arn.Region, anchorID string) ([]CRL, error) {
	return all(tx, scanCRL, `SELECT `+crlColumns+` FROM crls WHERE account = $1 AND region = $2 AND trust_anchor_id = $3 ORDER BY id`,
		account, region, anchorID)
}

// CountAnchorCRLs counts the CRLs of one trust anchor, for quotas.
func (tx *Tx) CountAnchorCRLs(account arn.AccountID, region arn.Region, anchorID string) (int, error) {
	return tx.count(`SELECT COUNT(*) FROM crls WHERE account = $1 AND region = $2 AND trust_anchor_id = $3`, account, region, anchorID)
}
