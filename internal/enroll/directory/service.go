package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// Encryption types in msDS-SupportedEncryptionTypes, MS-KILE 2.2.7.
const (
	supportsAES128 = 0x8
	supportsAES256 = 0x10
)

// Problems of a service account that keep tickets from being issued or opened. [Client.CheckService] joins what it finds.
var (
	ErrNoPrincipal        = errors.New("no account has the service principal name")
	ErrDuplicatePrincipal = errors.New("several accounts have the service principal name: the KDC issues no tickets for it")
	ErrNoAES              = errors.New("msDS-SupportedEncryptionTypes of the account lacks AES (set it to 24 and export the keytab again)")
)

// ServiceAccount is the account that tickets for a service are made for.
type ServiceAccount struct {
	DN, AccountName string
	KVNO            int  // version of its key, msDS-KeyVersionNumber; 0 if the directory does not tell
	AES             bool // it can have AES tickets
	Disabled        bool
}

// Service finds the account with a service principal name, such as HTTP/ca.corp.example.com: [ErrNoPrincipal] or
// [ErrDuplicatePrincipal] if there is not exactly one.
func (c *Client) Service(ctx context.Context, spn string) (*ServiceAccount, error) {
	if !strings.Contains(spn, "/") || len(spn) > 512 {
		return nil, fmt.Errorf("%w: %.80q is no service principal name", ErrInput, spn)
	}
	base, err := c.baseDN(ctx)
	if err != nil {
		return nil, err
	}
	found, err := c.search(ctx, base, ldap.ScopeWholeSubtree, "(servicePrincipalName="+ldap.EscapeFilter(spn)+")", 1,
		"msDS-SupportedEncryptionTypes", "msDS-KeyVersionNumber", "sAMAccountName", "userAccountControl")
	switch {
	case errors.Is(err, ErrAmbiguous):
		return nil, fmt.Errorf("%w: %s", ErrDuplicatePrincipal, spn)
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, fmt.Errorf("%w: %s", ErrNoPrincipal, spn)
	}
	a := &ServiceAccount{DN: found[0].DN, AccountName: found[0].GetAttributeValue("sAMAccountName")}
	var types uint32
	var control int64
	fmt.Sscan(found[0].GetAttributeValue("msDS-SupportedEncryptionTypes"), &types) // absent: none
	fmt.Sscan(found[0].GetAttributeValue("msDS-KeyVersionNumber"), &a.KVNO)
	fmt.Sscan(found[0].GetAttributeValue("userAccountControl"), &control)
	a.AES, a.Disabled = types&(supportsAES128|supportsAES256) != 0, control&uacDisabled != 0
	return a, nil
}

// CheckService finds the account with a service principal name and checks that there is one and that it can have AES tickets.
func (c *Client) CheckService(ctx context.Context, spn string) (dn string, err error) {
	a, err := c.Service(ctx, spn)
	if err != nil {
		return "", err
	}
	if !a.AES {
		return a.DN, fmt.Errorf("%s: %w", a.DN, ErrNoAES)
	}
	return a.DN, nil
}

// Writable says which of the places of a CA's publication the account in use may change, as the directory computes it
// (MS-ADTS 3.1.1.4.5.13 and 3.1.1.4.5.23).
type Writable struct {
	NTAuth, Roots, AIA, Services bool
}

// Writable asks for the rights of the account that the client binds as.
func (c *Client) Writable(ctx context.Context) (*Writable, error) {
	pks, err := c.publicKeyServices(ctx)
	if err != nil {
		return nil, err
	}
	allowed := func(dn, attribute, want string) (bool, error) {
		found, err := c.search(ctx, dn, ldap.ScopeBaseObject, "(objectClass=*)", 1, attribute)
		if err != nil || len(found) == 0 {
			return false, err
		}
		return slices.ContainsFunc(found[0].GetAttributeValues(attribute), func(v string) bool { return strings.EqualFold(v, want) }), nil
	}
	const children = "allowedChildClassesEffective"
	var w Writable
	for _, t := range []struct {
		to                  *bool
		dn, attribute, want string
	}{
		{&w.NTAuth, "CN=NTAuthCertificates," + pks, "allowedAttributesEffective", "cACertificate"},
		{&w.Roots, "CN=Certification Authorities," + pks, children, "certificationAuthority"},
		{&w.AIA, "CN=AIA," + pks, children, "certificationAuthority"},
		{&w.Services, "CN=Enrollment Services," + pks, children, "pKIEnrollmentService"},
	} {
		if *t.to, err = allowed(t.dn, t.attribute, t.want); err != nil {
			return nil, err
		}
	}
	if !w.NTAuth { // it is made by the first CA of a forest
		found, err := c.search(ctx, "CN=NTAuthCertificates,"+pks, ldap.ScopeBaseObject, "(objectClass=*)", 1, "cn")
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			w.NTAuth, err = allowed(pks, children, "certificationAuthority")
			return &w, err
		}
	}
	return &w, nil
}

// GroupName is the name of the group with a SID, or [ErrNotFound].
func (c *Client) GroupName(ctx context.Context, sid string) (string, error) {
	if !sidText.MatchString(sid) {
		return "", fmt.Errorf("%w: %.80q is no SID", ErrInput, sid)
	}
	found, err := c.search(ctx, "<SID="+sid+">", ldap.ScopeBaseObject, "(objectClass=group)", 1, "sAMAccountName", "cn")
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%w: %s", ErrNotFound, sid)
	}
	return found[0].GetAttributeValue("sAMAccountName"), nil
}
