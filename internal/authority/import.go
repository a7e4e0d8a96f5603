package authority

import (
	"crypto"
	"crypto/x509"

	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
)

// KindOf is the kind of a CA key that was made elsewhere, and how a CA with it signs. Weak keys, and kinds that are not
// made here either, are refused.
func KindOf(pub crypto.PublicKey) (KeyAlgorithm, SigningAlgorithm, error) {
	if why := weakKey(pub); why != "" {
		return "", "", refuse(BadCertificate, "%s", why)
	}
	switch k := pub.(type) {
	case *rsa.PublicKey:
		switch k.N.BitLen() {
		case 2048:
			return RSA2048, "SHA256WITHRSA", nil
		case 3072:
			return RSA3072, "SHA256WITHRSA", nil
		case 4096:
			return RSA4096, "SHA256WITHRSA", nil
		}
		return "", "", refuse(BadCertificate, "an RSA key of a certificate authority has 2048, 3072 or 4096 bits, this one has %d", k.N.BitLen())
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return P256, "SHA256WITHECDSA", nil
		case elliptic.P384():
			return P384, "SHA384WITHECDSA", nil
		case elliptic.P521():
			return P521, "SHA512WITHECDSA", nil
		}
	}
	return "", "", refuse(BadCertificate, "the key of the certificate authority is of a kind that is not supported")
}

// Import seals a key that was made elsewhere for the CA with the id.
func (k SealedKeys) Import(id string, key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	defer clear(der)
	return k.Ring.Seal(SealLabel, []byte(id), der), nil
}
