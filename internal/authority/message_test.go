package authority

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"testing"
)

// TestSignAttributes: the CA's key signs sets of attributes for messages, and cannot be made to sign a certificate that way.
func TestSignAttributes(t *testing.T) {
	i := newRoot(t, P256)
	set := []byte{0x31, 2, 5, 0}
	signature, err := i.SignAttributes(set)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(set)
	if key, ok := i.PublicKey.(*ecdsa.PublicKey); !ok || !ecdsa.VerifyASN1(key, sum[:], signature) {
		t.Error("the signature is not the CA's")
	}
	for name, der := range map[string][]byte{
		"nothing": nil, "a certificate": i.Certificate.RawTBSCertificate, "cut short": {0x31, 3, 5, 0}, "trailing": {0x31, 2, 5, 0, 0},
	} {
		if _, err := i.SignAttributes(der); err == nil {
			t.Errorf("%s was signed", name)
		}
	}
	other := newRoot(t, P384)
	i.PublicKey = other.PublicKey
	if _, err := i.SignAttributes(set); err == nil {
		t.Error("signed with a key that is not the CA's")
	}
}

// TestParseProven: possession may be proven elsewhere, and everything else is still checked.
func TestParseProven(t *testing.T) {
	csr := leafCSR(t, "a").Request()
	der := append([]byte(nil), csr.Raw...)
	der[len(der)-1] ^= 1 // the signature
	asked := false
	c, err := ParseProven(der, func(req *x509.CertificateRequest) error { asked = true; return nil })
	if err != nil || !asked || c.Request().Subject.CommonName != "a" {
		t.Errorf("proven: %v", err)
	}
	refusal := errors.New("no")
	if _, err := ParseProven(csr.Raw, func(*x509.CertificateRequest) error { return refusal }); !errors.Is(err, refusal) {
		t.Errorf("not proven: %v", err)
	}
	if _, err := ParseProven(append(csr.Raw, 0), func(*x509.CertificateRequest) error { return nil }); err == nil {
		t.Error("a trailing byte was accepted")
	}
}
