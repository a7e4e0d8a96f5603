package revocation

import (
	"crypto/x509"
	"math/big"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// FuzzReadOCSP: whatever a responder sends, only what the issuer signed is believed.
func FuzzReadOCSP(f *testing.F) {
	ca, other := makeCert(f, nil, isCA), makeCert(f, nil, isCA)
	cert := ca.issued(f, nil, nil)
	now := time.Now()
	delegate := makeCert(f, ca, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning} })
	for _, c := range []struct {
		signer *testCA
		serial *big.Int
		status int
	}{{ca, cert.SerialNumber, ocsp.Good}, {ca, cert.SerialNumber, ocsp.Revoked}, {ca, big.NewInt(1), ocsp.Good}, {other, cert.SerialNumber, ocsp.Good}, {delegate, cert.SerialNumber, ocsp.Good}} {
		template := ocsp.Response{Status: c.status, SerialNumber: c.serial, ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(time.Hour), RevokedAt: now.Add(-time.Hour)}
		if c.signer == delegate {
			template.Certificate = delegate.cert
		}
		der, err := ocsp.CreateResponse(ca.cert, c.signer.cert, template, c.signer.key)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(der)
	}
	f.Add([]byte{0x30, 3, 10, 1, 6})
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := readOCSP(body, cert, ca.cert, now)
		if err != nil {
			if v.state != unknown {
				t.Fatalf("an error and state %d", v.state)
			}
			return
		}
		resp, err := ocsp.ParseResponse(body, nil)
		if err != nil || resp.CheckSignatureFrom(ca.cert) != nil {
			t.Fatalf("state %d of an answer that the CA did not sign: %v", v.state, err)
		}
	})
}

// FuzzCheckURL: what passes is an http or https URL with a host and without a user.
func FuzzCheckURL(f *testing.F) {
	for _, s := range []string{"http://h/x", "https://[::1]:443/x", "ldap://h", "http:x", "http://u@h/", "http://%00/", "HTTP://H/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if checkURL(s) == nil && (!strings.HasPrefix(strings.ToLower(s), "http") || !strings.Contains(s, "://")) {
			t.Fatalf("%q passes", s)
		}
	})
}
