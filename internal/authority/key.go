package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha512" // for crypto.SHA384 and SHA512
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"

	"github.com/rolecall/rolecall/internal/keyring"
)

// KeyAlgorithm is the kind of a CA key, in the API's words.
type KeyAlgorithm string

// The kinds that can be made.
const (
	RSA2048 KeyAlgorithm = "RSA_2048"
	RSA3072 KeyAlgorithm = "RSA_3072"
	RSA4096 KeyAlgorithm = "RSA_4096"
	P256    KeyAlgorithm = "EC_prime256v1"
	P384    KeyAlgorithm = "EC_secp384r1"
	P521    KeyAlgorithm = "EC_secp521r1"
)

// RSA reports that the key is of RSA; those take seconds to make.
func (a KeyAlgorithm) RSA() bool { return a == RSA2048 || a == RSA3072 || a == RSA4096 }

// Supported reports that keys of the kind can be made here.
func (a KeyAlgorithm) Supported() bool { return a.RSA() || a == P256 || a == P384 || a == P521 }

// Keys keeps CA keys. ref is what the CA's row holds of a key: enough for this Keys to find or open it again, and
// useless to anybody else.
type Keys interface {
	// Generate makes a key for the CA with the id. standard is the key storage security standard, in the API's words.
	Generate(id string, a KeyAlgorithm, standard string) (ref []byte, err error)
	// Slow reports that Generate takes too long for a transaction.
	Slow(a KeyAlgorithm, standard string) bool
	// Supports reports that keys can be kept as the standard asks.
	Supports(standard string) bool
	// Delete destroys the key. One that is gone is no error.
	Delete(id string, ref []byte) error
	// Use hands the key to fn, which must not keep it.
	Use(id string, ref []byte, fn func(crypto.Signer) error) error
}

// SealLabel is the key ring label of CA keys. It never changes: sealed keys are stored.
const SealLabel = "certificate-authority-key"

// SealedKeys keeps CA keys under the key ring, bound to the CA's id.
type SealedKeys struct{ Ring *keyring.Ring }

// Generate implements [Keys].
func (k SealedKeys) Generate(id string, a KeyAlgorithm, _ string) ([]byte, error) {
	key, err := newKey(a)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	defer clear(der)
	return k.Ring.Seal(SealLabel, []byte(id), der), nil
}

// Slow implements [Keys].
func (k SealedKeys) Slow(a KeyAlgorithm, _ string) bool { return a.RSA() }

// Supports implements [Keys]: what certifies a Chinese module is beyond it.
func (k SealedKeys) Supports(standard string) bool { return standard != "CCPC_LEVEL_1_OR_HIGHER" }

// Delete implements [Keys]: a sealed key goes with its row.
func (k SealedKeys) Delete(string, []byte) error { return nil }

// Opener is implemented by Keys whose keys can be kept open.
type Opener interface {
	// Open returns the key, which the caller may keep for a while.
	Open(id string, ref []byte) (crypto.Signer, error)
}

// Use implements [Keys].
func (k SealedKeys) Use(id string, ref []byte, fn func(crypto.Signer) error) error {
	key, err := k.Open(id, ref)
	if err != nil {
		return err
	}
	return fn(key)
}

// Open implements [Opener].
func (k SealedKeys) Open(id string, ref []byte) (crypto.Signer, error) {
	der, err := k.Ring.Open(SealLabel, []byte(id), ref)
	if err != nil {
		return nil, fmt.Errorf("key of certificate authority %s: %w", id, err)
	}
	defer clear(der)
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("key of certificate authority %s is damaged", id)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("key of certificate authority %s cannot sign", id)
	}
	return signer, nil
}

func newKey(a KeyAlgorithm) (crypto.Signer, error) {
	switch a {
	case RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case RSA3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	case RSA4096:
		return rsa.GenerateKey(rand.Reader, 4096)
	case P256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case P384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case P521:
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	}
	return nil, refuse(BadArgument, "key algorithm %s is not supported", clip(string(a)))
}

// SigningAlgorithm is how a CA signs, in the API's words.
type SigningAlgorithm string

// signature is the algorithm for a key; the family must fit it.
func (a SigningAlgorithm) signature(pub crypto.PublicKey) (x509.SignatureAlgorithm, error) {
	_, isRSA := pub.(*rsa.PublicKey)
	_, isEC := pub.(*ecdsa.PublicKey)
	switch {
	case isRSA && a == "SHA256WITHRSA":
		return x509.SHA256WithRSA, nil
	case isRSA && a == "SHA384WITHRSA":
		return x509.SHA384WithRSA, nil
	case isRSA && a == "SHA512WITHRSA":
		return x509.SHA512WithRSA, nil
	case isEC && a == "SHA256WITHECDSA":
		return x509.ECDSAWithSHA256, nil
	case isEC && a == "SHA384WITHECDSA":
		return x509.ECDSAWithSHA384, nil
	case isEC && a == "SHA512WITHECDSA":
		return x509.ECDSAWithSHA512, nil
	}
	return 0, refuse(BadArgument, "the signing algorithm %s does not fit the key of the certificate authority", clip(string(a)))
}

// identifier is the algorithm for a key in DER, and its hash.
func (a SigningAlgorithm) identifier(pub crypto.PublicKey) ([]byte, crypto.Hash, error) {
	algorithm, err := a.signature(pub)
	if err != nil {
		return nil, 0, err
	}
	known := map[x509.SignatureAlgorithm]struct {
		oid  asn1.ObjectIdentifier
		hash crypto.Hash
	}{
		x509.SHA256WithRSA:   {asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, crypto.SHA256},
		x509.SHA384WithRSA:   {asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}, crypto.SHA384},
		x509.SHA512WithRSA:   {asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 13}, crypto.SHA512},
		x509.ECDSAWithSHA256: {asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}, crypto.SHA256},
		x509.ECDSAWithSHA384: {asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}, crypto.SHA384},
		x509.ECDSAWithSHA512: {asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}, crypto.SHA512},
	}[algorithm]
	id := pkix.AlgorithmIdentifier{Algorithm: known.oid}
	if _, isRSA := pub.(*rsa.PublicKey); isRSA { // RFC 4055 §5: NULL; RFC 5758 §3.2: absent
		id.Parameters = asn1.NullRawValue
	}
	der, err := asn1.Marshal(id)
	return der, known.hash, err
}

// Fits reports whether a CA with a key of the kind can sign so.
func (a SigningAlgorithm) Fits(key KeyAlgorithm) bool {
	var pub crypto.PublicKey = &ecdsa.PublicKey{}
	if key.RSA() {
		pub = &rsa.PublicKey{}
	}
	_, err := a.signature(pub)
	return err == nil && key.Supported()
}
