package directory

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"
	"golang.org/x/time/rate"

	"github.com/rolecall/rolecall/internal/enroll/kerberos"
)

// Bounds of what a person types: AD allows 256 characters in a password and 1,024 in a UPN.
const (
	maxUserName = 1024
	maxPassword = 512
)

// Authenticate checks a password by binding as the account, and returns the account with its groups as of now. user is
// DOMAIN\name, a UPN, or a sAMAccountName. Lockout, logon hours and the age of passwords are the directory's business: each of
// them, like a wrong password, is [ErrCredentials]. Wrong passwords are limited per account ([ErrRateLimited]); the caller
// limits how often strangers may ask at all.
func (c *Client) Authenticate(ctx context.Context, user, password string) (*Entry, error) {
	if user == "" || len(user) > maxUserName || !utf8.ValidString(user) || strings.ContainsRune(user, 0) {
		return nil, fmt.Errorf("%w: a user name of %d bytes", ErrInput, len(user))
	}
	// A bind with a name and no password succeeds for any name: it is unauthenticated (RFC 4513 §5.1.2).
	if password == "" || len(password) > maxPassword {
		return nil, fmt.Errorf("%w: a password of %d bytes", ErrCredentials, len(password))
	}
	dn, sid, err := c.resolve(ctx, user)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrAmbiguous) {
		return nil, fmt.Errorf("%w: %w", ErrCredentials, err) // whether a name exists is nobody's business
	}
	if err != nil {
		return nil, err
	}
	done, err := c.slot(ctx)
	if err != nil {
		return nil, err
	}
	forgive, ok := c.failures.begin(sid, c.cfg.Clock(), c.cfg.FailuresPerMinute)
	if !ok {
		done()
		return nil, ErrRateLimited
	}
	l, err := c.connect(ctx, dn, password) // not from the pool: its connections are the service account's
	done()
	if err != nil {
		if ldap.IsErrorAnyOf(err, ldap.LDAPResultInvalidCredentials, ldap.LDAPResultInappropriateAuthentication, ldap.LDAPResultConstraintViolation) {
			return nil, fmt.Errorf("%w: %s: %w", ErrCredentials, sid, err) // the cause's text has AD's code ("data 533"), for the audit
		}
		forgive() // nothing was learnt about the password
		if !errors.Is(err, ErrUnavailable) {
			err = fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		return nil, err
	}
	l.Close()
	forgive()
	return c.Fresh(ctx, sid)
}

// resolve finds an account's DN and SID by name.
func (c *Client) resolve(ctx context.Context, user string) (dn, sid string, err error) {
	base, err := c.baseDN(ctx)
	if err != nil {
		return "", "", err
	}
	var found []*ldap.Entry
	byName := func(attribute, value string) error {
		found, err = c.search(ctx, base, ldap.ScopeWholeSubtree, "(&(objectClass=user)("+attribute+"="+ldap.EscapeFilter(value)+"))", 1, "objectSid")
		return err
	}
	if domain, name, ok := strings.Cut(user, `\`); ok {
		netbios, err := c.netBIOSName(ctx, base)
		if err != nil {
			return "", "", err
		}
		if !strings.EqualFold(domain, netbios) && !strings.EqualFold(domain, dnsName(base)) {
			return "", "", fmt.Errorf("%w: domain %.80q", ErrNotFound, domain)
		}
		err = byName("sAMAccountName", name)
		if err != nil {
			return "", "", err
		}
	} else if at := strings.LastIndexByte(user, '@'); at >= 0 {
		if err := byName("userPrincipalName", user); err != nil {
			return "", "", err
		}
		// Every account also has the UPN name@domain, written down or not (MS-ADTS 5.1.1.1.1).
		if len(found) == 0 && strings.EqualFold(user[at+1:], dnsName(base)) {
			if err := byName("sAMAccountName", user[:at]); err != nil {
				return "", "", err
			}
		}
	} else if err := byName("sAMAccountName", user); err != nil {
		return "", "", err
	}
	if len(found) != 1 {
		return "", "", fmt.Errorf("%w: %.80q", ErrNotFound, user)
	}
	sid, err = kerberos.FormatSID(found[0].GetRawAttributeValue("objectSid"))
	if err != nil {
		return "", "", fmt.Errorf("objectSid: %w", err)
	}
	return found[0].DN, sid, nil
}

// dnsName makes corp.example.com of DC=corp,DC=example,DC=com (RFC 2247).
func dnsName(base string) string {
	dn, err := ldap.ParseDN(base)
	if err != nil {
		return ""
	}
	var labels []string
	for _, rdn := range dn.RDNs {
		for _, a := range rdn.Attributes {
			labels = append(labels, a.Value)
		}
	}
	return strings.Join(labels, ".")
}

// netBIOSName is the domain's short name, from the forest's list of partitions (MS-ADTS 6.1.1.2.1.1.4).
func (c *Client) netBIOSName(ctx context.Context, base string) (string, error) {
	c.mu.Lock()
	name := c.netbios
	c.mu.Unlock()
	if name != "" {
		return name, nil
	}
	conf, err := c.rootDSE(ctx, "configurationNamingContext")
	if err != nil {
		return "", err
	}
	found, err := c.search(ctx, "CN=Partitions,"+conf, ldap.ScopeSingleLevel, "(&(objectClass=crossRef)(nETBIOSName=*)(nCName="+ldap.EscapeFilter(base)+"))", 1, "nETBIOSName")
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%w: the directory does not know the short name of %s", ErrUnavailable, base)
	}
	name = found[0].GetAttributeValue("nETBIOSName")
	c.mu.Lock()
	c.netbios = name
	c.mu.Unlock()
	return name, nil
}

// maxLimits bounds the accounts with recent wrong passwords. Beyond, all others are refused until a minute has passed.
const maxLimits = 10_000

// failureLimits counts wrong passwords per account. An attempt counts from its beginning and is given back if it succeeds, so
// that many at once are no way around.
type failureLimits struct {
	mu sync.Mutex // guards by
	by map[string]*rate.Limiter
}

func (f *failureLimits) begin(sid string, now time.Time, perMinute int) (forgive func(), ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.by == nil {
		f.by = make(map[string]*rate.Limiter)
	}
	l := f.by[sid]
	if l == nil {
		if len(f.by) >= maxLimits {
			for k, old := range f.by {
				if old.TokensAt(now) >= float64(old.Burst()) { // nothing to remember
					delete(f.by, k)
				}
			}
			if len(f.by) >= maxLimits {
				return nil, false
			}
		}
		l = rate.NewLimiter(rate.Every(time.Minute/time.Duration(perMinute)), perMinute)
		f.by[sid] = l
	}
	r := l.ReserveN(now, 1)
	if !r.OK() || r.DelayFrom(now) > 0 {
		r.CancelAt(now)
		return nil, false
	}
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		r.CancelAt(now) // at the time of the attempt: later, it would not be given back
	}, true
}
