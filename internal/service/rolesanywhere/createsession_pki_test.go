package rolesanywhere_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// entity is a certificate with its key.
type entity struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func ecKey(t testing.TB, c elliptic.Curve) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func rsaKey(t testing.TB, bits int) crypto.Signer {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func edKey(t testing.TB) crypto.Signer {
	t.Helper()
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newSerial(t testing.TB) *big.Int {
	t.Helper()
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func template(t testing.TB, cn string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: newSerial(t), Subject: pkix.Name{CommonName: cn, Organization: []string{"Example"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), BasicConstraintsValid: true,
	}
}

// sign makes a certificate: nil parent for self-signed, nil key for a new P-256 key.
func sign(t testing.TB, tmpl *x509.Certificate, parent *entity, key crypto.Signer) *entity {
	t.Helper()
	if key == nil {
		key = ecKey(t, elliptic.P256())
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

// newCA makes a root (nil parent) or an intermediate.
func newCA(t testing.TB, cn string, parent *entity, key crypto.Signer) *entity {
	t.Helper()
	tmpl := template(t, cn)
	tmpl.IsCA, tmpl.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	return sign(t, tmpl, parent, key)
}

// issue makes an end-entity certificate.
func (e *entity) issue(t testing.TB, key crypto.Signer, mods ...func(*x509.Certificate)) *entity {
	t.Helper()
	tmpl := template(t, "workload")
	tmpl.KeyUsage = x509.KeyUsageDigitalSignature
	for _, m := range mods {
		m(tmpl)
	}
	return sign(t, tmpl, e, key)
}

func (e *entity) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: e.cert.Raw}))
}

// crl lists serials as revoked.
func (e *entity) crl(t testing.TB, serials ...*big.Int) []byte {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour)}
	for _, s := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: s, RevocationTime: time.Now().Add(-time.Minute)})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, e.cert, e.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
