package store

import (
	"context"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// Kinds of cached rows (change.go).
const (
	kindEnrollmentProfile  kind = "enrollment-profile"
	kindEnrollmentProfiles kind = "enrollment-profiles" // whether there is any
)

// EnrollmentProfile is what clients of enrollment over secure transport may have of one private CA.
type EnrollmentProfile struct {
	Name         string // the label of its URL
	Account      arn.AccountID
	Region       arn.Region
	Authority    string // the CA's id
	Template     string // ARN
	Validity     time.Duration
	Subject      string   // pattern
	Alternatives []string // patterns
	CreatedAt    time.Time
}

const enrollmentProfileColumns = `name, account, region, authority, template, validity_seconds, subject, alternatives, created_at`

func scanEnrollmentProfile(s scanner, p *EnrollmentProfile) error {
	var seconds int64
	err := s.Scan(&p.Name, &p.Account, &p.Region, &p.Authority, &p.Template, &seconds, &p.Subject, list[string]{&p.Alternatives}, micros{&p.CreatedAt})
	p.Validity = time.Duration(seconds) * time.Second
	return err
}

func (tx *Tx) enrollmentProfileChanged(name string) {
	tx.changed(kindEnrollmentProfile, "", "", name)
	tx.changed(kindEnrollmentProfiles, "", "", "")
}

// CreateEnrollmentProfile adds a profile.
func (tx *Tx) CreateEnrollmentProfile(p *EnrollmentProfile) error {
	tx.enrollmentProfileChanged(p.Name)
	return tx.insert(`INSERT INTO enrollment_profiles (`+enrollmentProfileColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		p.Name, p.Account, p.Region, p.Authority, p.Template, int64(p.Validity/time.Second), p.Subject, toList(p.Alternatives), toMicros(p.CreatedAt))
}

// GetEnrollmentProfile reads one profile.
func (tx *Tx) GetEnrollmentProfile(name string) (*EnrollmentProfile, error) {
	return one(tx, scanEnrollmentProfile, `SELECT `+enrollmentProfileColumns+` FROM enrollment_profiles WHERE name = $1`, name)
}

// ListEnrollmentProfiles pages by name.
func (tx *Tx) ListEnrollmentProfiles(limit int, after string) ([]EnrollmentProfile, string, error) {
	return page(tx, scanEnrollmentProfile, func(p *EnrollmentProfile) string { return p.Name }, limit,
		`SELECT `+enrollmentProfileColumns+` FROM enrollment_profiles WHERE name > $1 ORDER BY name LIMIT $2`, after)
}

// DeleteEnrollmentProfile removes a profile with its tokens. Certificates stay, and are not renewed any more.
func (tx *Tx) DeleteEnrollmentProfile(name string) error {
	tx.enrollmentProfileChanged(name)
	if _, err := tx.exec(`DELETE FROM enrollment_tokens WHERE profile = $1`, name); err != nil {
		return err
	}
	if _, err := tx.exec(`DELETE FROM profile_certificates WHERE profile = $1`, name); err != nil {
		return err
	}
	return tx.remove(`DELETE FROM enrollment_profiles WHERE name = $1`, name)
}

// EnrollmentProfile returns a profile by name.
func (v *View) EnrollmentProfile(ctx context.Context, name string) (*Cached[EnrollmentProfile], error) {
	return lookup(v, ctx, change{kindEnrollmentProfile, "", "", name}, func(tx *Tx, k change) (*EnrollmentProfile, error) { return tx.GetEnrollmentProfile(k.id) })
}

// HasEnrollmentProfiles reports whether there is any profile: only then are clients asked for certificates.
func (v *View) HasEnrollmentProfiles(ctx context.Context) (bool, error) {
	c, err := lookup(v, ctx, change{kindEnrollmentProfiles, "", "", ""}, func(tx *Tx, _ change) (*int, error) {
		n, err := tx.count(`SELECT COUNT(*) FROM enrollment_profiles`)
		return &n, err
	})
	return err == nil && c.Row > 0, err
}

// CreateProfileCertificate notes that the profile issued the certificate with the serial (32 hex digits).
func (tx *Tx) CreateProfileCertificate(p *EnrollmentProfile, serial string) error {
	return tx.insert(`INSERT INTO profile_certificates (account, region, authority, serial, profile) VALUES ($1, $2, $3, $4, $5)`,
		p.Account, p.Region, p.Authority, serial, p.Name)
}

// HasProfileCertificate reports whether the profile issued the certificate with the serial.
func (tx *Tx) HasProfileCertificate(p *EnrollmentProfile, serial string) (bool, error) {
	n, err := tx.count(`SELECT COUNT(*) FROM profile_certificates WHERE account = $1 AND region = $2 AND authority = $3 AND serial = $4 AND profile = $5`,
		p.Account, p.Region, p.Authority, serial, p.Name)
	return n > 0, err
}
