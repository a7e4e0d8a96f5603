package authority

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"errors"

	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// SignAttributes signs the signed attributes of a CMS message (RFC 5652 §5.4) with the CA's key and SHA-256: PKCS #1 v1.5
// for RSA, an ASN.1 signature for ECDSA. attributes is the DER of the whole SET. Nothing else is signed here: what a
// certificate's or a revocation list's signature covers is a SEQUENCE and can never be mistaken for it.
func (i *Issuer) SignAttributes(attributes []byte) ([]byte, error) {
	if len(attributes) == 0 || attributes[0] != byte(cbasn1.SET) || !wellFormed(attributes) {
		return nil, errors.New("authority: only a SET of signed attributes is signed")
	}
	sum := sha256.Sum256(attributes)
	var signature []byte
	err := i.use(func(key crypto.Signer) (err error) {
		signature, err = key.Sign(rand.Reader, sum[:], crypto.SHA256)
		return err
	})
	return signature, err
}
