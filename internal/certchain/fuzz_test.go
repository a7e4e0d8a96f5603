package certchain

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"testing"
)

func FuzzDecodeHeaders(f *testing.F) {
	root := newRoot(f)
	b64 := base64.StdEncoding.EncodeToString
	f.Add(b64(root.leaf(f).cert.Raw), b64(root.cert.Raw))
	f.Add("", ",")
	f.Add("AAAA", "AAAA,,AAAA")
	f.Fuzz(func(t *testing.T, leaf, chain string) {
		der, certs, err := DecodeHeaders(leaf, chain)
		if err != nil {
			if e, ok := err.(*Error); !ok || e.Reason != Malformed {
				t.Fatalf("error %v", err)
			}
			return
		}
		if len(der) > MaxCertificateBytes || len(certs) > MaxChainCertificates+1 {
			t.Fatal("limits exceeded")
		}
	})
}

func FuzzParseLeaf(f *testing.F) {
	root := newRoot(f)
	anchors := anchorsOf(f, root)
	leaf := root.leaf(f, func(c *x509.Certificate) { c.DNSNames = []string{"a.example"} })
	f.Add(leaf.cert.Raw)
	f.Add(root.cert.Raw)
	f.Add([]byte{0x30, 0x80})
	v := NewVerifier(-1)
	f.Fuzz(func(t *testing.T, der []byte) {
		cert, err := ParseLeaf(der)
		if (err == nil) == (cert == nil) {
			t.Fatalf("certificate %v, error %v", cert, err)
		}
		// Whatever parses must not upset the checks, and only certificates of the anchor pass.
		got, err := v.Verify(&Input{Leaf: der, Chain: [][]byte{der}, Anchors: anchors, Now: testNow})
		if err == nil && got.Leaf().CheckSignatureFrom(root.cert) != nil {
			t.Fatal("accepted a certificate that the anchor did not sign")
		}
	})
}

func FuzzParseCRL(f *testing.F) {
	root := newRoot(f)
	der := makeCRL(f, root, nil, big.NewInt(1), big.NewInt(300))
	f.Add(der)
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
	f.Add([]byte("-----BEGIN X509 CRL-----\n-----END X509 CRL-----"))
	f.Add(makeCRL(f, root, func(l *x509.RevocationList) { // limited to a distribution point, user certificates and some reasons
		l.ExtraExtensions = append(l.ExtraExtensions, pkix.Extension{Id: []int{2, 5, 29, 28}, Critical: true, Value: []byte("\x30\x10\xa0\x07\xa0\x05\x86\x03a:b\x81\x01\xff\x83\x02\x06\x40")})
	}, big.NewInt(2)))
	f.Fuzz(func(t *testing.T, data []byte) {
		crl, err := ParseCRL(data)
		if err != nil {
			return
		}
		crl.Revoked(big.NewInt(300), root.cert.RawSubject)
		crl.Revoked(big.NewInt(0), crl.Issuer())
		// The standard parser is as strict or stricter in what we share, and finds no other entries.
		std, err := x509.ParseRevocationList(crl.DER())
		if err != nil {
			return
		}
		for _, e := range std.RevokedCertificateEntries {
			if e.SerialNumber.Sign() < 0 {
				continue
			}
			if ok, _ := crl.Revoked(e.SerialNumber, std.RawIssuer); !ok {
				t.Fatalf("serial %v is listed but not found", e.SerialNumber)
			}
		}
	})
}

func FuzzParseAnchors(f *testing.F) {
	root := newRoot(f, func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.com"} })
	f.Add(pemOf(root))
	f.Add(pemOf(root, root.ca(f, "Mid")))
	f.Add("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	f.Fuzz(func(t *testing.T, bundle string) {
		a, err := ParseAnchors(bundle)
		if err != nil {
			return
		}
		for _, cert := range a.Certificates() {
			if !cert.IsCA || cert.KeyUsage&x509.KeyUsageCertSign == 0 {
				t.Fatal("an anchor that is no CA")
			}
		}
	})
}

func FuzzParseNameConstraints(f *testing.F) {
	f.Add(constraintsExtension([]gn{text(2, "example.com")}, []gn{text(6, ".x.test"), text(1, "a@b.c")}).Value, "a.example.com")
	f.Add([]byte{0x30, 0}, "x")
	f.Fuzz(func(t *testing.T, der []byte, name string) {
		nc, err := parseNameConstraints(der)
		if err != nil {
			return
		}
		budget := maxNameChecks
		for kind := range 9 {
			nc.check([]presented{newPresented(gn{Kind: dnKind(kind), Bytes: []byte(name)})}, &budget)
		}
	})
}

// FuzzPlainEntry: what is taken without a closer look would be taken with one.
func FuzzPlainEntry(f *testing.F) {
	root := newRoot(f)
	der := makeCRL(f, root, nil, big.NewInt(1), big.NewInt(0x7fffffff))
	crl, err := ParseCRL(der)
	if err != nil {
		f.Fatal(err)
	}
	if !plainEntry(crl.index.entries) {
		f.Fatal("a usual entry is not known as one")
	}
	f.Add([]byte(crl.index.entries))
	f.Add([]byte("\x30\x12\x02\x01\x05\x17\x0d260229000000Z"))
	f.Add([]byte("\x30\x12\x02\x01\x05\x17\x0d260228235959Z"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if !plainEntry(data) {
			return
		}
		if _, err := parseEntry(data); err != nil {
			t.Fatalf("%x is taken, and refused: %v", data, err)
		}
	})
}
