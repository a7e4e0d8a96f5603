package directory

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/rolecall/rolecall/internal/enroll/kerberos"
)

// userAccountControl, MS-ADTS 2.2.16.
const (
	uacDisabled    = 0x2
	uacWorkstation = 0x1000
	uacServer      = 0x2000      // a domain controller
	uacReadOnlyDC  = 0x0400_0000 // a read-only domain controller, which is a workstation otherwise
)

const maxGroups = 4096 // a token takes 1,015

var sidText = regexp.MustCompile(`^S-1-[0-9]{1,10}(-[0-9]{1,10}){1,15}$`)

var entryAttributes = []string{"objectSid", "objectGUID", "sAMAccountName", "userPrincipalName", "mail", "displayName", "cn", "givenName",
	"sn", "dNSHostName", "servicePrincipalName", "userAccountControl", "accountExpires", "tokenGroups"}

// Lookup returns the account with a SID, from memory if it was read less than CacheTTL ago. It refuses accounts that are
// disabled or expired with [ErrDisabled] and [ErrExpired], and says [ErrNotFound] for SIDs of groups and of other forests.
// The entry is shared: do not change it.
func (c *Client) Lookup(ctx context.Context, sid string) (*Entry, error) {
	if e := c.cache.get(sid, c.cfg.Clock().Add(-c.cfg.CacheTTL)); e != nil {
		return e, nil
	}
	// One request for many callers. Each waits only as long as its own context; the request ends by its own time limit.
	ch := c.flight.DoChan(sid, func() (e any, err error) {
		defer func() {
			if p := recover(); p != nil { // in a goroutine of its own a panic would end the program
				e, err = nil, fmt.Errorf("%w: panic: %v", ErrUnavailable, p)
			}
		}()
		return c.Fresh(context.WithoutCancel(ctx), sid)
	})
	select {
	case r := <-ch:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*Entry), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
	}
}

// Fresh is [Client.Lookup] that always asks the directory: what is decided by groups, such as issuing, needs them as of now.
func (c *Client) Fresh(ctx context.Context, sid string) (*Entry, error) {
	if !sidText.MatchString(sid) {
		return nil, fmt.Errorf("%w: %.80q is no SID", ErrInput, sid)
	}
	// MS-ADTS 3.1.1.3.1.2.4: a SID as the base of a search. Nothing in it needs escaping.
	found, err := c.search(ctx, "<SID="+sid+">", ldap.ScopeBaseObject, "(objectClass=*)", 1, entryAttributes...)
	if err != nil {
		return nil, err
	}
	if len(found) != 1 || found[0].GetAttributeValue("userAccountControl") == "" { // groups have none
		c.cache.forget(sid)
		return nil, fmt.Errorf("%w: %s", ErrNotFound, sid)
	}
	e, err := newEntry(found[0], c.cfg.Clock())
	if err == nil && e.SID != sid {
		err = fmt.Errorf("the directory answered with %s for %s", e.SID, sid)
	}
	if err != nil {
		c.cache.forget(sid)
		return nil, err
	}
	c.cache.put(e, c.cfg.CacheTTL)
	return e, nil
}

// newEntry reads an account's attributes and refuses accounts that may not log on.
func newEntry(l *ldap.Entry, now time.Time) (*Entry, error) {
	get := l.GetAttributeValue
	e := &Entry{
		DN: l.DN, AccountName: get("sAMAccountName"), UserPrincipalName: get("userPrincipalName"), Mail: get("mail"),
		DisplayName: get("displayName"), CommonName: get("cn"), GivenName: get("givenName"), Surname: get("sn"),
		DNSHostName: get("dNSHostName"), ServicePrincipals: l.GetAttributeValues("servicePrincipalName"), Read: now,
	}
	var err error
	if e.SID, err = kerberos.FormatSID(l.GetRawAttributeValue("objectSid")); err != nil {
		return nil, fmt.Errorf("objectSid: %w", err)
	}
	if n := copy(e.GUID[:], l.GetRawAttributeValue("objectGUID")); n != len(e.GUID) {
		return nil, fmt.Errorf("objectGUID of %d bytes", n)
	}
	uac, err := strconv.ParseInt(get("userAccountControl"), 10, 64) // AD writes it as a signed number
	if err != nil || uac < math.MinInt32 || uac > math.MaxUint32 {
		return nil, fmt.Errorf("userAccountControl %.20q", get("userAccountControl"))
	}
	e.AccountControl = uint32(uac)
	e.DomainController = e.AccountControl&(uacServer|uacReadOnlyDC) != 0
	e.Computer = e.DomainController || e.AccountControl&uacWorkstation != 0
	if e.AccountControl&uacDisabled != 0 {
		return nil, fmt.Errorf("%w: %s", ErrDisabled, e.SID)
	}
	if at, ends := expires(get("accountExpires")); ends && !now.Before(at) {
		return nil, fmt.Errorf("%w: %s on %s", ErrExpired, e.SID, at.Format(time.RFC3339))
	}
	groups := l.GetRawAttributeValues("tokenGroups")
	if len(groups) > maxGroups {
		return nil, fmt.Errorf("%s is in %d groups, more than %d", e.SID, len(groups), maxGroups)
	}
	for _, g := range groups {
		s, err := kerberos.FormatSID(g)
		if err != nil {
			return nil, fmt.Errorf("tokenGroups: %w", err)
		}
		e.Groups = append(e.Groups, s)
	}
	e.Groups = append(e.Groups, kerberos.WellKnownGroups()...)
	slices.Sort(e.Groups)
	e.Groups = slices.Compact(e.Groups)
	return e, nil
}

// expires reads accountExpires: 100 ns since 1601; 0 and the largest number mean never (MS-ADA1 2.2). What is no number counts
// as the beginning of time.
func expires(s string) (at time.Time, ends bool) {
	if s == "" {
		return time.Time{}, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err == nil && (n == 0 || n == math.MaxInt64) {
		return time.Time{}, false
	}
	const to1970 = 116444736000000000
	return time.Unix((n-to1970)/1e7, 0).UTC(), true
}

// guid is the text form of an objectGUID (MS-DTYP 2.3.4.3).
func guid(b [16]byte) string {
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", binary.LittleEndian.Uint32(b[:]), binary.LittleEndian.Uint16(b[4:]), binary.LittleEndian.Uint16(b[6:]), b[8:10], b[10:])
}

// GUIDText is the usual text form of GUID, in lower case and without braces.
func (e *Entry) GUIDText() string { return guid(e.GUID) }

// maxCached bounds the entries in memory: 1,000 with a thousand groups each are 60 MB.
const maxCached = 1000

type entryCache struct {
	mu      sync.Mutex // guards entries
	entries map[string]*Entry
}

// get returns an entry that was read after the time given.
func (ec *entryCache) get(sid string, after time.Time) *Entry {
	ec.mu.Lock()
	defer ec.mu.Unlock()
	if e := ec.entries[sid]; e != nil && e.Read.After(after) {
		return e
	}
	return nil
}

func (ec *entryCache) put(e *Entry, ttl time.Duration) {
	if ttl < 0 {
		return
	}
	ec.mu.Lock()
	defer ec.mu.Unlock()
	if ec.entries == nil {
		ec.entries = make(map[string]*Entry)
	}
	if len(ec.entries) >= maxCached {
		for sid, old := range ec.entries {
			if e.Read.Sub(old.Read) > ttl {
				delete(ec.entries, sid)
			}
		}
		if len(ec.entries) >= maxCached {
			clear(ec.entries)
		}
	}
	ec.entries[e.SID] = e
}

func (ec *entryCache) forget(sid string) {
	ec.mu.Lock()
	defer ec.mu.Unlock()
	delete(ec.entries, sid)
}
