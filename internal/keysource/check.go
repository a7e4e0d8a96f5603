package keysource

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// Advice that more than one source gives.
const (
	AdviceKeyKinds = "use an RSA key or an elliptic curve key on P-256, P-384 or P-521"
	advicePair     = "pass the private key that the certificate was requested with, or the certificate that was issued for this key"
)

// mldsaPrefix is the DER of the OID arc 2.16.840.1.101.3.4.3 (NIST signature algorithms) with a length of 9;
// the byte after it is 17, 18 or 19 for ML-DSA-44, -65 and -87 (RFC 9881 §2).
const mldsaPrefix = "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03"

// MLDSA is the name of the ML-DSA parameter set that der, a SubjectPublicKeyInfo or a PKCS#8 key, names near its
// beginning, or "".
func MLDSA(der []byte) string {
	head := der[:min(len(der), 64)]
	i := bytes.Index(head, []byte(mldsaPrefix))
	if i < 0 || i+len(mldsaPrefix) >= len(head) {
		return ""
	}
	switch head[i+len(mldsaPrefix)] {
	case 17:
		return "ML-DSA-44"
	case 18:
		return "ML-DSA-65"
	case 19:
		return "ML-DSA-87"
	}
	return ""
}

// CheckCertificateKey reports whether Roles Anywhere can verify signatures by leaf's key.
func CheckCertificateKey(leaf *x509.Certificate) error {
	if leaf.PublicKey == nil {
		if name := MLDSA(leaf.RawSubjectPublicKeyInfo); name != "" {
			return Errorf(AdviceKeyKinds, "the certificate's key is %s, which this client cannot sign with yet", name)
		}
		return Errorf(AdviceKeyKinds, "the certificate's key is of an unknown kind")
	}
	return CheckPublicKey(leaf.PublicKey)
}

// CheckPublicKey reports whether Roles Anywhere can verify signatures by the key pub.
func CheckPublicKey(pub crypto.PublicKey) error {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return nil
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return nil
		}
		return Errorf(AdviceKeyKinds, "elliptic curve %s is not supported", k.Curve.Params().Name)
	case ed25519.PublicKey:
		return Errorf(AdviceKeyKinds, "Ed25519 keys cannot be used: Roles Anywhere has no signature algorithm for them")
	}
	return Errorf(AdviceKeyKinds, "keys of the kind %T are not supported", pub)
}

// ErrPair is the cause when a key is not that of the certificate.
var ErrPair = errors.New("key and certificate do not belong together")

// checkPair refuses a key that is not the leaf's. The server would refuse it too, but with "Invalid signature".
func checkPair(signer crypto.Signer, leaf *x509.Certificate, chain []*x509.Certificate) error {
	pub := signer.Public()
	if err := CheckPublicKey(pub); err != nil {
		return err
	}
	if SamePublicKey(pub, leaf.PublicKey) {
		return nil
	}
	for i, c := range chain {
		if SamePublicKey(pub, c.PublicKey) {
			e := Errorf("put the certificate of the key first and its issuers after it",
				"private key and certificate do not belong together: the key is that of certificate %d (%s)", i+2, c.Subject)
			e.Cause = ErrPair
			return e
		}
	}
	e := Errorf(advicePair, "private key and certificate (%s) do not belong together", leaf.Subject)
	e.Cause = ErrPair
	return e
}

// SamePublicKey reports whether two public keys are equal. It is false for kinds it does not know.
func SamePublicKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && b != nil && k.Equal(b)
}

// Validity says in words what is wrong with the certificate's validity period at now, or "".
func Validity(c *x509.Certificate, now time.Time) string {
	const layout = "2006-01-02 15:04:05 UTC"
	switch {
	case now.Before(c.NotBefore):
		return fmt.Sprintf("the certificate is not valid before %s (it is %s)", c.NotBefore.UTC().Format(layout), now.UTC().Format(layout))
	case now.After(c.NotAfter):
		return fmt.Sprintf("the certificate expired at %s (it is %s)", c.NotAfter.UTC().Format(layout), now.UTC().Format(layout))
	}
	return ""
}
