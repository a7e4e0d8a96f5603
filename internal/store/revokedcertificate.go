package store

import (
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

const (
	revokedRead    = `serial, revoked_at, reason, not_after, partition_id`
	revokedColumns = `issuer, ` + revokedRead
)

// scanRevoked reads revocations of the issuer.
func scanRevoked(issuer issuerName) func(scanner, *RevokedCertificate) error {
	return func(s scanner, r *RevokedCertificate) error {
		r.Account, r.Region, r.IssuerKey = issuer.account, issuer.region, issuer.name
		return s.Scan(serialText{&r.Serial}, micros{&r.RevokedAt}, &r.Reason, micros{&r.NotAfter}, &r.Partition)
	}
}

// CreateRevokedCertificate adds a revocation; one that is there stays as it is.
func (tx *Tx) CreateRevokedCertificate(r *RevokedCertificate) error {
	key, err := serialBytes(r.Serial)
	if err != nil {
		return err
	}
	issuer, err := tx.needIssuerNumber(issuerName{r.Account, r.Region, r.IssuerKey})
	if err != nil {
		return err
	}
	tx.changed(kindRevoked, r.Account, r.Region, revokedBucket(r.IssuerKey, r.Serial))
	return tx.insert(`INSERT INTO revoked_certificates (`+revokedColumns+`) VALUES ($1, $2, $3, $4, $5, $6)`,
		issuer, key, toMicros(r.RevokedAt), r.Reason, toMicros(r.NotAfter), r.Partition)
}

// GetRevokedCertificate reads one revocation.
func (tx *Tx) GetRevokedCertificate(account arn.AccountID, region arn.Region, issuerKey, serial string) (*RevokedCertificate, error) {
	name := issuerName{account, region, issuerKey}
	issuer, key, err := tx.serialKey(name, serial)
	if err != nil {
		return nil, err
	}
	return one(tx, scanRevoked(name), `SELECT `+revokedRead+` FROM revoked_certificates WHERE issuer = $1 AND serial = $2`, issuer, key)
}

// ListRevokedCertificates pages through an issuer's revocations by serial.
func (tx *Tx) ListRevokedCertificates(account arn.AccountID, region arn.Region, issuerKey string, limit int, after string) ([]RevokedCertificate, string, error) {
	name := issuerName{account, region, issuerKey}
	return pageOf(tx, name, after, scanRevoked(name), func(r *RevokedCertificate) string { return r.Serial }, limit,
		`SELECT `+revokedRead+` FROM revoked_certificates WHERE issuer = $1 AND serial > $2 ORDER BY serial LIMIT $3`)
}

// ListPartitionRevocations pages through the revocations of one partition by serial.
func (tx *Tx) ListPartitionRevocations(account arn.AccountID, region arn.Region, issuerKey, partition string, limit int, after string) ([]RevokedCertificate, string, error) {
	name := issuerName{account, region, issuerKey}
	return pageOf(tx, name, after, scanRevoked(name), func(r *RevokedCertificate) string { return r.Serial }, limit,
		`SELECT `+revokedRead+` FROM revoked_certificates WHERE issuer = $1 AND serial > $2 AND partition_id = $3 AND partition_id <> '' ORDER BY serial LIMIT $4`, partition)
}
