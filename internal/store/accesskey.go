package store

import (
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// AccessKey is a long-term access key of a user, or of the account's root when UserName is empty.
type AccessKey struct {
	ID        string
	Account   arn.AccountID
	UserName  string
	Secret    []byte // sealed by the caller; the store never sees the secret
	Active    bool
	CreatedAt time.Time
}

const accessKeyColumns = `id, account, user_name, user_key, secret, active, created_at`

func scanAccessKey(s scanner, k *AccessKey) error {
	var userKey string
	return s.Scan(&k.ID, &k.Account, &k.UserName, &userKey, blob{&k.Secret}, &k.Active, micros{&k.CreatedAt})
}

func (k *AccessKey) args() []any {
	return []any{k.ID, k.Account, k.UserName, nameKey(k.UserName), notNil(k.Secret), k.Active, toMicros(k.CreatedAt)}
}

// CreateAccessKey adds a key.
func (tx *Tx) CreateAccessKey(k *AccessKey) error {
	tx.changed(kindAccessKey, "", "", k.ID)
	return tx.insert(`INSERT INTO access_keys (`+accessKeyColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)`, k.args()...)
}

// PutAccessKey adds or replaces a key.
func (tx *Tx) PutAccessKey(k *AccessKey) error {
	tx.changed(kindAccessKey, "", "", k.ID)
	_, err := tx.exec(`INSERT INTO access_keys (`+accessKeyColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (id) DO UPDATE SET account = excluded.account, user_name = excluded.user_name, user_key = excluded.user_key,
		secret = excluded.secret, active = excluded.active, created_at = excluded.created_at`, k.args()...)
	return err
}

// GetAccessKey reads one key. Access key ids are unique across accounts.
func (tx *Tx) GetAccessKey(id string) (*AccessKey, error) {
	return one(tx, scanAccessKey, `SELECT `+accessKeyColumns+` FROM access_keys WHERE id = $1`, id)
}

// DeleteAccessKey removes one key.
func (tx *Tx) DeleteAccessKey(id string) error {
	tx.changed(kindAccessKey, "", "", id)
	return tx.remove(`DELETE FROM access_keys WHERE id = $1`, id)
}

// ListAccessKeys pages through the keys of a user ("" for root) by key id.
func (tx *Tx) ListAccessKeys(account arn.AccountID, userName string, limit int, after string) ([]AccessKey, string, error) {
	return page(tx, scanAccessKey, func(k *AccessKey) string { return k.ID }, limit,
		`SELECT `+accessKeyColumns+` FROM access_keys WHERE account = $1 AND user_key = $2 AND id > $3 ORDER BY id LIMIT $4`,
		account, nameKey(userName), after)
}
