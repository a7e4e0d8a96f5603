package store

import (
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// Account is a tenant. Nothing of one account is visible in another without a policy that says so.
type Account struct {
	ID        arn.AccountID
	Name      string
	CreatedAt time.Time
}

const accountColumns = `id, name, created_at`

func scanAccount(s scanner, a *Account) error {
	return s.Scan(&a.ID, &a.Name, micros{&a.CreatedAt})
}

// CreateAccount adds an account.
func (tx *Tx) CreateAccount(a *Account) error {
	tx.changed(kindAccount, a.ID, "", "")
	return tx.insert(`INSERT INTO accounts (`+accountColumns+`) VALUES ($1, $2, $3)`, a.ID, a.Name, toMicros(a.CreatedAt))
}

// PutAccount adds or replaces an account.
func (tx *Tx) PutAccount(a *Account) error {
	tx.changed(kindAccount, a.ID, "", "")
	_, err := tx.exec(`INSERT INTO accounts (`+accountColumns+`) VALUES ($1, $2, $3)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, created_at = excluded.created_at`, a.ID, a.Name, toMicros(a.CreatedAt))
	return err
}

// GetAccount reads one account.
func (tx *Tx) GetAccount(id arn.AccountID) (*Account, error) {
	return one(tx, scanAccount, `SELECT `+accountColumns+` FROM accounts WHERE id = $1`, id)
}

// ListAccounts pages by account id.
func (tx *Tx) ListAccounts(limit int, after string) ([]Account, string, error) {
	return page(tx, scanAccount, func(a *Account) string { return string(a.ID) }, limit,
		`SELECT `+accountColumns+` FROM accounts WHERE id > $1 ORDER BY id LIMIT $2`, after)
}
