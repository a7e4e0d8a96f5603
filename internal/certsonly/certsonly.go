// Package certsonly writes and reads the message that carries certificates alone: SignedData without content and signers
// (RFC 5652 §5, RFC 8894 §4.2.1.2, "certs-only" of RFC 5272 §4.1). It proves nothing: who reads one has to know by other
// means whom the certificates are from.
//
// Start with [Encode] and [Decode].
package certsonly

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Limits of a message that is read.
const (
	MaxBytes        = 256 << 10
	MaxCertificates = 32
)

func oidData() asn1.ObjectIdentifier       { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1} }
func oidSignedData() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2} }

func explicit(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }

// Encode is the DER of the message, in the order given.
func Encode(certificates []*x509.Certificate) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidSignedData())
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(1)
				b.AddASN1(cbasn1.SET, func(*cryptobyte.Builder) {})
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidData()) })
				b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
					for _, c := range certificates {
						b.AddBytes(c.Raw)
					}
				})
				b.AddASN1(cbasn1.SET, func(*cryptobyte.Builder) {})
			})
		})
	})
	return b.Bytes()
}

var errMalformed = errors.New("certsonly: not a DER message of certificates alone")

// Decode reads a message in DER. One with a content or a signer is refused: it is something else.
func Decode(der []byte) ([]*x509.Certificate, error) {
	if len(der) > MaxBytes {
		return nil, errors.New("certsonly: the message is too large")
	}
	in := cryptobyte.String(der)
	var message, outer, signed, algorithms, content, certificates, signers cryptobyte.String
	var kind, inner asn1.ObjectIdentifier
	var version int64
	if !in.ReadASN1(&message, cbasn1.SEQUENCE) || !in.Empty() ||
		!message.ReadASN1ObjectIdentifier(&kind) || !kind.Equal(oidSignedData()) ||
		!message.ReadASN1(&outer, explicit(0)) || !message.Empty() ||
		!outer.ReadASN1(&signed, cbasn1.SEQUENCE) || !outer.Empty() ||
		!signed.ReadASN1Integer(&version) || !signed.ReadASN1(&algorithms, cbasn1.SET) ||
		!signed.ReadASN1(&content, cbasn1.SEQUENCE) || !content.ReadASN1ObjectIdentifier(&inner) || !content.Empty() ||
		!signed.ReadASN1(&certificates, explicit(0)) ||
		!signed.SkipOptionalASN1(explicit(1)) || // revocation lists
		!signed.ReadASN1(&signers, cbasn1.SET) || !signers.Empty() || !signed.Empty() {
		return nil, errMalformed
	}
	var list []*x509.Certificate
	for !certificates.Empty() {
		var raw cryptobyte.String
		if !certificates.ReadASN1Element(&raw, cbasn1.SEQUENCE) || len(list) == MaxCertificates {
			return nil, errMalformed
		}
		c, err := x509.ParseCertificate(raw)
		if err != nil {
			return nil, errMalformed
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, errMalformed
	}
	return list, nil
}
