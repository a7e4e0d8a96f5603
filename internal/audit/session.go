package audit

import "time"

// CreateSessionParams is what a CreateSession request asked for.
type CreateSessionParams struct {
	ProfileARN      string
	RoleARN         string
	TrustAnchorARN  string
	SessionName     string // roleSessionName, when the request named one
	DurationSeconds int    // 0 when the request named none

	// CertDER is the end-entity certificate as sent, valid or not. Above 16 KiB it is left out.
	CertDER []byte
	// Fingerprint is the SHA-256 of CertDER when the caller has it already; the zero value is computed when needed.
	Fingerprint [32]byte
}

// CreateSessionResult is what a CreateSession request was given. The secret key and the token have no place here.
type CreateSessionResult struct {
	AccessKeyID      string
	Expiration       time.Time
	AssumedRoleARN   string
	AssumedRoleID    string
	RoleARN          string
	SourceIdentity   string
	SubjectARN       string
	PackedPolicySize int // percent
}

func (p *CreateSessionParams) hasCert() bool {
	return p != nil && len(p.CertDER) > 0 && len(p.CertDER) <= maxCert
}

// appendJSON appends the request parameters. hole is the offset in the result where the certificate's base64 text belongs,
// or 0 when there is no certificate: the log keeps each certificate once per segment and fills the hole when it reads.
func (p *CreateSessionParams) appendJSON(b []byte) (_ []byte, hole int) {
	var o object
	o.open(b)
	o.text("profileArn", p.ProfileARN, maxIdentifier)
	o.text("roleArn", p.RoleARN, maxIdentifier)
	o.text("trustAnchorArn", p.TrustAnchorARN, maxIdentifier)
	o.text("roleSessionName", p.SessionName, maxText)
	if p.DurationSeconds != 0 {
		o.integer("durationSeconds", p.DurationSeconds)
	}
	if p.hasCert() {
		o.name("cert")
		o.buf = append(o.buf, '"')
		hole = len(o.buf)
		o.buf = append(o.buf, '"')
	}
	return o.close(), hole
}

func (r *CreateSessionResult) appendJSON(b []byte) []byte {
	var o, set, user, creds object
	o.open(b)
	o.text("subjectArn", r.SubjectARN, maxIdentifier)
	o.name("credentialSet")
	set.open(append(o.buf, '['))

	set.name("assumedRoleUser")
	user.open(set.buf)
	user.text("arn", r.AssumedRoleARN, maxIdentifier)
	user.text("assumedRoleId", r.AssumedRoleID, maxIdentifier)
	set.buf = user.close()

	set.name("credentials")
	creds.open(set.buf)
	creds.text("accessKeyId", r.AccessKeyID, maxIdentifier)
	creds.time("expiration", r.Expiration)
	set.buf = creds.close()

	set.integer("packedPolicySize", r.PackedPolicySize)
	set.text("roleArn", r.RoleARN, maxIdentifier)
	set.text("sourceIdentity", r.SourceIdentity, maxIdentifier)
	o.buf = append(set.close(), ']')
	return o.close()
}
