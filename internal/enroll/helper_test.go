package enroll

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/audit"
	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/enroll/cmctest"
	"github.com/rolecall/rolecall/internal/enroll/directory"
	"github.com/rolecall/rolecall/internal/enroll/kerberos"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/store"
)

const (
	account, region = "123456789012", "eu-central-1"
	policyHost      = "ca.corp.example.com"
	caID            = "11111111-2222-3333-4444-555555555555"
	connectorID     = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	cesPath         = "/" + caID + "_CES_Kerberos/service.svc/CES"
	cepPath         = "/ADPolicyProvider_CEP_Kerberos/service.svc/CEP"

	aliceSID = "S-1-5-21-1-2-3-1106"
	bobSID   = "S-1-5-21-1-2-3-1107"
	hostSID  = "S-1-5-21-1-2-3-1200"
	usersSID = "S-1-5-21-1-2-3-513"
	hostsSID = "S-1-5-21-1-2-3-515"
)

// world is a handler with a store, a CA, a connector and a directory that the test plays.
type world struct {
	t       testing.TB
	h       *Handler
	db      *store.DB
	audit   *audit.Log
	sink    *sink
	shipper *audit.Shipper
	keys    authority.SealedKeys
	clock   *clock
	people  *people
	root    *x509.Certificate
}

// clock can be set forward.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) set(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead = d
}

// people plays Kerberos and the directory. The header is "Negotiate", a space and the SID.
type people struct {
	mu       sync.Mutex
	entries  map[string]*directory.Entry
	tickets  map[string][]string // SIDs in the ticket beside the account's
	password map[string]string   // by account name
	fails    error
}

func (p *people) Accept(header string, _ *x509.Certificate) (*kerberos.Identity, string, error) {
	sid, ok := strings.CutPrefix(header, "Negotiate S-")
	if !ok {
		return nil, "", &kerberos.Error{Reason: kerberos.ReasonNoPAC, Detail: "no PAC"}
	}
	sid = "S-" + sid
	return &kerberos.Identity{UserSID: sid, Groups: p.tickets[sid], AccountName: "someone", Realm: "CORP.EXAMPLE.COM"}, "Negotiate cmVwbHk=", nil
}

func (p *people) Lookup(ctx context.Context, sid string) (*directory.Entry, error) {
	return p.Fresh(ctx, sid)
}

func (p *people) Fresh(_ context.Context, sid string) (*directory.Entry, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fails != nil {
		return nil, p.fails
	}
	e := p.entries[sid]
	if e == nil {
		return nil, directory.ErrNotFound
	}
	if e.AccountControl&2 != 0 {
		return nil, directory.ErrDisabled
	}
	return e, nil
}

func (p *people) Authenticate(ctx context.Context, user, password string) (*directory.Entry, error) {
	for _, e := range p.entries {
		if e.AccountName == user && p.password[user] == password && password != "" {
			return p.Fresh(ctx, e.SID)
		}
	}
	return nil, directory.ErrCredentials
}

// sink keeps what the audit log ships.
type sink struct {
	position []byte
	events   []store.Event
}

func (s *sink) Position(context.Context, string) ([]byte, error) { return s.position, nil }
func (s *sink) Ship(_ context.Context, b *audit.Batch) error {
	for _, e := range b.Events {
		e.Body = bytes.Clone(e.Body)
		s.events = append(s.events, e)
	}
	s.position = b.To
	return nil
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{}, sink: &sink{}, keys: authority.SealedKeys{Ring: keyring.Ephemeral()}, people: &people{
		entries: map[string]*directory.Entry{
			aliceSID: {
				SID: aliceSID, DN: `CN=Alice Liddell,OU=Research\, Development,DC=corp,DC=example,DC=com`, AccountName: "alice", UserPrincipalName: "alice@corp.example.com",
				Mail: "alice@example.com", CommonName: "Alice Liddell", GUID: [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, Groups: []string{usersSID},
			},
			bobSID:  {SID: bobSID, DN: "CN=Bob,DC=corp,DC=example,DC=com", AccountName: "bob", CommonName: "Bob", UserPrincipalName: "bob@corp.example.com", Mail: "bob@example.com", Groups: []string{usersSID}},
			hostSID: {SID: hostSID, DN: "CN=WS2,CN=Computers,DC=corp,DC=example,DC=com", AccountName: "WS2$", CommonName: "WS2", DNSHostName: "ws2.corp.example.com", Computer: true, Groups: []string{hostsSID}},
		},
		tickets: map[string][]string{}, password: map[string]string{"alice": "secret"},
	}}
	var err error
	if w.db, err = store.Open(t.Context(), store.Config{Source: "memory", Clock: w.clock.now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.db.Close() })
	if w.audit, err = audit.NewMemoryLog(audit.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.audit.Close() })
	if w.shipper, err = audit.NewShipper(audit.ShipperConfig{Log: w.audit, Sink: w.sink}); err != nil {
		t.Fatal(err)
	}
	w.h = New(Config{
		DB: w.db, Issuer: issuance.New(w.keys), Audit: w.audit, Log: slog.New(slog.DiscardHandler),
		Open: func(*store.Directory) (Acceptor, Directory, func(), error) { return w.people, w.people, nil, nil },
	})
	t.Cleanup(w.h.Close)
	w.update(func(tx *store.Tx) error {
		if err := tx.CreateDirectory(&store.Directory{Account: account, Region: region, ID: "d-0123456789", Realm: "CORP.EXAMPLE.COM", Domain: "CORP", PolicyHost: policyHost, Keytab: []byte{1}}); err != nil {
			return err
		}
		if err := tx.CreateConnector(&store.Connector{
			Account: account, Region: region, ID: connectorID, Directory: "d-0123456789", Status: "ACTIVE", PolicyChangedAt: tx.Now,
			Authority: "arn:aws:acm-pca:" + region + ":" + account + ":certificate-authority/" + caID,
		}); err != nil {
			return err
		}
		return tx.CreateServicePrincipalName(&store.ServicePrincipalName{Account: account, Region: region, Directory: "d-0123456789", Connector: connectorID, Status: "ACTIVE"})
	})
	w.addCA("GENERAL_PURPOSE", authority.P256)
	return w
}

func (w *world) update(fn func(*store.Tx) error) {
	w.t.Helper()
	if err := w.db.Update(w.t.Context(), fn); err != nil {
		w.t.Fatal(err)
	}
}

// addCA makes the connector's CA, a root with a revocation list, or replaces it.
func (w *world) addCA(usage string, algorithm authority.KeyAlgorithm) {
	w.t.Helper()
	ref, err := w.keys.Generate(caID, algorithm, "")
	if err != nil {
		w.t.Fatal(err)
	}
	subject, err := (&authority.Subject{CommonName: "Corp CA"}).DER()
	if err != nil {
		w.t.Fatal(err)
	}
	i := &authority.Issuer{ID: caID, Keys: w.keys, KeyRef: ref, Subject: subject, RootType: true}
	if err := w.keys.Use(caID, ref, func(k crypto.Signer) error { i.PublicKey = k.Public(); return nil }); err != nil {
		w.t.Fatal(err)
	}
	signs := authority.SigningAlgorithm("SHA256WITHECDSA")
	if algorithm.RSA() {
		signs = "SHA256WITHRSA"
	}
	csr, err := authority.MakeCSR(w.keys, caID, ref, subject, signs, &authority.Extensions{}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	parsed, err := authority.ParseCSR(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr}))
	if err != nil {
		w.t.Fatal(err)
	}
	tmpl, err := authority.FindTemplate("arn:aws:acm-pca:::template/RootCACertificate/V1")
	if err != nil {
		w.t.Fatal(err)
	}
	token, err := authority.Prepare(i, &authority.Request{CSR: parsed, Template: tmpl, Algorithm: signs, Validity: authority.Validity{Type: authority.Years, Value: 10}, Now: time.Now()})
	if err != nil {
		w.t.Fatal(err)
	}
	if w.root, err = i.Issue(token); err != nil {
		w.t.Fatal(err)
	}
	w.update(func(tx *store.Tx) error {
		return tx.PutAuthority(&store.CertificateAuthority{
			Account: account, Region: region, ID: caID, Type: "ROOT", UsageMode: usage, Status: "ACTIVE", KeyRef: ref, IssuerKey: "key", CSR: csr,
			Configuration: fmt.Sprintf(`{"KeyAlgorithm":%q,"SigningAlgorithm":%q}`, algorithm, signs),
			Revocation:    `{"CrlConfiguration":{"Enabled":true,"ExpirationInDays":7,"CustomCname":"crl.example.com"}}`,
			Certificate:   w.root.Raw, NotBefore: w.root.NotBefore, NotAfter: w.root.NotAfter,
		})
	})
}

type fields = map[string]any

// definition is a template's definition of version 4 for ECDSA keys; change is applied to it.
func definition(change func(fields)) string {
	d := fields{
		"CertificateValidity":  fields{"ValidityPeriod": fields{"Period": 1, "PeriodType": "YEARS"}, "RenewalPeriod": fields{"Period": 6, "PeriodType": "WEEKS"}},
		"EnrollmentFlags":      fields{},
		"Extensions":           fields{"KeyUsage": fields{"Critical": true, "UsageFlags": fields{"DigitalSignature": true}}, "ApplicationPolicies": fields{"Policies": []fields{{"PolicyType": "CLIENT_AUTHENTICATION"}}}},
		"GeneralFlags":         fields{"AutoEnrollment": true},
		"PrivateKeyAttributes": fields{"Algorithm": "ECDH_P256", "KeySpec": "SIGNATURE", "MinimalKeyLength": 256},
		"PrivateKeyFlags":      fields{"ClientVersion": "WINDOWS_SERVER_2016"},
		"SubjectNameFlags":     fields{"RequireDirectoryPath": true, "RequireEmail": true, "SanRequireUpn": true, "SanRequireEmail": true},
	}
	if change != nil {
		change(d)
	}
	b, err := json.Marshal(fields{"TemplateV4": d})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func oidText(n int) string { return fmt.Sprintf("1.3.6.1.4.1.311.21.8.1.2.3.4.5.6.%d", n) }

func oidOf(n int) asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 21, 8, 1, 2, 3, 4, 5, 6, n}
}

// template adds a template, numbered n, for the groups.
func (w *world) template(n int, name string, change func(fields), access ...store.TemplateAccess) {
	w.t.Helper()
	id := fmt.Sprintf("00000000-0000-0000-0000-%012d", n)
	w.update(func(tx *store.Tx) error {
		err := tx.CreateConnectorTemplate(&store.ConnectorTemplate{
			Account: account, Region: region, Connector: connectorID, ID: id, Name: name, Definition: definition(change), PolicySchema: 4, Major: 100, Minor: 2,
			ObjectIdentifier: oidText(n), Status: "ACTIVE",
		})
		for i := range access {
			a := access[i]
			a.Account, a.Region, a.Connector, a.Template = account, region, connectorID, id
			err = errors.Join(err, tx.CreateTemplateAccess(&a))
		}
		return err
	})
}

func allowed(sid string) store.TemplateAccess {
	return store.TemplateAccess{SID: sid, Enroll: "ALLOW", AutoEnroll: "ALLOW"}
}

func machine(d fields) {
	d["GeneralFlags"] = fields{"AutoEnrollment": true, "MachineType": true}
	d["SubjectNameFlags"] = fields{"RequireDnsAsCn": true, "SanRequireDns": true}
}

// send sends a SOAP message as the account with the SID.
func (w *world) send(sid, path, message string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodPost, "https://"+policyHost+path, strings.NewReader(message))
	r.Header.Set("Content-Type", "application/soap+xml; charset=utf-8")
	if sid != "" {
		r.Header.Set("Authorization", "Negotiate "+sid)
	}
	rec := httptest.NewRecorder()
	w.h.ServeHTTP(rec, r)
	return rec
}

const messageID = "urn:uuid:11111111-aaaa-bbbb-cccc-222222222222"

func envelope(action, security, body string) string {
	return `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://www.w3.org/2005/08/addressing"><s:Header><a:Action s:mustUnderstand="1">` + action +
		`</a:Action><a:MessageID>` + messageID + `</a:MessageID><a:To s:mustUnderstand="1">https://` + policyHost + `</a:To>` + security + `</s:Header><s:Body>` + body + `</s:Body></s:Envelope>`
}

func token(user, password string) string {
	return `<o:Security s:mustUnderstand="1" xmlns:o="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"><o:UsernameToken><o:Username>` + user +
		`</o:Username><o:Password Type="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText">` + password + `</o:Password></o:UsernameToken></o:Security>`
}

func rst(kind string, der []byte, more string) string {
	t := ""
	if der != nil {
		t = `<BinarySecurityToken xmlns="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd" ValueType="x" EncodingType="y">` + base64.StdEncoding.EncodeToString(der) + `</BinarySecurityToken>`
	}
	return envelope("http://schemas.microsoft.com/windows/pki/2009/01/enrollment/RST/wstep", "",
		`<RequestSecurityToken xmlns="http://docs.oasis-open.org/ws-sx/ws-trust/200512"><TokenType>http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3</TokenType><RequestType>`+kind+`</RequestType>`+t+more+`</RequestSecurityToken>`)
}

const issueType = "http://docs.oasis-open.org/ws-sx/ws-trust/200512/Issue"

// windows is a request as certenroll sends it: CMC signed by the new key, an inner signature that is worth nothing.
func (w *world) windows(r cmctest.Request, n int) []byte {
	w.t.Helper()
	r.Breaks = true
	if n > 0 {
		r.Extensions = append(r.Extensions, cmctest.TemplateInfo(w.t, oidOf(n), 100, 2))
	}
	return cmctest.Sign(w.t, cmctest.TypePKIData, cmctest.PKIData(w.t, r.DER(w.t), 42, ""), cmctest.Signer{Key: r.Key})
}

func key(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// issued sends a request that must succeed and returns the leaf, the CMC response and the whole answer.
func (w *world) issued(sid string, der []byte) (leaf *x509.Certificate, response []byte, answer string) {
	w.t.Helper()
	rec := w.send(sid, cesPath, rst(issueType, der, ""))
	if rec.Code != 200 {
		w.t.Fatalf("status %d: %s", rec.Code, rec.Body)
	}
	return w.certificate(rec.Body.String())
}

func (w *world) certificate(answer string) (leaf *x509.Certificate, response []byte, text string) {
	w.t.Helper()
	parts := strings.Split(answer, "<BinarySecurityToken ")
	if len(parts) != 3 {
		w.t.Fatalf("the answer has %d tokens: %s", len(parts)-1, answer)
	}
	decode := func(s string) []byte {
		_, s, _ = strings.Cut(s, ">")
		s, _, _ = strings.Cut(s, "<")
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			w.t.Fatal(err)
		}
		return b
	}
	leaf, err := x509.ParseCertificate(decode(parts[2]))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := leaf.CheckSignatureFrom(w.root); err != nil {
		w.t.Error(err)
	}
	return leaf, decode(parts[1]), answer
}

// event is the last audit event, decoded.
func (w *world) event() fields {
	w.t.Helper()
	for range 100 { // what only looked is on disk a little later
		if err := w.shipper.Flush(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		if len(w.sink.events) > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if len(w.sink.events) == 0 {
		w.t.Fatal("no event")
	}
	var e fields
	if err := json.Unmarshal(w.sink.events[len(w.sink.events)-1].Body, &e); err != nil {
		w.t.Fatal(err)
	}
	return e
}

func extension(c *x509.Certificate, oid string) []byte {
	i := slices.IndexFunc(c.Extensions, func(e pkix.Extension) bool { return e.Id.String() == oid })
	if i < 0 {
		return nil
	}
	return c.Extensions[i].Value
}
