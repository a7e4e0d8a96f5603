package store

import (
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// DirectoryRegistration says that an account's connectors may use a directory. There is one per directory.
type DirectoryRegistration struct {
	Account   arn.AccountID
	Region    arn.Region
	Directory string // id
	Status    string // CREATING, ACTIVE, DELETING or FAILED
	Reason    string // why FAILED
	Tags      []Tag
	CreatedAt time.Time
	UpdatedAt time.Time
}

const registrationColumns = `account, region, directory, status, reason, tags, created_at, updated_at`

const registrationInsert = `INSERT INTO directory_registrations (` + registrationColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`

func scanRegistration(s scanner, r *DirectoryRegistration) error {
	return s.Scan(&r.Account, &r.Region, &r.Directory, &r.Status, &r.Reason, list[Tag]{&r.Tags}, micros{&r.CreatedAt}, micros{&r.UpdatedAt})
}

func (r *DirectoryRegistration) args() []any {
	return []any{r.Account, r.Region, r.Directory, r.Status, r.Reason, toList(r.Tags), toMicros(r.CreatedAt), toMicros(r.UpdatedAt)}
}

// CreateDirectoryRegistration adds a registration.
func (tx *Tx) CreateDirectoryRegistration(r *DirectoryRegistration) error {
	tx.changed(kindOther, r.Account, r.Region, r.Directory)
	return tx.insert(registrationInsert, r.args()...)
}

// PutDirectoryRegistration adds or replaces a registration.
func (tx *Tx) PutDirectoryRegistration(r *DirectoryRegistration) error {
	tx.changed(kindOther, r.Account, r.Region, r.Directory)
	_, err := tx.exec(registrationInsert+` ON CONFLICT (account, region, directory) DO UPDATE SET status = excluded.status, reason = excluded.reason,
		tags = excluded.tags, created_at = excluded.created_at, updated_at = excluded.updated_at`, r.args()...)
	return err
}

// GetDirectoryRegistration reads one registration.
func (tx *Tx) GetDirectoryRegistration(account arn.AccountID, region arn.Region, directory string) (*DirectoryRegistration, error) {
	return one(tx, scanRegistration, `SELECT `+registrationColumns+` FROM directory_registrations WHERE account = $1 AND region = $2 AND directory = $3`,
		account, region, directory)
}

// DeleteDirectoryRegistration removes one registration.
func (tx *Tx) DeleteDirectoryRegistration(account arn.AccountID, region arn.Region, directory string) error {
	tx.changed(kindOther, account, region, directory)
	return tx.remove(`DELETE FROM directory_registrations WHERE account = $1 AND region = $2 AND directory = $3`, account, region, directory)
}

// ListDirectoryRegistrations pages by the directory's id.
func (tx *Tx) ListDirectoryRegistrations(account arn.AccountID, region arn.Region, limit int, after string) ([]DirectoryRegistration, string, error) {
	return page(tx, scanRegistration, func(r *DirectoryRegistration) string { return r.Directory }, limit,
		`SELECT `+registrationColumns+` FROM directory_registrations WHERE account = $1 AND region = $2 AND directory > $3 ORDER BY directory LIMIT $4`,
		account, region, after)
}

// ListUnsettledRegistrations are those, of all accounts, that are CREATING or DELETING, oldest first.
func (tx *Tx) ListUnsettledRegistrations(limit int) ([]DirectoryRegistration, error) {
	return all(tx, scanRegistration, `SELECT `+registrationColumns+` FROM directory_registrations WHERE status IN ('CREATING', 'DELETING') ORDER BY updated_at LIMIT $1`, limit)
}
