package pkcs12

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gopkcs12 "software.sslmate.com/src/go-pkcs12"

	"github.com/rolecall/rolecall/internal/keysource"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func names(c *Contents) string {
	out := []string{c.Leaf.Subject.CommonName}
	for _, x := range c.Chain {
		out = append(out, x.Subject.CommonName)
	}
	return strings.Join(out, ",")
}

func TestDecode(t *testing.T) {
	for _, tt := range []struct{ file, password, want string }{
		{"modern.p12", "sesame", "ec,Test CA"},
		{"legacy.p12", "sesame", "rsa,Test CA"},
		{"3des.p12", "sesame", "ec"},
		{"empty.p12", "", "ec,Test CA"},
		{"plain.p12", "", "ec"},
		{"unicode.p12", "sésame€", "ec"},
		{"rounds.p12", "sesame", "ec"},
	} {
		c, err := Decode(context.Background(), read(t, tt.file), []byte(tt.password))
		if err != nil {
			t.Errorf("%s: %v", tt.file, err)
			continue
		}
		if got := names(c); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.file, got, tt.want)
		}
		digest := sha256.Sum256([]byte("text"))
		sig, err := c.Key.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		alg := x509.ECDSAWithSHA256
		if c.Leaf.PublicKeyAlgorithm == x509.RSA {
			alg = x509.SHA256WithRSA
		}
		if err := c.Leaf.CheckSignature(alg, []byte("text"), sig); err != nil {
			t.Errorf("%s: %v", tt.file, err)
		}
	}
}

// The leaf is found by the key, wherever it stands, and is not part of the chain.
func TestLeafByKey(t *testing.T) {
	key, leaf := pair(t, "leaf")
	other, ca := pair(t, "ca")
	data, err := gopkcs12.Modern2026.Encode(key, ca, []*x509.Certificate{leaf, ca}, "p") // PBMAC1
	if err != nil {
		t.Fatal(err)
	}
	c, err := Decode(context.Background(), data, []byte("p"))
	if err != nil || names(c) != "leaf,ca,ca" {
		t.Fatalf("%v, %v", c, err)
	}
	if data, err = gopkcs12.Modern2023.Encode(other, leaf, nil, "p"); err != nil {
		t.Fatal(err)
	}
	_, err = Decode(context.Background(), data, []byte("p"))
	if err == nil || !strings.Contains(err.Error(), "none of the 1 certificates") {
		t.Errorf("another key: %v", err)
	}
}

func pair(t *testing.T, name string) (*ecdsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now()}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return key, cert
}

func TestRefusals(t *testing.T) {
	modern := read(t, "modern.p12")
	flipped := bytes.Clone(modern)
	flipped[len(flipped)/2] ^= 1
	for _, tt := range []struct {
		name     string
		data     []byte
		password string
		want     string
	}{
		{"wrong password", modern, "wrong-secret", "cannot be decrypted with this password"},
		{"no password", modern, "", "cannot be decrypted with this password"},
		{"changed", flipped, "sesame", "cannot be decrypted with this password"}, // the MAC cannot tell the two apart
		{"truncated", modern[:len(modern)-1], "sesame", "malformed or not DER"},
		{"nothing", nil, "", "malformed or not DER"},
		{"BER", []byte{0x30, 0x80, 0x02, 0x01, 0x03, 0, 0}, "", "malformed or not DER"},
		{"no key", read(t, "nokey.p12"), "sesame", "does not hold exactly one private key"},
		{"no certificate", read(t, "nocert.p12"), "sesame", "holds no certificate"},
		{"Ed25519", read(t, "ed25519.p12"), "sesame", "Ed25519 keys cannot be used"},
	} {
		_, err := Decode(context.Background(), tt.data, []byte(tt.password))
		var e *keysource.Error
		if err == nil || !strings.Contains(err.Error(), tt.want) || !errors.As(err, &e) || e.Hint() == "" {
			t.Errorf("%s: got %v, want %q and a hint", tt.name, err, tt.want)
		} else if tt.password != "" && strings.Contains(err.Error(), tt.password) {
			t.Errorf("%s: the password is in %v", tt.name, err)
		}
	}
}

// A file must not be able to keep the program busy.
func TestWorkLimit(t *testing.T) {
	// The counts that stand outside the encrypted parts: the MAC's, the certificates' and the key's.
	for _, tt := range []struct {
		file string
		sum  int
	}{{"modern.p12", 3 * 2048}, {"legacy.p12", 3 * 2048}, {"plain.p12", 0}, {"rounds.p12", 3 * 20000}} {
		data := read(t, tt.file)
		if err := checkWork(data, tt.sum); err != nil {
			t.Errorf("%s: %v", tt.file, err)
		}
		if err := checkWork(data, tt.sum-1); err == nil || !strings.Contains(err.Error(), "rounds of password hashing") {
			t.Errorf("%s with one round less: %v", tt.file, err)
		}
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	data, err := gopkcs12.Modern2023.WithIterations(300_000).Encode(firstKey(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(ctx, data, []byte("p")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func firstKey(t *testing.T) (any, *x509.Certificate, []*x509.Certificate, string) {
	key, cert := pair(t, "x")
	return key, cert, nil, "p"
}

// FuzzDecode: no file makes the reader fail in any way but with an error, or work beyond the bound.
func FuzzDecode(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*.p12")
	if err != nil || len(seeds) < 10 {
		f.Fatalf("%d seeds: %v", len(seeds), err)
	}
	for _, s := range seeds {
		f.Add(read(f, filepath.Base(s)), "sesame")
	}
	f.Fuzz(func(t *testing.T, data []byte, password string) {
		if checkWork(data, 10_000) != nil {
			return
		}
		c, err := decode(data, []byte(password))
		if err == nil && (c.Key == nil || c.Leaf == nil || len(c.Chain) >= maxCertificates) {
			t.Fatal("incomplete result, or one beyond the limits")
		}
	})
}
