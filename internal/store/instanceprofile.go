package store

import (
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// InstanceProfile is an IAM instance profile. Its name is unique in the account without regard to case.
type InstanceProfile struct {
	Account   arn.AccountID
	Name      string
	Path      string
	ID        string // AIPA…
	RoleKey   string // folded name of its role, or ""
	Tags      []Tag
	CreatedAt time.Time
}

const instanceProfileColumns = `account, name_key, name, path, id, role_key, tags, created_at`

func scanInstanceProfile(s scanner, p *InstanceProfile) error {
	var key string
	return s.Scan(&p.Account, &key, &p.Name, &p.Path, &p.ID, &p.RoleKey, list[Tag]{&p.Tags}, micros{&p.CreatedAt})
}

func (p *InstanceProfile) args() []any {
	return []any{p.Account, nameKey(p.Name), p.Name, p.Path, p.ID, nameKey(p.RoleKey), toList(p.Tags), toMicros(p.CreatedAt)}
}

// CreateInstanceProfile adds an instance profile.
func (tx *Tx) CreateInstanceProfile(p *InstanceProfile) error {
	tx.changed(kindOther, p.Account, "", nameKey(p.Name))
	return tx.insert(`INSERT INTO instance_profiles (`+instanceProfileColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, p.args()...)
}

// PutInstanceProfile adds or replaces an instance profile. That its role exists is the caller's to check in the same transaction.
func (tx *Tx) PutInstanceProfile(p *InstanceProfile) error {
	tx.changed(kindOther, p.Account, "", nameKey(p.Name))
	_, err := tx.exec(`INSERT INTO instance_profiles (`+instanceProfileColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (account, name_key) DO UPDATE SET name = excluded.name, path = excluded.path, id = excluded.id,
		role_key = excluded.role_key, tags = excluded.tags, created_at = excluded.created_at`, p.args()...)
	return err
}

// GetInstanceProfile reads an instance profile by name, in any case.
func (tx *Tx) GetInstanceProfile(account arn.AccountID, name string) (*InstanceProfile, error) {
	return one(tx, scanInstanceProfile, `SELECT `+instanceProfileColumns+` FROM instance_profiles WHERE account = $1 AND name_key = $2`,
		account, nameKey(name))
}

// DeleteInstanceProfile removes an instance profile.
func (tx *Tx) DeleteInstanceProfile(account arn.AccountID, name string) error {
	tx.changed(kindOther, account, "", nameKey(name))
	return tx.remove(`DELETE FROM instance_profiles WHERE account = $1 AND name_key = $2`, account, nameKey(name))
}

// ListInstanceProfiles pages by folded name through those whose path begins with pathPrefix ("" or "/" for all).
func (tx *Tx) ListInstanceProfiles(account arn.AccountID, pathPrefix string, limit int, after string) ([]InstanceProfile, string, error) {
	where, args := pathFilter(pathPrefix, account, after)
	return page(tx, scanInstanceProfile, func(p *InstanceProfile) string { return nameKey(p.Name) }, limit,
		`SELECT `+instanceProfileColumns+` FROM instance_profiles WHERE account = $1 AND name_key > $2 `+where, args...)
}

// ListRoleInstanceProfiles pages by folded name through those that hold a role.
func (tx *Tx) ListRoleInstanceProfiles(account arn.AccountID, role string, limit int, after string) ([]InstanceProfile, string, error) {
	return page(tx, scanInstanceProfile, func(p *InstanceProfile) string { return nameKey(p.Name) }, limit,
		`SELECT `+instanceProfileColumns+` FROM instance_profiles
		WHERE account = $1 AND role_key = $2 AND role_key <> '' AND name_key > $3 ORDER BY name_key LIMIT $4`, account, nameKey(role), after)
}
