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
	Partition string    // of the certificate; "" for none
}

const revokedColumns = `account, region, issuer_key, serial, revoked_at, reason, not_after, partition_id`

func scanRevoked(s scanner, r *RevokedCertificate) error {
	return s.Scan(&r.Account, &r.Region, &r.IssuerKey, &r.Serial, micros{&r.RevokedAt}, &r.Reason, micros{&r.NotAfter}, &r.Partition)
}

// revokedDigits is how many hex digits of a serial tell its part of the issuer's revocations: there are 4,096 parts. With a
// million revocations each has 244, which take half a millisecond to read.
const revokedDigits = 3

// revokedBucket is the view's key of a serial: an issuer's revocations are cached in parts, so that one more makes the nodes
// read few of them again.
func revokedBucket(issuerKey, serial string) string {
	if len(serial) > revokedDigits {
		serial = serial[:revokedDigits]
	}
	return issuerKey + "/" + serial
}

// CreateRevokedCertificate adds a revocation; one that is there stays as it is.
func (tx *Tx) CreateRevokedCertificate(r *RevokedCertificate) error {
	tx.changed(kindRevoked, r.Account, r.Region, revokedBucket(r.IssuerKey, r.Serial))
	return tx.insert(`INSERT INTO revoked_certificates (`+revokedColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		r.Account, r.Region, r.IssuerKey, r.Serial, toMicros(r.RevokedAt), r.Reason, toMicros(r.NotAfter), r.Partition)
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

// ListPartitionRevocations pages through the revocations of one partition by serial.
func (tx *Tx) ListPartitionRevocations(account arn.AccountID, region arn.Region, issuerKey, partition string, limit int, after string) ([]RevokedCertificate, string, error) {
	return page(tx, scanRevoked, func(r *RevokedCertificate) string { return r.Serial }, limit,
		`SELECT `+revokedColumns+` FROM revoked_certificates WHERE account = $1 AND region = $2 AND issuer_key = $3 AND partition_id = $4 AND partition_id <> ''
		AND serial > $5 ORDER BY serial LIMIT $6`, account, region, issuerKey, partition, after)
}

// RevokedPart is what is remembered of one bucket: its revocations by serial.
type RevokedPart struct{ entries []revokedEntry }

type revokedEntry struct {
	serial string
	at     int64 // microseconds
	reason int
}

// Find returns the time and the reason of a revocation.
func (p *RevokedPart) Find(serial string) (at time.Time, reason int, found bool) {
	n, found := slices.BinarySearchFunc(p.entries, serial, func(e revokedEntry, s string) int { return strings.Compare(e.serial, s) })
	if !found {
		return time.Time{}, 0, false
	}
	return fromMicros(p.entries[n].at), p.entries[n].reason, true
}

// Revoked reports whether the certificate with the serial (lower-case hex of even length) has been revoked by the owner
// of the issuer key. It answers from memory once the serial's part of the issuer's revocations is there.
func (v *View) Revoked(ctx context.Context, account arn.AccountID, region arn.Region, issuerKey, serial string) (bool, error) {
	c, err := v.RevokedPart(ctx, account, region, issuerKey, serial)
	if err != nil {
		return false, err
	}
	_, _, found := c.Row.Find(serial)
	return found, nil
}

// RevokedPart returns the part of an issuer's revocations that the serial belongs to. It is another one after each
// revocation in it, so that what was made from a part can be dropped with it.
func (v *View) RevokedPart(ctx context.Context, account arn.AccountID, region arn.Region, issuerKey, serial string) (*Cached[RevokedPart], error) {
	return lookup(v, ctx, change{kindRevoked, account, region, revokedBucket(issuerKey, serial)}, loadRevoked)
}

func loadRevoked(tx *Tx, k change) (*RevokedPart, error) {
	issuerKey, prefix, _ := strings.Cut(k.id, "/")
	end := prefix + "~" // above every hex digit
	if len(prefix) < revokedDigits {
		end = prefix + "!" // below every hex digit: no longer serials
	}
	entries, err := all(tx, func(s scanner, e *revokedEntry) error { return s.Scan(&e.serial, &e.at, &e.reason) },
		`SELECT serial, revoked_at, reason FROM revoked_certificates WHERE account = $1 AND region = $2 AND issuer_key = $3 AND serial >= $4 AND serial < $5 ORDER BY serial`,
		k.account, k.region, issuerKey, prefix, end)
	return &RevokedPart{entries}, err
}
