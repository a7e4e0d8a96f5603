package certchain

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// RSA modulus sizes in bits. The upper bound keeps a stranger's key from making a signature check
// cost milliseconds.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// weakKey says why a certificate's key is not accepted, or "".
func weakKey(cert *x509.Certificate) string {
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		bits := key.N.BitLen()
		switch {
		case bits < minRSABits:
			return fmt.Sprintf("the RSA key has %d bits, at least %d are required", bits, minRSABits)
		case bits > maxRSABits:
			return fmt.Sprintf("the RSA key has %d bits, at most %d are accepted", bits, maxRSABits)
		case key.E < 3 || key.E&1 == 0:
			return fmt.Sprintf("the RSA public exponent %d is not accepted", key.E)
		}
		return ""
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return ""
		}
		return fmt.Sprintf("the elliptic curve %s is not accepted, use P-256, P-384 or P-521", key.Curve.Params().Name)
	case ed25519.PublicKey:
		return "Ed25519 keys are not accepted, use RSA, P-256, P-384 or P-521"
	}
	oid := spkiAlgorithm(cert.RawSubjectPublicKeyInfo)
	if strings.HasPrefix(oid, oidMLDSAPrefix) {
		return "ML-DSA keys are not supported yet, use RSA, P-256, P-384 or P-521"
	}
	return fmt.Sprintf("keys of algorithm %s are not accepted, use RSA, P-256, P-384 or P-521", oid)
}

// oidMLDSAPrefix is the arc of NIST signature algorithms; ML-DSA-44, -65 and -87 are 17 to 19 in it.
const oidMLDSAPrefix = "2.16.840.1.101.3.4.3."

func spkiAlgorithm(spki []byte) string {
	input := cryptobyte.String(spki)
	var info, alg cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !input.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1(&alg, cbasn1.SEQUENCE) || !alg.ReadASN1ObjectIdentifier(&oid) {
		return "unknown"
	}
	return clip(oid.String(), 64)
}

// weakSignature says why a signature algorithm is not accepted, or "".
// Every accepted one hashes with SHA-256 or stronger.
func weakSignature(alg x509.SignatureAlgorithm) string {
	switch alg {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
		x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512:
		return ""
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return fmt.Sprintf("the signature algorithm %s is too weak, SHA-256 or stronger is required", alg)
	case x509.PureEd25519:
		return "Ed25519 signatures are not accepted"
	case x509.UnknownSignatureAlgorithm:
		return "the signature algorithm is not accepted"
	}
	return fmt.Sprintf("the signature algorithm %s is not accepted", alg)
}

// parseFault words a parser's error for the caller.
func parseFault(err error) string {
	return strings.TrimPrefix(err.Error(), "x509: ")
}
