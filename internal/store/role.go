package store

import (
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// Role is an IAM role. Its name is unique in the account without regard to case.
type Role struct {
	Account     arn.AccountID
	Name        string
	Path        string
	ID          string // AROA…
	Description string
	TrustPolicy string
	MaxSession  int    // seconds
	Boundary    string // policy ARN or ""
	Tags        []Tag
	CreatedAt   time.Time
	Trusted     []TrustedPrincipal // whom the trust policy's ARNs meant when it was saved
}

// TrustedPrincipal is a user or role that a trust policy names, with the unique id it had when the policy was saved:
// another one that later gets the same ARN is not trusted.
type TrustedPrincipal struct{ ARN, ID string }

const roleColumns = `account, name_key, name, path, id, description, trust_policy, max_session, boundary, tags, created_at, trusted`

func scanRole(s scanner, r *Role) error {
	var key string
	return s.Scan(&r.Account, &key, &r.Name, &r.Path, &r.ID, &r.Description, &r.TrustPolicy, &r.MaxSession, &r.Boundary,
		list[Tag]{&r.Tags}, micros{&r.CreatedAt}, list[TrustedPrincipal]{&r.Trusted})
}

func (r *Role) args() []any {
	return []any{r.Account, nameKey(r.Name), r.Name, r.Path, r.ID, r.Description, r.TrustPolicy, r.MaxSession, r.Boundary,
		toList(r.Tags), toMicros(r.CreatedAt), toList(r.Trusted)}
}

// CreateRole adds a role.
func (tx *Tx) CreateRole(r *Role) error {
	tx.changed(kindRole, r.Account, "", nameKey(r.Name))
	return tx.insert(`INSERT INTO roles (`+roleColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`, r.args()...)
}

// PutRole adds or replaces a role.
func (tx *Tx) PutRole(r *Role) error {
	tx.changed(kindRole, r.Account, "", nameKey(r.Name))
	_, err := tx.exec(`INSERT INTO roles (`+roleColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (account, name_key) DO UPDATE SET name = excluded.name, path = excluded.path, id = excluded.id,
		description = excluded.description, trust_policy = excluded.trust_policy, max_session = excluded.max_session,
		boundary = excluded.boundary, tags = excluded.tags, created_at = excluded.created_at,
		trusted = excluded.trusted`, r.args()...)
	return err
}

// GetRole reads a role by name, in any case.
func (tx *Tx) GetRole(account arn.AccountID, name string) (*Role, error) {
	return one(tx, scanRole, `SELECT `+roleColumns+` FROM roles WHERE account = $1 AND name_key = $2`, account, nameKey(name))
}

// DeleteRole removes the role's row only: its policies are the caller's to check or delete first.
func (tx *Tx) DeleteRole(account arn.AccountID, name string) error {
	tx.changed(kindRole, account, "", nameKey(name))
	return tx.remove(`DELETE FROM roles WHERE account = $1 AND name_key = $2`, account, nameKey(name))
}

// ListRoles pages by folded name through the roles whose path begins with pathPrefix ("" or "/" for all).
func (tx *Tx) ListRoles(account arn.AccountID, pathPrefix string, limit int, after string) ([]Role, string, error) {
	where, args := pathFilter(pathPrefix, account, after)
	return page(tx, scanRole, func(r *Role) string { return nameKey(r.Name) }, limit,
		`SELECT `+roleColumns+` FROM roles WHERE account = $1 AND name_key > $2 `+where, args...)
}

// pathFilter ends a list statement of $1 account, $2 after with the path condition, order and limit.
func pathFilter(prefix string, account arn.AccountID, after string) (string, []any) {
	if prefix == "" || prefix == "/" {
		return `ORDER BY name_key LIMIT $3`, []any{account, after}
	}
	return `AND path >= $3 AND path < $4 ORDER BY name_key LIMIT $5`, []any{account, after, prefix, prefixEnd(prefix)}
}
