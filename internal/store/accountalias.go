package store

import (
	"errors"

	"github.com/rolecall/rolecall/internal/arn"
)

// AccountAlias is an account's other name. An account has at most one, and no two accounts of a server the same.
type AccountAlias struct {
	Account arn.AccountID
	Alias   string
}

func scanAccountAlias(s scanner, a *AccountAlias) error { return s.Scan(&a.Account, &a.Alias) }

// CreateAccountAlias gives an account an alias, in place of the one it has. One that any account has is [ErrExists].
func (tx *Tx) CreateAccountAlias(a *AccountAlias) error {
	tx.changed(kindOther, a.Account, "", a.Alias)
	_, err := one(tx, scanAccountAlias, `SELECT account, alias FROM account_aliases WHERE alias = $1`, a.Alias)
	if err == nil {
		return ErrExists
	}
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	_, err = tx.exec(`INSERT INTO account_aliases (account, alias) VALUES ($1, $2)
		ON CONFLICT (account) DO UPDATE SET alias = excluded.alias`, a.Account, a.Alias)
	return err
}

// GetAccountAlias reads the alias of an account.
func (tx *Tx) GetAccountAlias(account arn.AccountID) (*AccountAlias, error) {
	return one(tx, scanAccountAlias, `SELECT account, alias FROM account_aliases WHERE account = $1`, account)
}

// DeleteAccountAlias takes this alias from the account.
func (tx *Tx) DeleteAccountAlias(account arn.AccountID, alias string) error {
	tx.changed(kindOther, account, "", alias)
	return tx.remove(`DELETE FROM account_aliases WHERE account = $1 AND alias = $2`, account, alias)
}
