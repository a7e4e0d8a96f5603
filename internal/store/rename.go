package store

import (
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
)

// renameOwner moves the inline policies and attachments of an identity to its new name. The identity's own row is the
// caller's to move in the same transaction.
func (tx *Tx) renameOwner(owner OwnerKind, account arn.AccountID, old, name string) error {
	tx.changed(owner.kind(), account, "", nameKey(old))
	tx.changed(owner.kind(), account, "", nameKey(name))
	for _, table := range []string{"inline_policies", "attachments"} {
		if _, err := tx.exec(`UPDATE `+table+` SET owner_key = $1, owner_name = $2
			WHERE account = $3 AND owner_kind = $4 AND owner_key = $5`, nameKey(name), name, account, string(owner), nameKey(old)); err != nil {
			return err
		}
	}
	return nil
}

// RenameUser moves a user to what u says now, with policies, keys and memberships. A name that is taken is [ErrExists].
func (tx *Tx) RenameUser(old string, u *User) error {
	if nameKey(old) != nameKey(u.Name) {
		if err := tx.DeleteUser(u.Account, old); err != nil {
			return err
		}
		if err := tx.CreateUser(u); err != nil {
			return err
		}
		if err := tx.renameMember(u.Account, old, u.Name); err != nil {
			return err
		}
	} else if err := tx.PutUser(u); err != nil {
		return err
	}
	if err := tx.renameOwner(OwnerUser, u.Account, old, u.Name); err != nil {
		return err
	}
	keys, err := all(tx, func(s scanner, id *string) error { return s.Scan(id) },
		`SELECT id FROM access_keys WHERE account = $1 AND user_key = $2`, u.Account, nameKey(old))
	if err != nil {
		return err
	}
	for _, id := range keys {
		tx.changed(kindAccessKey, "", "", id)
	}
	_, err = tx.exec(`UPDATE access_keys SET user_name = $1, user_key = $2 WHERE account = $3 AND user_key = $4`,
		u.Name, nameKey(u.Name), u.Account, nameKey(old))
	return err
}

// qualified puts a table's alias before every column of a list.
func qualified(alias, columns string) string {
	return alias + "." + strings.ReplaceAll(columns, ", ", ", "+alias+".")
}
