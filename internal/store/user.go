package store

import (
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// User is an IAM user. Its name is unique in the account without regard to case.
type User struct {
	Account   arn.AccountID
	Name      string
	Path      string
	ID        string // AIDA…
	Boundary  string // policy ARN or ""
	Tags      []Tag
	CreatedAt time.Time
}

const userColumns = `account, name_key, name, path, id, boundary, tags, created_at`

func scanUser(s scanner, u *User) error {
	var key string
	return s.Scan(&u.Account, &key, &u.Name, &u.Path, &u.ID, &u.Boundary, list[Tag]{&u.Tags}, micros{&u.CreatedAt})
}

func (u *User) args() []any {
	return []any{u.Account, nameKey(u.Name), u.Name, u.Path, u.ID, u.Boundary, toList(u.Tags), toMicros(u.CreatedAt)}
}

// CreateUser adds a user.
func (tx *Tx) CreateUser(u *User) error {
	tx.changed(kindUser, u.Account, "", nameKey(u.Name))
	return tx.insert(`INSERT INTO users (`+userColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, u.args()...)
}

// PutUser adds or replaces a user.
func (tx *Tx) PutUser(u *User) error {
	tx.changed(kindUser, u.Account, "", nameKey(u.Name))
	_, err := tx.exec(`INSERT INTO users (`+userColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (account, name_key) DO UPDATE SET name = excluded.name, path = excluded.path, id = excluded.id,
		boundary = excluded.boundary, tags = excluded.tags, created_at = excluded.created_at`, u.args()...)
	return err
}

// GetUser reads a user by name, in any case.
func (tx *Tx) GetUser(account arn.AccountID, name string) (*User, error) {
	return one(tx, scanUser, `SELECT `+userColumns+` FROM users WHERE account = $1 AND name_key = $2`, account, nameKey(name))
}

// DeleteUser removes the user's row only: its keys and policies are the caller's to check or delete first.
func (tx *Tx) DeleteUser(account arn.AccountID, name string) error {
	tx.changed(kindUser, account, "", nameKey(name))
	return tx.remove(`DELETE FROM users WHERE account = $1 AND name_key = $2`, account, nameKey(name))
}

// ListUsers pages by folded name through the users whose path begins with pathPrefix ("" or "/" for all).
func (tx *Tx) ListUsers(account arn.AccountID, pathPrefix string, limit int, after string) ([]User, string, error) {
	where, args := pathFilter(pathPrefix, account, after)
	return page(tx, scanUser, func(u *User) string { return nameKey(u.Name) }, limit,
		`SELECT `+userColumns+` FROM users WHERE account = $1 AND name_key > $2 `+where, args...)
}
