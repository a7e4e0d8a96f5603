// Package names builds the subject and the alternative names of a certificate from what the directory says about its
// holder, by the template's flags (MS-WCCE 3.2.2.6.2.1.4.5.9, MS-CRTD 2.28). Nothing comes from the request: AWS's
// connector has no template whose holders name themselves.
//
// Start with [Build].
package names

import (
	"strings"

	"github.com/go-ldap/ldap/v3"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/enroll/directory"
	"github.com/rolecall/rolecall/internal/enroll/hresult"
	"github.com/rolecall/rolecall/internal/enroll/template"
)

// Names are a certificate's names.
type Names struct {
	Subject      authority.Subject
	Alternatives []byte // DER of the extension's value; nil if there are none
}

// OIDs of attributes and other names.
const (
	oidCommonName = "2.5.4.3"
	oidEmail      = "1.2.840.113549.1.9.1"
)

// Build makes the names. An attribute that the template requires and the directory does not have is a refusal with the
// code that names it; the error is an *[hresult.Error].
func Build(t *template.Template, e *directory.Entry) (*Names, error) {
	n := &Names{}
	if err := n.subject(t, e); err != nil {
		return nil, err
	}
	return n, n.alternatives(t, e)
}

func (n *Names) subject(t *template.Template, e *directory.Entry) error {
	flags := t.SubjectFlags
	switch {
	case flags&template.DirectoryPath != 0:
		path, err := directoryPath(e.DN)
		if err != nil {
			return err
		}
		n.Subject.Custom = path
	case flags&(template.CommonName|template.DNSAsCN) != 0:
		name := e.CommonName
		if t.Machine() {
			if name = e.DNSHostName; name == "" {
				return missing(hresult.DNSRequired, "DNS host name")
			}
		}
		if name == "" {
			return hresult.Refuse(hresult.BadSubject, "The account has no common name in the directory")
		}
		n.add(oidCommonName, name)
	}
	if flags&template.SubjectEmail != 0 {
		if e.Mail == "" {
			return missing(hresult.EmailRequired, "e-mail address")
		}
		n.add(oidEmail, e.Mail)
	}
	return nil
}

func (n *Names) add(oid, value string) {
	n.Subject.Custom = append(n.Subject.Custom, authority.Attribute{OID: oid, Value: value})
}

func missing(code hresult.Code, what string) error {
	return hresult.Refuse(code, "The template needs the account's %s, and the directory has none", what)
}

// directoryPath turns a DN around: the directory writes the leaf first, a certificate has it last.
func directoryPath(text string) ([]authority.Attribute, error) {
	bad := hresult.Refuse(hresult.BadSubject, "The account's place in the directory cannot be written as a subject")
	types := map[string]string{
		"CN": oidCommonName, "OU": "2.5.4.11", "O": "2.5.4.10", "L": "2.5.4.7", "ST": "2.5.4.8", "C": "2.5.4.6", "STREET": "2.5.4.9",
		"DC": "0.9.2342.19200300.100.1.25", "UID": "0.9.2342.19200300.100.1.1",
	}
	dn, err := ldap.ParseDN(text)
	if err != nil || len(dn.RDNs) == 0 {
		return nil, bad
	}
	var list []authority.Attribute
	for i := len(dn.RDNs) - 1; i >= 0; i-- {
		attributes := dn.RDNs[i].Attributes
		if len(attributes) != 1 {
			return nil, bad
		}
		oid := types[strings.ToUpper(attributes[0].Type)]
		if oid == "" || attributes[0].Value == "" {
			return nil, bad
		}
		list = append(list, authority.Attribute{OID: oid, Value: attributes[0].Value})
	}
	return list, nil
}

// alternatives are written by hand: the GUID's other name holds an octet string.
func (n *Names) alternatives(t *template.Template, e *directory.Entry) error {
	flags := t.SubjectFlags
	var b cryptobyte.Builder
	count := 0
	text := func(tag uint8, value string) {
		count++
		b.AddASN1(cbasn1.Tag(tag).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes([]byte(value)) })
	}
	if flags&template.SANEmail != 0 {
		if e.Mail == "" {
			return missing(hresult.EmailRequired, "e-mail address")
		}
		text(1, e.Mail)
	}
	if flags&template.SANDNS != 0 {
		if e.DNSHostName == "" {
			return missing(hresult.DNSRequired, "DNS host name")
		}
		text(2, e.DNSHostName)
	}
	if flags&template.SANDomainDNS != 0 { // AD CS adds the domain's NetBIOS name, too; it is no DNS name, and left out
		domain := domainOf(e.DN)
		if domain == "" {
			return missing(hresult.DNSRequired, "domain")
		}
		text(2, domain)
	}
	if flags&(template.SANUPN|template.SANSPN) != 0 { // MS-CRTD 2.28: the SPN flag asks for the UPN, too
		upn := principalName(e)
		if upn == "" {
			return missing(hresult.UPNRequired, "user principal name")
		}
		count++
		otherName(&b, []int{1, 3, 6, 1, 4, 1, 311, 20, 2, 3}, cbasn1.UTF8String, []byte(upn))
	}
	if flags&template.SANGUID != 0 {
		if e.GUID == [16]byte{} {
			return missing(hresult.GUIDRequired, "object GUID")
		}
		count++
		otherName(&b, []int{1, 3, 6, 1, 4, 1, 311, 25, 1}, cbasn1.OCTET_STRING, e.GUID[:])
	}
	if count == 0 {
		return nil
	}
	inside, err := b.Bytes()
	if err != nil {
		return err
	}
	var whole cryptobyte.Builder
	whole.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(inside) })
	n.Alternatives, err = whole.Bytes()
	return err
}

func otherName(b *cryptobyte.Builder, kind []int, tag cbasn1.Tag, value []byte) {
	b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(kind)
		b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes(value) })
		})
	})
}

// principalName is the account's UPN. Computers have none of their own: theirs is implicit (MS-ADTS 5.1.1.1.1).
func principalName(e *directory.Entry) string {
	if e.UserPrincipalName != "" {
		return e.UserPrincipalName
	}
	if domain := domainOf(e.DN); e.Computer && e.AccountName != "" && domain != "" {
		return e.AccountName + "@" + domain
	}
	return ""
}

// Principals are the user principal names of an account: its own, and the one that every account has, written down or not
// (MS-ADTS 5.1.1.1.1).
func Principals(e *directory.Entry) []string {
	var list []string
	if e.UserPrincipalName != "" {
		list = append(list, e.UserPrincipalName)
	}
	if domain := domainOf(e.DN); e.AccountName != "" && domain != "" {
		list = append(list, e.AccountName+"@"+domain)
	}
	return list
}

// domainOf is the DNS name of the domain that a DN lies in: its DC parts.
func domainOf(text string) string {
	dn, err := ldap.ParseDN(text)
	if err != nil {
		return ""
	}
	var labels []string
	for _, rdn := range dn.RDNs {
		for _, a := range rdn.Attributes {
			if strings.EqualFold(a.Type, "DC") {
				labels = append(labels, a.Value)
			}
		}
	}
	return strings.Join(labels, ".")
}
