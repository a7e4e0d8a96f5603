package main

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
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/enroll/cmctest"
	"github.com/rolecall/rolecall/internal/enroll/kerberos/initiate"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/server"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/internal/testad"
)

const (
	testCA        = "11111111-2222-3333-4444-555555555555"
	testConnector = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	testCEP       = "/ADPolicyProvider_CEP_Kerberos/service.svc/CEP"
	testCES       = "/" + testCA + "_CES_Kerberos/service.svc/CES"
)

// serveInDomain runs the program on port 443 of the policy host, as members reach it.
func serveInDomain(t *testing.T) *adWorld {
	t.Helper()
	w := &adWorld{T: t, d: testad.Start(t), dir: t.TempDir()}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := w.d.Command(ctx, must(os.Executable())(t), "serve", "--data-dir", w.dir, "--host", testad.CAHost, "--listen", testad.CAAddress+":443", "--metrics-listen", "127.0.0.1:8444")
	cmd.Env = append(cmd.Env, envRun+"=1")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // nsenter's child is the server
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); cmd.Wait() })
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if c, err := w.d.Dial(t.Context(), "tcp", testad.CAAddress+":443"); err == nil {
			c.Close()
			return w
		}
		if time.Now().After(deadline) {
			cancel()
			cmd.Wait()
			t.Fatal(log.String())
		}
	}
}

// connect makes a CA with a key of its own, a connector and a template for a group.
func (w *adWorld) connect(directory, group string) (account arn.AccountID, root *x509.Certificate) {
	w.Helper()
	keys := authority.SealedKeys{Ring: must(keyring.Load(filepath.Join(w.dir, server.KeyRingFile)))(w.T)}
	ref := must(keys.Generate(testCA, authority.P256, ""))(w.T)
	subject := must((&authority.Subject{CommonName: "Corp CA"}).DER())(w.T)
	i := &authority.Issuer{ID: testCA, Keys: keys, KeyRef: ref, Subject: subject, RootType: true}
	must(0, keys.Use(testCA, ref, func(k crypto.Signer) error { i.PublicKey = k.Public(); return nil }))(w.T)
	csr := must(authority.MakeCSR(keys, testCA, ref, subject, "SHA256WITHECDSA", &authority.Extensions{}, nil))(w.T)
	parsed := must(authority.ParseCSR(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})))(w.T)
	form := must(authority.FindTemplate("arn:aws:acm-pca:::template/RootCACertificate/V1"))(w.T)
	token := must(authority.Prepare(i, &authority.Request{CSR: parsed, Template: form, Algorithm: "SHA256WITHECDSA", Validity: authority.Validity{Type: authority.Years, Value: 10}, Now: time.Now()}))(w.T)
	root = must(i.Issue(token))(w.T)
	w.store(func(tx *store.Tx) error {
		accounts, _, err := tx.ListAccounts(1, "")
		if err != nil {
			return err
		}
		account = accounts[0].ID
		return errors.Join(
			tx.PutAuthority(&store.CertificateAuthority{Account: account, Region: "us-east-1", ID: testCA, Type: "ROOT", UsageMode: "GENERAL_PURPOSE", Status: "ACTIVE", KeyRef: ref,
				IssuerKey: "key", CSR: csr, Configuration: `{"KeyAlgorithm":"EC_prime256v1","SigningAlgorithm":"SHA256WITHECDSA"}`, Revocation: "{}", Certificate: root.Raw, NotBefore: root.NotBefore, NotAfter: root.NotAfter}),
			tx.CreateDirectoryRegistration(&store.DirectoryRegistration{Account: account, Region: "us-east-1", Directory: directory, Status: "ACTIVE"}),
			tx.CreateConnector(&store.Connector{Account: account, Region: "us-east-1", ID: testConnector, Directory: directory, Status: "ACTIVE",
				Authority: "arn:aws:acm-pca:us-east-1:" + string(account) + ":certificate-authority/" + testCA}),
			tx.CreateServicePrincipalName(&store.ServicePrincipalName{Account: account, Region: "us-east-1", Directory: directory, Connector: testConnector, Status: "ACTIVE"}),
			tx.CreateConnectorTemplate(&store.ConnectorTemplate{Account: account, Region: "us-east-1", Connector: testConnector, ID: testConnector, Name: "User", PolicySchema: 4, Major: 100,
				ObjectIdentifier: "1.3.6.1.4.1.311.21.8.1.2.3", Status: "ACTIVE", Definition: `{"TemplateV4":{"CertificateValidity":{"ValidityPeriod":{"Period":1,"PeriodType":"DAYS"},
				"RenewalPeriod":{"Period":1,"PeriodType":"HOURS"}},"EnrollmentFlags":{},"Extensions":{"KeyUsage":{"Critical":true,"UsageFlags":{"DigitalSignature":true}},
				"ApplicationPolicies":{"Policies":[{"PolicyType":"CLIENT_AUTHENTICATION"}]}},"GeneralFlags":{"AutoEnrollment":true},"PrivateKeyAttributes":{"Algorithm":"ECDH_P384",
				"KeySpec":"SIGNATURE","MinimalKeyLength":384},"PrivateKeyFlags":{"ClientVersion":"WINDOWS_SERVER_2016"},"SubjectNameFlags":{"RequireCommonName":true,"SanRequireUpn":true}}}`}),
			tx.CreateTemplateAccess(&store.TemplateAccess{Account: account, Region: "us-east-1", Connector: testConnector, Template: testConnector, SID: group, Enroll: "ALLOW", AutoEnroll: "ALLOW"}),
		)
	})
	return account, root
}

func soapMessage(body string) string {
	return `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://www.w3.org/2005/08/addressing"><s:Header><a:Action s:mustUnderstand="1">x</a:Action>` +
		`<a:MessageID>urn:uuid:1</a:MessageID></s:Header><s:Body>` + body + `</s:Body></s:Envelope>`
}

const askPolicies = `<GetPolicies xmlns="http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy"><client><lastUpdate xsi:nil="true" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"/>` +
	`</client><requestFilter/></GetPolicies>`

func enrollmentMessage(der []byte) string {
	return soapMessage(`<RequestSecurityToken xmlns="http://docs.oasis-open.org/ws-sx/ws-trust/200512"><TokenType>http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3</TokenType>` +
		`<RequestType>http://docs.oasis-open.org/ws-sx/ws-trust/200512/Issue</RequestType><BinarySecurityToken xmlns="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd">` +
		base64.StdEncoding.EncodeToString(der) + `</BinarySecurityToken></RequestSecurityToken>`)
}

// TestEnrollOverTLS: the built program, a real domain, TLS, and tickets that must be bound to it; then what attackers try.
func TestEnrollOverTLS(t *testing.T) {
	w := serveInDomain(t)
	id := strings.TrimSpace(w.ok(append([]string{"ad", "directory", "create", "--channel-binding", "require"}, w.domainFlags()...)...))
	group, _, _ := strings.Cut(w.d.Run(t, "wbinfo", "-n", "CertUsers"), " ")
	account, root := w.connect(id, group)

	// One connection per request: its certificate is what the ticket is bound to.
	dial := func() (*http.Client, *x509.Certificate) {
		raw := must(w.d.Dial(t.Context(), "tcp", testad.CAAddress+":443"))(t)
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(must(readSmall(filepath.Join(w.dir, "tls-ca.pem")))(t))
		conn := tls.Client(raw, &tls.Config{RootCAs: roots, ServerName: testad.CAHost})
		if err := conn.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return &http.Client{Transport: &http.Transport{DialTLSContext: onlyConn(conn)}}, conn.ConnectionState().PeerCertificates[0]
	}
	ticket := func(account, host string, leaf *x509.Certificate) (string, *initiate.Exchange) {
		k := must(initiate.New(initiate.Config{Krb5Conf: string(must(readSmall(w.d.Path("krb5.conf")))(t)), Principal: account, Password: testad.Password(account)}))(t)
		defer k.Close()
		var header string
		var x *initiate.Exchange
		must(0, w.d.Do(func() (err error) { header, x, err = k.Negotiate(host, leaf); return err }))(t)
		return header, x
	}
	post := func(c *http.Client, path, header, message string) (int, string, string) {
		r := must(http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+testad.CAHost+path, strings.NewReader(message)))(t)
		r.Header.Set("Content-Type", "application/soap+xml; charset=utf-8")
		r.Header.Set("Authorization", header)
		resp := must(c.Do(r))(t)
		defer resp.Body.Close()
		return resp.StatusCode, string(must(io.ReadAll(resp.Body))(t)), resp.Header.Get("WWW-Authenticate")
	}
	send := func(account, path, message string) (int, string) {
		c, leaf := dial()
		header, x := ticket(account, testad.CAHost, leaf)
		code, answer, reply := post(c, path, header, message)
		if err := x.Verify(reply); err != nil {
			t.Errorf("the server did not prove itself: %v", err)
		}
		return code, answer
	}
	ask := soapMessage(askPolicies)
	if code, answer := send("alice", testCEP, ask); code != 200 || !strings.Contains(answer, "<commonName>User<") || !strings.Contains(answer, testCA+"_CES_Kerberos") {
		t.Fatalf("policies: %d %s", code, answer)
	}
	request := func(curve elliptic.Curve, more ...pkix.Extension) []byte {
		key := must(ecdsa.GenerateKey(curve, rand.Reader))(t)
		der := cmctest.Request{Key: key, Subject: pkix.Name{CommonName: "administrator"}, DNSNames: []string{testad.DCHost}, Extensions: append(more, cmctest.TemplateName(t, "User"))}.DER(t)
		return cmctest.Sign(t, cmctest.TypePKIData, cmctest.PKIData(t, der, 1, ""), cmctest.Signer{Key: key})
	}
	// A request for the administrator's name and a controller's host yields alice's certificate; one for another SID is refused.
	sid := pkix.Extension{Id: []int{1, 3, 6, 1, 4, 1, 311, 25, 2}, Value: []byte("\x30\x00")}
	if code, answer := send("alice", testCES, enrollmentMessage(request(elliptic.P384(), sid))); code != 500 || !strings.Contains(answer, "CERTSRV_E_BAD_REQUESTSUBJECT") {
		t.Errorf("a SID that is none: %d %s", code, answer)
	}
	code, answer := send("alice", testCES, enrollmentMessage(request(elliptic.P384())))
	if code != 200 {
		t.Fatalf("enrollment: %d %s", code, answer)
	}
	parts := strings.Split(answer, "<BinarySecurityToken ")
	_, text, _ := strings.Cut(parts[len(parts)-1], ">")
	text, _, _ = strings.Cut(text, "<")
	leaf := must(x509.ParseCertificate(must(base64.StdEncoding.DecodeString(text))(t)))(t)
	if err := leaf.CheckSignatureFrom(root); err != nil || leaf.Subject.CommonName != "alice" || len(leaf.DNSNames) != 0 || !bytes.Contains(leaf.Raw, []byte("alice.liddell@corp.example.com")) {
		t.Errorf("certificate for %s %v: %v", leaf.Subject, leaf.DNSNames, err)
	}

	// Strangers: each is a 401, and the audit log and the metrics say why.
	c, served := dial()
	header, _ := ticket("alice", testad.CAHost, served)
	if code, _, _ := post(c, testCEP, header, ask); code != 200 {
		t.Fatalf("first use: %d", code)
	}
	unbound, _ := ticket("alice", testad.CAHost, nil)
	elsewhere, _ := ticket("alice", testad.CAHost, root)
	other, _ := ticket("alice", "rc4."+testad.DNSDomain, served)
	for reason, h := range map[string]string{"replay": header, "channel_binding": unbound, "service": other, "token": "Negotiate YIIB", "mechanism": "Negotiate TlRMTVNTUAABAAAA"} {
		if code, body, _ := post(c, testCEP, h, ask); code != 401 || body != "unauthorized\n" {
			t.Errorf("%s: %d %s", reason, code, body)
		}
	}
	if code, _, _ := post(c, testCEP, elsewhere, ask); code != 401 {
		t.Errorf("bound to another server: %d", code)
	}
	w.counted("OK", "ticket_replay", "ticket_channel_binding", "ticket_mechanism")

	// Known callers: the fault has the code.
	const entities = `<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>`
	foreign := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))(t)
	newKey := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))(t)
	stolen := *leaf
	stolen.PublicKey = foreign.Public()
	forged := must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, &stolen, &stolen, foreign.Public(), foreign))(t)))(t)
	renewal := cmctest.Sign(t, cmctest.TypePKIData, cmctest.PKIData(t, cmctest.Request{Key: newKey, Renews: forged.Raw, Extensions: []pkix.Extension{cmctest.TemplateName(t, "User")}}.DER(t), 1, ""),
		cmctest.Signer{Key: newKey}, cmctest.Signer{Key: foreign, Certificate: forged})
	for name, tc := range map[string]struct{ account, path, message, want string }{
		"no XML":          {"alice", testCES, "<", "<s:Fault>"},
		"entities":        {"alice", testCES, entities + enrollmentMessage(request(elliptic.P384())), "<s:Fault>"},
		"wrong namespace": {"alice", testCES, strings.ReplaceAll(enrollmentMessage(request(elliptic.P384())), "ws-trust/200512\"", "ws-trust/299912\""), "-2147024809"},
		"short key":       {"alice", testCES, enrollmentMessage(request(elliptic.P256())), "<ErrorCode>"},
		"no member":       {"bob", testCES, enrollmentMessage(request(elliptic.P384())), "-2146877422"},
		"foreign renewal": {"alice", testCES, enrollmentMessage(renewal), "CERTSRV_E_SIGNATURE_REJECTED"},
	} {
		if code, answer := send(tc.account, tc.path, tc.message); code != 500 || !strings.Contains(answer, tc.want) {
			t.Errorf("%s: %d %s", name, code, answer)
		}
	}
	if code, _ := send("alice", testCES, strings.Repeat(" ", 300<<10)); code != http.StatusRequestEntityTooLarge {
		t.Errorf("huge: %d", code)
	}
	// The ticket still has the group when the directory has not.
	w.d.Run(t, "samba-tool", "group", "removemembers", "CertUsers", "alice", "-H", "ldap://"+testad.DCHost, "-U", testad.Admin+"%"+testad.AdminPass)
	if code, answer := send("alice", testCES, enrollmentMessage(request(elliptic.P384()))); code != 500 || !strings.Contains(answer, "-2146877422") {
		t.Errorf("a former member: %d %s", code, answer)
	}
	w.d.Run(t, "samba-tool", "group", "addmembers", "CertUsers", "alice", "-H", "ldap://"+testad.DCHost, "-U", testad.Admin+"%"+testad.AdminPass)
	w.audited(account, "AccessDenied", "E_INVALIDARG", "CERTSRV_E_TEMPLATE_DENIED", "CERTSRV_E_SIGNATURE_REJECTED", "RequestEntityTooLarge")
}

// counted looks for results of GetPolicies in the metrics.
func (w *adWorld) counted(codes ...string) {
	w.Helper()
	text := w.d.Run(w.T, "curl", "-s", "http://127.0.0.1:8444/metrics")
	for _, code := range codes {
		if !strings.Contains(text, `rolecall_requests_total{code="`+code+`",operation="GetPolicies",service="enrollment"}`) {
			w.Errorf("the metrics lack %s", code)
		}
	}
}

// onlyConn gives a transport one connection and no other.
func onlyConn(conn net.Conn) func(context.Context, string, string) (net.Conn, error) {
	used := false
	return func(context.Context, string, string) (net.Conn, error) {
		if used {
			return nil, errors.New("the connection ended")
		}
		used = true
		return conn, nil
	}
}

// audited waits until the store has events with the codes.
func (w *adWorld) audited(account arn.AccountID, codes ...string) {
	w.Helper()
	var bodies strings.Builder
	for range 50 {
		bodies.Reset()
		w.store(func(tx *store.Tx) error {
			events, _, err := tx.LookupEvents(&store.EventFilter{Account: account, Region: "us-east-1", Source: "pca-connector-ad.amazonaws.com"}, 50, "")
			for i := range events {
				bodies.Write(events[i].Body)
			}
			return err
		})
		found := 0
		for _, c := range codes {
			if strings.Contains(bodies.String(), `"errorCode":"`+c+`"`) {
				found++
			}
		}
		if found == len(codes) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	w.Errorf("the audit log lacks one of %v: %s", codes, &bodies)
}
