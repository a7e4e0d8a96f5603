package directory

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/go-ldap/ldap/v3"
)

// EnrollmentService is a CA as clients of the domain find it: an object of class pKIEnrollmentService (MS-WCCE 2.2.2.11).
type EnrollmentService struct {
	// Name is the CA's name in the directory, 1 to 64 characters, none of them a control character.
	Name string
	// Host is the server's DNS name, without a port.
	Host string
	// Certificate is the CA's.
	Certificate *x509.Certificate
	// Templates are the names of the templates it issues by.
	Templates []string
}

// Containers are the parts of CN=Public Key Services that CA certificates are published in.
type Containers struct {
	// NTAuth: the CA may issue certificates for logging on. Roots: the domain's clients trust it. AIA: an intermediate, to
	// build chains with.
	NTAuth, Roots, AIA bool
}

// Published is what the configuration naming context holds.
type Published struct {
	NTAuth, Roots, AIA []*x509.Certificate
	Services           []EnrollmentService
}

// caFlags of an enrollment service: CA_FLAG_SUPPORTS_NT_AUTHENTICATION and CA_FLAG_CA_SERVERTYPE_ADVANCED (MS-WCCE 2.2.2.11.1
// via certca.h), as AD CS writes for an enterprise CA.
const caFlags = "10"

// maxPublished bounds the CAs of one container that are read.
const maxPublished = 500

func (c *Client) publicKeyServices(ctx context.Context) (string, error) {
	conf, err := c.rootDSE(ctx, "configurationNamingContext")
	return "CN=Public Key Services,CN=Services," + conf, err
}

func checkName(name string) error {
	if name == "" || len([]rune(name)) > 64 || strings.TrimSpace(name) != name || strings.ContainsFunc(name, unicode.IsControl) {
		return fmt.Errorf("%w: a CA name of 1 to 64 printable characters is needed, not %.80q", ErrInput, name)
	}
	return nil
}

// Publish writes a CA certificate under the CA's name. It adds what is missing and leaves the rest: a second call changes
// nothing. It returns the DNs it changed. The service account needs the right to write the containers; AD gives it to
// enterprise administrators.
func (c *Client) Publish(ctx context.Context, name string, ca *x509.Certificate, to Containers) (changed []string, err error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if !ca.IsCA {
		return nil, fmt.Errorf("%w: not a CA certificate: %s", ErrInput, ca.Subject)
	}
	pks, err := c.publicKeyServices(ctx)
	if err != nil {
		return nil, err
	}
	cn := "CN=" + ldap.EscapeDN(name)
	for _, t := range []struct {
		wanted bool
		dn     string
	}{
		{to.NTAuth, "CN=NTAuthCertificates," + pks},
		{to.Roots, cn + ",CN=Certification Authorities," + pks},
		{to.AIA, cn + ",CN=AIA," + pks},
	} {
		if !t.wanted {
			continue
		}
		did, err := c.addCertificate(ctx, t.dn, ca.Raw)
		if err != nil {
			return changed, fmt.Errorf("%s: %w", t.dn, err)
		}
		if did {
			changed = append(changed, t.dn)
		}
	}
	return changed, nil
}

// addCertificate makes sure that a certificationAuthority object exists and holds a certificate.
func (c *Client) addCertificate(ctx context.Context, dn string, der []byte) (bool, error) {
	found, err := c.search(ctx, dn, ldap.ScopeBaseObject, "(objectClass=*)", 1, "cACertificate")
	if err != nil {
		return false, err
	}
	if len(found) == 0 {
		add := ldap.NewAddRequest(dn, nil)
		add.Attribute("objectClass", []string{"certificationAuthority"})
		add.Attribute("cACertificate", []string{string(der)})
		// The class demands both lists; AD CS writes one zero byte too.
		add.Attribute("authorityRevocationList", []string{"\x00"})
		add.Attribute("certificateRevocationList", []string{"\x00"})
		return true, c.change(ctx, func(l *ldap.Conn) error { return l.Add(add) })
	}
	have := found[0].GetRawAttributeValues("cACertificate")
	if slices.ContainsFunc(have, func(v []byte) bool { return bytes.Equal(v, der) }) {
		return false, nil
	}
	mod := ldap.NewModifyRequest(dn, nil)
	if len(have) == 1 && len(have[0]) <= 1 { // an empty object holds one zero byte
		mod.Replace("cACertificate", []string{string(der)})
	} else {
		mod.Add("cACertificate", []string{string(der)})
	}
	return true, c.change(ctx, func(l *ldap.Conn) error { return l.Modify(mod) })
}

// change runs a modification. It is not tried a second time on a new connection: the first may have got through, and
// what is published is read back by the next call anyway.
func (c *Client) change(ctx context.Context, f func(l *ldap.Conn) error) error {
	done, err := c.slot(ctx)
	if err != nil {
		return err
	}
	defer done()
	l, err := c.connect(ctx, c.cfg.BindName, c.cfg.Password)
	if err != nil {
		return err
	}
	defer l.Close()
	return c.bounded(ctx, l, func() error { return f(l) })
}

// PublishService creates or updates the enrollment service of a CA. It reports whether anything changed.
func (c *Client) PublishService(ctx context.Context, s EnrollmentService) (changed bool, err error) {
	if err := checkName(s.Name); err != nil {
		return false, err
	}
	if s.Host == "" || s.Certificate == nil {
		return false, fmt.Errorf("%w: an enrollment service needs a host and a certificate", ErrInput)
	}
	pks, err := c.publicKeyServices(ctx)
	if err != nil {
		return false, err
	}
	subject, err := ldapName(s.Certificate)
	if err != nil {
		return false, err
	}
	dn := "CN=" + ldap.EscapeDN(s.Name) + ",CN=Enrollment Services," + pks
	want := []struct {
		name   string
		values []string
	}{
		{"cACertificate", []string{string(s.Certificate.Raw)}},
		{"cACertificateDN", []string{subject}},
		{"certificateTemplates", s.Templates},
		{"dNSHostName", []string{s.Host}},
		{"displayName", []string{s.Name}},
		{"flags", []string{caFlags}},
	}
	names := make([]string, len(want))
	for i, w := range want {
		names[i] = w.name
	}
	found, err := c.search(ctx, dn, ldap.ScopeBaseObject, "(objectClass=*)", 1, names...)
	if err != nil {
		return false, err
	}
	if len(found) == 0 {
		add := ldap.NewAddRequest(dn, nil)
		add.Attribute("objectClass", []string{"pKIEnrollmentService"})
		for _, w := range want {
			if len(w.values) > 0 {
				add.Attribute(w.name, w.values)
			}
		}
		return true, c.change(ctx, func(l *ldap.Conn) error { return l.Add(add) })
	}
	mod := ldap.NewModifyRequest(dn, nil)
	for _, w := range want {
		if !sameSet(found[0].GetAttributeValues(w.name), w.values) {
			mod.Replace(w.name, w.values)
		}
	}
	if len(mod.Changes) == 0 {
		return false, nil
	}
	return true, c.change(ctx, func(l *ldap.Conn) error { return l.Modify(mod) })
}

// ldapName is a certificate's subject as the directory writes names.
func ldapName(cert *x509.Certificate) (string, error) {
	name := cert.Subject.String()
	if _, err := ldap.ParseDN(name); err != nil || name == "" {
		return "", fmt.Errorf("%w: the subject %.200q is no name for the directory", ErrInput, name)
	}
	return name, nil
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

// Unpublish deletes a CA's enrollment service and reports whether there was one. Certificates stay: what they signed is still
// in use.
func (c *Client) Unpublish(ctx context.Context, name string) (bool, error) {
	if err := checkName(name); err != nil {
		return false, err
	}
	pks, err := c.publicKeyServices(ctx)
	if err != nil {
		return false, err
	}
	dn := "CN=" + ldap.EscapeDN(name) + ",CN=Enrollment Services," + pks
	err = c.change(ctx, func(l *ldap.Conn) error { return l.Del(ldap.NewDelRequest(dn, nil)) })
	if ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
		return false, nil
	}
	return err == nil, err
}

// Withdraw takes a CA certificate out of the containers and returns the DNs it changed. An object keeps its place with an
// empty value when its last certificate goes, as the class demands one.
func (c *Client) Withdraw(ctx context.Context, ca *x509.Certificate, from Containers) (changed []string, err error) {
	pks, err := c.publicKeyServices(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range []struct {
		wanted bool
		base   string
	}{{from.NTAuth, "CN=NTAuthCertificates,"}, {from.Roots, "CN=Certification Authorities,"}, {from.AIA, "CN=AIA,"}} {
		if !t.wanted {
			continue
		}
		found, err := c.search(ctx, t.base+pks, ldap.ScopeWholeSubtree, "(objectClass=certificationAuthority)", maxPublished, "cACertificate")
		if err != nil {
			return changed, err
		}
		for _, e := range found {
			have := e.GetRawAttributeValues("cACertificate")
			if !slices.ContainsFunc(have, func(v []byte) bool { return bytes.Equal(v, ca.Raw) }) {
				continue
			}
			mod := ldap.NewModifyRequest(e.DN, nil)
			if len(have) == 1 {
				mod.Replace("cACertificate", []string{"\x00"})
			} else {
				mod.Delete("cACertificate", []string{string(ca.Raw)})
			}
			if err := c.change(ctx, func(l *ldap.Conn) error { return l.Modify(mod) }); err != nil {
				return changed, fmt.Errorf("%s: %w", e.DN, err)
			}
			changed = append(changed, e.DN)
		}
	}
	return changed, nil
}

// Published reads what is there. Values that are no certificates are left out.
func (c *Client) Published(ctx context.Context) (*Published, error) {
	pks, err := c.publicKeyServices(ctx)
	if err != nil {
		return nil, err
	}
	var p Published
	for _, t := range []struct {
		base string
		into *[]*x509.Certificate
	}{
		{"CN=NTAuthCertificates,", &p.NTAuth},
		{"CN=Certification Authorities,", &p.Roots},
		{"CN=AIA,", &p.AIA},
	} {
		found, err := c.search(ctx, t.base+pks, ldap.ScopeWholeSubtree, "(objectClass=certificationAuthority)", maxPublished, "cACertificate")
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			*t.into = append(*t.into, certificates(e)...)
		}
	}
	found, err := c.search(ctx, "CN=Enrollment Services,"+pks, ldap.ScopeSingleLevel, "(objectClass=pKIEnrollmentService)", maxPublished,
		"cn", "dNSHostName", "cACertificate", "certificateTemplates")
	if err != nil {
		return nil, err
	}
	for _, e := range found {
		s := EnrollmentService{Name: e.GetAttributeValue("cn"), Host: e.GetAttributeValue("dNSHostName"), Templates: e.GetAttributeValues("certificateTemplates")}
		if certs := certificates(e); len(certs) > 0 {
			s.Certificate = certs[0]
		}
		p.Services = append(p.Services, s)
	}
	return &p, nil
}

func certificates(e *ldap.Entry) []*x509.Certificate {
	var certs []*x509.Certificate
	for _, der := range e.GetRawAttributeValues("cACertificate") {
		if cert, err := x509.ParseCertificate(der); err == nil {
			certs = append(certs, cert)
		}
	}
	return certs
}
