// Package directory asks Active Directory over LDAPS what it knows about an account, checks passwords by binding as the
// account, and publishes CA certificates and enrollment services in the configuration naming context.
//
// Accounts are looked up by SID, never by a filter made of what a client sent. Groups come from tokenGroups, so nesting is
// the directory's business. It holds no policy. Start with [New], [Client.Lookup] and [Client.Authenticate].
package directory

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
	"golang.org/x/sync/singleflight"
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
	// MaxConns bounds the connections in use at a time, and those kept, 1 to 64 each. Default: 8.
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
	// ErrServiceAccount means that the directory refused the account that it is read as; [ErrUnavailable] comes along.
	ErrServiceAccount = errors.New("bind as the service account")
	// ErrNoDomain means that what answers is no domain controller; [ErrUnavailable] comes along.
	ErrNoDomain = errors.New("the server is no domain controller")
)

// maxAnswer bounds one LDAP message: an account in a thousand groups takes 100 KiB.
const maxAnswer = 8 << 20

func init() { ber.MaxPacketLengthBytes = maxAnswer } // the library's own bound is 2 GiB

// Client asks the directory. Create it with [New]; it is safe for concurrent use.
type Client struct {
	cfg     Config
	servers []server
	slots   chan struct{} // one per connection that may be in use

	mu      sync.Mutex // guards what is below
	idle    []*ldap.Conn
	first   int // the server that answered last
	closed  bool
	base    string
	netbios string

	cache    entryCache
	failures failureLimits
	flight   singleflight.Group
}

type server struct{ host, address string }

// New checks the configuration. It does not connect yet.
func New(cfg Config) (*Client, error) {
	switch {
	case len(cfg.Servers) == 0 || len(cfg.Servers) > 64:
		return nil, errors.New("directory: 1 to 64 servers are needed")
	case cfg.BindName == "" || cfg.Password == "": // an empty password would be an anonymous bind (RFC 4513 §5.1.2)
		return nil, errors.New("directory: the service account's name and password are needed")
	}
	cfg.MaxConns = orDefault(cfg.MaxConns, 8)
	cfg.DialTimeout = orDefault(cfg.DialTimeout, 5*time.Second)
	cfg.Timeout = orDefault(cfg.Timeout, 10*time.Second)
	cfg.CacheTTL = orDefault(cfg.CacheTTL, 5*time.Second)
	cfg.FailuresPerMinute = orDefault(cfg.FailuresPerMinute, 4)
	switch {
	case cfg.MaxConns < 1 || cfg.MaxConns > 64:
		return nil, fmt.Errorf("directory: %d connections: not within 1 to 64", cfg.MaxConns)
	case cfg.DialTimeout < 0 || cfg.Timeout < 0:
		return nil, errors.New("directory: a negative time limit")
	case cfg.CacheTTL > time.Minute:
		return nil, fmt.Errorf("directory: entries cached for %v: at most 1m", cfg.CacheTTL)
	case cfg.FailuresPerMinute < 1:
		return nil, errors.New("directory: a negative limit of wrong passwords")
	}
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	c := &Client{cfg: cfg, slots: make(chan struct{}, cfg.MaxConns), base: cfg.BaseDN}
	for _, s := range cfg.Servers {
		host, port, err := net.SplitHostPort(s)
		if err != nil {
			host, port = strings.Trim(s, "[]"), "636"
		}
		if host == "" {
			return nil, fmt.Errorf("directory: server %q has no host", s)
		}
		c.servers = append(c.servers, server{host, net.JoinHostPort(host, port)})
	}
	return c, nil
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// Close ends the idle connections; those in use end with their requests.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, l := range c.idle {
		l.Close()
	}
	c.idle = nil
}

// connect opens a connection to the first server that answers, from the one that answered last, and binds as name.
func (c *Client) connect(ctx context.Context, name, password string) (*ldap.Conn, error) {
	c.mu.Lock()
	first := c.first
	c.mu.Unlock()
	var errs []error
	for i := range c.servers {
		n := (first + i) % len(c.servers)
		l, err := c.connectTo(ctx, c.servers[n])
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.servers[n].address, err))
			continue
		}
		if err := c.bounded(ctx, l, func() error { return l.Bind(name, password) }); err != nil {
			l.Close()
			if !isNetwork(err) { // another server would say the same
				return nil, err
			}
			errs = append(errs, fmt.Errorf("%s: %w", c.servers[n].address, err))
			continue
		}
		c.mu.Lock()
		c.first = n
		c.mu.Unlock()
		return l, nil
	}
	return nil, fmt.Errorf("%w: %w", ErrUnavailable, errors.Join(errs...))
}

// connectTo opens LDAPS. Plain LDAP and StartTLS are not offered.
func (c *Client) connectTo(ctx context.Context, s server) (*ldap.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.DialTimeout)
	defer cancel()
	raw, err := c.cfg.Dial(ctx, "tcp", s.address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.cfg.Roots, ServerName: s.host})
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	l := ldap.NewConn(conn, true)
	l.SetTimeout(c.cfg.Timeout)
	l.Start()
	return l, nil
}

// bounded runs a request and ends the connection under it if ctx ends first: the library knows no contexts.
func (c *Client) bounded(ctx context.Context, l *ldap.Conn, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	err := f()
	if !stop() && err != nil {
		return ldap.NewError(ldap.ErrorNetwork, context.Cause(ctx))
	}
	return err
}

// unsent is how the library words a request that it could not write; it gives that error no type.
const unsent = "unable to send request: "

// isNetwork tells a broken connection, or a server that is about to end, from an answer.
func isNetwork(err error) bool {
	if err != nil && strings.Contains(err.Error(), unsent) {
		return true
	}
	return ldap.IsErrorAnyOf(err, ldap.ErrorNetwork, ldap.ErrorUnexpectedMessage, ldap.ErrorUnexpectedResponse,
		ldap.LDAPResultBusy, ldap.LDAPResultUnavailable, ldap.LDAPResultServerDown, ldap.LDAPResultTimeout)
}

// slot waits until another connection may be used.
func (c *Client) slot(ctx context.Context) (release func(), err error) {
	select {
	case c.slots <- struct{}{}:
		return func() { <-c.slots }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
	}
}

// with runs f on a connection of the service account's. If a connection from the pool turns out to be dead, f runs once more
// on a new one: it must be repeatable.
func (c *Client) with(ctx context.Context, f func(l *ldap.Conn) error) error {
	release, err := c.slot(ctx)
	if err != nil {
		return err
	}
	defer release()
	for try := 0; ; try++ {
		l, pooled, err := c.take(ctx)
		if err != nil {
			return err
		}
		err = c.bounded(ctx, l, func() error { return f(l) })
		if err == nil || !isNetwork(err) {
			c.put(l)
			return err
		}
		l.Close()
		if !pooled || ctx.Err() != nil || try > c.cfg.MaxConns {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
}

func (c *Client) take(ctx context.Context) (l *ldap.Conn, pooled bool, err error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, false, fmt.Errorf("%w: the client is closed", ErrUnavailable)
	}
	for n := len(c.idle); n > 0; n = len(c.idle) {
		l, c.idle = c.idle[n-1], c.idle[:n-1]
		if !l.IsClosing() {
			c.mu.Unlock()
			return l, true, nil
		}
	}
	c.mu.Unlock()
	l, err = c.connect(ctx, c.cfg.BindName, c.cfg.Password)
	if err != nil && !errors.Is(err, ErrUnavailable) {
		err = fmt.Errorf("%w: %w: %w", ErrUnavailable, ErrServiceAccount, err)
	}
	return l, false, err
}

func (c *Client) put(l *ldap.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || l.IsClosing() {
		l.Close()
		return
	}
	c.idle = append(c.idle, l)
}

// baseDN is the domain's naming context, as configured or as the server says.
func (c *Client) baseDN(ctx context.Context) (string, error) {
	c.mu.Lock()
	base := c.base
	c.mu.Unlock()
	if base != "" {
		return base, nil
	}
	base, err := c.rootDSE(ctx, "defaultNamingContext")
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	c.base = base
	c.mu.Unlock()
	return base, nil
}

// rootDSE reads one attribute of the server's own entry (RFC 4512 §5.1).
func (c *Client) rootDSE(ctx context.Context, attribute string) (string, error) {
	entries, err := c.search(ctx, "", ldap.ScopeBaseObject, "(objectClass=*)", 1, attribute)
	if err != nil {
		return "", err
	}
	if len(entries) != 1 || entries[0].GetAttributeValue(attribute) == "" {
		return "", fmt.Errorf("%w: %w: it names no %s", ErrUnavailable, ErrNoDomain, attribute)
	}
	return entries[0].GetAttributeValue(attribute), nil
}

// search returns at most limit entries, and [ErrAmbiguous] if there are more. Whoever makes filter or base of input escapes
// it. A base that does not exist yields no entries.
func (c *Client) search(ctx context.Context, base string, scope int, filter string, limit int, attributes ...string) ([]*ldap.Entry, error) {
	// One more than may be there: not every server says that it left some out.
	req := ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, limit+1, int(c.cfg.Timeout/time.Second)+1, false, filter, attributes, nil)
	var found []*ldap.Entry
	err := c.with(ctx, func(l *ldap.Conn) error {
		res, err := l.Search(req)
		if err == nil {
			found = res.Entries
		}
		return err
	})
	switch {
	case ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject):
		return nil, nil
	case ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded), err == nil && len(found) > limit:
		return nil, ErrAmbiguous
	}
	return slices.Clip(found), err
}
