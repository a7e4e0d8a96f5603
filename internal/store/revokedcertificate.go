package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// RevokedCertificate is a revocation. It is kept by the issuer's key, not by the CA: what refuses a certificate knows the
// certificates above it and need not ask which CA they belong to.
type RevokedCertificate struct {
	Account   arn.AccountID
	Region    arn.Region
	IssuerKey string // hex SHA-256 of the issuer's public key
	Serial    string // lower-case hex of even length
	RevokedAt time.Time
	Reason    int       // RFC 5280 §5.3.1
	NotAfter  time.Time // of the certificate; zero if unknown
}

const revokedColumns = `account, region, issuer_key, serial, revoked_at, reason, not_after`

func scanRevoked(s scanner, r *RevokedCertificate) error {
	return s.Scan(&r.Account, &r.Region, &r.IssuerKey, &r.Serial, micros{&r.RevokedAt}, &r.Reason, micros{&r.NotAfter})
}

// revokedBucket is the view's key of a serial: an issuer's revocations are cached in 256 parts, so that one more makes
// the nodes read a 256th of them again.
func revokedBucket(issuerKey, serial string) string {
	if len(serial) > 2 {
		serial = serial[:2]
	}
	return issuerKey + "/" + serial
}

// CreateRevokedCertificate adds a revocation; one that is there stays as it is.
func (tx *Tx) CreateRevokedCertificate(r *RevokedCertificate) error {
	tx.changed(kindRevoked, r.Account, r.Region, revokedBucket(r.IssuerKey, r.Serial))
	return tx.insert(`INSERT INTO revoked_certificates (`+revokedColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		r.Account, r.Region, r.IssuerKey, r.Serial, toMicros(r.RevokedAt), r.Reason, toMicros(r.NotAfter))
}

// GetRevokedCertificate reads one revocation.
func (tx *Tx) GetRevokedCertificate(account arn.AccountID, region arn.Region, issuerKey, serial string) (*RevokedCertificate, error) {
	return one(tx, scanRevoked, `SELECT `+revokedColumns+` FROM revoked_certificates WHERE account = $1 AND region = $2 AND issuer_key = $3 AND serial = $4`,
		account, region, issuerKey, serial)
}

// ListRevokedCertificates pages through an issuer's revocations by serial.
func (tx *Tx) ListRevokedCertificates(account arn.AccountID, region arn.Region, issuerKey string, limit int, after string) ([]RevokedCertificate, string, error) {
	return page(tx, scanRevoked, func(r *RevokedCertificate) string { return r.Serial }, limit,
		`SELECT `+revokedColumns+` FROM revoked_certificates WHERE account = $1 AND region = $2 AND issuer_key = $3 AND serial > $4 ORDER BY serial LIMIT $5`,
		account, region, issuerKey, after)
}

// revokedPart is one bucket's serials, sorted.
type revokedPart []string

// Revoked reports whether the certificate with the serial (lower-case hex of even length) has been revoked by the owner
// of the issuer key. It answers from memory once the serial's part of the issuer's revocations is there.
func (v *View) Revoked(ctx context.Context, account arn.AccountID, region arn.Region, issuerKey, serial string) (bool, error) {
	key := change{kindRevoked, account, region, revokedBucket(issuerKey, serial)}
	c, err := lookup(v, ctx, key, loadRevoked)
	if err != nil {
		return false, err
	}
	_, found := slices.BinarySearch(c.Row, serial)
	return found, nil
}

func loadRevoked(tx *Tx, k change) (*revokedPart, error) {
	issuerKey, prefix, _ := strings.Cut(k.id, "/")
	serials, err := all(tx, func(s scanner, serial *string) error { return s.Scan(serial) },
		`SELECT serial FROM revoked_certificates WHERE account = $1 AND region = $2 AND issuer_key = $3 AND serial >= $4 AND serial < $5 ORDER BY serial`,
		k.account, k.region, issuerKey, prefix, prefix+"~") // "~" is above every hex digit
	part := revokedPart(serials)
	return &part, err
}
