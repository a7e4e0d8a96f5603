package store

import (
	"context"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// IssuedCertificate is a certificate that a private CA has signed.
type IssuedCertificate struct {
	Account   arn.AccountID
	Region    arn.Region
	Authority string // the CA's id
	Serial    string // lower-case hex, 32 digits
	Template  string
	DER       []byte
	IssuedAt  time.Time
	NotAfter  time.Time
	Partition string // the partition of the CA's revocation lists; "" for none
}

const issuedColumns = `account, region, authority, serial, template, der, issued_at, not_after, partition_id`

func scanIssued(s scanner, c *IssuedCertificate) error {
	return s.Scan(&c.Account, &c.Region, &c.Authority, &c.Serial, &c.Template, blob{&c.DER}, micros{&c.IssuedAt}, micros{&c.NotAfter}, &c.Partition)
}

// CreateIssuedCertificate adds a certificate. It is not in the cached view, so that no revision moves: issuing must not
// make every node drop anything.
func (tx *Tx) CreateIssuedCertificate(c *IssuedCertificate) error {
	return tx.insertIssued([]IssuedCertificate{*c})
}

// insertIssued adds all of the certificates or fails.
func (tx *Tx) insertIssued(list []IssuedCertificate) error {
	const width = 9
	var q strings.Builder
	q.WriteString(`INSERT INTO issued_certificates (` + issuedColumns + `) VALUES `)
	tx.eng.values(&q, len(list), width)
	q.WriteString(` ON CONFLICT DO NOTHING`)
	args := make([]any, 0, width*len(list))
	for i := range list {
		c := &list[i]
		args = append(args, c.Account, c.Region, c.Authority, c.Serial, c.Template, notNil(c.DER), toMicros(c.IssuedAt), toMicros(c.NotAfter), c.Partition)
	}
	n, err := tx.execKept(q.String(), args...)
	if err == nil && n != int64(len(list)) {
		return ErrExists
	}
	return err
}

// GetIssuedCertificate reads one certificate.
func (tx *Tx) GetIssuedCertificate(account arn.AccountID, region arn.Region, authority, serial string) (*IssuedCertificate, error) {
	return one(tx, scanIssued, `SELECT `+issuedColumns+` FROM issued_certificates WHERE account = $1 AND region = $2 AND authority = $3 AND serial = $4`,
		account, region, authority, serial)
}

// HasIssuedCertificate reports whether the CA issued a certificate with the serial (32 hex digits). It reads the store.
func (v *View) HasIssuedCertificate(ctx context.Context, account arn.AccountID, region arn.Region, authority, serial string) (bool, error) {
	n := 0
	err := v.db.Read(ctx, func(tx *Tx) (err error) {
		n, err = tx.count(`SELECT COUNT(*) FROM issued_certificates WHERE account = $1 AND region = $2 AND authority = $3 AND serial = $4`, account, region, authority, serial)
		return err
	})
	return n > 0, err
}

// ListIssuedCertificates pages through a CA's certificates by serial.
func (tx *Tx) ListIssuedCertificates(account arn.AccountID, region arn.Region, authority string, limit int, after string) ([]IssuedCertificate, string, error) {
	return page(tx, scanIssued, func(c *IssuedCertificate) string { return c.Serial }, limit,
		`SELECT `+issuedColumns+` FROM issued_certificates WHERE account = $1 AND region = $2 AND authority = $3 AND serial > $4 ORDER BY serial LIMIT $5`,
		account, region, authority, after)
}
