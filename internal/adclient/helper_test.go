package adclient

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/enroll/hresult"
	"github.com/rolecall/rolecall/internal/enroll/soap"
	"github.com/rolecall/rolecall/internal/enroll/template"
	"github.com/rolecall/rolecall/internal/enroll/wstep"
	"github.com/rolecall/rolecall/internal/enroll/xcep"
)

// stage is a policy and enrollment server that answers what a test wants.
type stage struct {
	t      *testing.T
	ca     *x509.Certificate
	caKey  *ecdsa.PrivateKey
	server *httptest.Server
	// enroll answers certificate requests; nil issues.
	enroll func(w http.ResponseWriter, csr *x509.CertificateRequest)
}

func newStage(t *testing.T) *stage {
	s := &stage{t: t}
	var err error
	if s.caKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	s.ca = s.issue(&x509.Certificate{Subject: pkix.Name{CommonName: "CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, &s.caKey.PublicKey)
	s.server = httptest.NewTLSServer(s)
	t.Cleanup(s.server.Close)
	return s
}

func (s *stage) issue(tmpl, parent *x509.Certificate, public any) *x509.Certificate {
	s.t.Helper()
	tmpl.SerialNumber, tmpl.NotBefore = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour)
	if tmpl.NotAfter.IsZero() {
		tmpl.NotAfter = time.Now().Add(7 * 24 * time.Hour)
	}
	if parent == nil {
		parent = tmpl
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, public, s.caKey)
	if err != nil {
		s.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		s.t.Fatal(err)
	}
	return cert
}

func (s *stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data, _ := io.ReadAll(r.Body)
	m, err := soap.Read(data)
	if err != nil || m.User == nil || m.User.Password != "secret" {
		s.t.Errorf("request: %v %+v", err, m)
		return
	}
	w.Header().Set("Content-Type", soap.ContentType)
	if m.Action == xcep.Action {
		t := &template.Template{Name: "User", OID: template0, Schema: 3, Major: 100, Validity: 7 * 24 * time.Hour, Renewal: 24 * time.Hour, MinKeyLength: 256, Algorithm: template.P256, Hash: template.SHA256}
		w.Write(xcep.Write(&xcep.Response{PolicyID: "{1}", Name: "n", CAs: []xcep.CA{{Certificate: s.ca.Raw, URIs: []xcep.URI{{Authentication: xcep.UsernamePassword, Address: s.server.URL + "/CES"}}}},
			Policies: []xcep.Policy{{Template: t, Enroll: true, AutoEnroll: true}}}, m.MessageID))
		return
	}
	request, err := wstep.ReadRequest(m.Body)
	if err != nil {
		s.t.Errorf("wstep: %v", err)
		return
	}
	csr, err := x509.ParseCertificateRequest(request.Token)
	if err != nil && request.Type == wstep.Issue {
		s.t.Errorf("request: %v", err)
		return
	}
	if s.enroll != nil {
		s.enroll(w, csr)
		return
	}
	w.Write(wstep.Write(&wstep.Issued{Leaf: s.issue(&x509.Certificate{}, s.ca, csr.PublicKey).Raw, RequestID: "1"}, m.MessageID))
}

func (s *stage) client() *Client {
	roots := x509.NewCertPool()
	roots.AddCert(s.server.Certificate())
	c, err := New(Config{Server: "example.com", User: &soap.UsernameToken{Username: "alice", Password: "secret"}, Roots: roots,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, s.server.Listener.Addr().String())
		}})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (s *stage) helper(operation, profile string) (string, int, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		s.t.Fatal(err)
	}
	env := map[string]string{"CERTMONGER_OPERATION": operation, "CERTMONGER_CA_PROFILE": profile, "CERTMONGER_CA_COOKIE": "7 " + s.server.URL + "/CES",
		"CERTMONGER_CSR": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr}))}
	h := Helper{Open: func() (*Client, bool, error) { return s.client(), false, nil }, Version: "1", Getenv: func(n string) string { return env[n] }}
	return h.Run(s.t.Context())
}

const pendingAnswer = `<s:Envelope xmlns:s="` + soap.NSEnvelope + `" xmlns:a="` + soap.NSAddressing + `"><s:Header><a:Action>` + wstep.ActionResponse + `</a:Action></s:Header><s:Body>` +
	`<RequestSecurityTokenResponseCollection xmlns="` + nsTrust + `"><RequestSecurityTokenResponse><RequestedSecurityToken/>` +
	`<RequestID xmlns="` + soap.NSEnrollment + `">7</RequestID></RequestSecurityTokenResponse></RequestSecurityTokenResponseCollection></s:Body></s:Envelope>`

var template0 = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 21, 8, 1, 2}

func TestHelper(t *testing.T) {
	s := newStage(t)
	fault := func(w http.ResponseWriter, _ *x509.CertificateRequest) {
		w.WriteHeader(http.StatusInternalServerError)
		w.Write(soap.EnrollmentFault("x", hresult.Refuse(hresult.TemplateDenied, "Not in the group"), true, ""))
	}
	raw := func(text string) func(http.ResponseWriter, *x509.CertificateRequest) {
		return func(w http.ResponseWriter, _ *x509.CertificateRequest) { io.WriteString(w, text) }
	}
	for _, c := range []struct {
		name, operation, profile string
		enroll                   func(http.ResponseWriter, *x509.CertificateRequest)
		code                     int
		want                     string
	}{
		{"issued", "SUBMIT", "user", nil, ExitIssued, "BEGIN CERTIFICATE"},
		{"fault", "SUBMIT", "User", fault, ExitRejected, "CERTSRV_E_TEMPLATE_DENIED"},
		{"pending", "SUBMIT", "User", raw(pendingAnswer), ExitWaitMore, "3600\n7 https://"},
		{"still pending", "POLL", "", raw(pendingAnswer), ExitWaitMore, "3600\n7 https://"},
		{"garbage", "SUBMIT", "User", raw("<s:Envelope"), ExitUnreachable, "not well-formed"},
		{"page", "SUBMIT", "User", func(w http.ResponseWriter, _ *x509.CertificateRequest) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<p>hello")
		}, ExitUnreachable, "no SOAP message"},
		{"closes", "SUBMIT", "User", func(http.ResponseWriter, *x509.CertificateRequest) { panic(http.ErrAbortHandler) }, ExitUnreachable, "no answer"},
		{"a certificate for another key", "SUBMIT", "User", func(w http.ResponseWriter, _ *x509.CertificateRequest) {
			w.Write(wstep.Write(&wstep.Issued{Leaf: s.ca.Raw, RequestID: "1"}, "x"))
		}, ExitUnreachable, "not for the key"},
		{"wrong template", "SUBMIT", "Other", nil, ExitRejected, "Other: no such template"},
		{"templates", "GET-SUPPORTED-TEMPLATES", "", nil, ExitIssued, "User\n"},
		{"roots", "FETCH-ROOTS", "", nil, ExitIssued, "CA\n-----BEGIN CERTIFICATE"},
		{"requirements", "GET-RENEW-REQUEST-REQUIREMENTS", "", nil, ExitIssued, "CERTMONGER_CA_PROFILE\n"},
		{"default template", "GET-DEFAULT-TEMPLATE", "", nil, ExitIssued, ""},
		{"identify", "IDENTIFY", "", nil, ExitIssued, "rolecall-ad 1\n"},
		{"unknown", "FETCH-SCEP-CA-CAPS", "", nil, ExitUnsupported, ""},
	} {
		s.enroll = c.enroll
		out, code, err := s.helper(c.operation, c.profile)
		if err != nil {
			out += err.Error()
		}
		if code != c.code || !strings.Contains(out, c.want) || c.want == "" && out != "" {
			t.Errorf("%s: code %d, want %d; %q in %q", c.name, code, c.code, c.want, out)
		}
	}
}

// Without a ticket nothing is sent.
func TestNoTicket(t *testing.T) {
	id := Identity{CCache: t.TempDir() + "/none", Getenv: func(string) string { return "" }}
	if _, err := id.Open(); err == nil || !strings.Contains(err.Error(), "credentials cache") {
		t.Errorf("got %v", err)
	}
}

// A certificate is enrolled, kept, and replaced in one step when it is time; a failure keeps the old one.
func TestEnrollment(t *testing.T) {
	s := newStage(t)
	now := time.Now()
	var told []string
	e := Enrollment{Client: s.client(), Folder: t.TempDir() + "/new", Now: func() time.Time { return now }, Report: func(format string, _ ...any) { told = append(told, format) }}
	serial := func() string {
		cert, err := folder(e.Folder).current("User")
		if err != nil || cert == nil {
			t.Fatalf("%v, %v", cert, err)
		}
		return cert.SerialNumber.String()
	}
	run := func() error { _, err := e.Run(t.Context()); return err }
	if err := run(); err != nil {
		t.Fatal(err)
	}
	first := serial()
	if err := run(); err != nil || serial() != first {
		t.Errorf("a good certificate was replaced: %v", err)
	}
	now = now.Add(6*24*time.Hour + time.Hour)
	s.enroll = func(w http.ResponseWriter, csr *x509.CertificateRequest) { // of another CA, and one that has ended
		w.Write(wstep.Write(&wstep.Issued{Leaf: s.issue(&x509.Certificate{NotAfter: time.Now().Add(time.Minute)}, s.ca, csr.PublicKey).Raw, RequestID: "1"}, "x"))
	}
	if err := run(); err == nil || serial() != first {
		t.Errorf("an ended certificate replaced a good one: %v", err)
	}
	s.enroll = nil
	if err := run(); err != nil || serial() == first {
		t.Errorf("not renewed: %v", err)
	}
	e.Templates = []string{"Other"}
	if err := run(); err == nil {
		t.Error("enrolled for a template that is not there")
	}
}

// A server that TLS does not verify gets no request, and no password.
func TestServerUnknown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := newStage(t)
	heard := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			heard <- err
			return
		}
		defer conn.Close()
		_, err = bufio.NewReader(tls.Server(conn, s.server.TLS)).ReadByte()
		heard <- err
	}()
	c := s.client()
	c.cfg.Roots = x509.NewCertPool()
	c.cfg.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, l.Addr().String())
	}
	if _, err := c.Policies(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v", err)
	}
	if err := <-heard; err == nil {
		t.Error("the server read a byte")
	}
}

// Whatever a server says, the readers end with an error or an answer.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(pendingAnswer))
	f.Add(soap.EnrollmentFault("x", hresult.Refuse(hresult.TemplateDenied, "No"), true, ""))
	f.Add(wstep.Write(&wstep.Issued{Leaf: []byte{0x30, 0}, CMC: []byte{0x30, 0}, RequestID: "1"}, "x"))
	t := &template.Template{Name: "User", OID: template0, Schema: 3, Major: 100, MinKeyLength: 256, Algorithm: template.P256}
	f.Add(xcep.Write(&xcep.Response{PolicyID: "{1}", CAs: []xcep.CA{{Certificate: []byte{0x30, 0}, URIs: []xcep.URI{{Authentication: 2, Address: "https://x"}}}}, Policies: []xcep.Policy{{Template: t, Enroll: true}}}, "x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := soap.ReadAnswer(data)
		if err != nil {
			return
		}
		if err := readFault(m.Body); len(err.Error()) > maxReason+100 {
			t.Error("a long reason")
		}
		if p, err := readPolicies(m.Body); err == nil {
			for _, t := range p.Templates {
				_ = t.Key()
			}
		}
		if issued, err := readIssued(m.Body, "https://x"); err == nil && issued.Leaf == nil {
			t.Error("issued without a certificate")
		}
	})
}

// FuzzCertificates reads the certificates of PKCS #7 messages.
func FuzzCertificates(f *testing.F) {
	f.Add([]byte{0x30, 0x80})
	f.Add([]byte("\x30\x1f\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x12\x30\x10\x02\x01\x01\x31\x00\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if list, err := certificates(data); err == nil && len(list) > maxChain {
			t.Error("too many")
		}
	})
}
