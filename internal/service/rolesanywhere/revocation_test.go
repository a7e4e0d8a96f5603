package rolesanywhere_test

import (
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/xml"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/rolecall/rolecall/internal/server"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/internal/testserver"
)

// source is a CA's web server: what it answers is set by the test.
type source struct {
	*httptest.Server
	mu    sync.Mutex
	crl   func(http.ResponseWriter)
	ocsp  func(*ocsp.Request) []byte
	asked int
}

func newSource(t testing.TB) *source {
	s := &source{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked++
		if r.Method == http.MethodGet {
			s.crl(w)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		q, err := ocsp.ParseRequest(body)
		if err != nil {
			t.Error(err)
		}
		w.Write(s.ocsp(q))
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *source) set(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
}

func (s *source) list(der []byte) {
	s.set(func() { s.crl = func(w http.ResponseWriter) { w.Write(der) } })
}

func (s *source) count() (n int) {
	s.set(func() { n = s.asked })
	return n
}

// pointsAt puts the source's addresses into a certificate.
func (s *source) pointsAt(c *x509.Certificate) {
	c.CRLDistributionPoints, c.OCSPServer = []string{s.URL + "/ca.crl"}, []string{s.URL + "/ocsp"}
}

func withSettings(pairs ...string) func(*world) {
	return func(w *world) {
		for i := 0; i < len(pairs); i += 2 {
			w.anchor.Tags = append(w.anchor.Tags, store.Tag{Key: pairs[i], Value: pairs[i+1]})
		}
	}
}

func fetchesLocally(c *server.Config) {
	c.RevocationFetchAllow, c.RevocationRefresh = []string{"127.0.0.1"}, time.Second
}

// startFor is a server that may ask the source.
func startFor(t testing.TB, s *source, change ...func(*server.Config)) *testserver.Server {
	return testserver.StartWith(t, func(c *server.Config) {
		fetchesLocally(c)
		c.RevocationFetchAllow = []string{strings.TrimPrefix(s.URL, "http://")}
		for _, f := range change {
			f(c)
		}
	})
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(30 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not so after 20s: %s", what)
}

// ended tells whether the API refuses the keys as those of a session that ended.
func ended(t testing.TB, srv *testserver.Server, k testserver.Keys) bool {
	t.Helper()
	who, resp := identity(t, srv, k)
	if who != "" {
		return false
	}
	if resp.Status != http.StatusForbidden || !strings.Contains(string(resp.Body), "<Code>ExpiredToken</Code>") ||
		!strings.Contains(string(resp.Body), "The security token included in the request is expired: ") {
		t.Fatalf("got %d %s", resp.Status, resp.Body)
	}
	return true
}

// A certificate is looked up in the list that it names, once for many requests; what the CA publishes later counts too,
// and ends the sessions, a chained one among them.
func TestFetchedCRL(t *testing.T) {
	src := newSource(t)
	srv := startFor(t, src)
	ca := newCA(t, "Root", nil, nil)
	src.list(ca.crl(t))
	w := newWorld(t, srv, ca, withSettings("rolecall:revocation-check", "crl", "rolecall:end-sessions", "true"))
	who := ca.issue(t, nil, src.pointsAt)
	s := granted(t, w.send(t, w.call(who)))
	asked := src.count()
	for range 5 {
		granted(t, w.send(t, w.call(who)))
	}
	if n := src.count(); n > asked+2 {
		t.Errorf("%d fetches for 5 more sessions", n-asked)
	}
	chained := assumeAgain(t, w, s.keys)
	if got, r := identity(t, srv, chained); got == "" {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	src.list(ca.crl(t, who.cert.SerialNumber))
	eventually(t, "the session has ended", func() bool { return ended(t, srv, s.keys) })
	if !ended(t, srv, chained) {
		t.Error("the chained session lives")
	}
	e := errorOf(t, w.send(t, w.call(who)))
	if e.status != http.StatusForbidden || !strings.HasPrefix(e.message, "Certificate revoked: the CRL at ") {
		t.Errorf("got %+v", e)
	}
	granted(t, w.send(t, w.call(ca.issue(t, nil, src.pointsAt)))) // another certificate of the CA
}

// assumeAgain lets the world's role be assumed by itself, with the keys.
func assumeAgain(t testing.TB, w *world, k testserver.Keys) testserver.Keys {
	t.Helper()
	next := w.role
	next.Name, next.ID = "Next-"+w.role.ID[4:10], "AROANEXT"+w.role.ID[8:]
	next.TrustPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + w.roleARN() + `"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}]}`
	w.update(t, func(tx *store.Tx) error { return tx.CreateRole(&next) })
	resp := w.srv.Query(t, k, "sts", "AssumeRole", "RoleArn", "arn:aws:iam::"+string(account)+":role/"+next.Name, "RoleSessionName", "chained")
	var out struct {
		ID     string `xml:"AssumeRoleResult>Credentials>AccessKeyId"`
		Secret string `xml:"AssumeRoleResult>Credentials>SecretAccessKey"`
		Token  string `xml:"AssumeRoleResult>Credentials>SessionToken"`
	}
	if err := xml.Unmarshal(resp.Body, &out); err != nil || out.ID == "" {
		t.Fatalf("%d %s", resp.Status, resp.Body)
	}
	return testserver.Keys{AccessKeyID: out.ID, SecretAccessKey: out.Secret, SessionToken: out.Token}
}

// Every fault of a source: refused where failures are hard, let through where they are soft.
func TestSourceFaults(t *testing.T) {
	src := newSource(t)
	srv := startFor(t, src)
	ca, stranger := newCA(t, "Root", nil, nil), newCA(t, "Root", nil, nil)
	answer := func(mod func(*ocsp.Response), signer *entity) func(*ocsp.Request) []byte {
		return func(q *ocsp.Request) []byte {
			r := ocsp.Response{Status: ocsp.Good, SerialNumber: q.SerialNumber, ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour)}
			mod(&r)
			if signer != ca && signer != stranger {
				r.Certificate = signer.cert
			}
			der, err := ocsp.CreateResponse(ca.cert, signer.cert, r, signer.key)
			if err != nil {
				t.Error(err)
			}
			return der
		}
	}
	keep := func(*ocsp.Response) {}
	delegate := func(by *entity, eku, nocheck bool) *entity {
		return by.issue(t, nil, func(c *x509.Certificate) {
			if eku {
				c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
			}
			if nocheck {
				c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: asn1.NullBytes}}
			}
		})
	}
	expired := func() []byte {
		der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-2 * time.Hour), NextUpdate: time.Now().Add(-time.Hour)}, ca.cert, ca.key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	crl := func(der []byte) func() { return func() { src.crl = func(w http.ResponseWriter) { w.Write(der) } } }
	response := func(fn func(*ocsp.Request) []byte) func() { return func() { src.ocsp = fn } }
	for name, c := range map[string]struct {
		check string
		set   func()
		want  string // "" for granted
	}{
		"CRL of a stranger": {"crl", crl(stranger.crl(t)), "its signature was not made"},
		"expired CRL":       {"crl", crl(expired()), "it is for the time from"},
		"no CRL":            {"crl", crl([]byte("<html>")), "it is no DER CertificateList"},
		"redirect": {"crl", func() {
			src.crl = func(w http.ResponseWriter) { w.Header().Set("Location", src.URL); w.WriteHeader(302) }
		}, "redirects are not followed"},
		"server error":             {"crl", func() { src.crl = func(w http.ResponseWriter) { w.WriteHeader(500) } }, "it answered with status 500"},
		"OCSP good":                {"ocsp", response(answer(keep, ca)), ""},
		"OCSP by delegate":         {"ocsp", response(answer(keep, delegate(ca, true, true))), ""},
		"delegate without EKU":     {"ocsp", response(answer(keep, delegate(ca, false, true))), "is not for OCSP signing"},
		"delegate without nocheck": {"ocsp", response(answer(keep, delegate(ca, true, false))), "lacks id-pkix-ocsp-nocheck"},
		"delegate of a stranger":   {"ocsp", response(answer(keep, delegate(stranger, true, true))), "was not issued by"},
		"OCSP by a stranger":       {"ocsp", response(answer(keep, stranger)), "is not signed by the issuer"},
		"OCSP unknown":             {"ocsp", response(answer(func(r *ocsp.Response) { r.Status = ocsp.Unknown }, ca)), "does not know the certificate"},
		"OCSP expired": {"ocsp", response(answer(func(r *ocsp.Response) {
			r.ThisUpdate, r.NextUpdate = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
		}, ca)), "is for the time from"},
		"OCSP of another serial": {"ocsp", response(answer(func(r *ocsp.Response) { r.SerialNumber = big.NewInt(7) }, ca)), "not usable"},
		"OCSP large":             {"ocsp", response(func(*ocsp.Request) []byte { return make([]byte, 1<<17) }), "is larger than"},
		"OCSP fails, CRL good":   {"ocsp crl", func() { src.ocsp = func(*ocsp.Request) []byte { return nil }; crl(ca.crl(t))() }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			src.set(c.set)
			for _, failure := range []string{"hard", "soft"} {
				// The list of the case before is remembered under its address: each has its own.
				own := func(x *x509.Certificate) {
					src.pointsAt(x)
					x.CRLDistributionPoints[0] += strings.ReplaceAll("?"+name+failure, " ", "_")
				}
				w := newWorld(t, srv, ca, withSettings("rolecall:revocation-check", c.check, "rolecall:revocation-failure", failure))
				resp := w.send(t, w.call(ca.issue(t, nil, own)))
				if c.want == "" || failure == "soft" {
					granted(t, resp)
					continue
				}
				if e := errorOf(t, resp); e.status != http.StatusForbidden || !strings.Contains(e.message, c.want) || !strings.HasPrefix(e.message, "Untrusted signing certificate: ") {
					t.Errorf("%s: got %+v", failure, e)
				}
			}
		})
	}
	src.set(response(answer(func(r *ocsp.Response) { r.Status, r.RevokedAt = ocsp.Revoked, time.Now() }, ca)))
	w := newWorld(t, srv, ca, withSettings("rolecall:revocation-check", "ocsp", "rolecall:revocation-failure", "soft"))
	if e := errorOf(t, w.send(t, w.call(ca.issue(t, nil, src.pointsAt)))); !strings.HasPrefix(e.message, "Certificate revoked: the OCSP responder") {
		t.Errorf("got %+v", e)
	}
}

// Nobody unknown makes the server fetch, and by default it fetches from no private address.
func TestSourceIsNotAsked(t *testing.T) {
	src := newSource(t)
	ca, stranger := newCA(t, "Root", nil, nil), newCA(t, "Other", nil, nil)
	src.list(ca.crl(t))
	srv := startFor(t, src)
	w := newWorld(t, srv, ca, withSettings("rolecall:revocation-check", "crl"))
	errorOf(t, w.send(t, w.call(stranger.issue(t, nil, src.pointsAt))))
	forged := &entity{ca.issue(t, nil, src.pointsAt).cert, ecKey(t, elliptic.P256())} // someone else's certificate
	errorOf(t, w.send(t, w.call(forged)))
	if n := src.count(); n != 0 {
		t.Errorf("%d requests for strangers", n)
	}
	plain := testserver.Start(t)
	w = newWorld(t, plain, ca, withSettings("rolecall:revocation-check", "crl"))
	e := errorOf(t, w.send(t, w.call(ca.issue(t, nil, src.pointsAt))))
	if !strings.Contains(e.message, "are not allowed (--revocation-fetch-allow)") || src.count() != 0 {
		t.Errorf("got %+v after %d requests", e, src.count())
	}
}

// What ends sessions of an anchor that asks for it, and none of one that does not.
func TestSessionsEnd(t *testing.T) {
	srv := testserver.Start(t)
	ca := newCA(t, "Root", nil, nil)
	for name, end := range map[string]func(*world, *entity){
		"imported list": func(w *world, who *entity) { w.crl(t, ca.crl(t, who.cert.SerialNumber)) },
		"disabled": func(w *world, _ *entity) {
			w.anchor.Enabled = false
			w.update(t, func(tx *store.Tx) error { return tx.PutTrustAnchor(&w.anchor) })
		},
		"deleted": func(w *world, _ *entity) {
			w.update(t, func(tx *store.Tx) error { return tx.DeleteTrustAnchor(account, testserver.Region, w.anchor.ID) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, off := newWorld(t, srv, ca, withSettings("rolecall:end-sessions", "true")), newWorld(t, srv, ca)
			who, other := ca.issue(t, nil), ca.issue(t, nil)
			s, kept := granted(t, w.send(t, w.call(who))), granted(t, off.send(t, off.call(who)))
			unconcerned := granted(t, w.send(t, w.call(other)))
			chained := assumeAgain(t, w, s.keys)
			for _, k := range []testserver.Keys{s.keys, chained, kept.keys} {
				if ended(t, srv, k) {
					t.Fatal("over before its end")
				}
			}
			end(w, who)
			end(off, who)
			if !ended(t, srv, s.keys) || !ended(t, srv, chained) {
				t.Error("the session lives")
			}
			if got := ended(t, srv, unconcerned.keys); got != (name != "imported list") {
				t.Errorf("the other certificate's session: ended %t", got)
			}
			if ended(t, srv, kept.keys) {
				t.Error("ended without the option")
			}
		})
	}
}

// Switched on later, the option ends what it cannot check.
func TestEndSessionsSwitchedOn(t *testing.T) {
	srv := testserver.Start(t)
	ca := newCA(t, "Root", nil, nil)
	w := newWorld(t, srv, ca)
	s := granted(t, w.send(t, w.call(ca.issue(t, nil))))
	withSettings("rolecall:end-sessions", "true")(w)
	w.update(t, func(tx *store.Tx) error { return tx.PutTrustAnchor(&w.anchor) })
	if !ended(t, srv, s.keys) {
		t.Error("a session that cannot be checked lives")
	}
	granted(t, w.send(t, w.call(ca.issue(t, nil))))
}

// Settings are tags: validated where tags are set.
func TestSettingsAreChecked(t *testing.T) {
	srv := testserver.Start(t)
	w := newWorld(t, srv, newCA(t, "Root", nil, nil))
	for key, c := range map[string]struct{ value, want string }{
		"rolecall:revocation-check":   {"crls", "is not known: use crl, ocsp"},
		"rolecall:revocation-failure": {"maybe", "use hard or soft"},
		"rolecall:end-sessions":       {"yes", "use true or false"},
		"rolecall:end-session":        {"true", "is reserved"},
	} {
		in := map[string]any{"resourceArn": w.anchorARN(), "tags": []any{map[string]string{"key": key, "value": c.value}}}
		e := errorOf(t, srv.REST(t, srv.Root, "rolesanywhere", "POST", "/TagResource", in))
		if e.status != http.StatusBadRequest || !strings.Contains(e.message, c.want) {
			t.Errorf("%s: got %+v", key, e)
		}
	}
	in := map[string]any{"resourceArn": w.anchorARN(), "tags": []any{map[string]string{"key": "rolecall:revocation-check", "value": "ocsp crl"}}}
	if r := srv.REST(t, srv.Root, "rolesanywhere", "POST", "/TagResource", in); r.Status != http.StatusCreated {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}
