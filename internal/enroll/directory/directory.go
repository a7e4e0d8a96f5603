// Package directory asks Active Directory over LDAPS what it knows about an account, checks passwords by binding as the
// account, and publishes CA certificates and enrollment services in the configuration naming context.
//
// Accounts are looked up by SID, never by a filter made of what a client sent. Groups come from tokenGroups, so nesting is
// the directory's business. It holds no policy. Start with [New], [Client.Lookup] and [Client.Authenticate].
package directory

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"time"
)

// Config is how to reach the directory and as whom.
type Config struct {
	// Servers are domain controllers, as host or host:port (default port 636), tried in order. At least one.
	// Each certificate must be valid for its host.
	Servers []string
	// Roots verifies the servers' certificates; nil means the system's.
	Roots *x509.CertPool
	// BindName and Password are the service account's: a DN, a UPN or DOMAIN\name.
	BindName, Password string
	// BaseDN is the domain's naming context ("DC=corp,DC=example,DC=com"). Default: what the server says.
	BaseDN string
	// MaxConns bounds the connections to all servers, 1 to 64. Default: 8.
	MaxConns int
	// DialTimeout bounds connecting to one server, with TLS and bind; default 5 s. Timeout bounds one request; default 10 s.
	DialTimeout, Timeout time.Duration
	// CacheTTL is how long an entry may be answered from memory by [Client.Lookup], at most 60 s. Default: 5 s.
	// Negative: not at all.
	CacheTTL time.Duration
	// FailuresPerMinute bounds wrong passwords per account, so that this server is no faster a way to guess than any other.
	// It must stay below the domain's lockout threshold to keep strangers from locking accounts. Default: 4.
	FailuresPerMinute int
	// Dial connects; default is a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Clock defaults to time.Now.
	Clock func() time.Time
}

// Entry is what the directory says about one account.
type Entry struct {
	DN                string
	SID               string   // objectSid
	GUID              [16]byte // objectGUID, in the directory's byte order (MS-DTYP 2.3.4.2)
	AccountName       string   // sAMAccountName
	UserPrincipalName string
	Mail              string
	DisplayName       string
	CommonName        string // cn
	GivenName         string
	Surname           string   // sn
	DNSHostName       string   // of computers
	ServicePrincipals []string // servicePrincipalName
	// Groups are the SIDs of tokenGroups, nested ones included, and Everyone, Authenticated Users and Users. Sorted, each once.
	Groups []string
	// AccountControl is userAccountControl (MS-ADTS 2.2.16).
	AccountControl   uint32
	Computer         bool
	DomainController bool
	// Read is when the directory was asked.
	Read time.Time
}

// Errors that callers tell apart with errors.Is.
var (
	ErrNotFound    = errors.New("the directory has no such account")
	ErrDisabled    = errors.New("the account is disabled")
	ErrExpired     = errors.New("the account has expired")
	ErrAmbiguous   = errors.New("the name stands for several accounts")
	ErrCredentials = errors.New("the directory refused the user name or password")
	ErrRateLimited = errors.New("too many wrong passwords for this account; wait a minute")
	ErrInput       = errors.New("not a name or SID that can be looked up")
	// ErrUnavailable means that no server answered. The request can be repeated later.
	ErrUnavailable = errors.New("no directory server answered")
)
