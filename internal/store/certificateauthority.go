package store

import (
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// CertificateAuthority is a private CA.
type CertificateAuthority struct {
	Account       arn.AccountID
	Region        arn.Region
	ID            string // UUID
	Type          string // ROOT or SUBORDINATE
	UsageMode     string // GENERAL_PURPOSE or SHORT_LIVED_CERTIFICATE
	Status        string // as stored: EXPIRED follows from NotAfter
	Failure       string // why Status is FAILED
	Configuration string // JSON: key and signing algorithm, subject, CSR extensions
	Revocation    string // JSON: how revocations are published
	KeyStorage    string // the security standard that was asked for
	KeyRef        []byte // sealed by the caller; the store never sees the key
	IssuerKey     string // hex SHA-256 of the public key; "" while there is no key
	CSR           []byte // DER
	Certificate   []byte // DER; empty while there is none
	Chain         string // PEM, above Certificate
	NotBefore     time.Time
	NotAfter      time.Time
	Tags          []Tag
	CreatedAt     time.Time
	ChangedAt     time.Time // of the status
	// RestorableUntil is when a deleted CA is gone for good; zero for others.
	RestorableUntil time.Time
	// CRLDueAt is when the next revocation list has to be signed; zero for never.
	CRLDueAt time.Time
}

const authorityColumns = `account, region, id, type, usage_mode, status, failure, configuration, revocation, key_storage, key_ref,
	issuer_key, csr, certificate, chain, not_before, not_after, tags, created_at, changed_at, restorable_until, crl_due_at`

const authorityInsert = `INSERT INTO certificate_authorities (` + authorityColumns + `)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)`

func scanAuthority(s scanner, a *CertificateAuthority) error {
	return s.Scan(&a.Account, &a.Region, &a.ID, &a.Type, &a.UsageMode, &a.Status, &a.Failure, &a.Configuration, &a.Revocation,
		&a.KeyStorage, blob{&a.KeyRef}, &a.IssuerKey, blob{&a.CSR}, blob{&a.Certificate}, &a.Chain, micros{&a.NotBefore},
		micros{&a.NotAfter}, list[Tag]{&a.Tags}, micros{&a.CreatedAt}, micros{&a.ChangedAt}, micros{&a.RestorableUntil}, micros{&a.CRLDueAt})
}

func (a *CertificateAuthority) args() []any {
	return []any{a.Account, a.Region, a.ID, a.Type, a.UsageMode, a.Status, a.Failure, a.Configuration, a.Revocation,
		a.KeyStorage, notNil(a.KeyRef), a.IssuerKey, notNil(a.CSR), notNil(a.Certificate), a.Chain, toMicros(a.NotBefore),
		toMicros(a.NotAfter), toList(a.Tags), toMicros(a.CreatedAt), toMicros(a.ChangedAt), toMicros(a.RestorableUntil), toMicros(a.CRLDueAt)}
}

func (tx *Tx) authorityChanged(account arn.AccountID, region arn.Region, id string) {
	tx.changed(kindAuthority, account, region, id)
	tx.changed(kindIssuing, account, region, id)
	tx.changed(kindAuthorityID, "", "", id)
}

// CreateAuthority adds a CA.
func (tx *Tx) CreateAuthority(a *CertificateAuthority) error {
	tx.authorityChanged(a.Account, a.Region, a.ID)
	return tx.insert(authorityInsert, a.args()...)
}

// PutAuthority adds or replaces a CA.
func (tx *Tx) PutAuthority(a *CertificateAuthority) error {
	tx.authorityChanged(a.Account, a.Region, a.ID)
	_, err := tx.exec(authorityInsert+` ON CONFLICT (account, region, id) DO UPDATE SET type = excluded.type,
		usage_mode = excluded.usage_mode, status = excluded.status, failure = excluded.failure,
		configuration = excluded.configuration, revocation = excluded.revocation, key_storage = excluded.key_storage,
		key_ref = excluded.key_ref, issuer_key = excluded.issuer_key, csr = excluded.csr, certificate = excluded.certificate,
		chain = excluded.chain, not_before = excluded.not_before, not_after = excluded.not_after, tags = excluded.tags,
		created_at = excluded.created_at, changed_at = excluded.changed_at, restorable_until = excluded.restorable_until,
		crl_due_at = excluded.crl_due_at`, a.args()...)
	return err
}

// GetAuthority reads one CA.
func (tx *Tx) GetAuthority(account arn.AccountID, region arn.Region, id string) (*CertificateAuthority, error) {
	return one(tx, scanAuthority, `SELECT `+authorityColumns+` FROM certificate_authorities WHERE account = $1 AND region = $2 AND id = $3`,
		account, region, id)
}

// DeleteAuthority removes one CA for good, its key with it. Its certificates and revocations stay: they go on counting.
func (tx *Tx) DeleteAuthority(account arn.AccountID, region arn.Region, id string) error {
	tx.authorityChanged(account, region, id)
	return tx.remove(`DELETE FROM certificate_authorities WHERE account = $1 AND region = $2 AND id = $3`, account, region, id)
}

// ListAuthorities pages by id.
func (tx *Tx) ListAuthorities(account arn.AccountID, region arn.Region, limit int, after string) ([]CertificateAuthority, string, error) {
	return page(tx, scanAuthority, func(a *CertificateAuthority) string { return a.ID }, limit,
		`SELECT `+authorityColumns+` FROM certificate_authorities WHERE account = $1 AND region = $2 AND id > $3 ORDER BY id LIMIT $4`,
		account, region, after)
}

// CountAuthorities counts those of a region, for quotas.
func (tx *Tx) CountAuthorities(account arn.AccountID, region arn.Region) (int, error) {
	return tx.count(`SELECT COUNT(*) FROM certificate_authorities WHERE account = $1 AND region = $2`, account, region)
}

// ListCreatingAuthorities are CAs, of all accounts, that wait for their key, oldest first.
func (tx *Tx) ListCreatingAuthorities(limit int) ([]CertificateAuthority, error) {
	return all(tx, scanAuthority, `SELECT `+authorityColumns+` FROM certificate_authorities WHERE status = 'CREATING' ORDER BY created_at LIMIT $1`, limit)
}

// ListCRLsDue are CAs, of all accounts, whose revocation list is due by the transaction's time.
func (tx *Tx) ListCRLsDue(limit int) ([]CertificateAuthority, error) {
	return all(tx, scanAuthority, `SELECT `+authorityColumns+` FROM certificate_authorities WHERE crl_due_at > 0 AND crl_due_at <= $1 ORDER BY crl_due_at LIMIT $2`,
		toMicros(tx.Now), limit)
}

// ListAuthoritiesGone are deleted CAs, of all accounts, that can no longer be restored.
func (tx *Tx) ListAuthoritiesGone(limit int) ([]CertificateAuthority, error) {
	return all(tx, scanAuthority, `SELECT `+authorityColumns+` FROM certificate_authorities WHERE restorable_until > 0 AND restorable_until <= $1 ORDER BY restorable_until LIMIT $2`,
		toMicros(tx.Now), limit)
}

// ListAllAuthorities pages by id through the CAs of all accounts and regions.
func (tx *Tx) ListAllAuthorities(limit int, after string) ([]CertificateAuthority, string, error) {
	return page(tx, scanAuthority, func(a *CertificateAuthority) string { return a.ID }, limit,
		`SELECT `+authorityColumns+` FROM certificate_authorities WHERE id > $1 ORDER BY id LIMIT $2`, after)
}
