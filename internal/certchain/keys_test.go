package certchain

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
)

// The key of a leaf is checked before anything else is done with it: a request signature is
// checked with it before the path is.
func TestParseLeafRefusesKeysBeforeUse(t *testing.T) {
	root := newRoot(t)
	// A P-256 algorithm identifier and one of the same length that says ML-DSA-44.
	p256ID := []byte{0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}
	mldsaID := []byte{0x30, 0x13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 17, 4, 6, 0, 0, 0, 0, 0, 0}
	mldsa := bytes.Replace(root.leaf(t).cert.Raw, p256ID, mldsaID, 1)
	_, err := ParseLeaf(mldsa)
	wantError(t, err, Weak, msgInsufficient, "ML-DSA keys are not supported yet")
	other := bytes.Clone(mldsaID)
	other[11] = 2
	_, err = ParseLeaf(bytes.Replace(root.leaf(t).cert.Raw, p256ID, other, 1))
	wantError(t, err, Weak, msgInsufficient, "keys of algorithm 2.16.840.1.101.3.4.2")
	huge := sign(t, leafTemplate("w"), root, newRSAKey(t, 2048))
	cert := *huge.cert
	key := *mustRSA(t, cert.PublicKey)
	cert.PublicKey = &key
	key.N = new(big.Int).Lsh(big.NewInt(1), 16000)
	if got, want := weakKey(&cert), "the RSA key has 16001 bits, at most 8192 are accepted"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	key.N = mustRSA(t, huge.cert.PublicKey).N
	for _, e := range []int{1, 2, 65536} {
		if key.E = e; weakKey(&cert) == "" {
			t.Errorf("exponent %d accepted", e)
		}
	}
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		if _, err := ParseLeaf(sign(t, leafTemplate("w"), root, newECKey(t, curve)).cert.Raw); err != nil {
			t.Errorf("%s: %v", curve.Params().Name, err)
		}
	}
}

func TestWeakSignatureKnowsWhatItAccepts(t *testing.T) {
	accepted := 0
	for alg := x509.UnknownSignatureAlgorithm; alg <= x509.PureEd25519+8; alg++ {
		if weakSignature(alg) == "" {
			accepted++
		}
	}
	if accepted != 9 { // {SHA-256, 384, 512} × {PKCS #1, PSS, ECDSA}
		t.Errorf("%d algorithms accepted, want 9", accepted)
	}
}

func TestLeafForms(t *testing.T) {
	root := newRoot(t)
	for hex, serial := range map[string]int64{"1000": 0x1000, "05": 5, "0123": 291, "80": 128} {
		e := root.leaf(t, func(c *x509.Certificate) { c.SerialNumber = big.NewInt(serial) })
		leaf, err := NewVerifier(0).Leaf(e.cert.Raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := leaf.SerialHex(); got != hex {
			t.Errorf("SerialHex of %d = %q, want %q", serial, got, hex)
		}
		if got, want := leaf.SerialDecimal(), e.cert.SerialNumber.String(); got != want {
			t.Errorf("SerialDecimal = %q, want %q", got, want)
		}
		if leaf.Fingerprint() != fingerprintOf(e.cert.Raw) || leaf.PublicKey() == nil || !leaf.Certificate().Equal(e.cert) {
			t.Error("fingerprint, key or certificate is another's")
		}
	}
	if got := serialHex(new(big.Int)); got != "00" {
		t.Errorf("serialHex(0) = %q", got)
	}
}

func TestLeafThatRequiresAPolicy(t *testing.T) {
	root := newRoot(t)
	leaf := root.leaf(t, func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 36}, Critical: true, Value: []byte{0x30, 3, 0x80, 1, 0}}}
	})
	_, err := verify(t, anchorsOf(t, root), leaf)
	wantError(t, err, Insufficient, msgInsufficient, "explicit policy")
}

func TestErrorsAreBoundedAndPrintable(t *testing.T) {
	root := newRoot(t)
	_, err := verify(t, anchorsOf(t, root), newRoot(t, func(c *x509.Certificate) {
		c.Subject.CommonName = "evil\u202e\u2028" + string(bytes.Repeat([]byte("é"), 3000))
	}).leaf(t))
	wantError(t, err, Untrusted, msgUntrusted, "evil")
	text := err.Error()
	if len(text) > maxDetail+100 || bytes.ContainsRune([]byte(text), '\u202e') || bytes.ContainsRune([]byte(text), '\u2028') {
		t.Errorf("%d bytes: %q", len(text), text)
	}
	if got := clip("aé", 2); got != "a…" {
		t.Errorf("clip = %q", got)
	}
}
