//go:build cgo

package token

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/pkcs11"

	"github.com/rolecall/rolecall/internal/keysource/pkcs11/softhsm"
	"github.com/rolecall/rolecall/internal/keysource/pkcs11/wire"
)

// counter counts the calls that a token's owner notices.
type counter struct {
	api
	logins, contextLogins, signatures int
}

func (c *counter) Login(s pkcs11.SessionHandle, user uint, pin string) error {
	if user == pkcs11.CKU_CONTEXT_SPECIFIC {
		c.contextLogins++
	} else {
		c.logins++
	}
	return c.api.Login(s, user, pin)
}

func (c *counter) Sign(s pkcs11.SessionHandle, b []byte) ([]byte, error) {
	c.signatures++
	return c.api.Sign(s, b)
}

type fixture struct {
	*softhsm.Token
	t       *testing.T
	server  *Server
	counter *counter
}

func setUp(t *testing.T) *fixture {
	f := &fixture{Token: softhsm.New(t), t: t, counter: &counter{}}
	f.server = &Server{wrap: func(a api) api { f.counter.api = a; return f.counter }}
	t.Cleanup(f.server.Close)
	return f
}

func pin(s string) *string { return &s }

func (f *fixture) open(o wire.Open) *wire.Response {
	if o.Module == "" {
		o.Module = f.Module
	}
	return f.server.Answer(&wire.Request{Version: wire.Version, Open: &o})
}

func (f *fixture) sign(s wire.Sign) *wire.Response {
	return f.server.Answer(&wire.Request{Version: wire.Version, Sign: &s})
}

func names(t *testing.T, r *wire.Response) string {
	t.Helper()
	if r.Error != nil || r.Need != "" {
		t.Errorf("got %+v, need %q", r.Error, r.Need)
	}
	var out []string
	for _, der := range r.Certificates {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c.Subject.CommonName)
	}
	return strings.Join(out, ",")
}

func TestSignatures(t *testing.T) {
	f := setUp(t)
	for i, kind := range []string{"ec", "ec384", "ec521", "rsa"} {
		p := softhsm.Issue(t, kind, kind, nil)
		id := []string{"01", "02", "03", "04"}[i]
		f.Put(kind, id, p.Key, p.Cert)
		r := f.open(wire.Open{Certificate: "pkcs11:token=test;object=" + kind, PIN: pin(softhsm.PIN)})
		if got := names(t, r); got != kind {
			t.Fatalf("got %s, want %s", got, kind)
		}
		if want, _ := x509.MarshalPKIXPublicKey(p.Key.Public()); !bytes.Equal(r.PublicKey, want) {
			t.Errorf("%s: another public key", kind)
		}
		algorithms := map[crypto.Hash]x509.SignatureAlgorithm{crypto.SHA256: x509.ECDSAWithSHA256, crypto.SHA384: x509.ECDSAWithSHA384, crypto.SHA512: x509.ECDSAWithSHA512}
		if kind == "rsa" {
			algorithms = map[crypto.Hash]x509.SignatureAlgorithm{crypto.SHA256: x509.SHA256WithRSA, crypto.SHA384: x509.SHA384WithRSA, crypto.SHA512: x509.SHA512WithRSA}
		}
		for hash, algorithm := range algorithms {
			h := hash.New()
			h.Write([]byte("text"))
			s := f.sign(wire.Sign{Handle: r.Handle, Hash: hash.String(), Digest: h.Sum(nil)})
			if s.Error != nil {
				t.Errorf("%s %s: %+v", kind, hash, s.Error)
			} else if err := p.Cert.CheckSignature(algorithm, []byte("text"), s.Signature); err != nil {
				t.Errorf("%s %s: %v", kind, hash, err)
			}
		}
	}
	if f.counter.logins != 4 || f.counter.signatures != 12 || f.counter.contextLogins != 0 {
		t.Errorf("%d logins and %d signatures; nothing is to be signed but what was asked for", f.counter.logins, f.counter.signatures)
	}
}

// The official helper sends every certificate on the token that does NOT issue the leaf.
func TestChain(t *testing.T) {
	f := setUp(t)
	root := softhsm.Issue(t, "ec", "CA root", nil)
	middle := softhsm.Issue(t, "ec", "CA middle", root)
	lower := softhsm.Issue(t, "ec", "CA lower", middle)
	namesake := softhsm.Issue(t, "ec", "CA lower", root) // the same name, another key
	leaf := softhsm.Issue(t, "ec", "leaf", lower)
	other := softhsm.Issue(t, "ec", "other", root)
	f.Put("other", "20", other.Key, other.Cert)
	for i, c := range []*softhsm.Pair{root, namesake, middle, lower} {
		f.Put("ca", []string{"30", "31", "32", "33"}[i], nil, c.Cert)
	}
	f.Put("leaf", "10", leaf.Key, leaf.Cert)
	if got := names(t, f.open(wire.Open{Certificate: "pkcs11:object=leaf", PIN: pin(softhsm.PIN)})); got != "leaf,CA lower,CA middle" {
		t.Errorf("got %s", got)
	}
	// The certificate alone, though there are others: a key belongs to only one of each.
	r := f.open(wire.Open{Certificate: "pkcs11:token=test", PIN: pin(softhsm.PIN)})
	if r.Error == nil || !strings.HasPrefix(r.Error.Problem, "multiple matching identities: 2 of 2") || len(r.Error.Details) != 2 {
		t.Errorf("two identities: %+v", r.Error)
	}
	if got := names(t, f.open(wire.Open{Certificate: "pkcs11:token=test", PrivateKey: "pkcs11:object=other", PIN: pin(softhsm.PIN)})); got != "other" {
		t.Errorf("got %s", got)
	}
	if got := names(t, f.open(wire.Open{Certificate: "pkcs11:token=test", PIN: pin(softhsm.PIN), Latest: true})); got == "" {
		t.Error("no certificate is the latest")
	}
	// A certificate from elsewhere chooses the key.
	r = f.open(wire.Open{PrivateKey: "pkcs11:token=test", Leaf: leaf.Cert.Raw, PIN: pin(softhsm.PIN)})
	if names(t, r) != "" || r.Handle == 0 {
		t.Errorf("got %+v", r)
	}
	r = f.open(wire.Open{PrivateKey: "pkcs11:object=other", Leaf: leaf.Cert.Raw, PIN: pin(softhsm.PIN)})
	if r.Error == nil || !strings.Contains(r.Error.Problem, "belongs to one of the 1 private keys") {
		t.Errorf("another key: %+v", r.Error)
	}
}

func TestAlwaysAuthenticate(t *testing.T) {
	f := setUp(t)
	p := softhsm.Issue(t, "ec", "careful", nil)
	f.Put("careful", "01", p.Key, p.Cert, "--always-auth")
	digest := bytes.Repeat([]byte{1}, 32)
	o := wire.Open{Certificate: "pkcs11:object=careful", PIN: pin(softhsm.PIN)}
	r := f.open(o)
	names(t, r)
	s := wire.Sign{Handle: r.Handle, Hash: "SHA-256", Digest: digest}
	if got := f.sign(s); got.Need != wire.NeedKeyPIN || got.Token != "test" || f.counter.signatures != 0 {
		t.Fatalf("got %+v", got)
	}
	s.PIN = pin("00000")
	if got := f.sign(s); got.Error == nil || !got.Error.Final || !strings.Contains(got.Error.Problem, "PIN of the token \"test\" is wrong") || f.counter.contextLogins != 1 {
		t.Errorf("wrong PIN: %+v after %d tries", got.Error, f.counter.contextLogins)
	}
	o.ReusePIN = true
	r = f.open(o)
	for range 2 {
		got := f.sign(wire.Sign{Handle: r.Handle, Hash: "SHA-256", Digest: digest})
		if got.Error != nil || len(got.Signature) == 0 {
			t.Fatalf("with the user PIN: %+v", got.Error)
		}
	}
	if f.counter.contextLogins != 3 || f.counter.signatures != 2 {
		t.Errorf("%d logins for %d signatures", f.counter.contextLogins, f.counter.signatures)
	}
}

func TestPINs(t *testing.T) {
	f := setUp(t)
	p := softhsm.Issue(t, "ec", "a", nil)
	f.Put("a", "01", p.Key, p.Cert)
	file := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(file, []byte(softhsm.PIN+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := f.open(wire.Open{Certificate: "pkcs11:object=a"}); r.Need != wire.NeedUserPIN || r.Token != "test" {
		t.Errorf("without a PIN: %+v", r)
	}
	r := f.open(wire.Open{Certificate: "pkcs11:object=a", PIN: pin("5ecret")})
	if r.Error == nil || !r.Error.Final || r.Error.Hint == "" || strings.Contains(r.Error.Problem, "5ecret") || f.counter.logins != 1 {
		t.Errorf("a wrong PIN: %+v after %d logins", r.Error, f.counter.logins)
	}
	for _, uri := range []string{
		"pkcs11:object=a?pin-value=" + softhsm.PIN,
		"pkcs11:object=a?pin-source=" + file,
		"pkcs11:object=a?pin-source=file://" + file + "&module-path=" + f.Module,
	} {
		f.server.Close() // logs out
		if got := names(t, f.open(wire.Open{Certificate: uri})); got != "a" {
			t.Errorf("%s: got %s", uri, got)
		}
	}
	if r := f.open(wire.Open{Certificate: "pkcs11:object=a?pin-source=/nonexistent"}); r.Error == nil || r.Error.Problem != "cannot read the PIN file: open /nonexistent: no such file or directory" {
		t.Errorf("missing PIN file: %+v", r.Error)
	}
}

func TestURIAttributes(t *testing.T) {
	f := setUp(t)
	f.AddToken("second")
	a, b := softhsm.Issue(t, "ec", "a", nil), softhsm.Issue(t, "ec", "b", nil)
	f.Put("obj", "01", a.Key, a.Cert)
	f.PutOn("second", "obj", "02", b.Key, b.Cert)
	list := f.server.Answer(&wire.Request{Version: wire.Version, List: &wire.Open{Module: f.Module, Certificate: "pkcs11:object=obj"}})
	if len(list.URIs) != 2 {
		t.Fatalf("%+v", list)
	}
	for i, uri := range list.URIs { // the URIs that are listed name exactly their certificate
		r := f.open(wire.Open{Certificate: uri, PIN: pin(softhsm.PIN)})
		if names(t, r); len(r.Certificates) == 0 || !bytes.Equal(r.Certificates[0], list.Certificates[i]) {
			t.Errorf("%s names another certificate", uri)
		}
	}
	for uri, want := range map[string]string{
		"pkcs11:token=test;object=obj":                          "a",
		"pkcs11:token=second":                                   "b",
		"pkcs11:token=second;type=private":                      "b",
		"pkcs11:token=test;id=%01":                              "a",
		"pkcs11:token=test;manufacturer=SoftHSM%20project":      "a",
		"pkcs11:token=test;model=SoftHSM%20v2":                  "a",
		"pkcs11:token=test;library-manufacturer=SoftHSM":        "a",
		"pkcs11:token=test;slot-manufacturer=SoftHSM%20project": "a",
		"pkcs11:object=obj":                                     "!fits 2 tokens",
		"pkcs11:token=third":                                    "!no token fits the PKCS#11 URI; there are 2",
		"pkcs11:token=test;slot-id=7":                           "!no token fits",
		"pkcs11:token=test;model=x":                             "!no token fits",
		"pkcs11:token=test;serial=x":                            "!no token fits",
		"pkcs11:token=test;slot-description=x":                  "!no token fits",
		"pkcs11:token=test;library-description=x":               "!is not the one that the URI describes",
		"pkcs11:token=test;library-version=9.9":                 "!is not the one that the URI describes",
		"pkcs11:token=test;object=x":                            "!no certificate on the token",
		"pkcs11:token=test;id=%02":                              "!no certificate on the token",
		"pkcs11:token=test;foo=1":                               "!unknown attribute",
		"pkcs11:token=test?module-path=/nonexistent.so":         "!cannot load the PKCS#11 module /nonexistent.so: no such file",
		"pkcs11:token=test?module-path=" + f.Config:             "!cannot load the PKCS#11 module",
	} {
		r := f.open(wire.Open{Certificate: uri, PIN: pin(softhsm.PIN)})
		if problem, ok := strings.CutPrefix(want, "!"); ok {
			if r.Error == nil || !strings.Contains(r.Error.Problem, problem) || r.Error.Hint == "" {
				t.Errorf("%s: got %+v, want %q and a hint", uri, r.Error, problem)
			}
		} else if got := names(t, r); got != want {
			t.Errorf("%s: got %s, want %s", uri, got, want)
		}
	}
	r := f.open(wire.Open{Certificate: "pkcs11:token=test", PrivateKey: "pkcs11:token=test;object=x", PIN: pin(softhsm.PIN)})
	if r.Error == nil || !strings.Contains(r.Error.Problem, "no private key on the token") {
		t.Errorf("no key: %+v", r.Error)
	}
}

func TestRequests(t *testing.T) {
	f := setUp(t)
	p := softhsm.Issue(t, "ec", "a", nil)
	f.Put("a", "01", p.Key, p.Cert)
	first := f.open(wire.Open{Certificate: "pkcs11:object=a", PIN: pin(softhsm.PIN)})
	for range maxHandles {
		names(t, f.open(wire.Open{Certificate: "pkcs11:object=a", PIN: pin(softhsm.PIN)}))
	}
	digest := make([]byte, 32)
	for name, req := range map[string]*wire.Request{
		"speaks version":           {Version: 99, Sign: &wire.Sign{}},
		"none or several things":   {Version: wire.Version},
		"several things":           {Version: wire.Version, Sign: &wire.Sign{}, Open: &wire.Open{}},
		"no longer open":           {Version: wire.Version, Sign: &wire.Sign{Handle: first.Handle, Hash: "SHA-256", Digest: digest}},
		"not one of SHA-256":       {Version: wire.Version, Sign: &wire.Sign{Handle: first.Handle + 1, Hash: "SHA-1", Digest: digest[:20]}},
		"is not one of":            {Version: wire.Version, Sign: &wire.Sign{Handle: first.Handle + 1, Hash: "SHA-256", Digest: digest[:31]}},
		"without a URI":            {Version: wire.Version, Open: &wire.Open{Module: f.Module}},
		"certificates without a U": {Version: wire.Version, List: &wire.Open{Module: f.Module}},
		"name different modules":   {Version: wire.Version, Open: &wire.Open{Certificate: "pkcs11:?module-path=/a", PrivateKey: "pkcs11:?module-path=/b"}},
		"of the request cannot":    {Version: wire.Version, Open: &wire.Open{Module: f.Module, PrivateKey: "pkcs11:token=test"}},
	} {
		r := f.server.Answer(req)
		if r.Error == nil || !strings.Contains(r.Error.Problem, name) || r.Version != wire.Version {
			t.Errorf("got %+v, want %q", r.Error, name)
		}
	}
	var in, out bytes.Buffer
	if err := wire.Write(&in, &wire.Request{Version: wire.Version}); err != nil {
		t.Fatal(err)
	}
	if err := (&Server{}).Serve(&in, &out); err != nil {
		t.Error(err)
	}
	if err := wire.Read(&out, &wire.Response{}); err != nil {
		t.Error(err)
	}
	if err := (&Server{}).Serve(strings.NewReader("\xff\xff\xff\xff"), &out); err == nil {
		t.Error("a malformed request passes")
	}
}
