package store

import (
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
)

// Attachment attaches a managed policy to a role, user or group.
type Attachment struct {
	Account   arn.AccountID
	Owner     OwnerKind
	OwnerName string
	PolicyARN string
}

const attachmentColumns = `account, owner_kind, owner_key, owner_name, policy_arn`

func scanAttachment(s scanner, a *Attachment) error {
	var key string
	return s.Scan(&a.Account, &a.Owner, &key, &a.OwnerName, &a.PolicyARN)
}

// PutAttachment attaches; it is no error if the policy is attached already.
func (tx *Tx) PutAttachment(a *Attachment) error {
	tx.changed(a.Owner.kind(), a.Account, "", nameKey(a.OwnerName))
	_, err := tx.exec(`INSERT INTO attachments (`+attachmentColumns+`) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
		a.Account, string(a.Owner), nameKey(a.OwnerName), a.OwnerName, a.PolicyARN)
	return err
}

// GetAttachment reads one attachment.
func (tx *Tx) GetAttachment(account arn.AccountID, owner OwnerKind, ownerName, policyARN string) (*Attachment, error) {
	return one(tx, scanAttachment, `SELECT `+attachmentColumns+` FROM attachments
		WHERE account = $1 AND owner_kind = $2 AND owner_key = $3 AND policy_arn = $4`, account, string(owner), nameKey(ownerName), policyARN)
}

// DeleteAttachment detaches.
func (tx *Tx) DeleteAttachment(account arn.AccountID, owner OwnerKind, ownerName, policyARN string) error {
	tx.changed(owner.kind(), account, "", nameKey(ownerName))
	return tx.remove(`DELETE FROM attachments WHERE account = $1 AND owner_kind = $2 AND owner_key = $3 AND policy_arn = $4`,
		account, string(owner), nameKey(ownerName), policyARN)
}

// ListAttachments pages by policy ARN through what is attached to an owner.
func (tx *Tx) ListAttachments(account arn.AccountID, owner OwnerKind, ownerName string, limit int, after string) ([]Attachment, string, error) {
	return page(tx, scanAttachment, func(a *Attachment) string { return a.PolicyARN }, limit,
		`SELECT `+attachmentColumns+` FROM attachments
		WHERE account = $1 AND owner_kind = $2 AND owner_key = $3 AND policy_arn > $4 ORDER BY policy_arn LIMIT $5`,
		account, string(owner), nameKey(ownerName), after)
}

// ListPolicyAttachments pages by owner through where a policy is attached within the account.
func (tx *Tx) ListPolicyAttachments(account arn.AccountID, policyARN string, limit int, after string) ([]Attachment, string, error) {
	kindAfter, keyAfter, _ := strings.Cut(after, "/")
	return page(tx, scanAttachment, func(a *Attachment) string { return string(a.Owner) + "/" + nameKey(a.OwnerName) }, limit,
		`SELECT `+attachmentColumns+` FROM attachments
		WHERE account = $1 AND policy_arn = $2 AND (owner_kind > $3 OR (owner_kind = $3 AND owner_key > $4))
		ORDER BY owner_kind, owner_key LIMIT $5`, account, policyARN, kindAfter, keyAfter)
}

// CountAttachments is how many identities of the account the policy is attached to.
func (tx *Tx) CountAttachments(account arn.AccountID, policyARN string) (int, error) {
	return tx.count(`SELECT COUNT(*) FROM attachments WHERE account = $1 AND policy_arn = $2`, account, policyARN)
}

// allAttached reads the ARNs of every policy attached to an owner, for the view.
func (tx *Tx) allAttached(account arn.AccountID, owner OwnerKind, ownerKey string) ([]string, error) {
	return all(tx, func(s scanner, arn *string) error { return s.Scan(arn) }, `SELECT policy_arn FROM attachments
		WHERE account = $1 AND owner_kind = $2 AND owner_key = $3 ORDER BY policy_arn`, account, string(owner), ownerKey)
}
