// Package sessiontoken makes and opens the credentials of sessions. Nothing is stored for a session: everything that
// must be known of it later is in its token, a record sealed under a key derived from the deployment's key ring, and
// its secret access key is derived from the ring, the access key id and the token. Any node with the ring can verify
// any session.
//
// The package does not decide who may have a session or for how long, does not check policies, and cannot take a
// session back: a token opens until it expires or until its key leaves the ring.
//
// Start with [Sealer.Mint] and [Sealer.Open]; record.go is the sealed form, accesskey.go the identifiers, cache.go
// the memory of opened tokens.
package sessiontoken

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// Type is the kind of principal that a session speaks for.
type Type uint8

// The kinds of session. The numbers are part of the sealed record.
const (
	AssumedRole  Type = 1 // a role's session, by CreateSession or AssumeRole
	Federated    Type = 2 // GetFederationToken by a user, or by the root of the account if UserName is empty
	SessionToken Type = 3 // GetSessionToken of a user, or of the root of the account if UserName is empty
)

// String names the type for logs.
func (t Type) String() string {
	switch t {
	case AssumedRole:
		return "AssumedRole"
	case Federated:
		return "Federated"
	case SessionToken:
		return "SessionToken"
	}
	return "unknown"
}

// Longest lives of a session, kept here as a second line behind the service that grants them.
const (
	MaxDuration        = 36 * time.Hour // STS GetSessionToken, GetFederationToken
	MaxChainedDuration = time.Hour      // a role assumed with a role session's credentials
)

var (
	// ErrInvalid is the one answer to a token that does not open, whatever the cause.
	ErrInvalid = errors.New("the session token is not valid")
	// ErrExpired is returned for a token that is authentic and past its time.
	ErrExpired = errors.New("the session token has expired")
	// ErrTooLarge is returned by [Sealer.Mint] if the packed size is above 100 percent.
	ErrTooLarge = errors.New("session policies and tags are too large once packed")
	// ErrSession is wrapped by [Sealer.Mint] for a session that breaks a rule of the record.
	ErrSession = errors.New("the session cannot be sealed")
)

// Tag is one session tag.
type Tag struct{ Key, Value string }

// Provenance says which certificate a session came from. It is nil for sessions that did not start with one.
type Provenance struct {
	Account         arn.AccountID // the trust anchor's; opening a token of version 1, the session's own
	Region          arn.Region
	TrustAnchorID   string   // UUID
	ProfileID       string   // UUID
	CertSerial      string   // lower-case hex, even length
	CertIssuer      string   // distinguished name
	CertFingerprint [32]byte // SHA-256 of the DER
	// Links are the certificates whose revocation ends the session, the leaf first, each by its issuer. They are there if
	// the trust anchor ended sessions when this one, or the one it was chained from, was made.
	Links []Link
}

// MaxLinks bounds the links of a session.
const MaxLinks = 16

// Link names one certificate of a path by its issuer and serial number.
type Link struct {
	IssuerName [16]byte // see certchain.NameID
	IssuerKey  string   // hex SHA-256 of the issuer's public key
	Serial     string   // lower-case hex, even length
}

// Session is what a token says. One that [Sealer.Open] returned is shared with other requests: it, its slices and its
// Provenance must not be changed.
type Session struct {
	Type        Type
	Account     arn.AccountID
	Partition   string
	AccessKeyID string // set by Open; Mint draws a new one and ignores this field

	RoleID   string // AROA…
	RoleName string
	RolePath string // begins and ends with a slash

	SessionName string // of a role session or a federated user

	UserID   string // AIDA…; for a root session the account id or empty
	UserName string // empty for root
	UserPath string

	// Provider is the ARN of the identity provider that vouched for an AssumeRoleWithWebIdentity, otherwise "".
	Provider string

	SourceIdentity string
	Tags           []Tag    // those of the session, transitive ones included
	TransitiveKeys []string // tag keys handed on to the next role

	IssuedAt  time.Time // UTC, whole seconds; Mint uses its now if this is zero
	ExpiresAt time.Time // UTC, whole seconds, later than IssuedAt

	SessionPolicy string   // inline policy text, "" if none
	PolicyARNs    []string // managed session policies

	Chained    bool // assumed with the credentials of another role session
	Provenance *Provenance
	MFA        bool

	memo *memo // set by Open
}

// Credentials are the answer to whoever asked for a session. No formatting verb prints the secret or the token.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	Expiration      time.Time // UTC, whole seconds
}

// String is the access key id alone.
func (c Credentials) String() string { return "credentials " + c.AccessKeyID }

// GoString keeps the secrets out of %#v.
func (c Credentials) GoString() string { return c.String() }

// LogValue keeps the secrets out of every log handler.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.AccessKeyID) }

type memo struct {
	once  sync.Once
	value any
}

// Memo runs build once for an opened token and gives its result to every request that shows the same token while it
// is remembered: a place for the compiled session policy. A session that did not come from Open builds each time.
// There is one slot, which belongs to the authorization of requests.
func (s *Session) Memo(build func() any) any {
	if s.memo == nil {
		return build()
	}
	s.memo.once.Do(func() { s.memo.value = build() })
	return s.memo.value
}
