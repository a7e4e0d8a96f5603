package store

import (
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// AuthorityPolicy is the resource-based policy of a private CA.
type AuthorityPolicy struct {
	Account   arn.AccountID
	Region    arn.Region
	Authority string
	Document  string
	ChangedAt time.Time
}

const authorityPolicyColumns = `account, region, authority, document, changed_at`

func scanAuthorityPolicy(s scanner, p *AuthorityPolicy) error {
	return s.Scan(&p.Account, &p.Region, &p.Authority, &p.Document, micros{&p.ChangedAt})
}

// PutAuthorityPolicy adds or replaces a CA's policy.
func (tx *Tx) PutAuthorityPolicy(p *AuthorityPolicy) error {
	tx.changed(kindIssuing, p.Account, p.Region, p.Authority)
	_, err := tx.exec(`INSERT INTO authority_policies (`+authorityPolicyColumns+`) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account, region, authority) DO UPDATE SET document = excluded.document, changed_at = excluded.changed_at`,
		p.Account, p.Region, p.Authority, p.Document, toMicros(p.ChangedAt))
	return err
}

// GetAuthorityPolicy reads a CA's policy.
func (tx *Tx) GetAuthorityPolicy(account arn.AccountID, region arn.Region, authority string) (*AuthorityPolicy, error) {
	return one(tx, scanAuthorityPolicy, `SELECT `+authorityPolicyColumns+` FROM authority_policies WHERE account = $1 AND region = $2 AND authority = $3`, account, region, authority)
}

// DeleteAuthorityPolicy removes a CA's policy.
func (tx *Tx) DeleteAuthorityPolicy(account arn.AccountID, region arn.Region, authority string) error {
	tx.changed(kindIssuing, account, region, authority)
	return tx.remove(`DELETE FROM authority_policies WHERE account = $1 AND region = $2 AND authority = $3`, account, region, authority)
}

// AuthorityPermission lets an AWS service use a CA for its renewals.
type AuthorityPermission struct {
	Account       arn.AccountID
	Region        arn.Region
	Authority     string
	Principal     string // a service principal
	SourceAccount string // for whom the service acts
	Actions       []string
	CreatedAt     time.Time
}

// id orders permissions and makes them unique.
func (p *AuthorityPermission) id() string { return p.Principal + "/" + p.SourceAccount }

const permissionColumns = `account, region, authority, id, principal, source_account, actions, created_at`

func scanPermission(s scanner, p *AuthorityPermission) error {
	var id string
	return s.Scan(&p.Account, &p.Region, &p.Authority, &id, &p.Principal, &p.SourceAccount, list[string]{&p.Actions}, micros{&p.CreatedAt})
}

// CreateAuthorityPermission adds a permission.
func (tx *Tx) CreateAuthorityPermission(p *AuthorityPermission) error {
	tx.changed(kindOther, p.Account, p.Region, p.Authority)
	return tx.insert(`INSERT INTO authority_permissions (`+permissionColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		p.Account, p.Region, p.Authority, p.id(), p.Principal, p.SourceAccount, toList(p.Actions), toMicros(p.CreatedAt))
}

// DeleteAuthorityPermission removes the permission of a principal for a source account.
func (tx *Tx) DeleteAuthorityPermission(account arn.AccountID, region arn.Region, authority, principal, sourceAccount string) error {
	tx.changed(kindOther, account, region, authority)
	key := AuthorityPermission{Principal: principal, SourceAccount: sourceAccount}
	return tx.remove(`DELETE FROM authority_permissions WHERE account = $1 AND region = $2 AND authority = $3 AND id = $4`, account, region, authority, key.id())
}

// ListAuthorityPermissions pages by principal and source account.
func (tx *Tx) ListAuthorityPermissions(account arn.AccountID, region arn.Region, authority string, limit int, after string) ([]AuthorityPermission, string, error) {
	return page(tx, scanPermission, (*AuthorityPermission).id, limit,
		`SELECT `+permissionColumns+` FROM authority_permissions WHERE account = $1 AND region = $2 AND authority = $3 AND id > $4 ORDER BY id LIMIT $5`,
		account, region, authority, after)
}
