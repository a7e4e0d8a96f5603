package store

import (
	"context"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// OCSPResponder is the key and certificate that sign a CA's OCSP answers.
type OCSPResponder struct {
	Account     arn.AccountID
	Region      arn.Region
	Authority   string
	KeyRef      []byte // sealed by the caller; empty while there is no key
	Certificate []byte // DER
	NotAfter    time.Time
	DueAt       time.Time // when a new one has to be made; zero for never
}

const responderColumns = `account, region, authority, key_ref, certificate, not_after, due_at`

func scanResponder(s scanner, r *OCSPResponder) error {
	return s.Scan(&r.Account, &r.Region, &r.Authority, blob{&r.KeyRef}, blob{&r.Certificate}, micros{&r.NotAfter}, micros{&r.DueAt})
}

// PutOCSPResponder adds or replaces a CA's responder.
func (tx *Tx) PutOCSPResponder(r *OCSPResponder) error {
	tx.changed(kindResponder, r.Account, r.Region, r.Authority)
	_, err := tx.exec(`INSERT INTO ocsp_responders (`+responderColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (account, region, authority) DO UPDATE SET key_ref = excluded.key_ref, certificate = excluded.certificate,
		not_after = excluded.not_after, due_at = excluded.due_at`,
		r.Account, r.Region, r.Authority, notNil(r.KeyRef), notNil(r.Certificate), toMicros(r.NotAfter), toMicros(r.DueAt))
	return err
}

// GetOCSPResponder reads a CA's responder.
func (tx *Tx) GetOCSPResponder(account arn.AccountID, region arn.Region, authority string) (*OCSPResponder, error) {
	return one(tx, scanResponder, `SELECT `+responderColumns+` FROM ocsp_responders WHERE account = $1 AND region = $2 AND authority = $3`, account, region, authority)
}

// DeleteOCSPResponder removes a CA's responder, its key with it.
func (tx *Tx) DeleteOCSPResponder(account arn.AccountID, region arn.Region, authority string) error {
	tx.changed(kindResponder, account, region, authority)
	return tx.remove(`DELETE FROM ocsp_responders WHERE account = $1 AND region = $2 AND authority = $3`, account, region, authority)
}

// ListRespondersDue are responders, of all accounts, that have to be made anew by the transaction's time.
func (tx *Tx) ListRespondersDue(limit int) ([]OCSPResponder, error) {
	return all(tx, scanResponder, `SELECT `+responderColumns+` FROM ocsp_responders WHERE due_at > 0 AND due_at <= $1 ORDER BY due_at LIMIT $2`, toMicros(tx.Now), limit)
}

// OCSPResponder returns a CA's responder.
func (v *View) OCSPResponder(ctx context.Context, account arn.AccountID, region arn.Region, authority string) (*Cached[OCSPResponder], error) {
	return lookup(v, ctx, change{kindResponder, account, region, authority}, func(tx *Tx, k change) (*OCSPResponder, error) {
		return tx.GetOCSPResponder(k.account, k.region, k.id)
	})
}
