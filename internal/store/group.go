package store

import (
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// Group is an IAM group. Its name is unique in the account without regard to case.
type Group struct {
	Account   arn.AccountID
	Name      string
	Path      string
	ID        string // AGPA…
	CreatedAt time.Time
}

const groupColumns = `account, name_key, name, path, id, created_at`

func scanGroup(s scanner, g *Group) error {
	var key string
	return s.Scan(&g.Account, &key, &g.Name, &g.Path, &g.ID, micros{&g.CreatedAt})
}

func (g *Group) args() []any {
	return []any{g.Account, nameKey(g.Name), g.Name, g.Path, g.ID, toMicros(g.CreatedAt)}
}

// CreateGroup adds a group.
func (tx *Tx) CreateGroup(g *Group) error {
	tx.changed(kindGroup, g.Account, "", nameKey(g.Name))
	return tx.insert(`INSERT INTO iam_groups (`+groupColumns+`) VALUES ($1, $2, $3, $4, $5, $6)`, g.args()...)
}

// PutGroup adds or replaces a group.
func (tx *Tx) PutGroup(g *Group) error {
	tx.changed(kindGroup, g.Account, "", nameKey(g.Name))
	_, err := tx.exec(`INSERT INTO iam_groups (`+groupColumns+`) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (account, name_key) DO UPDATE SET name = excluded.name, path = excluded.path, id = excluded.id,
		created_at = excluded.created_at`, g.args()...)
	return err
}

// GetGroup reads a group by name, in any case.
func (tx *Tx) GetGroup(account arn.AccountID, name string) (*Group, error) {
	return one(tx, scanGroup, `SELECT `+groupColumns+` FROM iam_groups WHERE account = $1 AND name_key = $2`, account, nameKey(name))
}

// DeleteGroup removes the group's row only: its members and policies are the caller's to check or delete first.
func (tx *Tx) DeleteGroup(account arn.AccountID, name string) error {
	tx.changed(kindGroup, account, "", nameKey(name))
	return tx.remove(`DELETE FROM iam_groups WHERE account = $1 AND name_key = $2`, account, nameKey(name))
}

// ListGroups pages by folded name through the groups whose path begins with pathPrefix ("" or "/" for all).
func (tx *Tx) ListGroups(account arn.AccountID, pathPrefix string, limit int, after string) ([]Group, string, error) {
	where, args := pathFilter(pathPrefix, account, after)
	return page(tx, scanGroup, func(g *Group) string { return nameKey(g.Name) }, limit,
		`SELECT `+groupColumns+` FROM iam_groups WHERE account = $1 AND name_key > $2 `+where, args...)
}

// AddMember puts a user into a group; it is no error if the user is in it already. That both exist is the caller's to
// check in the same transaction.
func (tx *Tx) AddMember(account arn.AccountID, group, user string) error {
	tx.changed(kindUser, account, "", nameKey(user))
	_, err := tx.exec(`INSERT INTO group_members (account, group_key, user_key) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
		account, nameKey(group), nameKey(user))
	return err
}

// RemoveMember takes a user out of a group. One who is not in it is [ErrNotFound].
func (tx *Tx) RemoveMember(account arn.AccountID, group, user string) error {
	tx.changed(kindUser, account, "", nameKey(user))
	return tx.remove(`DELETE FROM group_members WHERE account = $1 AND group_key = $2 AND user_key = $3`,
		account, nameKey(group), nameKey(user))
}

// ListMembers pages by folded name through the users of a group.
func (tx *Tx) ListMembers(account arn.AccountID, group string, limit int, after string) ([]User, string, error) {
	return page(tx, scanUser, func(u *User) string { return nameKey(u.Name) }, limit, `SELECT `+qualified("u", userColumns)+`
		FROM group_members m JOIN users u ON u.account = m.account AND u.name_key = m.user_key
		WHERE m.account = $1 AND m.group_key = $2 AND m.user_key > $3 ORDER BY m.user_key LIMIT $4`, account, nameKey(group), after)
}

// ListUserGroups pages by folded name through the groups that a user is in.
func (tx *Tx) ListUserGroups(account arn.AccountID, user string, limit int, after string) ([]Group, string, error) {
	return page(tx, scanGroup, func(g *Group) string { return nameKey(g.Name) }, limit, `SELECT `+qualified("g", groupColumns)+`
		FROM group_members m JOIN iam_groups g ON g.account = m.account AND g.name_key = m.group_key
		WHERE m.account = $1 AND m.user_key = $2 AND m.group_key > $3 ORDER BY m.group_key LIMIT $4`, account, nameKey(user), after)
}

// CountUserGroups is how many groups a user is in.
func (tx *Tx) CountUserGroups(account arn.AccountID, user string) (int, error) {
	return tx.count(`SELECT COUNT(*) FROM group_members WHERE account = $1 AND user_key = $2`, account, nameKey(user))
}

// RenameGroup moves a group with its policies and members to what g says now.
func (tx *Tx) RenameGroup(old string, g *Group) error {
	if nameKey(old) == nameKey(g.Name) {
		if err := tx.renameOwner(OwnerGroup, g.Account, old, g.Name); err != nil {
			return err
		}
		return tx.PutGroup(g)
	}
	members, err := all(tx, func(s scanner, key *string) error { return s.Scan(key) },
		`SELECT user_key FROM group_members WHERE account = $1 AND group_key = $2`, g.Account, nameKey(old))
	if err != nil {
		return err
	}
	if err := tx.DeleteGroup(g.Account, old); err != nil {
		return err
	}
	if err := tx.CreateGroup(g); err != nil {
		return err
	}
	if err := tx.renameOwner(OwnerGroup, g.Account, old, g.Name); err != nil {
		return err
	}
	for _, user := range members {
		tx.changed(kindUser, g.Account, "", user)
	}
	_, err = tx.exec(`UPDATE group_members SET group_key = $1 WHERE account = $2 AND group_key = $3`, nameKey(g.Name), g.Account, nameKey(old))
	return err
}

// renameMember keeps a user's memberships under the user's new name.
func (tx *Tx) renameMember(account arn.AccountID, old, name string) error {
	_, err := tx.exec(`UPDATE group_members SET user_key = $1 WHERE account = $2 AND user_key = $3`, nameKey(name), account, nameKey(old))
	return err
}

// allGroups reads the folded names of every group that a user is in, for the view.
func (tx *Tx) allGroups(account arn.AccountID, userKey string) ([]string, error) {
	return all(tx, func(s scanner, key *string) error { return s.Scan(key) },
		`SELECT group_key FROM group_members WHERE account = $1 AND user_key = $2 ORDER BY group_key`, account, userKey)
}
