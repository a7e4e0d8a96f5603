package enroll_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/enroll"
	"github.com/rolecall/rolecall/internal/enroll/adtest"
	"github.com/rolecall/rolecall/internal/enroll/cmctest"
	"github.com/rolecall/rolecall/internal/server"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/internal/testserver"
)

type object = map[string]any

const (
	account     = "123456789012"
	directoryID = "d-0123456789"

	members = 1110 // relative ids of groups
	barred  = 1111

	cep = "/ADPolicyProvider_CEP_Kerberos/service.svc/CEP"
)

// wire is a whole server behind HTTPS with a CA, a connector and templates made over its API, in a domain that is played.
type wire struct {
	*testserver.Server
	t      *testing.T
	domain *adtest.Domain
	roots  *x509.CertPool
	caARN  string
	ces    string // path
	oids   map[string]string
	alice  *adtest.Account
}

func newWire(t *testing.T, binding string) *wire {
	t.Helper()
	w := &wire{t: t, oids: map[string]string{}, roots: x509.NewCertPool()}
	var err error
	w.domain, err = adtest.New(
		adtest.Account{RID: 1106, Name: "alice", CommonName: "Alice Liddell", UPN: "alice@corp.example.com", Mail: "alice@example.com", Groups: []uint32{members}},
		adtest.Account{RID: 1107, Name: "bob", CommonName: "Bob", UPN: "bob@corp.example.com", Mail: "bob@example.com", Groups: []uint32{members}},
		adtest.Account{RID: 1108, Name: "mallory", CommonName: "Mallory", UPN: "mallory@corp.example.com", Mail: "mallory@example.com", Groups: []uint32{members, barred}},
	)
	if err != nil {
		t.Fatal(err)
	}
	ldap, err := w.domain.Serve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ldap.Close() })
	dir := t.TempDir()
	w.Server = testserver.StartWith(t, func(c *server.Config) { c.Listen, c.DataDir = []string{"127.0.0.1:0"}, dir })
	pemCA, err := os.ReadFile(filepath.Join(dir, "tls-ca.pem"))
	if err != nil || !w.roots.AppendCertsFromPEM(pemCA) {
		t.Fatalf("the server's TLS CA: %v", err)
	}
	// The tests' own API calls go through it, too.
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: w.roots, MinVersion: tls.VersionTLS12}
	old := http.DefaultClient.Transport
	http.DefaultClient.Transport = transport
	t.Cleanup(func() { http.DefaultClient.Transport = old; transport.CloseIdleConnections() })

	row := &store.Directory{
		Account: account, Region: testserver.Region, ID: directoryID, Realm: adtest.Realm, Domain: adtest.NetBIOS, Servers: []string{ldap.URL}, Trust: string(ldap.Trust),
		BindUser: adtest.BindUser, ChannelBinding: binding, PolicyHost: adtest.Host,
	}
	enroll.SealCredentials(w.Ring(), row, w.domain.Keytab(), adtest.BindPassword)
	w.update(func(tx *store.Tx) error { return tx.CreateDirectory(row) })
	w.connector()
	w.alice = w.domain.Account(adtest.GroupSID(1106))
	return w
}

func (w *wire) update(fn func(*store.Tx) error) {
	w.t.Helper()
	if err := w.DB().Update(w.t.Context(), fn); err != nil {
		w.t.Fatal(err)
	}
}

// api makes one call to the connector's API.
func (w *wire) api(method, path string, in any) object {
	w.t.Helper()
	res := w.REST(w.t, w.Root, "pca-connector-ad", method, path, in)
	if res.Status/100 != 2 {
		w.t.Fatalf("%s %s: %d %s", method, path, res.Status, res.Body)
	}
	out := object{}
	if len(res.Body) > 0 {
		if err := json.Unmarshal(res.Body, &out); err != nil {
			w.t.Fatal(err)
		}
	}
	return out
}

func (w *wire) await(path, member string) {
	w.t.Helper()
	var last any
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if o, _ := w.api("GET", path, nil)[member].(object); o["Status"] == "ACTIVE" {
			return
		} else {
			last = o
		}
	}
	w.t.Fatalf("%s: %v", path, last)
}

func (w *wire) pca(operation string, in object) object {
	w.t.Helper()
	res := w.JSON11(w.t, w.Root, "acm-pca", "ACMPrivateCA."+operation, in)
	out := object{}
	if res.Status != 200 || len(res.Body) > 0 && json.Unmarshal(res.Body, &out) != nil {
		w.t.Fatalf("%s: %d %s", operation, res.Status, res.Body)
	}
	return out
}

func (w *wire) connector() {
	w.t.Helper()
	w.caARN = w.pca("CreateCertificateAuthority", object{"CertificateAuthorityType": "ROOT",
		"CertificateAuthorityConfiguration": object{"KeyAlgorithm": "EC_prime256v1", "SigningAlgorithm": "SHA256WITHECDSA", "Subject": object{"CommonName": "Corp"}}})["CertificateAuthorityArn"].(string)
	id := object{"CertificateAuthorityArn": w.caARN}
	csr := w.pca("GetCertificateAuthorityCsr", id)["Csr"].(string)
	cert := w.pca("IssueCertificate", object{"CertificateAuthorityArn": w.caARN, "Csr": []byte(csr), "SigningAlgorithm": "SHA256WITHECDSA",
		"TemplateArn": "arn:aws:acm-pca:::template/RootCACertificate/V1", "Validity": object{"Value": 10, "Type": "YEARS"}})["CertificateArn"].(string)
	text := w.pca("GetCertificate", object{"CertificateAuthorityArn": w.caARN, "CertificateArn": cert})["Certificate"].(string)
	w.pca("ImportCertificateAuthorityCertificate", object{"CertificateAuthorityArn": w.caARN, "Certificate": []byte(text)})
	w.ces = "/" + w.caARN[strings.LastIndexByte(w.caARN, '/')+1:] + "_CES_Kerberos/service.svc/CES"

	registration := w.api("POST", "/directoryRegistrations", object{"DirectoryId": directoryID})["DirectoryRegistrationArn"].(string)
	w.await("/directoryRegistrations/"+escape(registration), "DirectoryRegistration")
	connector := w.api("POST", "/connectors", object{"CertificateAuthorityArn": w.caARN, "DirectoryId": directoryID, "VpcInformation": object{"SecurityGroupIds": []string{"sg-01234567"}}})["ConnectorArn"].(string)
	w.await("/connectors/"+escape(connector), "Connector")
	spn := "/directoryRegistrations/" + escape(registration) + "/servicePrincipalNames/" + escape(connector)
	w.api("POST", spn, object{})
	w.await(spn, "ServicePrincipalName")
	for name, change := range map[string]object{
		"User":   {"Algorithm": "ECDH_P256", "KeySpec": "SIGNATURE", "MinimalKeyLength": 256},
		"Strong": {"Algorithm": "RSA", "KeySpec": "SIGNATURE", "MinimalKeyLength": 3072},
	} {
		template := w.api("POST", "/templates", object{"ConnectorArn": connector, "Name": name, "Definition": object{"TemplateV4": object{
			"CertificateValidity": object{"ValidityPeriod": object{"Period": 7, "PeriodType": "DAYS"}, "RenewalPeriod": object{"Period": 1, "PeriodType": "DAYS"}},
			"EnrollmentFlags":     object{}, "Extensions": object{"KeyUsage": object{"Critical": true, "UsageFlags": object{"DigitalSignature": true}}, "ApplicationPolicies": object{"Policies": []object{{"PolicyType": "CLIENT_AUTHENTICATION"}}}},
			"GeneralFlags": object{"AutoEnrollment": true}, "PrivateKeyAttributes": change, "PrivateKeyFlags": object{"ClientVersion": "WINDOWS_SERVER_2016"},
			"SubjectNameFlags": object{"RequireCommonName": true, "SanRequireUpn": true, "SanRequireEmail": true},
		}}})["TemplateArn"].(string)
		for rid, right := range map[uint32]string{members: "ALLOW", barred: "DENY"} {
			w.api("POST", "/templates/"+escape(template)+"/accessControlEntries", object{"GroupDisplayName": "group", "GroupSecurityIdentifier": adtest.GroupSID(rid),
				"AccessRights": object{"Enroll": right, "AutoEnroll": right}})
		}
		w.oids[name] = w.api("GET", "/templates/"+escape(template), nil)["Template"].(object)["ObjectIdentifier"].(string)
	}
}

func escape(name string) string { return strings.NewReplacer("/", "%2F", ":", "%3A").Replace(name) }

// templateInfo names a template as Windows does.
func (w *wire) templateInfo(name string) pkix.Extension {
	w.t.Helper()
	var oid asn1.ObjectIdentifier
	for arc := range strings.SplitSeq(w.oids[name], ".") {
		var n int
		if _, err := fmt.Sscan(arc, &n); err != nil {
			w.t.Fatal(err)
		}
		oid = append(oid, n)
	}
	return cmctest.TemplateInfo(w.t, oid, 100, 0)
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// windows is a request as certenroll sends it.
func (w *wire) windows(template string, r cmctest.Request) []byte {
	w.t.Helper()
	if r.Key == nil {
		r.Key = newKey(w.t)
	}
	r.Breaks = true
	r.Extensions = append(r.Extensions, w.templateInfo(template))
	return cmctest.Sign(w.t, cmctest.TypePKIData, cmctest.PKIData(w.t, r.DER(w.t), 42, ""), cmctest.Signer{Key: r.Key})
}

// renewal is signed by the new key and the old certificate's.
func (w *wire) renewal(old crypto.Signer, cert *x509.Certificate) []byte {
	w.t.Helper()
	k := newKey(w.t)
	der := cmctest.Request{Key: k, Renews: cert.Raw, Extensions: []pkix.Extension{w.templateInfo("User")}, Breaks: true}.DER(w.t)
	return cmctest.Sign(w.t, cmctest.TypePKIData, cmctest.PKIData(w.t, der, 1, ""), cmctest.Signer{Key: k}, cmctest.Signer{Key: old, Certificate: cert})
}

func (w *wire) ticket(a *adtest.Account, o adtest.TicketOptions) *adtest.Ticket {
	w.t.Helper()
	t, err := w.domain.Ticket(a, o)
	if err != nil {
		w.t.Fatal(err)
	}
	return t
}

// header is a token of a sound ticket.
func (w *wire) header(a *adtest.Account) string {
	w.t.Helper()
	return w.token(w.ticket(a, adtest.TicketOptions{}), adtest.TokenOptions{})
}

func (w *wire) token(ticket *adtest.Ticket, o adtest.TokenOptions) string {
	w.t.Helper()
	h, err := ticket.Header(o)
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

// answer is what came back over a connection of its own, as Windows makes one for every leg.
type answer struct {
	status int
	header http.Header
	body   string
}

// send posts a message on a new TLS connection.
func (w *wire) send(path, contentType, agent, authorization string, body []byte) *answer {
	w.t.Helper()
	raw, err := net.DialTimeout("tcp", strings.TrimPrefix(w.URL, "https://"), 10*time.Second)
	if err != nil {
		w.t.Fatal(err)
	}
	defer raw.Close()
	conn := tls.Client(raw, &tls.Config{RootCAs: w.roots, ServerName: "localhost", MinVersion: tls.VersionTLS12})
	if err := conn.HandshakeContext(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}}
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.URL+path, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Host = adtest.Host
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("User-Agent", agent)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	res, err := client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return &answer{res.StatusCode, res.Header, string(text)}
}

const soapType = "application/soap+xml; charset=utf-8"

func envelope(body string) string {
	return `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://www.w3.org/2005/08/addressing"><s:Header><a:Action s:mustUnderstand="1">x</a:Action>` +
		`<a:MessageID>urn:uuid:11111111-aaaa-bbbb-cccc-222222222222</a:MessageID></s:Header><s:Body>` + body + `</s:Body></s:Envelope>`
}

// issueMessage is a RequestSecurityToken for a certificate.
func issueMessage(der []byte) string {
	return envelope(`<RequestSecurityToken xmlns="http://docs.oasis-open.org/ws-sx/ws-trust/200512"><TokenType>http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3</TokenType>` +
		`<RequestType>http://docs.oasis-open.org/ws-sx/ws-trust/200512/Issue</RequestType><BinarySecurityToken xmlns="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd" ` +
		`ValueType="x" EncodingType="y">` + base64.StdEncoding.EncodeToString(der) + `</BinarySecurityToken></RequestSecurityToken>`)
}

const policiesMessage = `<GetPolicies xmlns="http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><client><lastUpdate xsi:nil="true"/>` +
	`<preferredLanguage xsi:nil="true"/></client><requestFilter><policyOIDs xsi:nil="true"/><clientVersion>0</clientVersion><serverVersion>0</serverVersion></requestFilter></GetPolicies>`

var leafToken = regexp.MustCompile(`<RequestedSecurityToken><BinarySecurityToken [^>]*>([^<]*)</BinarySecurityToken>`)

// enrolled gets a certificate, which must succeed.
func (w *wire) enrolled(a *adtest.Account, der []byte) *x509.Certificate {
	w.t.Helper()
	got := w.send(w.ces, soapType, "wire test", w.header(a), []byte(issueMessage(der)))
	m := leafToken.FindStringSubmatch(got.body)
	if got.status != 200 || m == nil {
		w.t.Fatalf("%d %s", got.status, got.body)
	}
	raw, err := base64.StdEncoding.DecodeString(m[1])
	if err != nil {
		w.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		w.t.Fatal(err)
	}
	return cert
}

// issued is how many certificates the CA issued.
func (w *wire) issued() (n int) {
	w.t.Helper()
	id := w.caARN[strings.LastIndexByte(w.caARN, '/')+1:]
	if err := w.DB().Read(w.t.Context(), func(tx *store.Tx) error {
		n = 0
		for after := ""; ; {
			list, next, err := tx.ListIssuedCertificates(account, testserver.Region, id, 100, after)
			if n += len(list); err != nil || next == "" {
				return err
			}
			after = next
		}
	}); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// event finds what the audit log has about the requests of a user agent, as LookupEvents shows it.
func (w *wire) event(agent string) object {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		res := w.JSON11(w.t, w.Root, "cloudtrail", "CloudTrail_20131101.LookupEvents", object{"LookupAttributes": []object{{"AttributeKey": "EventSource", "AttributeValue": enroll.EventSource}}})
		var out struct {
			Events []struct{ CloudTrailEvent string }
		}
		if err := json.Unmarshal(res.Body, &out); err != nil || res.Status != 200 {
			w.t.Fatalf("LookupEvents: %d %s", res.Status, res.Body)
		}
		for _, e := range out.Events {
			var found object
			if err := json.Unmarshal([]byte(e.CloudTrailEvent), &found); err != nil {
				w.t.Fatal(err)
			}
			if found["userAgent"] == agent {
				return found
			}
		}
	}
	w.t.Fatalf("no event of %q", agent)
	return nil
}
