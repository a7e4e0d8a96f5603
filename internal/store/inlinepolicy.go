package store

import "github.com/rolecall/rolecall/internal/arn"

// OwnerKind says what a policy is embedded in or attached to. The values are stored.
type OwnerKind string

// The kinds of identity that carry policies.
const (
	OwnerRole  OwnerKind = "role"
	OwnerUser  OwnerKind = "user"
	OwnerGroup OwnerKind = "group"
)

func (k OwnerKind) kind() kind {
	switch k {
	case OwnerRole:
		return kindRole
	case OwnerUser:
		return kindUser
	case OwnerGroup:
		return kindGroup
	}
	return kindOther
}

// InlinePolicy is a policy embedded in a role, user or group. Policy names are case-sensitive within their owner.
type InlinePolicy struct {
	Account   arn.AccountID
	Owner     OwnerKind
	OwnerName string
	Name      string
	Document  string
}

const inlineColumns = `account, owner_kind, owner_key, owner_name, name, document`

func scanInlinePolicy(s scanner, p *InlinePolicy) error {
	var key string
	return s.Scan(&p.Account, &p.Owner, &key, &p.OwnerName, &p.Name, &p.Document)
}

// PutInlinePolicy adds or replaces an inline policy. That the owner exists is the caller's to check in the same transaction.
func (tx *Tx) PutInlinePolicy(p *InlinePolicy) error {
	tx.changed(p.Owner.kind(), p.Account, "", nameKey(p.OwnerName))
	_, err := tx.exec(`INSERT INTO inline_policies (`+inlineColumns+`) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (account, owner_kind, owner_key, name) DO UPDATE SET owner_name = excluded.owner_name, document = excluded.document`,
		p.Account, string(p.Owner), nameKey(p.OwnerName), p.OwnerName, p.Name, p.Document)
	return err
}

// GetInlinePolicy reads one inline policy.
func (tx *Tx) GetInlinePolicy(account arn.AccountID, owner OwnerKind, ownerName, name string) (*InlinePolicy, error) {
	return one(tx, scanInlinePolicy, `SELECT `+inlineColumns+` FROM inline_policies
		WHERE account = $1 AND owner_kind = $2 AND owner_key = $3 AND name = $4`, account, string(owner), nameKey(ownerName), name)
}

// DeleteInlinePolicy removes one inline policy.
func (tx *Tx) DeleteInlinePolicy(account arn.AccountID, owner OwnerKind, ownerName, name string) error {
	tx.changed(owner.kind(), account, "", nameKey(ownerName))
	return tx.remove(`DELETE FROM inline_policies WHERE account = $1 AND owner_kind = $2 AND owner_key = $3 AND name = $4`,
		account, string(owner), nameKey(ownerName), name)
}

// ListInlinePolicies pages by policy name through the owner's inline policies.
func (tx *Tx) ListInlinePolicies(account arn.AccountID, owner OwnerKind, ownerName string, limit int, after string) ([]InlinePolicy, string, error) {
	return page(tx, scanInlinePolicy, func(p *InlinePolicy) string { return p.Name }, limit,
		`SELECT `+inlineColumns+` FROM inline_policies
		WHERE account = $1 AND owner_kind = $2 AND owner_key = $3 AND name > $4 ORDER BY name LIMIT $5`,
		account, string(owner), nameKey(ownerName), after)
}

// allInline reads every inline policy of an owner, for the view.
func (tx *Tx) allInline(account arn.AccountID, owner OwnerKind, ownerKey string) ([]InlinePolicy, error) {
	return all(tx, scanInlinePolicy, `SELECT `+inlineColumns+` FROM inline_policies
		WHERE account = $1 AND owner_kind = $2 AND owner_key = $3 ORDER BY name`, account, string(owner), ownerKey)
}
