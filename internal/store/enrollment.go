package store

import (
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// EnrollmentRequest is a certificate that was issued over an enrollment protocol.
type EnrollmentRequest struct {
	Account   arn.AccountID
	Region    arn.Region
	Connector string // id
	ID        int64  // from 1, unique within the connector
	Authority string // the CA's id
	Serial    string // as in [IssuedCertificate]
	SID       string // of the holder
	Template  string // id
	CreatedAt time.Time
}

const enrollmentColumns = `account, region, connector, id, authority, serial, sid, template, created_at`

func scanEnrollment(s scanner, r *EnrollmentRequest) error {
	return s.Scan(&r.Account, &r.Region, &r.Connector, &r.ID, &r.Authority, &r.Serial, &r.SID, &r.Template, micros{&r.CreatedAt})
}

// CreateEnrollmentRequest adds a request. Like the certificate it is not in the cached view.
func (tx *Tx) CreateEnrollmentRequest(r *EnrollmentRequest) error {
	return tx.insert(`INSERT INTO enrollment_requests (`+enrollmentColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		r.Account, r.Region, r.Connector, r.ID, r.Authority, r.Serial, r.SID, r.Template, toMicros(r.CreatedAt))
}

// GetEnrollmentRequest reads one request.
func (tx *Tx) GetEnrollmentRequest(account arn.AccountID, region arn.Region, connector string, id int64) (*EnrollmentRequest, error) {
	return one(tx, scanEnrollment, `SELECT `+enrollmentColumns+` FROM enrollment_requests WHERE account = $1 AND region = $2 AND connector = $3 AND id = $4`,
		account, region, connector, id)
}

// FindEnrollmentRequest reads the request that a certificate was issued for.
func (tx *Tx) FindEnrollmentRequest(account arn.AccountID, region arn.Region, authority, serial string) (*EnrollmentRequest, error) {
	return one(tx, scanEnrollment, `SELECT `+enrollmentColumns+` FROM enrollment_requests WHERE account = $1 AND region = $2 AND authority = $3 AND serial = $4`,
		account, region, authority, serial)
}

// ReserveEnrollmentRequests takes the next n request ids of a connector and returns the first. Ids are reserved many at a
// time, so that requests do not queue for one row; those that a node does not use are never used.
func (tx *Tx) ReserveEnrollmentRequests(account arn.AccountID, region arn.Region, connector string, n int64) (int64, error) {
	next, err := one(tx, func(s scanner, next *int64) error { return s.Scan(next) },
		`INSERT INTO enrollment_counters (account, region, connector, next) VALUES ($1, $2, $3, 1 + $4)
			ON CONFLICT (account, region, connector) DO UPDATE SET next = enrollment_counters.next + $4 RETURNING next`,
		account, region, connector, n)
	if err != nil {
		return 0, err
	}
	return *next - n, nil
}
