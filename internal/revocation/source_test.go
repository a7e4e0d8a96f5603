package revocation

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/store"
)

// testCA is a certificate with its key.
type testCA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func makeCert(t testing.TB, parent *testCA, change func(*x509.Certificate)) *testCA {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return makeCertFor(t, parent, key, change)
}

func makeCertFor(t testing.TB, parent *testCA, key *ecdsa.PrivateKey, change func(*x509.Certificate)) *testCA {
	t.Helper()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "CA"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), BasicConstraintsValid: true}
	change(c)
	if parent == nil {
		parent = &testCA{c, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent.cert, key.Public(), parent.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &testCA{cert, key}
}

func isCA(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign }

// issued is a certificate of the CA with the addresses, in which "crl" and "ocsp" say what each is for.
func (ca *testCA) issued(t testing.TB, lists, responders []string) *x509.Certificate {
	t.Helper()
	return makeCert(t, ca, func(c *x509.Certificate) {
		c.Subject.CommonName, c.CRLDistributionPoints, c.OCSPServer = "workload", lists, responders
	}).cert
}

func (ca *testCA) list(t testing.TB, change func(*x509.RevocationList), serials ...*big.Int) []byte {
	t.Helper()
	l := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour)}
	for _, s := range serials {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: s, RevocationTime: time.Now().Add(-time.Minute)})
	}
	if change != nil {
		change(l)
	}
	der, err := x509.CreateRevocationList(rand.Reader, l, ca.cert, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// source is an HTTP server whose answer the test changes.
type source struct {
	*httptest.Server
	mu     sync.Mutex // guards what follows
	answer http.HandlerFunc
	asked  int
}

func newSource(t testing.TB, answer http.HandlerFunc) *source {
	s := &source{answer: answer}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked++
		fn := s.answer
		s.mu.Unlock()
		fn(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *source) set(answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *source) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func sends(body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.Write(body) }
}

// serveByPath answers with what is at the path.
func serveByPath(bodies map[string][]byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if body, ok := bodies[r.URL.Path]; ok {
			w.Write(body)
			return
		}
		http.NotFound(w, r)
	}
}

// newTestChecker may connect to the sources only. Its clock is the real one, moved by the test.
func newTestChecker(t testing.TB, allow ...string) (*Checker, *clock) {
	t.Helper()
	a, err := ParseAllow(allow)
	if err != nil {
		t.Fatal(err)
	}
	now := &clock{}
	c := NewChecker(Config{Allow: a, Clock: now.now})
	t.Cleanup(func() {
		c.stop()
		c.work.Wait()
	})
	return c, now
}

type clock struct {
	mu    sync.Mutex // guards ahead
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

func (s *source) host() string { return strings.TrimPrefix(s.URL, "http://") }

func testAnchor(account arn.AccountID) *store.TrustAnchor {
	return &store.TrustAnchor{Account: account, Region: "eu-central-1", ID: "00000000-0000-4000-8000-000000000001"}
}

// check asks about one certificate of the CA, as CreateSession does.
func check(t testing.TB, c *Checker, o Options, ca *testCA, cert *x509.Certificate) *Finding {
	t.Helper()
	err := c.Check(t.Context(), testAnchor("123456789012"), &o, []*x509.Certificate{cert, ca.cert}, c.cfg.Clock())
	if err == nil {
		return nil
	}
	f, ok := errors.AsType[*Finding](err)
	if !ok {
		t.Fatal(err)
	}
	return f
}

// wantFinding compares with "" for accepted, "revoked", or a part of why the state could not be found out.
func wantFinding(t testing.TB, name string, f *Finding, want string) {
	t.Helper()
	switch {
	case f == nil && want == "":
	case f == nil:
		t.Errorf("%s: accepted, want %q", name, want)
	case want == "revoked" && f.Revoked:
	case want == "" || want == "revoked" || f.Revoked || !strings.Contains(f.Detail, want):
		t.Errorf("%s: got %+v, want %q", name, f, want)
	}
}
