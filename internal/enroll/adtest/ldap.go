package adtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strconv"
	"strings"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// Directory is the domain's LDAPS server.
type Directory struct {
	URL   string // ldaps://127.0.0.1:PORT
	Trust []byte // PEM of the certificate to trust
	close func() error
}

// Close ends the server and its connections.
func (s *Directory) Close() error { return s.close() }

// Serve answers binds of BindUser, searches by SID, and what is asked before a directory is built upon, on a loopback port until
// the Directory is closed.
func (d *Domain) Serve() (*Directory, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "dc1.corp.example.com"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return nil, err
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go d.answer(conn)
		}
	}()
	return &Directory{
		URL: "ldaps://" + l.Addr().String(), Trust: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), close: l.Close,
	}, nil
}

// answer serves one connection until the client leaves.
func (d *Domain) answer(conn net.Conn) {
	defer conn.Close()
	bound := false
	for {
		p, err := ber.ReadPacket(conn)
		if err != nil || len(p.Children) < 2 {
			return
		}
		id, _ := p.Children[0].Value.(int64)
		request := p.Children[1]
		var answers []*ber.Packet
		switch request.Tag {
		case ldap.ApplicationBindRequest:
			bound = len(request.Children) == 3 && text(request.Children[1]) == BindUser && request.Children[2].Data.String() == BindPassword
			code := uint16(ldap.LDAPResultInvalidCredentials)
			if bound {
				code = ldap.LDAPResultSuccess
			}
			answers = append(answers, result(ldap.ApplicationBindResponse, code))
		case ldap.ApplicationSearchRequest:
			code := uint16(ldap.LDAPResultInsufficientAccessRights)
			if bound && len(request.Children) > 6 {
				code = ldap.LDAPResultSuccess
				filter, err := ldap.DecompileFilter(request.Children[6])
				if err != nil {
					return
				}
				if e := description(text(request.Children[0]), filter); e != nil {
					answers = append(answers, e)
				}
				base, ok := strings.CutPrefix(text(request.Children[0]), "<SID=")
				if e := d.entry(strings.TrimSuffix(base, ">")); ok && e != nil {
					answers = append(answers, e)
				}
			}
			answers = append(answers, result(ldap.ApplicationSearchResultDone, code))
		default:
			return
		}
		for _, a := range answers {
			message := ber.NewSequence("")
			message.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
			message.AppendChild(a)
			if _, err := conn.Write(message.Bytes()); err != nil {
				return
			}
		}
	}
}

func text(p *ber.Packet) string {
	s, _ := p.Value.(string)
	return s
}

func octets(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
}

func result(tag ber.Tag, code uint16) *ber.Packet {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, int64(code), ""))
	p.AppendChild(octets(""))
	p.AppendChild(octets(""))
	return p
}

// entry is an account as a search finds it; nil if there is none.
func (d *Domain) entry(sid string) *ber.Packet {
	a := d.Account(sid)
	if a == nil {
		return nil
	}
	id, err := binarySID(sid)
	if err != nil {
		return nil
	}
	control := 0x200
	groups := []uint32{513}
	if a.Computer {
		control, groups = 0x1000, []uint32{515}
	}
	if a.Disabled {
		control |= 2
	}
	values := map[string][]string{
		"objectSid": {string(id)}, "objectGUID": {"0123456789ab" + string(id[len(id)-4:])}, "sAMAccountName": {a.Name}, "cn": {a.CommonName},
		"userAccountControl": {strconv.Itoa(control)}, "accountExpires": {"0"}, "servicePrincipalName": a.Principals,
	}
	for name, value := range map[string]string{"userPrincipalName": a.UPN, "mail": a.Mail, "dNSHostName": a.DNSHostName} {
		if value != "" {
			values[name] = []string{value}
		}
	}
	for _, rid := range append(groups, a.Groups...) {
		if group, err := binarySID(GroupSID(rid)); err == nil {
			values["tokenGroups"] = append(values["tokenGroups"], string(group))
		}
	}
	return found("CN="+a.CommonName+",CN=Users,"+BaseDN, values)
}

// description is what a domain controller says of itself and its domain to whoever builds upon a directory; nil for other
// searches.
func description(base, filter string) *ber.Packet {
	const configuration = "CN=Configuration," + BaseDN
	switch {
	case base == "":
		return found("", map[string][]string{"defaultNamingContext": {BaseDN}, "configurationNamingContext": {configuration}, "dnsHostName": {"dc1.corp.example.com"},
			"currentTime": {time.Now().UTC().Format("20060102150405.0Z")}})
	case base == "CN=Partitions,"+configuration:
		return found("CN="+NetBIOS+","+base, map[string][]string{"nETBIOSName": {NetBIOS}})
	case base == BaseDN && filter == "(servicePrincipalName=HTTP/"+Host+")":
		return found("CN=svc-rolecall,CN=Users,"+BaseDN, map[string][]string{"sAMAccountName": {"svc-rolecall"}, "msDS-SupportedEncryptionTypes": {"24"}})
	}
	return nil
}

func found(dn string, values map[string][]string) *ber.Packet {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "")
	p.AppendChild(octets(dn))
	attributes := ber.NewSequence("")
	for name, list := range values {
		one := ber.NewSequence("")
		one.AppendChild(octets(name))
		set := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
		for _, v := range list {
			set.AppendChild(octets(v))
		}
		one.AppendChild(set)
		attributes.AppendChild(one)
	}
	p.AppendChild(attributes)
	return p
}
