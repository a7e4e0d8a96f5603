package certchain

import (
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"testing"
	"time"
)

type mod = func(*x509.Certificate)

func TestVerifyAcceptsEveryChainForm(t *testing.T) {
	root := newRoot(t)
	inter := root.ca(t, "Intermediate")
	issuing := inter.ca(t, "Issuing")
	leaf := issuing.leaf(t)
	stranger := newRoot(t, func(c *x509.Certificate) { c.Subject.CommonName = "Stranger" })
	rootAnchor, interAnchor := anchorsOf(t, root), anchorsOf(t, inter)
	both := anchorsOf(t, stranger, root)
	tests := []struct {
		name    string
		anchors *Anchors
		chain   []*entity
		length  int
	}{
		{"in order", rootAnchor, []*entity{issuing, inter}, 4},
		{"root first", rootAnchor, []*entity{root, inter, issuing}, 4},
		{"leaf inside", rootAnchor, []*entity{leaf, issuing, inter}, 4},
		{"leaf and root inside", rootAnchor, []*entity{leaf, inter, root, issuing}, 4},
		{"strangers and duplicates", rootAnchor, []*entity{stranger, issuing, issuing, inter, stranger}, 4},
		{"intermediate as anchor", interAnchor, []*entity{issuing}, 3},
		{"intermediate as anchor, whole chain sent", interAnchor, []*entity{root, inter, issuing}, 3},
		{"two anchors", both, []*entity{inter, issuing}, 4},
		{"issuing CA as anchor, no chain", anchorsOf(t, issuing), nil, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := verify(t, tt.anchors, leaf, tt.chain...)
			if err != nil {
				t.Fatal(err)
			}
			if got := len(v.Path()); got != tt.length {
				t.Errorf("path of %d certificates, want %d", got, tt.length)
			}
			if !v.Leaf().Equal(leaf.cert) || !v.Path()[0].Equal(leaf.cert) {
				t.Error("the path does not start at the leaf")
			}
			if got := v.Anchor(); !got.Equal(v.Path()[tt.length-1]) {
				t.Error("the path does not end at the anchor")
			}
			if got, want := v.SerialDecimal(), leaf.cert.SerialNumber.String(); got != want {
				t.Errorf("SerialDecimal = %s, want %s", got, want)
			}
		})
	}
}

func TestVerifyRefusesBadLeaves(t *testing.T) {
	root := newRoot(t)
	anchors := anchorsOf(t, root)
	edPub, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	critical := pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Critical: true, Value: []byte{5, 0}}
	tests := []struct {
		name   string
		leaf   func() *entity
		reason Reason
		msg    string
		detail string
	}{
		{"not yet valid", func() *entity {
			return root.leaf(t, func(c *x509.Certificate) { c.NotBefore = testNow.Add(time.Second) })
		}, NotYetValid, msgNotYetValid, "not valid before 2026-05-01T12:00:01Z"},
		{"expired", func() *entity {
			return root.leaf(t, func(c *x509.Certificate) { c.NotAfter = testNow.Add(-time.Second) })
		}, Expired, msgExpired, "expired at 2026-05-01T11:59:59Z"},
		{"CA:true", func() *entity { return root.ca(t, "sub") }, Insufficient, msgInsufficient, "CA:true"},
		{"no digitalSignature", func() *entity {
			return root.leaf(t, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment })
		}, Insufficient, msgInsufficient, "lacks digitalSignature"},
		{"no key usage", func() *entity {
			return root.leaf(t, func(c *x509.Certificate) { c.KeyUsage = 0 })
		}, Insufficient, msgInsufficient, "no key usage"},
		{"empty subject", func() *entity {
			return root.leaf(t, func(c *x509.Certificate) {
				c.Subject = pkix.Name{}
				c.DNSNames = []string{"a.example"}
			})
		}, Insufficient, msgInsufficient, "subject is empty"},
		{"RSA 1024", func() *entity {
			return sign(t, leafTemplate("w"), root, weakRSAKey(t))
		}, Weak, msgInsufficient, "1024 bits"},
		{"P-224", func() *entity {
			return sign(t, leafTemplate("w"), root, newECKey(t, elliptic.P224()))
		}, Weak, msgInsufficient, "P-224"},
		{"Ed25519", func() *entity {
			der, err := x509.CreateCertificate(rand.Reader, leafTemplate("w"), root.cert, edPub, root.key)
			if err != nil {
				t.Fatal(err)
			}
			return reparse(t, der)
		}, Weak, msgInsufficient, "Ed25519"},
		{"unknown critical extension", func() *entity {
			return root.leaf(t, func(c *x509.Certificate) { c.ExtraExtensions = []pkix.Extension{critical} })
		}, Insufficient, msgInsufficient, "1.3.6.1.4.1.99999.1"},
		{"code signing only", func() *entity {
			return root.leaf(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} })
		}, Insufficient, msgInsufficient, "use clientAuth"},
		{"same name, other key", func() *entity { return newRoot(t).leaf(t) }, Untrusted, msgUntrusted, "was not made with the key of"},
		{"other CA", func() *entity {
			return newRoot(t, func(c *x509.Certificate) { c.Subject.CommonName = "Elsewhere" }).leaf(t)
		}, Untrusted, msgUntrusted, "Elsewhere"},
		{"self-signed", func() *entity { return sign(t, leafTemplate("self"), nil, nil) }, Untrusted, msgUntrusted, "self"},
		{"serial of 33 bytes", func() *entity {
			return root.leaf(t, func(c *x509.Certificate) { c.SerialNumber = new(big.Int).Lsh(big.NewInt(1), 263) })
		}, Malformed, msgMalformed, "serial number"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := verify(t, anchors, tt.leaf())
			wantError(t, err, tt.reason, tt.msg, tt.detail)
		})
	}
}

func TestVerifyDatesAreInclusive(t *testing.T) {
	root := newRoot(t)
	leaf := root.leaf(t, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = testNow, testNow.Add(time.Minute)
	})
	anchors, v := anchorsOf(t, root), NewVerifier(0)
	for offset, ok := range map[time.Duration]bool{-1: false, 0: true, time.Minute: true, time.Minute + 1: false} {
		_, err := v.Verify(&Input{Leaf: leaf.cert.Raw, Anchors: anchors, Now: testNow.Add(offset)})
		if got := err == nil; got != ok {
			t.Errorf("at %v: accepted %v, want %v (%v)", offset, got, ok, err)
		}
	}
}

func TestVerifyRefusesBadAuthorities(t *testing.T) {
	tests := []struct {
		name      string
		root, mid mod
		reason    Reason
		detail    string
	}{
		{"anchor expired", func(c *x509.Certificate) { c.NotAfter = testNow.Add(-time.Hour) }, nil, Expired, "expired at"},
		{"anchor not yet valid", func(c *x509.Certificate) { c.NotBefore = testNow.Add(time.Hour) }, nil, NotYetValid, "not valid before"},
		{"anchor path length 0", func(c *x509.Certificate) { c.MaxPathLenZero = true }, nil, Untrusted, "allows 0 CA certificates below it, the path has 1"},
		{"intermediate expired", nil, func(c *x509.Certificate) { c.NotAfter = testNow.Add(-time.Hour) }, Expired, "expired at"},
		{"intermediate without basic constraints", nil, func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = false, false }, Untrusted, "not a CA"},
		{"intermediate CA:false", nil, func(c *x509.Certificate) { c.IsCA = false }, Untrusted, "not a CA"},
		{"intermediate without keyCertSign", nil, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }, Untrusted, "keyCertSign"},
		{"intermediate with unknown critical extension", nil, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
		}, Untrusted, "1.2.3.4"},
		{"intermediate requires policies", nil, func(c *x509.Certificate) {
			// PolicyConstraints { requireExplicitPolicy [0] 0 }
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 36}, Critical: true, Value: []byte{0x30, 3, 0x80, 1, 0}}}
		}, Untrusted, "explicit policy"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			apply := func(m mod) mod {
				if m == nil {
					return func(*x509.Certificate) {}
				}
				return m
			}
			root := newRoot(t, apply(tt.root))
			mid := root.ca(t, "Mid", apply(tt.mid))
			_, err := verify(t, anchorsOf(t, root), mid.leaf(t), mid)
			wantError(t, err, tt.reason, msgUntrusted, tt.detail)
		})
	}
}

func TestIntermediateWithoutKeyUsageIsAllowed(t *testing.T) {
	root := newRoot(t)
	mid := root.ca(t, "Mid", func(c *x509.Certificate) { c.KeyUsage = 0 })
	if _, err := verify(t, anchorsOf(t, root), mid.leaf(t), mid); err != nil {
		t.Fatal(err) // RFC 5280 §6.1.4 (n) asks only where the extension is present
	}
}

func TestSelfIssuedDoesNotCountForPathLength(t *testing.T) {
	root := newRoot(t, func(c *x509.Certificate) { c.MaxPathLenZero = true })
	rekeyed := root.ca(t, "Root") // same name, new key: self-issued key rollover
	if _, err := verify(t, anchorsOf(t, root), rekeyed.leaf(t), rekeyed); err != nil {
		t.Fatal(err)
	}
}

func TestCrossSignedExpiredIntermediate(t *testing.T) {
	root := newRoot(t)
	good := root.ca(t, "Mid")
	tmpl := caTemplate("Mid")
	tmpl.NotAfter = testNow.Add(-time.Hour)
	old := sign(t, tmpl, root, good.key)
	for _, chain := range [][]*entity{{old, good}, {good, old}} {
		if _, err := verify(t, anchorsOf(t, root), good.leaf(t), chain...); err != nil {
			t.Error(err)
		}
	}
}

func TestIssuerNamesCompareByMeaning(t *testing.T) {
	root := newRoot(t)
	leafTmpl := leafTemplate("w")
	// The same name with other letter case and white space: RFC 5280 §7.1.
	alias := *root.cert
	raw, err := asn1.Marshal(pkix.Name{CommonName: "ROOT", Organization: []string{" example "}}.ToRDNSequence())
	if err != nil {
		t.Fatal(err)
	}
	alias.RawSubject = raw
	leaf := sign(t, leafTmpl, &entity{&alias, root.key}, nil)
	if _, err := verify(t, anchorsOf(t, root), leaf); err != nil {
		t.Fatal(err)
	}
}

func TestChainLimits(t *testing.T) {
	root := newRoot(t)
	leaf := root.leaf(t)
	var five []*entity
	for i := range 5 {
		five = append(five, newRoot(t, func(c *x509.Certificate) { c.Subject.CommonName = fmt.Sprint("stranger", i) }))
	}
	anchors := anchorsOf(t, root)
	if _, err := verify(t, anchors, leaf, five...); err != nil {
		t.Errorf("five: %v", err)
	}
	if _, err := verify(t, anchors, leaf, append(five, leaf)...); err != nil {
		t.Errorf("five and the leaf: %v", err)
	}
	six := append(five[:5:5], newRoot(t, func(c *x509.Certificate) { c.Subject.CommonName = "sixth" }))
	_, err := verify(t, anchors, leaf, six...)
	wantError(t, err, Malformed, msgMalformed, "holds 6 certificates, at most 5")
	_, err = verify(t, anchors, leaf, append(six, leaf)...)
	wantError(t, err, Malformed, msgMalformed, "holds 7 certificates")
}

// A chain in which every certificate could have issued every other must not cost more than the budget.
func TestWorkIsBounded(t *testing.T) {
	anchor := newRoot(t)
	root := newRoot(t) // the same name, another key
	var mesh []*entity
	for range 5 {
		// One name and one key: each is a valid issuer of every other, none leads to the anchor.
		mesh = append(mesh, sign(t, caTemplate("Root"), root, root.key))
	}
	leaf := mesh[0].leaf(t)
	b, err := newBuilder(leaf.cert, &Input{Chain: ders(mesh...), Anchors: anchorsOf(t, anchor), Now: testNow})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.build(); err == nil {
		t.Fatal("accepted")
	}
	if limit := maxSteps + MaxChainCertificates + 1; b.steps > limit {
		t.Errorf("%d steps, at most %d allowed", b.steps, limit)
	}
	if b.checks <= maxSignatureChecks {
		t.Errorf("only %d signature checks asked for: the budget was not tested", b.checks)
	}
	if len(b.signatures) > maxSignatureChecks {
		t.Errorf("%d signature checks made, at most %d allowed", len(b.signatures), maxSignatureChecks)
	}
}

func TestUnreadableChainCertificateIsLeftAside(t *testing.T) {
	root := newRoot(t)
	in := &Input{Leaf: root.leaf(t).cert.Raw, Chain: [][]byte{{1, 2, 3}}, Anchors: anchorsOf(t, root), Now: testNow}
	if _, err := NewVerifier(0).Verify(in); err != nil {
		t.Fatal(err)
	}
	in.Anchors = anchorsOf(t, newRoot(t, func(c *x509.Certificate) { c.Subject.CommonName = "Other" }))
	_, err := NewVerifier(0).Verify(in)
	wantError(t, err, Untrusted, msgUntrusted, "could not be parsed")
}

func TestVerifyRefusesGarbage(t *testing.T) {
	anchors := anchorsOf(t, newRoot(t))
	for name, der := range map[string][]byte{
		"nothing": nil, "text": []byte("hello"), "oversized": make([]byte, MaxCertificateBytes+1),
	} {
		_, err := NewVerifier(0).Verify(&Input{Leaf: der, Anchors: anchors, Now: testNow})
		if e, ok := err.(*Error); !ok || e.Reason != Malformed {
			t.Errorf("%s: got %v", name, err)
		}
	}
	leaf := newRoot(t).leaf(t)
	for name, in := range map[string]*Input{
		"no anchors": {Leaf: leaf.cert.Raw, Now: testNow},
		"no clock":   {Leaf: leaf.cert.Raw, Anchors: anchors},
	} {
		if _, err := NewVerifier(0).Verify(in); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestPurposes(t *testing.T) {
	type eku = x509.ExtKeyUsage
	tests := []struct {
		name            string
		root, mid, leaf []eku
		ok              bool
	}{
		{"none", nil, nil, nil, true},
		{"client", nil, nil, []eku{x509.ExtKeyUsageClientAuth}, true},
		{"server only", nil, nil, []eku{x509.ExtKeyUsageServerAuth}, true},
		{"any", nil, nil, []eku{x509.ExtKeyUsageAny}, true},
		{"OCSP", nil, nil, []eku{x509.ExtKeyUsageOCSPSigning}, false},
		{"time stamping and client", nil, nil, []eku{x509.ExtKeyUsageTimeStamping, x509.ExtKeyUsageClientAuth}, true},
		{"CA code signing only", nil, []eku{x509.ExtKeyUsageCodeSigning}, nil, false},
		{"CA code signing, leaf any", nil, []eku{x509.ExtKeyUsageCodeSigning}, []eku{x509.ExtKeyUsageAny}, false},
		{"CA server, leaf client", nil, []eku{x509.ExtKeyUsageServerAuth}, []eku{x509.ExtKeyUsageClientAuth}, false},
		{"CA both, leaf client", nil, []eku{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, []eku{x509.ExtKeyUsageClientAuth}, true},
		{"anchor narrows", []eku{x509.ExtKeyUsageServerAuth}, nil, []eku{x509.ExtKeyUsageClientAuth}, false},
		{"disjoint CAs", []eku{x509.ExtKeyUsageServerAuth}, []eku{x509.ExtKeyUsageClientAuth}, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := newRoot(t, func(c *x509.Certificate) { c.ExtKeyUsage = tt.root })
			mid := root.ca(t, "Mid", func(c *x509.Certificate) { c.ExtKeyUsage = tt.mid })
			leaf := mid.leaf(t, func(c *x509.Certificate) { c.ExtKeyUsage = tt.leaf })
			_, err := verify(t, anchorsOf(t, root), leaf, mid)
			if got := err == nil; got != tt.ok {
				t.Errorf("accepted %v, want %v (%v)", got, tt.ok, err)
			}
		})
	}
}
