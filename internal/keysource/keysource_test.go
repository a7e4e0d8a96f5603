package keysource

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"strings"
	"testing"
	"time"
)

func certificate(t *testing.T, name string, key crypto.Signer) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func key(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestNew(t *testing.T) {
	a, b := key(t), key(t)
	leaf, other := certificate(t, "leaf", a), certificate(t, "other", b)
	id, err := New(a, leaf, []*x509.Certificate{leaf, other, other})
	if err != nil || id.Leaf() != leaf || id.Signer() != crypto.Signer(a) || len(id.Chain()) != 1 || id.Chain()[0] != other {
		t.Errorf("got %+v, %v", id, err)
	}
	if _, err := New(b, leaf, nil); err == nil || !strings.Contains(err.Error(), "do not belong together") {
		t.Errorf("another key: %v", err)
	}
	if _, err := New(b, leaf, []*x509.Certificate{other}); err == nil || !strings.Contains(err.Error(), "that of certificate 2 (CN=other)") {
		t.Errorf("wrong order: %v", err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(edwards, certificate(t, "e", edwards), nil); err == nil || !strings.Contains(err.Error(), "Ed25519") {
		t.Errorf("Ed25519: %v", err)
	}
	if _, err := New(edwards, leaf, nil); err == nil || !strings.Contains(err.Error(), "Ed25519") {
		t.Errorf("Ed25519 key for another certificate: %v", err)
	}
}

// RFC 9881: what cannot be used yet is at least called by its name.
func TestMLDSA(t *testing.T) {
	for last, want := range map[byte]string{17: "ML-DSA-44", 18: "ML-DSA-65", 19: "ML-DSA-87", 20: ""} {
		spki := append([]byte{0x30, 0x82, 0x05, 0x32, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03}, last)
		if got := MLDSA(spki); got != want {
			t.Errorf("%d: %q, want %q", last, got, want)
		}
		err := CheckCertificateKey(&x509.Certificate{RawSubjectPublicKeyInfo: spki})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v", last, err)
		}
		if got := MLDSA(spki[:len(spki)-1]); got != "" {
			t.Errorf("truncated: %q", got)
		}
	}
}

func TestValidity(t *testing.T) {
	c := certificate(t, "c", key(t))
	for _, tt := range []struct {
		now  time.Time
		want string
	}{
		{c.NotBefore.Add(-time.Second), "the certificate is not valid before 2026-01-01 00:00:00 UTC (it is 2025-12-31 23:59:59 UTC)"},
		{c.NotBefore, ""},
		{c.NotAfter, ""},
		{c.NotAfter.Add(time.Second), "the certificate expired at 2026-02-01 00:00:00 UTC (it is 2026-02-01 00:00:01 UTC)"},
		{c.NotAfter.Add(time.Second).In(time.FixedZone("", 3600)), "the certificate expired at 2026-02-01 00:00:00 UTC (it is 2026-02-01 00:00:01 UTC)"},
	} {
		if got := Validity(c, tt.now); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.now, got, tt.want)
		}
	}
}

func TestErrorf(t *testing.T) {
	err := fmt.Errorf("outer: %w", Errorf("do this", "problem: %w", fs.ErrNotExist))
	var e *Error
	if !errors.As(err, &e) || e.Hint() != "do this" || e.Error() != "problem: file does not exist" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %#v", err)
	}
}
