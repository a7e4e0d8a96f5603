package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"testing"
	"time"
)

// What the service demands of a certificate, each broken alone.
func TestDoctorUsage(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, want string
		worst      status
		change     func(made, parsed *x509.Certificate)
	}{
		{"good", "an end-entity certificate", good, func(_, _ *x509.Certificate) {}},
		{"CA", "it is a CA's", bad, func(c, _ *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }},
		{"usage", "lacks digitalSignature", bad, func(c, _ *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement }},
		{"no usage", "lacks digitalSignature", bad, func(c, _ *x509.Certificate) { c.KeyUsage = 0 }},
		{"subject", "subject is empty", bad, func(c, _ *x509.Certificate) { c.Subject = pkix.Name{} }},
		{"server", "lacks clientAuth", warning, func(c, _ *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }},
		{"SHA-1", "signed with ECDSA-SHA1", bad, func(_, p *x509.Certificate) { p.SignatureAlgorithm = x509.ECDSAWithSHA1 }},
		{"small", "1024 bits", bad, func(_, p *x509.Certificate) {
			p.PublicKey = &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}
		}},
	} {
		template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "x"}, NotBefore: time.Now(),
			NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature}
		tt.change(template, &x509.Certificate{})
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		tt.change(&x509.Certificate{}, leaf)
		x := &examination{}
		x.usage(leaf)
		found := false
		for _, f := range x.list {
			found = found || f.Status == tt.worst && strings.Contains(f.Text, tt.want)
		}
		if !found || x.count(bad) > 1 || tt.worst != bad && x.count(bad) > 0 {
			t.Errorf("%s: %+v", tt.name, x.list)
		}
	}
}
