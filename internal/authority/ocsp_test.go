package authority

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"

	"github.com/rolecall/rolecall/internal/keyring"
)

func newTestResponder(t testing.TB, i *Issuer) *Responder {
	t.Helper()
	k := Responders{keyring.Ephemeral()}
	ref, cert, err := k.Make(i, i.signs(), now, 72*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	r, err := k.Open(i.ID, ref, cert.Raw)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// ocspRequest is a request about several serials with SHA-1 names; nonce is nil for none.
func ocspRequest(t testing.TB, issuer *x509.Certificate, nonce []byte, serials ...*big.Int) []byte {
	t.Helper()
	names, err := NewOCSPIssuer(issuer)
	if err != nil {
		t.Fatal(err)
	}
	var c cryptobyte.Builder
	c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
		c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
			c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
				for _, s := range serials {
					c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
						c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
							c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) { c.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}) })
							c.AddASN1OctetString(names.sha1Name)
							c.AddASN1OctetString(names.sha1Key)
							c.AddASN1BigInt(s)
						})
					})
				}
			})
			if nonce != nil {
				c.AddASN1(explicit(2), func(c *cryptobyte.Builder) {
					c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
						addExtension(c, oidNonce(), false, func(c *cryptobyte.Builder) { c.AddASN1OctetString(nonce) })
					})
				})
			}
		})
	})
	der, err := c.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestOCSPReadsElsewhere: golang.org/x/crypto/ocsp makes the request, and reads and verifies the answer.
func TestOCSPReadsElsewhere(t *testing.T) {
	for _, key := range []KeyAlgorithm{P256, RSA2048} {
		root := newRoot(t, key)
		r := newTestResponder(t, root)
		names, err := NewOCSPIssuer(root.Certificate)
		if err != nil {
			t.Fatal(err)
		}
		leaf := issue(t, root, &Request{CSR: leafCSR(t, "leaf"), Template: template(t, DefaultTemplate)})
		for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
			der, err := ocsp.CreateRequest(leaf, root.Certificate, &ocsp.RequestOptions{Hash: hash})
			if err != nil {
				t.Fatal(err)
			}
			req, err := ParseOCSPRequest(der)
			if err != nil {
				t.Fatal(err)
			}
			if !names.Named(&req.IDs[0]) || req.IDs[0].Serial.Cmp(leaf.SerialNumber) != 0 || req.Nonce != nil {
				t.Fatalf("%s: read %+v", hash, req)
			}
			for _, want := range []OCSPAnswer{{Status: CertGood}, {Status: CertUnknown}, {Status: CertRevoked, RevokedAt: now, Reason: 1}, {Status: CertRevoked, RevokedAt: now}} {
				want.ID = req.IDs[0].Raw
				out, err := r.Sign([]OCSPAnswer{want}, nil, now, now.Add(time.Hour))
				if err != nil {
					t.Fatal(err)
				}
				got, err := ocsp.ParseResponseForCert(out, leaf, root.Certificate)
				if err != nil {
					t.Fatal(err)
				}
				if got.Status != int(want.Status) || got.RevocationReason != int(want.Reason) || !got.NextUpdate.Equal(now.Add(time.Hour)) || !got.ThisUpdate.Equal(now) {
					t.Errorf("got %+v, want %+v", got, want)
				}
				if want.Status == CertRevoked && !got.RevokedAt.Equal(now) {
					t.Errorf("revoked at %s", got.RevokedAt)
				}
			}
		}
		c := r.Certificate
		nocheck := false
		for _, e := range c.Extensions {
			nocheck = nocheck || e.Id.String() == "1.3.6.1.5.5.7.48.1.5"
		}
		if !nocheck || len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageOCSPSigning || c.IsCA || len(c.CRLDistributionPoints) > 0 || c.NotAfter.After(now.Add(73*time.Hour)) {
			t.Errorf("the responder's certificate: nocheck %v, %v, until %s", nocheck, c.ExtKeyUsage, c.NotAfter)
		}
		strict(t, root, c)
	}
}

// TestOCSPRequests: several serials, nonces of each length, and what is malformed.
func TestOCSPRequests(t *testing.T) {
	root := newRoot(t, P256)
	one, two := big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), 127)
	req, err := ParseOCSPRequest(ocspRequest(t, root.Certificate, nil, one, two))
	if err != nil || len(req.IDs) != 2 || req.IDs[1].Serial.Cmp(two) != 0 {
		t.Fatalf("two serials: %+v %v", req, err)
	}
	for length, ok := range map[int]bool{0: false, 1: true, 32: true, 128: true, 129: false} {
		nonce := bytes.Repeat([]byte{7}, length)
		req, err := ParseOCSPRequest(ocspRequest(t, root.Certificate, nonce, one))
		if (err == nil) != ok || err == nil && !bytes.Equal(req.Nonce, nonce) {
			t.Errorf("nonce of %d bytes: %v", length, err)
		}
	}
	many := make([]*big.Int, maxOCSPIDs+1)
	for i := range many {
		many[i] = one
	}
	good := ocspRequest(t, root.Certificate, nil, one)
	for what, der := range map[string][]byte{
		"too many": ocspRequest(t, root.Certificate, nil, many...), "none": ocspRequest(t, root.Certificate, nil), "empty": {}, "trailing": append(bytes.Clone(good), 0),
		"cut": good[:len(good)-1], "too large": make([]byte, MaxOCSPRequest+1), "huge serial": ocspRequest(t, root.Certificate, nil, new(big.Int).Lsh(one, 8*maxSerialBytes+1)),
	} {
		if _, err := ParseOCSPRequest(der); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
}

// TestResponderStaysWithItsCA: a sealed key opens for its CA alone, and only with its own certificate.
func TestResponderStaysWithItsCA(t *testing.T) {
	root := newRoot(t, P256)
	k := Responders{keyring.Ephemeral()}
	ref, cert, err := k.Make(root, root.signs(), now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := k.Make(root, root.signs(), now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Open("another", ref, cert.Raw); err == nil {
		t.Error("opened for another CA")
	}
	if _, err := k.Open(root.ID, ref, other.Raw); err == nil {
		t.Error("opened with another certificate")
	}
	if _, _, err := k.Make(newIssuer(t, "bare", P256), "SHA256WITHECDSA", now, time.Hour); err == nil {
		t.Error("a CA without a certificate has a responder")
	}
}

// TestInfoAccess: a CA that publishes says where in what it issues, but not in its own certificate.
func TestInfoAccess(t *testing.T) {
	root := newRoot(t, P256)
	root.OCSP, root.CAIssuers = "http://pki.example/ocsp/1", "http://pki.example/ca/1.cer"
	leaf := issue(t, root, &Request{CSR: leafCSR(t, "leaf"), Template: template(t, DefaultTemplate)})
	if len(leaf.OCSPServer) != 1 || leaf.OCSPServer[0] != root.OCSP || len(leaf.IssuingCertificateURL) != 1 || leaf.IssuingCertificateURL[0] != root.CAIssuers {
		t.Errorf("OCSP %v, issuers %v", leaf.OCSPServer, leaf.IssuingCertificateURL)
	}
	strict(t, root, leaf)
	own := issue(t, root, &Request{CSR: root.csr(t), Template: template(t, "RootCACertificate")})
	if len(own.OCSPServer)+len(own.IssuingCertificateURL) > 0 {
		t.Errorf("the root's own certificate says %v %v", own.OCSPServer, own.IssuingCertificateURL)
	}
}

// BenchmarkOCSPSign is an answer with a nonce: parse, sign, encode.
func BenchmarkOCSPSign(b *testing.B) {
	root := newRoot(b, P256)
	r := newTestResponder(b, root)
	der := ocspRequest(b, root.Certificate, make([]byte, 32), big.NewInt(1))
	for b.Loop() {
		req, err := ParseOCSPRequest(der)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := r.Sign([]OCSPAnswer{{ID: req.IDs[0].Raw}}, req.Nonce, now, now.Add(time.Hour)); err != nil {
			b.Fatal(err)
		}
	}
}
