package sigv4

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"net/http"
	"strings"
)

// maxRSABits bounds the work an unknown certificate can ask for.
const maxRSABits = 8192

// VerifyX509 checks a SigV4-X509 signature with the public key of the certificate in X-Amz-X509; that the key is from
// that certificate, and that KeyID is its serial number in decimal, is the caller's part. RSA is PKCS #1 v1.5, ECDSA
// is ASN.1 DER over P-256, P-384 or P-521, both over SHA-256 whatever hash the label names: a known client labels by
// the hash that its certificate was signed with. The error is an *Error.
func (c *Claims) VerifyX509(r *http.Request, pub crypto.PublicKey, k *Check) error {
	if err := c.checkX509Algorithm(pub); err != nil {
		return err
	}
	if c.dateHeader != "x-amz-date" || len(r.Header["X-Amz-X509"]) != 1 {
		return fail(Incomplete, "SigV4-X509 needs the headers X-Amz-Date and X-Amz-X509")
	}
	if len(c.Signature) == 0 || len(c.Signature) > 2*maxRSABits/8 {
		return fail(Incomplete, "the signature has a length that no signature of this kind has")
	}
	v := &verifier{pub: pub, keys: standardKeys{}}
	if k.PublicKeys != nil {
		v.keys = k.PublicKeys
	}
	return c.verify(r, v, k)
}

// checkX509Algorithm binds the label to the type of the key, so that no signature is checked by another scheme's rules.
func (c *Claims) checkX509Algorithm(pub crypto.PublicKey) error {
	kind, ok := strings.CutPrefix(c.Algorithm, prefixX509)
	if !ok {
		return fail(BadAlgorithm, "%s is not an algorithm of a certificate", clip(c.Algorithm))
	}
	if strings.HasPrefix(kind, "MLDSA") {
		return fail(BadAlgorithm, "ML-DSA certificates are not supported; use RSA or ECDSA")
	}
	kind, hash, _ := strings.Cut(kind, "-")
	if (kind != "RSA" && kind != "ECDSA") || (hash != "SHA256" && hash != "SHA384" && hash != "SHA512") {
		return fail(BadAlgorithm, "unknown signature algorithm %q", clip(c.Algorithm))
	}
	switch key := pub.(type) {
	case *rsa.PublicKey:
		if kind != "RSA" {
			return fail(BadAlgorithm, "the certificate has an RSA key, the signature is labelled %s", c.Algorithm)
		}
		if key == nil || key.N == nil || key.N.BitLen() > maxRSABits {
			return fail(BadAlgorithm, "the certificate's RSA key is longer than %d bits", maxRSABits)
		}
	case *ecdsa.PublicKey:
		if kind != "ECDSA" {
			return fail(BadAlgorithm, "the certificate has an ECDSA key, the signature is labelled %s", c.Algorithm)
		}
		if key == nil || key.Curve != elliptic.P256() && key.Curve != elliptic.P384() && key.Curve != elliptic.P521() {
			return fail(BadAlgorithm, "the certificate's ECDSA key is not on P-256, P-384 or P-521")
		}
	case ed25519.PublicKey:
		return fail(BadAlgorithm, "Ed25519 certificates are not supported; use RSA or ECDSA")
	default:
		return fail(BadAlgorithm, "the certificate's key is neither RSA nor ECDSA")
	}
	return nil
}

// public expects a key that checkX509Algorithm let through, and the SHA-256 digest of what was signed.
func (v *verifier) public(digest, sig []byte) bool {
	switch key := v.pub.(type) {
	case *rsa.PublicKey:
		return v.keys.VerifyRSA(key, digest, sig)
	case *ecdsa.PublicKey:
		return v.keys.VerifyECDSA(key, digest, sig)
	}
	return false
}
