package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// IssuedCertificate is a certificate that a private CA has signed.
type IssuedCertificate struct {
	Account   arn.AccountID
	Region    arn.Region
	Authority string // the CA's id
	Serial    string // lower-case hex, 32 digits (16 bytes)
	Template  string
	DER       []byte
	IssuedAt  time.Time
	NotAfter  time.Time
	Partition string // the partition of the CA's revocation lists; "" for none
}

const (
	issuedRead    = `serial, template, der, issued_at, not_after, partition_id`
	issuedColumns = `issuer, ` + issuedRead
)

// scanIssued reads certificates of the CA.
func scanIssued(ca issuerName) func(scanner, *IssuedCertificate) error {
	return func(s scanner, c *IssuedCertificate) error {
		c.Account, c.Region, c.Authority = ca.account, ca.region, ca.name
		return s.Scan(serialText{&c.Serial}, &c.Template, blob{&c.DER}, micros{&c.IssuedAt}, micros{&c.NotAfter}, &c.Partition)
	}
}

// CreateIssuedCertificate adds a certificate. It is not in the cached view, so that no revision moves: issuing must not
// make every node drop anything.
func (tx *Tx) CreateIssuedCertificate(c *IssuedCertificate) error {
	return tx.insertIssued([]IssuedCertificate{*c})
}

// insertIssued adds all of the certificates or fails.
func (tx *Tx) insertIssued(list []IssuedCertificate) error {
	const width = 7
	args := make([]any, 0, width*len(list))
	for i := range list {
		c := &list[i]
		issuer, err := tx.needIssuerNumber(issuerName{c.Account, c.Region, c.Authority})
		if err != nil {
			return err
		}
		serial, err := serialBytes(c.Serial)
		if err != nil {
			return err
		}
		args = append(args, issuer, serial, c.Template, notNil(c.DER), toMicros(c.IssuedAt), toMicros(c.NotAfter), c.Partition)
	}
	var q strings.Builder
	q.WriteString(`INSERT INTO issued_certificates (` + issuedColumns + `) VALUES `)
	tx.eng.values(&q, len(list), width)
	q.WriteString(` ON CONFLICT DO NOTHING`)
	n, err := tx.execKept(q.String(), args...)
	if err == nil && n != int64(len(list)) {
		return ErrExists
	}
	return err
}

// GetIssuedCertificate reads one certificate.
func (tx *Tx) GetIssuedCertificate(account arn.AccountID, region arn.Region, authority, serial string) (*IssuedCertificate, error) {
	ca := issuerName{account, region, authority}
	issuer, key, err := tx.serialKey(ca, serial)
	if err != nil {
		return nil, err
	}
	return one(tx, scanIssued(ca), `SELECT `+issuedRead+` FROM issued_certificates WHERE issuer = $1 AND serial = $2`, issuer, key)
}

// HasIssuedCertificate reports whether the CA issued a certificate with the serial (32 hex digits). It reads the store.
func (v *View) HasIssuedCertificate(ctx context.Context, account arn.AccountID, region arn.Region, authority, serial string) (bool, error) {
	n := 0
	err := v.db.Read(ctx, func(tx *Tx) error {
		issuer, key, err := tx.serialKey(issuerName{account, region, authority}, serial)
		if err == nil {
			n, err = tx.count(`SELECT COUNT(*) FROM issued_certificates WHERE issuer = $1 AND serial = $2`, issuer, key)
		}
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		return err
	})
	return n > 0, err
}

// ListIssuedCertificates pages through a CA's certificates by serial.
func (tx *Tx) ListIssuedCertificates(account arn.AccountID, region arn.Region, authority string, limit int, after string) ([]IssuedCertificate, string, error) {
	ca := issuerName{account, region, authority}
	return pageOf(tx, ca, after, scanIssued(ca), func(c *IssuedCertificate) string { return c.Serial }, limit,
		`SELECT `+issuedRead+` FROM issued_certificates WHERE issuer = $1 AND serial > $2 ORDER BY serial LIMIT $3`)
}
