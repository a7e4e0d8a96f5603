package certstore

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/keysource"
	"github.com/rolecall/rolecall/internal/keysource/selector"
)

// fake is a system with one store, whose keys are here.
type fake struct {
	asked  place
	list   []entry
	keys   []crypto.Signer
	pool   [][]byte
	opened int // keys
	closed int // stores and keys
	broken error
}

func (f *fake) open(p place) (store, error)  { f.asked = p; return f, f.broken }
func (f *fake) entries() ([]entry, error)    { return f.list, nil }
func (f *fake) issuers() ([][]byte, error)   { return f.pool, nil }
func (f *fake) close()                       { f.closed++ }
func (f *fake) key(i int) (nativeKey, error) { f.opened++; return &fakeKey{f, f.keys[i]}, nil }

type fakeKey struct {
	f   *fake
	key crypto.Signer
}

func (k *fakeKey) close() { k.f.closed++ }

// sign gives elliptic curve signatures as CNG does, and turns them into ASN.1.
func (k *fakeKey) sign(digest []byte, hash crypto.Hash) ([]byte, error) {
	ec, ok := k.key.(*ecdsa.PrivateKey)
	if !ok {
		return k.key.Sign(rand.Reader, digest, hash)
	}
	r, s, err := ecdsa.Sign(rand.Reader, ec, digest)
	if err != nil {
		return nil, err
	}
	size := (ec.Curve.Params().BitSize + 7) / 8
	raw := make([]byte, 2*size)
	r.FillBytes(raw[:size])
	s.FillBytes(raw[size:])
	return encodeECDSA(raw)
}

type issued struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func issue(t *testing.T, name string, serial int64, key crypto.Signer, ca bool, by *issued) *issued {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now(),
		NotAfter: time.Now().Add(time.Duration(serial) * time.Hour), IsCA: ca, BasicConstraintsValid: ca, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if ca {
		template.KeyUsage = x509.KeyUsageCertSign
	}
	self := &issued{template, key}
	if by == nil {
		by = self
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	if self.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return self
}

func elliptic256(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// world is a store with three certificates that have keys, one that has none, and one that Go cannot parse.
func world(t *testing.T) *fake {
	t.Helper()
	root := issue(t, "root", 900, elliptic256(t), true, nil)
	middle := issue(t, "middle", 800, elliptic256(t), true, root)
	big, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{pool: [][]byte{root.cert.Raw, {1, 2}, middle.cert.Raw}}
	for _, c := range []*issued{
		issue(t, "host", 10, elliptic256(t), false, middle), issue(t, "host", 20, big, false, middle), issue(t, "edwards", 30, edwards, false, middle),
	} {
		f.list, f.keys = append(f.list, entry{c.cert.Raw, true}), append(f.keys, c.key)
	}
	keyless := issue(t, "host", 40, elliptic256(t), false, middle)
	f.list = append([]entry{{[]byte("junk"), true}, {keyless.cert.Raw, false}}, f.list...)
	f.keys = append([]crypto.Signer{nil, nil}, f.keys...)
	return f
}

func choose(t *testing.T, text string) *selector.Selector {
	t.Helper()
	s, err := selector.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The official semantics: one match, or the one that expires last if that is asked for, or an error that lists them.
func TestChoice(t *testing.T) {
	for _, tt := range []struct {
		name, selector string
		latest         bool
		want           string // serial, or a part of the error
	}{
		{"by serial", "Key=x509Serial,Value=0A", false, "10"},
		{"RSA", "Key=x509Serial,Value=14", false, "20"},
		{"latest of two", "Key=x509Subject,Value=CN=host", true, "20"},
		{"two", "Key=x509Subject,Value=CN=host", false, "multiple matching identities: 2 of 3"},
		{"without a key", "Key=x509Serial,Value=28", false, "no matching identities: none of 3"},
		{"Ed25519", "Key=x509Subject,Value=CN=edwards", false, "Ed25519"},
	} {
		f := world(t)
		id, err := (&Source{Selector: choose(t, tt.selector), Latest: tt.latest, system: f}).Load(t.Context())
		if err != nil {
			if !strings.Contains(err.Error(), tt.want) || f.opened != 0 {
				t.Errorf("%s: %v with %d keys opened, want %q and none", tt.name, err, f.opened, tt.want)
			}
			continue
		}
		if id.Leaf().SerialNumber.String() != tt.want || len(id.Chain()) != 1 || id.Chain()[0].Subject.CommonName != "middle" {
			t.Errorf("%s: serial %s, chain %v", tt.name, id.Leaf().SerialNumber, id.Chain())
		}
		digest := sha256.Sum256([]byte("x"))
		sig, err := id.Signer().Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil || !verify(id.Leaf().PublicKey, digest[:], crypto.SHA256, sig) {
			t.Errorf("%s: signature %x, %v", tt.name, sig, err)
		}
		if f.asked != (place{name: "MY"}) || f.closed != 1 {
			t.Errorf("%s: asked %v, closed %d times", tt.name, f.asked, f.closed)
		}
	}
}

func TestListAndErrors(t *testing.T) {
	f := world(t)
	list, err := (&Source{Name: `localmachine\my`, Selector: choose(t, "Key=x509SubjectHas,Value=CN=h*"), system: f}).List(t.Context())
	if err != nil || len(list) != 2 || list[0].Where != `LocalMachine\MY` || f.opened != 0 {
		t.Errorf("list %v, %v", list, err)
	}
	f.broken = errors.New("locked")
	if _, err := (&Source{system: f}).Load(t.Context()); !errors.Is(err, f.broken) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (&Source{system: world(t)}).Load(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if runtime.GOOS == "linux" {
		var e *keysource.Error
		if _, err := (&Source{}).Load(t.Context()); !errors.As(err, &e) || !strings.HasPrefix(e.Error(), "unable to use cert store signer on linux") || e.Hint() == "" {
			t.Errorf("got %v", err)
		}
	}
}

// A key that is not the certificate's is found out before anything is sent.
func TestWrongKey(t *testing.T) {
	f := world(t)
	f.keys[2] = elliptic256(t)
	id, err := (&Source{Selector: choose(t, "Key=x509Serial,Value=0A"), system: f}).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("x"))
	if _, err := id.Signer().Sign(rand.Reader, digest[:], crypto.SHA256); err == nil || !strings.Contains(err.Error(), "not the one it was issued for") {
		t.Errorf("got %v", err)
	}
	for _, opts := range []crypto.SignerOpts{crypto.SHA1, crypto.SHA512, &rsa.PSSOptions{Hash: crypto.SHA256}} {
		if _, err := id.Signer().Sign(rand.Reader, digest[:], opts); err == nil {
			t.Errorf("signed with %v", opts)
		}
	}
}

func TestPlace(t *testing.T) {
	for text, want := range map[string]string{
		"": `CurrentUser\MY`, "my": `CurrentUser\MY`, "MY": `CurrentUser\MY`, "root": `CurrentUser\Root`, "WebHosting": `CurrentUser\WebHosting`,
		`CurrentUser\My`: `CurrentUser\MY`, `LOCALMACHINE\ca`: `LocalMachine\CA`, `Cert:\LocalMachine\My`: `LocalMachine\MY`,
		`LocalMachine\`: "", `a\b`: "", `Cert:\`: "", "a\x00b": "", strings.Repeat("a", 257): "",
	} {
		p, err := parsePlace(text)
		if err != nil && want == "" {
			continue
		}
		if err != nil || p.String() != want {
			t.Errorf("%q: %v, %v; want %s", text, p, err, want)
		}
	}
}

func TestEncodeECDSA(t *testing.T) {
	for _, raw := range [][]byte{nil, make([]byte, 63), make([]byte, 134)} {
		if _, err := encodeECDSA(raw); err == nil {
			t.Errorf("%d bytes pass", len(raw))
		}
	}
	got, err := encodeECDSA([]byte{0x80, 0x01, 0x00, 0x02}) // a leading one needs a zero byte, a leading zero goes
	if err != nil || string(got) != "\x30\x08\x02\x03\x00\x80\x01\x02\x01\x02" {
		t.Errorf("got %x, %v", got, err)
	}
}

// FuzzPlace: a name that passes names one store, and its text says the same again.
func FuzzPlace(f *testing.F) {
	for _, text := range []string{"MY", `Cert:\LocalMachine\My`, `CurrentUser\x`, `\\`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePlace(text)
		if err != nil {
			return
		}
		if again, err := parsePlace(p.String()); err != nil || again != p {
			t.Errorf("%q: %v, then %v, %v", text, p, again, err)
		}
	})
}
