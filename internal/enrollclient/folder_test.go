package enrollclient

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/keysource/file"
)

// certified makes a pair: a CA and a certificate of a new key.
func certified(t testing.TB, kind string, notAfter time.Time) *Pair {
	t.Helper()
	caKey, err := newKey("P-256")
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	key, err := newKey(kind)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "host1.example.com"}, DNSNames: []string{"host1.example.com"},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: notAfter}
	issue := func(template *x509.Certificate, public crypto.PublicKey) *x509.Certificate {
		der, err := x509.CreateCertificate(rand.Reader, template, ca, public, caKey)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	return &Pair{Key: key, Leaf: issue(leaf, key.Public()), Above: []*x509.Certificate{issue(ca, caKey.Public())}}
}

// TestFolder: what is stored is what is read, in modes that keep the key, and what is wrong is said.
func TestFolder(t *testing.T) {
	f := Folder{Path: t.TempDir()}
	if _, err := f.Load(); !errors.Is(err, ErrNone) {
		t.Errorf("an empty folder: %v", err)
	}
	for i, kind := range KeyTypes()[:4] {
		p := certified(t, kind, time.Now().Add(time.Hour))
		if err := f.store(p); err != nil {
			t.Fatal(err)
		}
		got, err := f.Load()
		if err != nil || !got.Leaf.Equal(p.Leaf) || len(got.Above) != 1 || !got.matches() {
			t.Fatalf("%s: %v", kind, err)
		}
		if pairs, _ := filepath.Glob(filepath.Join(f.Path, pairPrefix+"*")); len(pairs) != min(i+1, 2) {
			t.Errorf("after %d renewals there are %v", i, pairs)
		}
	}
	for name, want := range map[string]os.FileMode{KeyFile: 0o600, current: 0o700} {
		if info, err := os.Stat(filepath.Join(f.Path, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	// A crash leaves a pair that nothing leads to: it is not used, and goes with a later renewal.
	if err := os.Mkdir(filepath.Join(f.Path, pairPrefix+"9999999999999999998"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Load(); err != nil || !got.matches() {
		t.Errorf("beside the remains of a crash: %v", err)
	}
	other := certified(t, "P-256", time.Now().Add(time.Hour))
	der, err := x509.MarshalPKCS8PrivateKey(other.Key)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		name string
		text []byte
		want string
	}{
		"another key": {KeyFile, pemOf("PRIVATE KEY", der), "do not belong together"}, "no key": {KeyFile, []byte("x"), "holds no key"},
		"a key that is none": {KeyFile, pemOf("PRIVATE KEY", []byte{1}), "holds no key"},
		"no certificate":     {CertificateFile, nil, "holds no certificate"}, "huge": {CertificateFile, make([]byte, maxFile+1), "too large"},
	} {
		path, _ := filepath.EvalSymlinks(filepath.Join(f.Path, c.name))
		was, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, c.text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Load(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
		if err := os.WriteFile(path, was, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	foreign := Folder{Path: t.TempDir()}
	if err := os.WriteFile(filepath.Join(foreign.Path, KeyFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := foreign.Load(); err == nil || !strings.Contains(err.Error(), "was not made by enroll") {
		t.Errorf("somebody else's key: %v", err)
	}
}

// TestReadersDuringRenewals: whoever reads the two files while they change, as the client does, has a pair that belongs together.
func TestReadersDuringRenewals(t *testing.T) {
	f := Folder{Path: t.TempDir()}
	pairs := []*Pair{certified(t, "P-256", time.Now().Add(time.Hour)), certified(t, "P-384", time.Now().Add(time.Hour))}
	if err := f.store(pairs[0]); err != nil {
		t.Fatal(err)
	}
	source := &file.Source{Certificate: filepath.Join(f.Path, CertificateFile), PrivateKey: filepath.Join(f.Path, KeyFile)}
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, err := source.Load(t.Context()); err != nil {
					t.Error(err)
					return
				}
				if p, err := f.Load(); err != nil || !p.matches() {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 30 {
		if err := f.store(pairs[i%2]); err != nil {
			t.Error(err)
		}
	}
	close(done)
	readers.Wait()
}

// TestNewPair: a certificate that would not work is not put in place.
func TestNewPair(t *testing.T) {
	good, other := certified(t, "P-256", time.Now().Add(time.Hour)), certified(t, "P-256", time.Now().Add(time.Hour))
	if p, err := newPair(good.Key, good.Leaf, append(other.Above, good.Above...), time.Now()); err != nil || len(p.Above) != 1 || !p.Above[0].Equal(good.Above[0]) {
		t.Errorf("a good one: %v", err)
	}
	past := certified(t, "P-256", time.Now().Add(-time.Hour))
	for what, c := range map[string]struct {
		key   crypto.Signer
		leaf  *x509.Certificate
		above []*x509.Certificate
		want  string
	}{
		"another key": {other.Key, good.Leaf, good.Above, "not of the key"}, "another CA": {good.Key, good.Leaf, other.Above, "does not verify"},
		"no CA": {good.Key, good.Leaf, nil, "are not known"}, "expired": {past.Key, past.Leaf, past.Above, "does not verify"},
	} {
		if _, err := newPair(c.key, c.leaf, c.above, time.Now()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
}

func FuzzParseNames(f *testing.F) {
	f.Add("CN=host1.example.com,O=Example\\, Ltd", "DNS:host1.example.com")
	f.Add("C=DE,ST=,=", "IP:10.0.0.1")
	f.Add("", "URI:spiffe://x/y")
	f.Fuzz(func(t *testing.T, subject, alternative string) {
		n, err := ParseNames(subject, []string{alternative})
		if err != nil {
			return
		}
		key, err := newKey("P-256")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{RawSubject: n.Subject, ExtraExtensions: n.Alternatives}, key); err != nil {
			t.Errorf("%q %q: %v", subject, alternative, err)
		}
	})
}
