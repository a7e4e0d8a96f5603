package webidentity

import (
	"crypto/elliptic"
	"crypto/sha1"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func TestPublicAddresses(t *testing.T) {
	for text, want := range map[string]bool{
		"8.8.8.8": true, "2600::1": true, "127.0.0.1": false, "::1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false,
		"169.254.169.254": false, "100.64.0.1": false, "0.0.0.0": false, "::": false, "255.255.255.255": false, "224.0.0.1": false,
		"fe80::1": false, "fc00::1": false, "fd00:ec2::254": false, "ff02::1": false, "64:ff9b::a00:1": false, "2002:a00:1::": false,
		"2001:db8::1": false, "2001::1": false, "198.18.0.1": false, "203.0.113.9": false, "240.0.0.1": false, "::ffff:8.8.8.8": false,
	} {
		if got := public(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s is public: %v", text, got)
		}
	}
	v := New(Config{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	for address, want := range map[string]bool{
		"10.1.2.3:443": true, "[::ffff:10.1.2.3]:443": true, "8.8.8.8:443": true, "[::ffff:8.8.8.8]:443": true, "127.0.0.1:443": false,
		"[::ffff:127.0.0.1]:443": false, "[fe80::1%eth0]:443": false, "11.0.0.1:1": true, "name:443": false,
	} {
		if err := v.control("tcp", address, nil); (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestForbiddenAddress(t *testing.T) {
	p := newIDP(t)
	p.publish(rsaKey(), "k", "")
	text := sign(t, rsaKey(), jose.RS256, "k", p.claims(nil))
	v := New(Config{Roots: p.roots(), Clock: at(t0)})
	_, err := check(t, v, p.provider("sts"), text)
	if !errors.Is(err, ErrKeys) || p.fetches.Load() != 0 || strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("loopback without --oidc-allow: %v, %d fetches", err, p.fetches.Load())
	}
	if !strings.Contains(Cause(err).Error(), "127.0.0.1") {
		t.Errorf("the log does not learn the address: %v", Cause(err))
	}
}

func TestServerCertificate(t *testing.T) {
	p := newIDP(t)
	p.publish(rsaKey(), "k", "")
	text := sign(t, rsaKey(), jose.RS256, "k", p.claims(nil))
	sum := sha1.Sum(p.Certificate().Raw)
	good := hex.EncodeToString(sum[:])
	allow := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for name, c := range map[string]struct {
		roots       *x509.CertPool
		thumbprints []string
		want        error
	}{
		"known CA":                              {p.roots(), nil, nil},
		"known CA and a thumbprint of nobody":   {p.roots(), []string{strings.Repeat("0", 40)}, nil},
		"thumbprint":                            {x509.NewCertPool(), []string{strings.Repeat("0", 40), good}, nil},
		"unknown CA":                            {x509.NewCertPool(), nil, ErrKeys},
		"unknown CA and a thumbprint of nobody": {x509.NewCertPool(), []string{strings.Repeat("0", 40)}, ErrKeys},
	} {
		pr := p.provider("sts")
		pr.Thumbprints = c.thumbprints
		_, err := check(t, New(Config{Allow: allow, Roots: c.roots, Clock: at(t0)}), pr, text)
		if !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	// The name counts whatever vouches for the chain: the test certificate is not for 127.0.0.2.
	pr := &Provider{URL: strings.Replace(p.url, "127.0.0.1", "127.0.0.2", 1), Thumbprints: []string{good}}
	for _, roots := range []*x509.CertPool{p.roots(), x509.NewCertPool()} {
		v := New(Config{Allow: allow, Roots: roots, Clock: at(t0)})
		if err := v.checkServer([]*x509.Certificate{p.Certificate()}, "127.0.0.2", pr.Thumbprints); err == nil {
			t.Error("a certificate for another address was accepted")
		}
		if err := v.checkServer([]*x509.Certificate{p.Certificate()}, "127.0.0.1", pr.Thumbprints); err != nil {
			t.Errorf("the right address: %v", err)
		}
	}
	late := New(Config{Allow: allow, Roots: p.roots(), Clock: at(p.Certificate().NotAfter.Add(time.Hour))})
	if err := late.checkServer([]*x509.Certificate{p.Certificate()}, "127.0.0.1", []string{good}); err == nil {
		t.Error("a thumbprint made an expired certificate good")
	}
}

// What a provider may answer, and what becomes of it.
func TestProviderAnswers(t *testing.T) {
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect to another host was followed") }))
	defer elsewhere.Close()
	for name, c := range map[string]struct {
		answer func(p *idp, w http.ResponseWriter, r *http.Request) bool
		want   error
	}{
		"redirect to another host": {func(_ *idp, w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
			return true
		}, ErrKeys},
		"redirect to http": {func(p *idp, w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "http://"+p.url, http.StatusFound)
			return true
		}, ErrKeys},
		"endless redirect": {func(_ *idp, w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
			return true
		}, ErrKeys},
		"redirect within the host": {func(p *idp, w http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/keys") {
				return false
			}
			if r.URL.RawQuery == "" {
				http.Redirect(w, r, r.URL.Path+"?x", http.StatusFound)
				return true
			}
			return false
		}, nil},
		"another issuer": {func(_ *idp, w http.ResponseWriter, _ *http.Request) bool {
			w.Write([]byte(`{"issuer":"https://other","jwks_uri":"https://other/keys"}`))
			return true
		}, ErrKeys},
		"keys over http": {func(p *idp, w http.ResponseWriter, _ *http.Request) bool {
			w.Write([]byte(`{"issuer":"https://` + p.url + `","jwks_uri":"http://` + p.url + `/keys"}`))
			return true
		}, ErrKeys},
		"keys in a file": {func(p *idp, w http.ResponseWriter, _ *http.Request) bool {
			w.Write([]byte(`{"issuer":"https://` + p.url + `","jwks_uri":"file:///etc/passwd"}`))
			return true
		}, ErrKeys},
		"error of the server": {func(_ *idp, w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusBadGateway)
			return true
		}, ErrUnreachable},
		"not found": {func(_ *idp, w http.ResponseWriter, r *http.Request) bool { http.NotFound(w, r); return true }, ErrKeys},
		"too long": {func(_ *idp, w http.ResponseWriter, _ *http.Request) bool {
			w.Write([]byte(strings.Repeat(" ", maxDocument+1)))
			return true
		}, ErrKeys},
		"a page": {func(_ *idp, w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "text/html")
			w.Write([]byte("<html>"))
			return true
		}, ErrKeys},
	} {
		p := newIDP(t)
		p.publish(rsaKey(), "k", "")
		p.answer = func(w http.ResponseWriter, r *http.Request) bool { return c.answer(p, w, r) }
		_, err := check(t, p.verifier(at(t0)), p.provider("sts"), sign(t, rsaKey(), jose.RS256, "k", p.claims(nil)))
		if !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestUnreachable(t *testing.T) {
	p := newIDP(t)
	text := sign(t, rsaKey(), jose.RS256, "k", p.claims(nil))
	v := p.verifier(at(t0))
	p.Close()
	if _, err := check(t, v, p.provider("sts"), text); !errors.Is(err, ErrUnreachable) {
		t.Errorf("a provider that is down: %v", err)
	}
}

func TestKeysAreRemembered(t *testing.T) {
	p := newIDP(t)
	p.cache = "public, max-age=600"
	now := t0
	v := p.verifier(func() time.Time { return now })
	p.publish(rsaKey(), "first", "")
	first := sign(t, rsaKey(), jose.RS256, "first", p.claims(map[string]any{"exp": t0.Unix() + 9999}))
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := check(t, v, p.provider("sts"), first); err != nil {
				t.Errorf("first: %v", err)
			}
		})
	}
	all.Wait()
	if n := p.fetches.Load(); n != 1 {
		t.Errorf("20 tokens at once made %d fetches", n)
	}
	ec := ecKey(t, elliptic.P256())
	second := sign(t, ec, jose.ES256, "second", p.claims(map[string]any{"exp": t0.Unix() + 9999}))
	for range 5 { // an unknown key id, too soon after the fetch
		if _, err := check(t, v, p.provider("sts"), second); !errors.Is(err, ErrToken) {
			t.Errorf("unknown key: %v", err)
		}
	}
	p.publish(ec, "second", "")
	now = t0.Add(refreshEvery)
	if _, err := check(t, v, p.provider("sts"), second); err != nil || p.fetches.Load() != 2 {
		t.Errorf("a new key: %v after %d fetches", err, p.fetches.Load())
	}
	now = t0.Add(refreshEvery + 599*time.Second)
	check(t, v, p.provider("sts"), first) //nolint:errcheck // counted
	if n := p.fetches.Load(); n != 2 {
		t.Errorf("%d fetches within max-age", n)
	}
	now = t0.Add(refreshEvery + 600*time.Second)
	if _, err := check(t, v, p.provider("sts"), first); err != nil || p.fetches.Load() != 3 {
		t.Errorf("after max-age: %v, %d fetches", err, p.fetches.Load())
	}
}

func TestLifeHasBounds(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"": defaultLife, "max-age=0": minLife, "no-store": minLife, "public, max-age=600": 600 * time.Second, `max-age="120"`: 2 * time.Minute,
		"max-age=99999999": maxLife, "max-age=x": defaultLife, "Max-Age=-5": minLife,
	} {
		if got := lifeOf(header); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
}
