package file

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"

	"github.com/rolecall/rolecall/internal/keysource"
)

type keyForm int

const (
	pkcs8 keyForm = iota // RFC 5958, plain or encrypted
	sec1                 // RFC 5915
	pkcs1                // RFC 8017 A.1.2
)

// rawKey is a private key as found in a file.
type rawKey struct {
	form      keyForm
	encrypted bool // only for pkcs8
	der       []byte
}

// signer parses the key, decrypting it first if it is encrypted. Errors never quote the key or the password.
func (k *rawKey) signer(password []byte) (crypto.Signer, error) {
	der := k.der
	if k.encrypted {
		var err error
		if der, err = decryptPKCS8(der, password, defaultLimits()); err != nil {
			return nil, err
		}
	}
	key, err := k.parse(der)
	if err != nil {
		if k.encrypted { // the padding of a wrong password's output is right once in 256 times
			return nil, wrongPassword()
		}
		if name := keysource.MLDSA(der); name != "" {
			return nil, keysource.Errorf(keysource.AdviceKeyKinds, "the private key is %s, which this client cannot sign with yet", name)
		}
		return nil, keysource.Errorf(adviceDamaged, "private key: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok { // X25519
		return nil, keysource.Errorf(keysource.AdviceKeyKinds, "the private key cannot sign (%T)", key)
	}
	return signer, keysource.CheckPublicKey(signer.Public())
}

func (k *rawKey) parse(der []byte) (any, error) {
	switch k.form {
	case sec1:
		return x509.ParseECPrivateKey(der)
	case pkcs1:
		return x509.ParsePKCS1PrivateKey(der)
	default:
		return x509.ParsePKCS8PrivateKey(der)
	}
}

// recognise finds out which form of key a DER value is by the types of its first members, or gives nil.
func recognise(der []byte) *rawKey {
	var outer asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &outer); err != nil || len(rest) > 0 || outer.Tag != asn1.TagSequence {
		return nil
	}
	first, rest := next(outer.Bytes)
	second, _ := next(rest)
	switch {
	case first.Tag == asn1.TagSequence && second.Tag == asn1.TagOctetString:
		return &rawKey{form: pkcs8, der: der, encrypted: true}
	case first.Tag == asn1.TagInteger && second.Tag == asn1.TagSequence:
		return &rawKey{form: pkcs8, der: der}
	case first.Tag == asn1.TagInteger && second.Tag == asn1.TagOctetString:
		return &rawKey{form: sec1, der: der}
	case first.Tag == asn1.TagInteger && second.Tag == asn1.TagInteger:
		return &rawKey{form: pkcs1, der: der}
	}
	return nil
}

// isPKCS12 recognises a PFX: version 3 and a ContentInfo of type id-data (RFC 7292 §4).
func isPKCS12(der []byte) bool {
	var outer asn1.RawValue
	if _, err := asn1.Unmarshal(der, &outer); err != nil || outer.Tag != asn1.TagSequence {
		return false
	}
	version, rest := next(outer.Bytes)
	if version.Tag != asn1.TagInteger || !bytes.Equal(version.Bytes, []byte{3}) {
		return false
	}
	content, _ := next(rest)
	idData := []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07}
	return content.Tag == asn1.TagSequence && bytes.HasPrefix(content.Bytes, idData)
}

// next splits the first value off a sequence; the zero value means that there is none.
func next(b []byte) (asn1.RawValue, []byte) {
	var v asn1.RawValue
	rest, err := asn1.Unmarshal(b, &v)
	if err != nil || v.Class != asn1.ClassUniversal {
		return asn1.RawValue{}, nil
	}
	return v, rest
}
