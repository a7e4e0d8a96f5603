package store

import (
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// TemplateAccess says what a group of the directory may do with a template.
type TemplateAccess struct {
	Account    arn.AccountID
	Region     arn.Region
	Connector  string // id
	Template   string // id
	SID        string // of the group
	Name       string // of the group, for people
	Enroll     string // ALLOW, DENY or "" for neither
	AutoEnroll string // ALLOW, DENY or "" for neither
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

const accessColumns = `account, region, connector, template, sid, name, enroll, auto_enroll, created_at, updated_at`

const accessInsert = `INSERT INTO template_access (` + accessColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`

func scanAccess(s scanner, a *TemplateAccess) error {
	return s.Scan(&a.Account, &a.Region, &a.Connector, &a.Template, &a.SID, &a.Name, &a.Enroll, &a.AutoEnroll, micros{&a.CreatedAt}, micros{&a.UpdatedAt})
}

func (a *TemplateAccess) args() []any {
	return []any{a.Account, a.Region, a.Connector, a.Template, a.SID, a.Name, a.Enroll, a.AutoEnroll, toMicros(a.CreatedAt), toMicros(a.UpdatedAt)}
}

// CreateTemplateAccess adds an entry.
func (tx *Tx) CreateTemplateAccess(a *TemplateAccess) error {
	if err := tx.policyChanged(a.Account, a.Region, a.Connector); err != nil {
		return err
	}
	return tx.insert(accessInsert, a.args()...)
}

// PutTemplateAccess adds or replaces an entry.
func (tx *Tx) PutTemplateAccess(a *TemplateAccess) error {
	if err := tx.policyChanged(a.Account, a.Region, a.Connector); err != nil {
		return err
	}
	_, err := tx.exec(accessInsert+` ON CONFLICT (account, region, connector, template, sid) DO UPDATE SET name = excluded.name, enroll = excluded.enroll,
		auto_enroll = excluded.auto_enroll, created_at = excluded.created_at, updated_at = excluded.updated_at`, a.args()...)
	return err
}

// GetTemplateAccess reads one entry.
func (tx *Tx) GetTemplateAccess(account arn.AccountID, region arn.Region, connector, template, sid string) (*TemplateAccess, error) {
	return one(tx, scanAccess, `SELECT `+accessColumns+` FROM template_access WHERE account = $1 AND region = $2 AND connector = $3 AND template = $4 AND sid = $5`,
		account, region, connector, template, sid)
}

// DeleteTemplateAccess removes one entry.
func (tx *Tx) DeleteTemplateAccess(account arn.AccountID, region arn.Region, connector, template, sid string) error {
	if err := tx.policyChanged(account, region, connector); err != nil {
		return err
	}
	return tx.remove(`DELETE FROM template_access WHERE account = $1 AND region = $2 AND connector = $3 AND template = $4 AND sid = $5`,
		account, region, connector, template, sid)
}

// ListTemplateAccess pages through a template's entries by SID.
func (tx *Tx) ListTemplateAccess(account arn.AccountID, region arn.Region, connector, template string, limit int, after string) ([]TemplateAccess, string, error) {
	return page(tx, scanAccess, func(a *TemplateAccess) string { return a.SID }, limit,
		`SELECT `+accessColumns+` FROM template_access WHERE account = $1 AND region = $2 AND connector = $3 AND template = $4 AND sid > $5 ORDER BY sid LIMIT $6`,
		account, region, connector, template, after)
}

// CountTemplateAccess counts a template's entries, for quotas.
func (tx *Tx) CountTemplateAccess(account arn.AccountID, region arn.Region, connector, template string) (int, error) {
	return tx.count(`SELECT COUNT(*) FROM template_access WHERE account = $1 AND region = $2 AND connector = $3 AND template = $4`,
		account, region, connector, template)
}
