package webidentity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

var t0 = time.Unix(1_800_000_000, 0)

// idp is a provider on loopback with keys, and counts how often it is asked.
type idp struct {
	*httptest.Server
	t       testing.TB
	url     string
	mu      sync.Mutex // guards what the handler reads
	set     jose.JSONWebKeySet
	cache   string
	answer  func(w http.ResponseWriter, r *http.Request) bool // true if it answered
	fetches atomic.Int32
}

func newIDP(t testing.TB) *idp {
	p := &idp{t: t}
	p.Server = httptest.NewTLSServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	p.url = strings.TrimPrefix(p.Server.URL, "https://") + "/tenant"
	return p
}

func (p *idp) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.answer != nil && p.answer(w, r) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/tenant/.well-known/openid-configuration":
		fmt.Fprintf(w, `{"issuer":"https://%s","jwks_uri":"https://%s/keys"}`, p.url, p.url)
	case "/tenant/keys":
		p.fetches.Add(1)
		w.Header().Set("Cache-Control", p.cache)
		json.NewEncoder(w).Encode(p.set) //nolint:errcheck // a test's client
	default:
		http.NotFound(w, r)
	}
}

func (p *idp) publish(k crypto.Signer, id, alg string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set.Keys = append(p.set.Keys, jose.JSONWebKey{Key: k.Public(), KeyID: id, Algorithm: alg, Use: "sig"})
}

func (p *idp) provider(clients ...string) *Provider { return &Provider{URL: p.url, ClientIDs: clients} }

// roots trusts the test server's certificate, which is its own CA.
func (p *idp) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.Certificate())
	return pool
}

func (p *idp) verifier(now func() time.Time) *Verifier {
	return New(Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Roots: p.roots(), Clock: now})
}

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

func sign(t testing.TB, key any, alg jose.SignatureAlgorithm, id string, claims any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	payload, ok := claims.([]byte)
	if !ok {
		if payload, err = json.Marshal(claims); err != nil {
			t.Fatal(err)
		}
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// claims are good ones, with changes: a nil value removes a claim.
func (p *idp) claims(changes map[string]any) map[string]any {
	c := map[string]any{"iss": "https://" + p.url, "sub": "repo:x", "aud": "sts", "iat": t0.Unix() - 10, "exp": t0.Unix() + 300}
	for k, v := range changes {
		if v == nil {
			delete(c, k)
		} else {
			c[k] = v
		}
	}
	return c
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func ecKey(t testing.TB, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func check(t testing.TB, v *Verifier, p *Provider, text string) (*Identity, error) {
	t.Helper()
	token, err := Parse(text)
	if err != nil {
		return nil, err
	}
	return v.Verify(t.Context(), p, token)
}
