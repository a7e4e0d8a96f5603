// Package testldap stands in for a domain controller in tests that need one to answer, and no more: binds, the few searches
// that this project makes before it builds upon a directory, and refusals on demand. What a real one does is tested with
// testad. Start with [Start].
package testldap

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// Names of the domain.
const (
	Realm    = "CORP.EXAMPLE.COM"
	NetBIOS  = "CORP"
	BindUser = "svc@corp.example.com"
	Password = "the service account's"
	base     = "DC=corp,DC=example,DC=com"
)

// State is what the controller does. The zero value answers well, for an account without rights.
type State struct {
	Hang        bool     // it takes connections and says nothing
	RefuseBind  bool     // no password is right
	NoDomain    bool     // an LDAP server, but no domain controller
	Realm       string   // default: Realm
	Accounts    []string // those with a service principal name; nil: one
	Writable    bool     // the account may write the containers of CAs, as the directory says
	RefuseWrite bool     // and may not, as it turns out
	Enrolls     string   // a CA of this name enrolls on another host
}

// Controller is a running stand-in.
type Controller struct {
	URL string // ldaps://127.0.0.1:PORT
	CA  []byte // PEM, verifies its certificate

	mu      sync.Mutex // guards what is below
	state   State
	written []string
}

// Start runs a controller until the test ends.
func Start(t testing.TB) *Controller {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "controller"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c := &Controller{URL: "ldaps://" + l.Addr().String(), CA: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.serve(conn)
		}
	}()
	return c
}

// Set changes what the controller does.
func (c *Controller) Set(s State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = s
}

// Written are the names of the objects that were added or changed.
func (c *Controller) Written() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.written...)
}

// entry is a search result: its name, and each attribute as a name and values.
type entry [][]string

// serve answers one connection (RFC 4511).
func (c *Controller) serve(conn net.Conn) {
	defer conn.Close()
	for {
		p, err := ber.ReadPacket(conn)
		if err != nil || len(p.Children) < 2 {
			return
		}
		id, op := p.Children[0].Value, p.Children[1]
		send := func(tag ber.Tag, children ...*ber.Packet) {
			m := ber.NewSequence("message")
			m.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
			a := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
			for _, child := range children {
				a.AppendChild(child)
			}
			m.AppendChild(a)
			conn.Write(m.Bytes()) //nolint:errcheck // the reader sees it
		}
		result := func(tag ber.Tag, code uint16) {
			send(tag, ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, int64(code), ""), text(""), text(ldap.LDAPResultCodeMap[code]))
		}
		c.mu.Lock()
		s := c.state
		c.mu.Unlock()
		if s.Hang {
			continue
		}
		switch op.Tag {
		case ldap.ApplicationBindRequest:
			code := uint16(ldap.LDAPResultSuccess)
			if s.RefuseBind || op.Children[2].Data.String() != Password {
				code = ldap.LDAPResultInvalidCredentials
			}
			result(ldap.ApplicationBindResponse, code)
		case ldap.ApplicationSearchRequest:
			filter, err := ldap.DecompileFilter(op.Children[6])
			if err != nil {
				return
			}
			for _, e := range s.search(op.Children[0].Data.String(), filter) {
				attributes := ber.NewSequence("")
				for _, a := range e[1:] {
					values := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
					for _, v := range a[1:] {
						values.AppendChild(text(v))
					}
					one := ber.NewSequence("")
					one.AppendChild(text(a[0]))
					one.AppendChild(values)
					attributes.AppendChild(one)
				}
				send(ldap.ApplicationSearchResultEntry, text(e[0][0]), attributes)
			}
			result(ldap.ApplicationSearchResultDone, ldap.LDAPResultSuccess)
		case ldap.ApplicationAddRequest, ldap.ApplicationModifyRequest:
			if s.RefuseWrite {
				result(op.Tag+1, ldap.LDAPResultInsufficientAccessRights)
				continue
			}
			c.mu.Lock()
			c.written = append(c.written, op.Children[0].Data.String())
			c.mu.Unlock()
			result(op.Tag+1, ldap.LDAPResultSuccess)
		default:
			return
		}
	}
}

func text(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
}

func (s State) search(where, filter string) []entry {
	realm := s.Realm
	if realm == "" {
		realm = Realm
	}
	const services = ",CN=Public Key Services,CN=Services,CN=Configuration," + base
	naming := "DC=" + strings.ReplaceAll(strings.ToLower(realm), ".", ",DC=")
	switch {
	case where == "" && s.NoDomain:
		return []entry{{{""}, {"vendorName", "another"}}}
	case where == "":
		return []entry{{{""}, {"defaultNamingContext", naming}, {"configurationNamingContext", "CN=Configuration," + naming}, {"dnsHostName", "dc1.corp.example.com"},
			{"currentTime", time.Now().UTC().Format("20060102150405.0Z")}}}
	case strings.HasPrefix(where, "CN=Partitions,"):
		return []entry{{{"CN=CORP," + where}, {"nETBIOSName", NetBIOS}}}
	case strings.Contains(filter, "servicePrincipalName="):
		if s.Accounts == nil {
			s.Accounts = []string{"svc"}
		}
		var found []entry
		for _, name := range s.Accounts {
			found = append(found, entry{{"CN=" + name + "," + naming}, {"sAMAccountName", name}, {"msDS-SupportedEncryptionTypes", "24"}})
		}
		return found
	case strings.HasPrefix(where, "CN=Enrollment Services,") && strings.Contains(filter, "pKIEnrollmentService") && s.Enrolls != "":
		return []entry{{{"CN=" + s.Enrolls + "," + where}, {"cn", s.Enrolls}, {"dNSHostName", "other.corp.example.com"}}}
	case s.Writable && strings.HasSuffix(where, services) && !strings.Contains(strings.TrimSuffix(where, services), ",") && filter == "(objectClass=*)":
		return []entry{{{where}, {"cn", "container"}, {"allowedChildClassesEffective", "certificationAuthority", "pKIEnrollmentService"}, {"allowedAttributesEffective", "cACertificate"}}}
	}
	return nil
}

// Keytab is a keytab with an AES key of HTTP/host, as MIT writes them (version 2): one that no domain has.
func Keytab(host string) []byte {
	counted := func(b []byte, s string) []byte { return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...) }
	e := binary.BigEndian.AppendUint16(nil, 2)
	e = counted(counted(counted(e, Realm), "HTTP"), host)
	e = binary.BigEndian.AppendUint32(e, 1)                         // NT-PRINCIPAL
	e = binary.BigEndian.AppendUint32(e, uint32(time.Now().Unix())) //nolint:gosec // until 2106
	e = counted(append(e, 1, 0, 18), strings.Repeat("\x07", 32))    // version 1, aes256-cts-hmac-sha1-96
	return append(binary.BigEndian.AppendUint32([]byte{5, 2}, uint32(len(e))), e...)
}
