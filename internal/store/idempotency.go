package store

import (
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// IdempotencyToken remembers what a request that carried a token led to.
type IdempotencyToken struct {
	Account   arn.AccountID
	Region    arn.Region
	Operation string
	Token     string
	Request   []byte // hash of the request
	Result    string
	ExpiresAt time.Time
}

const idempotencyColumns = `account, region, operation, token, request, result, expires_at`

func scanIdempotency(s scanner, t *IdempotencyToken) error {
	return s.Scan(&t.Account, &t.Region, &t.Operation, &t.Token, blob{&t.Request}, &t.Result, micros{&t.ExpiresAt})
}

// PutIdempotencyToken adds or replaces a token and forgets expired ones. No revision moves: tokens are
// not cached.
func (tx *Tx) PutIdempotencyToken(t *IdempotencyToken) error {
	if _, err := tx.exec(`DELETE FROM idempotency_tokens WHERE expires_at <= $1`, toMicros(tx.Now)); err != nil {
		return err
	}
	_, err := tx.exec(`INSERT INTO idempotency_tokens (`+idempotencyColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (account, region, operation, token) DO UPDATE SET request = excluded.request, result = excluded.result,
		expires_at = excluded.expires_at`, t.Account, t.Region, t.Operation, t.Token, notNil(t.Request), t.Result, toMicros(t.ExpiresAt))
	return err
}

// GetIdempotencyToken reads a token that has not expired.
func (tx *Tx) GetIdempotencyToken(account arn.AccountID, region arn.Region, operation, token string) (*IdempotencyToken, error) {
	return one(tx, scanIdempotency, `SELECT `+idempotencyColumns+` FROM idempotency_tokens
		WHERE account = $1 AND region = $2 AND operation = $3 AND token = $4 AND expires_at > $5`, account, region, operation, token, toMicros(tx.Now))
}
