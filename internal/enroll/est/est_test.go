package est_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/certsonly"
	"github.com/rolecall/rolecall/internal/server"
	"github.com/rolecall/rolecall/internal/testdb"
	"github.com/rolecall/rolecall/internal/testserver"
)

type object = map[string]any

// rig is a server with a root CA and the enrollment profile "hosts".
type rig struct {
	*testing.T
	*testserver.Server
	cfg   server.Config
	ca    string
	https string
	roots *x509.CertPool
}

func newRig(t *testing.T) *rig {
	t.Helper()
	return newRigOn(t, "sqlite")
}

// onBothStores runs a test on each engine that keeps tokens.
func onBothStores(t *testing.T, fn func(*rig)) {
	t.Run("sqlite", func(t *testing.T) { fn(newRigOn(t, "sqlite")) })
	t.Run("postgres", func(t *testing.T) { fn(newRigOn(t, testdb.Postgres(t))) })
}

func newRigOn(t *testing.T, engine string, changes ...func(*server.Config)) *rig {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	r := &rig{T: t, https: "https://" + address, roots: x509.NewCertPool()}
	dir := filepath.Join(t.TempDir(), "data")
	r.Server = testserver.StartWith(t, func(c *server.Config) {
		c.Store, c.DataDir, c.Listen = engine, dir, []string{"http://127.0.0.1:0", address}
		for _, change := range changes {
			change(c)
		}
	})
	r.cfg = server.Config{DataDir: dir, Store: engine}
	text, err := os.ReadFile(filepath.Join(dir, "tls-ca.pem"))
	if err != nil || !r.roots.AppendCertsFromPEM(text) {
		t.Fatal("no TLS CA", err)
	}
	r.ca = r.root("Hosts")
	r.profile("hosts", 24*time.Hour)
	return r
}

func (r *rig) profile(name string, validity time.Duration) {
	r.Helper()
	err := server.CreateEnrollmentProfile(r.Context(), r.cfg, server.EnrollmentProfile{
		Name: name, CA: r.ca, Template: "EndEntityClientAuthCertificate", Subject: "CN=*.example.com", Alternatives: []string{"DNS:*.example.com", "IP:10.0.0.0/8"}, Validity: validity,
	})
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) api(operation string, in object) object {
	r.Helper()
	res := r.JSON11(r.T, r.Root, "acm-pca", "ACMPrivateCA."+operation, in)
	if res.Status != 200 {
		r.Fatalf("%s: %d %s", operation, res.Status, res.Body)
	}
	var out object
	if len(res.Body) > 0 {
		if err := json.Unmarshal(res.Body, &out); err != nil {
			r.Fatal(err)
		}
	}
	return out
}

func (r *rig) root(cn string) string {
	r.Helper()
	arn, _ := r.authority(object{"CertificateAuthorityType": "ROOT", "CertificateAuthorityConfiguration": object{
		"KeyAlgorithm": "EC_prime256v1", "SigningAlgorithm": "SHA256WITHECDSA", "Subject": object{"CommonName": cn}}}, "", "")
	return arn
}

// authority makes a CA certified by another one; by itself if issuer is "".
func (r *rig) authority(in object, issuer, chain string) (arn, certificate string) {
	r.Helper()
	ca := r.api("CreateCertificateAuthority", in)["CertificateAuthorityArn"].(string)
	for range 1000 {
		if r.api("DescribeCertificateAuthority", object{"CertificateAuthorityArn": ca})["CertificateAuthority"].(object)["Status"] == "PENDING_CERTIFICATE" {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	csr := r.api("GetCertificateAuthorityCsr", object{"CertificateAuthorityArn": ca})["Csr"].(string)
	template, days := "SubordinateCACertificate_PathLen0", 400
	if issuer == "" {
		issuer, template, days = ca, "RootCACertificate", 500
	}
	cert := r.api("IssueCertificate", object{"CertificateAuthorityArn": issuer, "Csr": []byte(csr), "Validity": object{"Type": "DAYS", "Value": days},
		"SigningAlgorithm": in["CertificateAuthorityConfiguration"].(object)["SigningAlgorithm"], "TemplateArn": "arn:aws:acm-pca:::template/" + template + "/V1"})["CertificateArn"]
	text := r.api("GetCertificate", object{"CertificateAuthorityArn": issuer, "CertificateArn": cert})["Certificate"].(string)
	imported := object{"CertificateAuthorityArn": ca, "Certificate": []byte(text)}
	if chain != "" {
		imported["CertificateChain"] = []byte(chain)
	}
	r.api("ImportCertificateAuthorityCertificate", imported)
	return ca, text
}

func (r *rig) token(profile, subject string, uses int, life time.Duration, sans ...string) (text, id string) {
	r.Helper()
	text, row, err := server.CreateEnrollmentToken(r.Context(), r.cfg, server.EnrollmentToken{Profile: profile, Subject: subject, Alternatives: sans, Uses: uses, Life: life})
	if err != nil {
		r.Fatal(err)
	}
	return text, row.ID
}

// request is a PKCS #10 with its key; change edits it before it is signed.
func request(t testing.TB, cn string, change func(*x509.CertificateRequest)) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	req := &x509.CertificateRequest{Subject: pkix.Name{CommonName: cn}}
	if change != nil {
		change(req)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, req, key)
	if err != nil {
		t.Fatal(err)
	}
	return key, der
}

type answer struct {
	status int
	header http.Header
	body   string
	certs  []*x509.Certificate
}

// post sends a request over a connection of its own.
func (r *rig) post(path, token string, pair *tls.Certificate, kind string, body []byte) answer {
	config := &tls.Config{RootCAs: r.roots}
	if pair != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }
	}
	tr := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, r.https+"/.well-known/est/"+path, bytes.NewReader(body))
	if err != nil {
		r.Error(err)
		return answer{}
	}
	req.Header.Set("Content-Type", kind)
	if token != "" {
		req.SetBasicAuth("any", token)
	}
	resp, err := (&http.Client{Transport: tr, Timeout: 30 * time.Second}).Do(req)
	if err != nil {
		r.Error(err)
		return answer{}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.Error(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(b)}
	if a.status == 200 {
		der, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(a.body, "\r\n", ""))
		if err == nil {
			a.certs, err = certsonly.Decode(der)
		}
		if err != nil {
			r.Error(err)
		}
	}
	return a
}

const pkcs10 = "application/pkcs10"

func (r *rig) enroll(path, token string, pair *tls.Certificate, der []byte) answer {
	return r.post(path, token, pair, pkcs10, []byte(base64.StdEncoding.EncodeToString(der)))
}

func pairOf(c *x509.Certificate, key *ecdsa.PrivateKey) *tls.Certificate {
	return &tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: key}
}

func (r *rig) refused(what string, a answer, status int, text string) {
	r.Helper()
	if a.status != status || !strings.Contains(a.body, text) {
		r.Errorf("%s: got %d %q, want %d %q", what, a.status, a.body, status, text)
	}
	if a.status == http.StatusUnauthorized && a.header.Get("WWW-Authenticate") == "" {
		r.Errorf("%s: a 401 without a challenge", what)
	}
}

// TestStory: a token enrolls once, the certificate renews with a new key, a revoked one does not.
func TestStory(t *testing.T) { onBothStores(t, story) }

func story(r *rig) {
	t := r.T
	token, _ := r.token("hosts", "CN=host1.*", 1, time.Minute)
	key, der := request(t, "host1.example.com", func(q *x509.CertificateRequest) { q.DNSNames = []string{"host1.example.com"} })
	a := r.enroll("hosts/simpleenroll", token, nil, der)
	if a.status != 200 || len(a.certs) != 1 || a.certs[0].Subject.CommonName != "host1.example.com" || a.certs[0].IsCA || time.Until(a.certs[0].NotAfter) > 24*time.Hour {
		t.Fatalf("enrolled: %d %s %v", a.status, a.body, a.certs)
	}
	first := a.certs[0]
	r.refused("the token again", r.enroll("hosts/simpleenroll", token, nil, der), 401, "was used before")
	key2, der2 := request(t, "host1.example.com", func(q *x509.CertificateRequest) { q.DNSNames = []string{"host1.example.com"} })
	a = r.enroll("hosts/simplereenroll", "", pairOf(first, key), der2)
	if a.status != 200 || !key2.PublicKey.Equal(a.certs[0].PublicKey) {
		t.Fatalf("renewed: %d %s", a.status, a.body)
	}
	_, other := request(t, "host2.example.com", nil)
	r.refused("another subject", r.enroll("hosts/simplereenroll", "", pairOf(first, key), other), 403, "must have the subject")
	_, bare := request(t, "host1.example.com", nil)
	r.refused("fewer names", r.enroll("hosts/simplereenroll", "", pairOf(first, key), bare), 403, "must have the subject")
	r.refused("no certificate", r.enroll("hosts/simplereenroll", "", nil, der2), 403, "TLS client certificate")
	r.profile("other", time.Hour)
	r.refused("another profile", r.enroll("other/simplereenroll", "", pairOf(first, key), der2), 403, "not issued under this enrollment profile")
	serial := first.SerialNumber.Text(16)
	r.api("RevokeCertificate", object{"CertificateAuthorityArn": r.ca, "CertificateSerial": strings.Repeat("0", len(serial)%2) + serial, "RevocationReason": "KEY_COMPROMISE"})
	r.refused("revoked", r.enroll("hosts/simplereenroll", "", pairOf(first, key), der2), 403, "has been revoked")
	r.refused("revoked, at simpleenroll", r.enroll("hosts/simpleenroll", "", pairOf(first, key), der2), 403, "has been revoked")
	if a = r.enroll("hosts/simplereenroll", "", pairOf(a.certs[0], key2), der2); a.status != 200 {
		t.Errorf("the one that was not revoked: %d %s", a.status, a.body)
	}
}

// TestForeignCertificates: of another CA, of this CA but from its API, and expired.
func TestForeignCertificates(t *testing.T) {
	r := newRig(t)
	key, der := request(t, "host1.example.com", nil)
	own := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "host1.example.com"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	raw, err := x509.CreateCertificate(rand.Reader, own, own, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	r.refused("self-signed", r.enroll("hosts/simplereenroll", "", pairOf(foreign, key), der), 403, "not a valid one")
	csr := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	arn := r.api("IssueCertificate", object{"CertificateAuthorityArn": r.ca, "Csr": csr, "SigningAlgorithm": "SHA256WITHECDSA", "Validity": object{"Type": "DAYS", "Value": 1}})["CertificateArn"]
	block, _ := pem.Decode([]byte(r.api("GetCertificate", object{"CertificateAuthorityArn": r.ca, "CertificateArn": arn})["Certificate"].(string)))
	direct, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	r.refused("from the API", r.enroll("hosts/simplereenroll", "", pairOf(direct, key), der), 403, "not issued under this enrollment profile")
	arn = r.api("IssueCertificate", object{"CertificateAuthorityArn": r.ca, "Csr": csr, "SigningAlgorithm": "SHA256WITHECDSA",
		"Validity": object{"Type": "ABSOLUTE", "Value": time.Now().Add(2 * time.Second).Unix()}})["CertificateArn"]
	block, _ = pem.Decode([]byte(r.api("GetCertificate", object{"CertificateAuthorityArn": r.ca, "CertificateArn": arn})["Certificate"].(string)))
	short, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(short.NotAfter.Add(1100 * time.Millisecond)))
	r.refused("expired", r.enroll("hosts/simplereenroll", "", pairOf(short, key), der), 403, "not a valid one")
}

// TestOneUse: of 64 that use a token at the same moment, one has a certificate.
func TestOneUse(t *testing.T) { onBothStores(t, oneUse) }

func oneUse(r *rig) {
	t := r.T
	token, _ := r.token("hosts", "CN=host1.*", 1, time.Minute)
	_, der := request(t, "host1.example.com", nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[int]int{}
	for range 64 {
		wg.Go(func() {
			a := r.enroll("hosts/simpleenroll", token, nil, der)
			mu.Lock()
			got[a.status]++
			mu.Unlock()
		})
	}
	wg.Wait()
	if got[200] != 1 || got[401]+got[429] != 63 {
		t.Errorf("answers %v, want one 200", got)
	}
}

// TestBadTokens: expired, foreign, revoked, mistyped. The secret never comes back.
func TestBadTokens(t *testing.T) { onBothStores(t, badTokens) }

func badTokens(r *rig) {
	t := r.T
	r.profile("other", time.Hour)
	_, der := request(t, "host1.example.com", nil)
	good, _ := r.token("hosts", "CN=host1.*", 1, time.Minute)
	elsewhere, _ := r.token("other", "CN=host1.*", 1, time.Minute)
	brief, _ := r.token("hosts", "CN=host1.*", 1, time.Second)
	gone, id := r.token("hosts", "CN=host1.*", 1, time.Minute)
	if err := server.RevokeEnrollmentToken(t.Context(), r.cfg, id); err != nil {
		t.Fatal(err)
	}
	flip := "0"
	if strings.HasSuffix(good, "0") {
		flip = "1"
	}
	wrong := good[:len(good)-1] + flip
	time.Sleep(1100 * time.Millisecond)
	for what, c := range map[string]struct{ token, text string }{
		"none": {"", "is required"}, "text": {"hello", "not valid"}, "wrong secret": {wrong, "not valid"}, "upper case": {strings.ToUpper(good), "not valid"},
		"other profile": {elsewhere, "another profile"}, "expired": {brief, "expired"}, "revoked": {gone, "not valid"},
	} {
		r.refused(what, r.enroll("hosts/simpleenroll", c.token, nil, der), 401, c.text)
	}
	if a := r.enroll("hosts/simpleenroll", good, nil, der); a.status != 200 {
		t.Errorf("the good one after all: %d %s", a.status, a.body)
	}
	for range 25 {
		r.enroll("hosts/simpleenroll", wrong, nil, der)
	}
	if a := r.enroll("hosts/simpleenroll", wrong, nil, der); a.status != 429 || a.header.Get("Retry-After") == "" {
		t.Errorf("after many failures: %d", a.status)
	}
}

// TestBounds: what a request may not ask for. A refused request leaves the token as it was.
func TestBounds(t *testing.T) { onBothStores(t, limits) }

func limits(r *rig) {
	t := r.T
	token, _ := r.token("hosts", "CN=host1.*", 1, time.Minute)
	ext := func(id asn1.ObjectIdentifier, value any) func(*x509.CertificateRequest) {
		der, err := asn1.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		return func(q *x509.CertificateRequest) { q.ExtraExtensions = []pkix.Extension{{Id: id, Value: der}} }
	}
	for what, c := range map[string]struct {
		cn     string
		change func(*x509.CertificateRequest)
		status int
		text   string
	}{
		"outside the token":   {"host2.example.com", nil, 403, "the enrollment token does not admit"},
		"outside the profile": {"host1.example.org", nil, 403, "the enrollment profile does not admit"},
		"wildcard":            {"host1.*.example.com", nil, 403, "not allowed"},
		"organisation":        {"host1.example.com", func(q *x509.CertificateRequest) { q.Subject.Organization = []string{"X"} }, 403, "a subject with O"},
		"second name":         {"host1.example.com", func(q *x509.CertificateRequest) { q.DNSNames = []string{"host1.example.com", "host2.example.com"} }, 403, "DNS:host2.example.com"},
		"address":             {"host1.example.com", func(q *x509.CertificateRequest) { q.IPAddresses = []net.IP{{192, 0, 2, 1}} }, 403, "IP:192.0.2.1"},
		"CA":                  {"host1.example.com", ext(asn1.ObjectIdentifier{2, 5, 29, 19}, struct{ CA bool }{true}), 400, "a CA certificate cannot be enrolled"},
		"code signing":        {"host1.example.com", ext(asn1.ObjectIdentifier{2, 5, 29, 37}, []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 3}}), 400, "1.3.6.1.5.5.7.3.3 is not allowed"},
		"certificate signing": {"host1.example.com", ext(asn1.ObjectIdentifier{2, 5, 29, 15}, asn1.BitString{Bytes: []byte{4}, BitLength: 6}), 400, "bit 5"},
		"SID":                 {"host1.example.com", ext(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 25, 2}, "x"), 400, "is not allowed"},
	} {
		_, der := request(t, c.cn, c.change)
		r.refused(what, r.enroll("hosts/simpleenroll", token, nil, der), c.status, c.text)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // that is the point
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "host1.example.com"}}, weak)
	if err != nil {
		t.Fatal(err)
	}
	r.refused("weak key", r.enroll("hosts/simpleenroll", token, nil, der), 400, "1024 bits")
	_, der = request(t, "host1.example.com", nil)
	der[len(der)-1] ^= 1
	r.refused("possession", r.enroll("hosts/simpleenroll", token, nil, der), 400, "signature")
	for what, c := range map[string]struct {
		kind, body string
		status     int
	}{
		"type": {"application/octet-stream", "", 415}, "empty": {pkcs10, "", 400}, "not base64": {pkcs10, "%%%", 400}, "not DER": {pkcs10, "AAAA", 400},
		"huge": {pkcs10, strings.Repeat("A", 1<<20), 413},
	} {
		r.refused(what, r.post("hosts/simpleenroll", token, nil, c.kind, []byte(c.body)), c.status, "")
	}
	_, der = request(t, "host1.example.com", nil)
	if a := r.enroll("hosts/simpleenroll", token, nil, der); a.status != 200 {
		t.Errorf("the token after refused requests: %d %s", a.status, a.body)
	}
}

// TestWithoutTLS: a proxy that ends TLS can pass a token on, and never a certificate.
func TestWithoutTLS(t *testing.T) {
	r := newRig(t)
	token, _ := r.token("hosts", "CN=host1.*", 1, time.Minute)
	r.https = r.URL
	_, der := request(t, "host1.example.com", nil)
	r.refused("renewal", r.enroll("hosts/simplereenroll", "", nil, der), 403, "a proxy that ends TLS")
	if a := r.enroll("hosts/simpleenroll", token, nil, der); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestShortLived: a CA for short-lived certificates issues for hours, and no profile of it promises more than it can.
func TestShortLived(t *testing.T) {
	r := newRig(t)
	r.ca, _ = r.authority(object{"CertificateAuthorityType": "ROOT", "UsageMode": "SHORT_LIVED_CERTIFICATE", "CertificateAuthorityConfiguration": object{
		"KeyAlgorithm": "EC_prime256v1", "SigningAlgorithm": "SHA256WITHECDSA", "Subject": object{"CommonName": "Short"}}}, "", "")
	err := server.CreateEnrollmentProfile(t.Context(), r.cfg, server.EnrollmentProfile{
		Name: "long", CA: r.ca, Template: "EndEntityClientAuthCertificate", Subject: "CN=*.example.com", Validity: 8 * 24 * time.Hour})
	if err == nil || !strings.Contains(err.Error(), "at most 7 days") {
		t.Errorf("8 days: %v", err)
	}
	for name, validity := range map[string]time.Duration{"hours": 2 * time.Hour, "week": 7 * 24 * time.Hour} {
		r.profile(name, validity)
		token, _ := r.token(name, "CN=host1.*", 1, time.Minute)
		key, der := request(t, "host1.example.com", nil)
		a := r.enroll(name+"/simpleenroll", token, nil, der)
		if a.status != 200 {
			t.Fatalf("%s: %d %s", name, a.status, a.body)
		}
		if left := time.Until(a.certs[0].NotAfter); left > validity || left < validity-time.Minute {
			t.Errorf("%s: %s are left", name, left)
		}
		if a = r.enroll(name+"/simplereenroll", "", pairOf(a.certs[0], key), der); a.status != 200 {
			t.Errorf("%s, renewed: %d %s", name, a.status, a.body)
		}
	}
}
