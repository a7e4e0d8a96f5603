package store

import (
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// MaxCredentials is how many recent certificates a subject keeps.
const MaxCredentials = 10

// Subject is what Roles Anywhere knows of one certificate subject. The caller derives ID from account, region and DN, so
// that nodes which see a subject first at the same time agree.
type Subject struct {
	Account     arn.AccountID
	Region      arn.Region
	ID          string // UUID
	DN          string
	Enabled     bool
	Tags        []Tag
	CreatedAt   time.Time
	UpdatedAt   time.Time           // never before LastSeenAt
	LastSeenAt  time.Time           // never before a credential's SeenAt
	Credentials []SubjectCredential // newest first, at most MaxCredentials
}

// SubjectCredential is a certificate the subject presented. One is told from another by issuer and serial number.
type SubjectCredential struct {
	Serial  string
	Issuer  string
	SeenAt  time.Time
	CertPEM string
	Enabled bool
	Failed  bool // its last attempt

	// CertDER may take the place of an empty CertPEM in what is stored: PEM is then made only of a certificate that is not known yet.
	CertDER []byte
}

// subjectColumns end with the latest sighting. A sighting writes nothing but its own small row of subject_sightings; the
// subject's own times are those of its creation and of changes.
const subjectColumns = `s.account, s.region, s.id, s.dn, s.enabled, s.tags, s.created_at, s.updated_at, s.last_seen_at,
	COALESCE((SELECT MAX(x.seen_at) FROM subject_credentials c JOIN subject_sightings x ON x.credential = c.number
		WHERE c.account = s.account AND c.region = s.region AND c.subject = s.id), 0)`

func scanSubject(s scanner, r *Subject) error {
	var seen time.Time
	err := s.Scan(&r.Account, &r.Region, &r.ID, &r.DN, &r.Enabled, list[Tag]{&r.Tags},
		micros{&r.CreatedAt}, micros{&r.UpdatedAt}, micros{&r.LastSeenAt}, micros{&seen})
	r.LastSeenAt = later(r.LastSeenAt, seen)
	r.UpdatedAt = later(r.UpdatedAt, seen)
	return err
}

// PutSubject adds or replaces a subject.
func (tx *Tx) PutSubject(s *Subject) error {
	tx.changed(kindOther, s.Account, s.Region, s.ID)
	if err := tx.writeSubjects([]*Subject{s}); err != nil {
		return err
	}
	const mine = `(SELECT number FROM subject_credentials WHERE account = $1 AND region = $2 AND subject = $3)`
	if _, err := tx.exec(`DELETE FROM subject_sightings WHERE credential IN `+mine, s.Account, s.Region, s.ID); err != nil {
		return err
	}
	if _, err := tx.exec(`DELETE FROM subject_credentials WHERE account = $1 AND region = $2 AND subject = $3`, s.Account, s.Region, s.ID); err != nil {
		return err
	}
	var fresh []*credentialRow
	for _, c := range mergeCredentials(nil, s.Credentials) {
		fresh = append(fresh, newCredentialRow(s, c))
	}
	if err := tx.insertCredentials(fresh); err != nil {
		return err
	}
	return tx.writeSightings(fresh)
}

// GetSubject reads one subject with its credentials.
func (tx *Tx) GetSubject(account arn.AccountID, region arn.Region, id string) (*Subject, error) {
	s, err := one(tx, scanSubject, `SELECT `+subjectColumns+` FROM subjects s WHERE s.account = $1 AND s.region = $2 AND s.id = $3`, account, region, id)
	if err != nil {
		return nil, err
	}
	rows, err := all(tx, scanCredential, `SELECT `+credentialColumns+` WHERE c.account = $1 AND c.region = $2 AND c.subject = $3
		ORDER BY x.seen_at DESC, c.serial, c.issuer LIMIT $4`, account, region, id, MaxCredentials)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		s.Credentials = append(s.Credentials, rows[i].SubjectCredential)
	}
	return s, nil
}

// ListSubjects pages by id. Credentials are left out: summaries have none.
func (tx *Tx) ListSubjects(account arn.AccountID, region arn.Region, limit int, after string) ([]Subject, string, error) {
	return page(tx, scanSubject, func(s *Subject) string { return s.ID }, limit,
		`SELECT `+subjectColumns+` FROM subjects s WHERE s.account = $1 AND s.region = $2 AND s.id > $3 ORDER BY s.id LIMIT $4`, account, region, after)
}
