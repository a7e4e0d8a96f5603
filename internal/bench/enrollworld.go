package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rolecall/rolecall/internal/enroll/adtest"
	"github.com/rolecall/rolecall/internal/enroll/cmctest"
	"github.com/rolecall/rolecall/internal/enroll/kerberos"
	"github.com/rolecall/rolecall/internal/server"
	"github.com/rolecall/rolecall/internal/store"
)

// enrollAccounts is more than the directory's client remembers, so that every request asks the directory.
const enrollAccounts = 1001

const (
	enrollGroup  = 1110
	policyPath   = "/ADPolicyProvider_CEP_Kerberos/service.svc/CEP"
	enrollSuffix = "_CES_Kerberos/service.svc/CES"
	enrollKeys   = 8 // of clients; their number does not matter to the server
)

// enrollWorld is a domain with accounts that have certificates.
type enrollWorld struct {
	target    *target
	conns     int
	domain    *adtest.Domain
	directory *adtest.Directory
	binding   [16]byte
	tickets   []*adtest.Ticket
	paths     map[keyKind]string
	renewals  map[keyKind][][]byte // messages, by account
}

// mustTB lets test helpers fail by a panic.
type mustTB struct{ testing.TB }

func (mustTB) Helper()           {}
func (mustTB) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func newEnrollWorld(ctx context.Context, t *target, conns int) (e *enrollWorld, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("making requests: %v", p)
		}
	}()
	e = &enrollWorld{target: t, conns: conns, paths: map[keyKind]string{}, renewals: map[keyKind][][]byte{}}
	var accounts []adtest.Account
	for i := range enrollAccounts {
		name := fmt.Sprintf("user%05d", i)
		accounts = append(accounts, adtest.Account{RID: uint32(2000 + i), Name: name, CommonName: name, UPN: name + "@corp.example.com", Mail: name + "@example.com", Groups: []uint32{enrollGroup}})
	}
	if e.domain, err = adtest.New(accounts...); err != nil {
		return nil, err
	}
	if e.directory, err = e.domain.Serve(); err != nil {
		return nil, err
	}
	row, err := server.CreateDirectory(ctx, server.Config{DataDir: t.dataDir}, server.DirectoryKey{Account: account, Region: region}, server.Directory{
		Realm: adtest.Realm, Domain: adtest.NetBIOS, Servers: []string{e.directory.URL}, Trust: e.directory.Trust, BindUser: adtest.BindUser, BindPassword: adtest.BindPassword,
		Keytab: e.domain.Keytab(), PolicyHost: adtest.Host, ChannelBinding: "require", Offline: true,
	})
	if err != nil {
		return nil, errors.Join(err, e.directory.Close())
	}
	if err := e.fill(ctx, row.ID, accounts); err != nil {
		return nil, errors.Join(err, e.directory.Close())
	}
	return e, nil
}

// fill makes CAs, connectors and templates, and gives every account its certificates.
func (e *enrollWorld) fill(ctx context.Context, directory string, accounts []adtest.Account) error {
	names := map[keyKind]string{}
	for _, kind := range []keyKind{p256, rsa2048} {
		ca, err := e.target.privateCA(ctx, kind)
		if err != nil {
			return err
		}
		names[kind] = ca.arn
		e.paths[kind] = "/" + ca.arn[strings.LastIndexByte(ca.arn, '/')+1:] + enrollSuffix
	}
	err := e.target.whileStopped(ctx, func(db *store.DB) error {
		return db.Update(ctx, func(tx *store.Tx) error {
			return errors.Join(addConnector(tx, directory, 1, names[p256], "ECDH_P256", 256, 10), addConnector(tx, directory, 2, names[rsa2048], "RSA", 2048, 1))
		})
	})
	if err != nil {
		return err
	}
	if err := e.bind(ctx); err != nil {
		return err
	}
	e.tickets = make([]*adtest.Ticket, len(accounts))
	for i := range accounts {
		if e.tickets[i], err = e.domain.Ticket(&accounts[i], adtest.TicketOptions{}); err != nil {
			return err
		}
	}
	for kind, connector := range map[keyKind]int{p256: 1, rsa2048: 2} {
		if err := e.enrollAll(ctx, kind, templateOID(connector, 0)); err != nil {
			return err
		}
	}
	return nil
}

func templateOID(connector, n int) asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 21, 8, 1, 2, 3, 4, 5, connector, 100 + n}
}

// addConnector makes a connector with templates for the group.
func addConnector(tx *store.Tx, directory string, number int, ca, algorithm string, bits, templates int) error {
	type fields = map[string]any
	id := fmt.Sprintf("00000000-0000-4000-8000-%012d", number)
	err := errors.Join(
		tx.CreateConnector(&store.Connector{Account: account, Region: region, ID: id, Directory: directory, Authority: ca, Status: "ACTIVE", PolicyChangedAt: tx.Now}),
		tx.CreateServicePrincipalName(&store.ServicePrincipalName{Account: account, Region: region, Directory: directory, Connector: id, Status: "ACTIVE"}),
	)
	for n := range templates {
		definition, marshalErr := json.Marshal(fields{"TemplateV4": fields{
			"CertificateValidity":  fields{"ValidityPeriod": fields{"Period": 7, "PeriodType": "DAYS"}, "RenewalPeriod": fields{"Period": 1, "PeriodType": "DAYS"}},
			"EnrollmentFlags":      fields{},
			"Extensions":           fields{"KeyUsage": fields{"Critical": true, "UsageFlags": fields{"DigitalSignature": true}}, "ApplicationPolicies": fields{"Policies": []fields{{"PolicyType": "CLIENT_AUTHENTICATION"}}}},
			"GeneralFlags":         fields{"AutoEnrollment": true},
			"PrivateKeyAttributes": fields{"Algorithm": algorithm, "KeySpec": "SIGNATURE", "MinimalKeyLength": bits},
			"PrivateKeyFlags":      fields{"ClientVersion": "WINDOWS_SERVER_2016"},
			"SubjectNameFlags":     fields{"RequireDirectoryPath": true, "SanRequireUpn": true, "SanRequireEmail": true},
		}})
		template := fmt.Sprintf("00000000-0000-4000-9000-%06d%06d", number, n)
		err = errors.Join(err, marshalErr,
			tx.CreateConnectorTemplate(&store.ConnectorTemplate{Account: account, Region: region, Connector: id, ID: template, Name: fmt.Sprintf("User %d %d", number, n), Definition: string(definition),
				PolicySchema: 4, Major: 100, Minor: 0, ObjectIdentifier: templateOID(number, n).String(), Status: "ACTIVE"}),
			tx.CreateTemplateAccess(&store.TemplateAccess{Account: account, Region: region, Connector: id, Template: template, SID: adtest.GroupSID(enrollGroup), Enroll: "ALLOW", AutoEnroll: "ALLOW"}))
	}
	return err
}

// bind looks at the server's certificate, to which tokens are bound.
func (e *enrollWorld) bind(ctx context.Context) error {
	c, err := dial(ctx, e.target.server.address, 1)
	if err != nil {
		return err
	}
	defer c.close()
	e.binding, err = kerberos.EndpointBinding(c.conns[0].tls.ConnectionState().PeerCertificates[0])
	return err
}

// enrollAll gets a certificate of a CA for every account, and makes the messages that renew them.
func (e *enrollWorld) enrollAll(ctx context.Context, kind keyKind, oid asn1.ObjectIdentifier) error {
	t := mustTB{}
	info := []pkix.Extension{cmctest.TemplateInfo(t, oid, 100, 0)}
	var old, next [enrollKeys]crypto.Signer
	for i := range enrollKeys {
		var err error
		if old[i], err = newKey(kind); err != nil {
			return err
		}
		if next[i], err = newKey(kind); err != nil {
			return err
		}
	}
	requests := make([][]byte, enrollKeys)
	for i := range requests {
		der := cmctest.Request{Key: old[i], Extensions: info, Breaks: true}.DER(t)
		requests[i] = cmctest.Sign(t, cmctest.TypePKIData, cmctest.PKIData(t, der, 1, ""), cmctest.Signer{Key: old[i]})
	}
	e.renewals[kind] = make([][]byte, len(e.tickets))
	return e.inConnections(ctx, len(e.tickets), func(conn *clientConn, i int) error {
		message, err := e.post(i, e.paths[kind], issueMessage(requests[i%enrollKeys]))
		if err != nil {
			return err
		}
		body, err := conn.body(message)
		if err != nil {
			return err
		}
		cert, err := certificateOf(body)
		if err != nil {
			return err
		}
		k := next[i%enrollKeys]
		der := cmctest.Request{Key: k, Renews: cert.Raw, Extensions: info, Breaks: true}.DER(t)
		e.renewals[kind][i] = issueMessage(cmctest.Sign(t, cmctest.TypePKIData, cmctest.PKIData(t, der, 1, ""), cmctest.Signer{Key: k}, cmctest.Signer{Key: old[i%enrollKeys], Certificate: cert}))
		return nil
	})
}

const policyMessage = `<GetPolicies xmlns="http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><client><lastUpdate xsi:nil="true"/>` +
	`<preferredLanguage xsi:nil="true"/></client><requestFilter><policyOIDs xsi:nil="true"/><clientVersion>6</clientVersion><serverVersion>6</serverVersion></requestFilter></GetPolicies>`

func soapMessage(body string) []byte {
	return []byte(`<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://www.w3.org/2005/08/addressing"><s:Header><a:Action s:mustUnderstand="1">x</a:Action>` +
		`<a:MessageID>urn:uuid:11111111-aaaa-bbbb-cccc-222222222222</a:MessageID></s:Header><s:Body>` + body + `</s:Body></s:Envelope>`)
}

func issueMessage(der []byte) []byte {
	return soapMessage(`<RequestSecurityToken xmlns="http://docs.oasis-open.org/ws-sx/ws-trust/200512"><TokenType>http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3</TokenType>` +
		`<RequestType>http://docs.oasis-open.org/ws-sx/ws-trust/200512/Issue</RequestType><BinarySecurityToken xmlns="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd" ` +
		`ValueType="http://schemas.microsoft.com/windows/pki/2009/01/enrollment#PKCS7" EncodingType="x">` + base64.StdEncoding.EncodeToString(der) + `</BinarySecurityToken></RequestSecurityToken>`)
}

// post is one request of an account with a token of its own: no token may be sent twice.
func (e *enrollWorld) post(account int, path string, message []byte) ([]byte, error) {
	header, err := e.tickets[account].Header(adtest.TokenOptions{Binding: e.binding})
	if err != nil {
		return nil, err
	}
	return requestHead(path, "Authorization: "+header+"\r\n", message), nil
}

func requestHead(path, more string, message []byte) []byte {
	return append(fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/soap+xml; charset=utf-8\r\nUser-Agent: rolecall-bench\r\n%sContent-Length: %d\r\n\r\n", path, adtest.Host, more, len(message)), message...)
}

// certificateOf is the certificate in an answer.
func certificateOf(body []byte) (*x509.Certificate, error) {
	_, rest, ok := bytes.Cut(body, []byte("<RequestedSecurityToken><BinarySecurityToken"))
	_, rest, ok2 := bytes.Cut(rest, []byte(">"))
	text, _, ok3 := bytes.Cut(rest, []byte("<"))
	if !ok || !ok2 || !ok3 {
		return nil, errors.New("the answer holds no certificate")
	}
	der, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// enrollTLS is of clients without a session to resume.
func enrollTLS() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}} //nolint:gosec // this program's own child
}
