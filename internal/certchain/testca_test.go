package certchain

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// testNow is inside the default validity of the certificates that tests make.
var testNow = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// entity is a certificate with its key.
type entity struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newECKey(t testing.TB, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newRSAKey(t testing.TB, bits int) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

var serialCounter atomic.Int64

func template(cn string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(0x1000 + serialCounter.Add(1)),
		Subject:      pkix.Name{CommonName: cn, Organization: []string{"Example"}},
		NotBefore:    testNow.Add(-24 * time.Hour),
		NotAfter:     testNow.Add(24 * time.Hour),
	}
}

func caTemplate(cn string) *x509.Certificate {
	t := template(cn)
	t.IsCA, t.BasicConstraintsValid = true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	return t
}

func leafTemplate(cn string) *x509.Certificate {
	t := template(cn)
	t.KeyUsage = x509.KeyUsageDigitalSignature
	return t
}

// sign makes a certificate from tmpl; parent nil means self-signed. key nil means a new P-256 key.
func sign(t testing.TB, tmpl *x509.Certificate, parent *entity, key crypto.Signer) *entity {
	t.Helper()
	if key == nil {
		key = newECKey(t, elliptic.P256())
	}
	issuer, signer := tmpl, key
	if parent != nil {
		issuer, signer = parent.cert, parent.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, issuer, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &entity{cert, key}
}

func newRoot(t testing.TB, mods ...func(*x509.Certificate)) *entity {
	t.Helper()
	tmpl := caTemplate("Root")
	for _, m := range mods {
		m(tmpl)
	}
	return sign(t, tmpl, nil, nil)
}

func (e *entity) ca(t testing.TB, cn string, mods ...func(*x509.Certificate)) *entity {
	t.Helper()
	tmpl := caTemplate(cn)
	for _, m := range mods {
		m(tmpl)
	}
	return sign(t, tmpl, e, nil)
}

func (e *entity) leaf(t testing.TB, mods ...func(*x509.Certificate)) *entity {
	t.Helper()
	tmpl := leafTemplate("workload")
	for _, m := range mods {
		m(tmpl)
	}
	return sign(t, tmpl, e, nil)
}

func pemOf(entities ...*entity) string {
	var b strings.Builder
	for _, e := range entities {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: e.cert.Raw}))
	}
	return b.String()
}

func anchorsOf(t testing.TB, entities ...*entity) *Anchors {
	t.Helper()
	a, err := ParseAnchors(pemOf(entities...))
	if err != nil {
		t.Fatalf("ParseAnchors: %v", err)
	}
	return a
}

func ders(entities ...*entity) [][]byte {
	var out [][]byte
	for _, e := range entities {
		out = append(out, e.cert.Raw)
	}
	return out
}

func verify(t testing.TB, anchors *Anchors, leaf *entity, chain ...*entity) (*Verified, error) {
	t.Helper()
	return NewVerifier(0).Verify(&Input{Leaf: leaf.cert.Raw, Chain: ders(chain...), Anchors: anchors, Now: testNow})
}

// wantError checks reason, known text and a part of our own.
func wantError(t *testing.T, err error, reason Reason, message, detail string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *Error with reason %s", err, reason)
	}
	if e.Reason != reason || e.Message != message || !strings.Contains(e.Detail, detail) {
		t.Errorf("got {%s, %q, %q}, want {%s, %q, …%q…}", e.Reason, e.Message, e.Detail, reason, message, detail)
	}
	if want := e.Message + ": " + e.Detail; err.Error() != want {
		t.Errorf("Error() = %q, want %q", err.Error(), want)
	}
}

// makeCRL signs a list with the given template parts.
func makeCRL(t testing.TB, ca *entity, mod func(*x509.RevocationList), serials ...*big.Int) []byte {
	t.Helper()
	list := &x509.RevocationList{
		Number: big.NewInt(7), ThisUpdate: testNow.Add(-time.Hour), NextUpdate: testNow.Add(time.Hour),
	}
	for _, s := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: s, RevocationTime: testNow.Add(-2 * time.Hour), ReasonCode: 1})
	}
	if mod != nil {
		mod(list)
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, ca.cert, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func parseCRLForTest(t testing.TB, data []byte) *CRL {
	t.Helper()
	crl, err := ParseCRL(data)
	if err != nil {
		t.Fatalf("ParseCRL: %v", err)
	}
	return crl
}

func reparse(t testing.TB, der []byte) *entity {
	t.Helper()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &entity{cert: cert}
}

// weakRSAKey makes an RSA key below the size that crypto/rsa generates unasked.
func weakRSAKey(t *testing.T) crypto.Signer {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	return newRSAKey(t, 1024)
}

func mustRSA(t *testing.T, key any) *rsa.PublicKey {
	t.Helper()
	pub, ok := key.(*rsa.PublicKey)
	if !ok {
		t.Fatalf("%T is no RSA key", key)
	}
	return pub
}
