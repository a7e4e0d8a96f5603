package store

import (
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// AuditReport is a list of what a CA issued and revoked, on its way into a bucket or there.
type AuditReport struct {
	Account   arn.AccountID
	Region    arn.Region
	Authority string
	ID        string // UUID
	Format    string // JSON or CSV
	Bucket    string
	Status    string // CREATING, SUCCESS or FAILED
	CreatedAt time.Time
	DueAt     time.Time // when it is to be tried; zero once Status is final
	Attempts  int
}

const auditReportColumns = `account, region, authority, id, format, bucket, status, created_at, due_at, attempts`

func scanAuditReport(s scanner, r *AuditReport) error {
	return s.Scan(&r.Account, &r.Region, &r.Authority, &r.ID, &r.Format, &r.Bucket, &r.Status, micros{&r.CreatedAt}, micros{&r.DueAt}, &r.Attempts)
}

// PutAuditReport adds or replaces a report's row.
func (tx *Tx) PutAuditReport(r *AuditReport) error {
	tx.changed(kindOther, r.Account, r.Region, r.ID)
	_, err := tx.exec(`INSERT INTO audit_reports (`+auditReportColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (account, region, authority, id) DO UPDATE SET format = excluded.format, bucket = excluded.bucket, status = excluded.status,
		created_at = excluded.created_at, due_at = excluded.due_at, attempts = excluded.attempts`,
		r.Account, r.Region, r.Authority, r.ID, r.Format, r.Bucket, r.Status, toMicros(r.CreatedAt), toMicros(r.DueAt), r.Attempts)
	return err
}

// GetAuditReport reads one report's row.
func (tx *Tx) GetAuditReport(account arn.AccountID, region arn.Region, authority, id string) (*AuditReport, error) {
	return one(tx, scanAuditReport, `SELECT `+auditReportColumns+` FROM audit_reports WHERE account = $1 AND region = $2 AND authority = $3 AND id = $4`,
		account, region, authority, id)
}

// CountAuditReportsDue counts a CA's reports that are under way.
func (tx *Tx) CountAuditReportsDue(account arn.AccountID, region arn.Region, authority string) (int, error) {
	return tx.count(`SELECT COUNT(*) FROM audit_reports WHERE account = $1 AND region = $2 AND authority = $3 AND due_at > 0`, account, region, authority)
}

// ListAuditReportsDue are reports, of all accounts, that are to be written by the transaction's time.
func (tx *Tx) ListAuditReportsDue(limit int) ([]AuditReport, error) {
	return all(tx, scanAuditReport, `SELECT `+auditReportColumns+` FROM audit_reports WHERE due_at > 0 AND due_at <= $1 ORDER BY due_at LIMIT $2`, toMicros(tx.Now), limit)
}
