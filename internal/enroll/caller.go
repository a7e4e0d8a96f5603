package enroll

import (
	"context"
	"crypto/x509"
	"errors"
	"strings"

	"github.com/rolecall/rolecall/internal/enroll/directory"
	"github.com/rolecall/rolecall/internal/enroll/hresult"
	"github.com/rolecall/rolecall/internal/enroll/soap"
	"github.com/rolecall/rolecall/internal/enroll/template"
)

// caller is somebody who was authenticated.
type caller struct {
	sid   string
	name  string   // for audit only
	stale []string // SIDs that the ticket brought; they can deny, and never allow
	entry *directory.Entry
}

// errUnauthenticated is all that a stranger is told.
var errUnauthenticated = errors.New("not authenticated")

// negotiate accepts a Kerberos ticket by the first directory whose key it is for. reply is for the answer's header.
func (h *Handler) negotiate(a *attempt, sites []*site) (reply string, err error) {
	var leaf *x509.Certificate
	if a.r.TLS != nil && h.cfg.ServerLeaf != nil {
		leaf = h.cfg.ServerLeaf(a.r)
	}
	header := a.r.Header.Get("Authorization")
	for _, s := range sites {
		id, answer, failed := s.acceptor.Accept(header, leaf)
		if failed != nil {
			if err == nil {
				err, a.site = failed, s
			}
			continue
		}
		if id.UserSID == "" {
			return "", errors.New("the ticket has no SID")
		}
		a.site = s
		a.caller = &caller{sid: id.UserSID, name: id.AccountName + "@" + id.Realm, stale: append([]string{id.UserSID}, id.Groups...)}
		return answer, nil
	}
	return "", err
}

// password checks a user name and password. With several directories on one host the name has to tell which: a password
// is never tried at another domain than its own.
func (h *Handler) password(ctx context.Context, a *attempt, sites []*site, token *soap.UsernameToken) error {
	if token == nil {
		return errUnauthenticated
	}
	a.site = siteOf(sites, token.Username)
	if a.site == nil {
		a.site = sites[0]
		return errors.New("the user name does not tell its domain")
	}
	entry, err := a.site.directory.Authenticate(ctx, token.Username, token.Password)
	if err != nil {
		return err
	}
	if entry.SID == "" {
		return errors.New("the account has no SID")
	}
	a.caller = &caller{sid: entry.SID, name: entry.AccountName + "@" + a.site.row.Realm, stale: []string{entry.SID}}
	return nil
}

func siteOf(sites []*site, username string) *site {
	if len(sites) == 1 {
		return sites[0]
	}
	domain, _, ok := strings.Cut(username, `\`)
	if !ok {
		_, domain, ok = strings.Cut(username, "@")
	}
	var found *site
	for _, s := range sites {
		if ok && (strings.EqualFold(s.row.Domain, domain) || strings.EqualFold(s.row.Realm, domain)) {
			if found != nil {
				return nil
			}
			found = s
		}
	}
	return found
}

// lookup reads the caller as the directory has it now: names, groups, and whether the account still counts.
func (h *Handler) lookup(ctx context.Context, a *attempt) error {
	read := a.site.directory.Fresh
	if a.endpoint.kind == policyService {
		read = a.site.directory.Lookup
	}
	e, err := read(ctx, a.caller.sid)
	switch {
	case errors.Is(err, directory.ErrNotFound), errors.Is(err, directory.ErrDisabled), errors.Is(err, directory.ErrExpired):
		return hresult.Refuse(hresult.AccessDenied, "The account cannot enroll: %s", err)
	case err != nil:
		return err
	case e.SID != a.caller.sid:
		return errors.New("the directory answered for another account")
	}
	a.caller.entry = e
	return nil
}

// may says what the caller may do with a template. A machine's template is for computers, the others are for users.
func (c *caller) may(t *template.Template) (enroll, autoEnroll bool) {
	if t.Machine() != c.entry.Computer {
		return false, false
	}
	return t.Allows(append([]string{c.sid}, c.entry.Groups...), c.stale)
}
