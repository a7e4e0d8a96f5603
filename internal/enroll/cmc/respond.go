package cmc

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // the certificate's name in the response (MS-WCCE 2.2.2.8.1.2), not a protection
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rolecall/rolecall/internal/certsonly"
)

// Signer is a CA that signs responses. attributes is a DER SET; the signature is made with SHA-256, PKCS #1 v1.5 or ECDSA.
type Signer interface {
	SignAttributes(attributes []byte) ([]byte, error)
}

// Response is what a CMC full PKI response says of one issued certificate.
type Response struct {
	BodyPartID int64
	Text       string // the disposition
	Leaf       *x509.Certificate
	// Chain is what stands above the leaf: the CA that signs the response first, the root last.
	Chain []*x509.Certificate
}

// Respond signs the response of MS-WCCE 2.2.2.8.1: SignedData around a PKIResponse, with the certificates from the root
// to the leaf.
func Respond(signer Signer, r Response) ([]byte, error) {
	content, err := build(func(b *cryptobyte.Builder) { r.addContent(b) })
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(content)
	attributes, err := signedAttributes(digest[:])
	if err != nil {
		return nil, err
	}
	signature, err := signer.SignAttributes(attributes)
	if err != nil {
		return nil, err
	}
	certificates := append([]*x509.Certificate{r.Leaf}, r.Chain...)
	slices.Reverse(certificates)
	return signedMessage(3, oidPKIResponse(), content, certificates, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { r.addSigner(b, attributes, signature) })
	})
}

// Chain is the message that holds certificates alone (RFC 8894 §4.2.1.2, RFC 5652 §5.2.1 without a signature).
func Chain(certificates []*x509.Certificate) ([]byte, error) {
	return certsonly.Encode(certificates)
}

// signedMessage is a ContentInfo with SignedData.
func signedMessage(version int64, kind asn1.ObjectIdentifier, content []byte, certificates []*x509.Certificate, signers func(*cryptobyte.Builder)) ([]byte, error) {
	return build(func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oidSignedData())
			b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1Int64(version)
					b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
						addAlgorithm(b, oidSHA256(), false)
					})
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1ObjectIdentifier(kind)
						b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { b.AddASN1OctetString(content) })
					})
					b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
						for _, c := range certificates {
							b.AddBytes(c.Raw)
						}
					})
					b.AddASN1(cbasn1.SET, signers)
				})
			})
		})
	})
}

// addContent writes the PKIResponse: the status of the request, and the hash of the certificate as an attribute of it.
func (r *Response) addContent(b *cryptobyte.Builder) {
	hash := sha1.Sum(r.Leaf.Raw) //nolint:gosec // see the import
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addControl(b, 1, oidStatusInfo(), func(b *cryptobyte.Builder) {
				b.AddASN1Int64(0) // success
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1Int64(r.BodyPartID) })
				b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(r.Text)) })
			})
			addControl(b, 2, oidAddAttributes(), func(b *cryptobyte.Builder) {
				b.AddASN1Int64(0)
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1Int64(r.BodyPartID) })
				b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
					addAttribute(b, oidCertificateHash(), func(b *cryptobyte.Builder) { b.AddASN1OctetString(hash[:]) })
				})
			})
		})
		b.AddASN1(cbasn1.SEQUENCE, func(*cryptobyte.Builder) {})
		b.AddASN1(cbasn1.SEQUENCE, func(*cryptobyte.Builder) {})
	})
}

func (r *Response) addSigner(b *cryptobyte.Builder, attributes, signature []byte) {
	issuer := r.Chain[0]
	b.AddASN1Int64(1)
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(issuer.RawIssuer)
		b.AddASN1BigInt(issuer.SerialNumber)
	})
	addAlgorithm(b, oidSHA256(), false)
	b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { b.AddBytes(inner(attributes)) })
	if _, isRSA := issuer.PublicKey.(*rsa.PublicKey); isRSA {
		addAlgorithm(b, oid(1, 2, 840, 113549, 1, 1, 1), true)
	} else {
		addAlgorithm(b, oid(1, 2, 840, 10045, 4, 3, 2), false)
	}
	b.AddASN1OctetString(signature)
}

// signedAttributes is the SET of content type and digest, in DER order: a verifier encodes it again.
func signedAttributes(digest []byte) ([]byte, error) {
	kind, err := build(func(b *cryptobyte.Builder) {
		addAttribute(b, oidContentType(), func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidPKIResponse()) })
	})
	if err != nil {
		return nil, err
	}
	sum, err := build(func(b *cryptobyte.Builder) {
		addAttribute(b, oidMessageDigest(), func(b *cryptobyte.Builder) { b.AddASN1OctetString(digest) })
	})
	if err != nil {
		return nil, err
	}
	list := [][]byte{kind, sum}
	slices.SortFunc(list, bytes.Compare)
	return build(func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
			for _, a := range list {
				b.AddBytes(a)
			}
		})
	})
}

func addControl(b *cryptobyte.Builder, id int64, kind asn1.ObjectIdentifier, value func(*cryptobyte.Builder)) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(id)
		b.AddASN1ObjectIdentifier(kind)
		b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddASN1(cbasn1.SEQUENCE, value) })
	})
}

func addAttribute(b *cryptobyte.Builder, kind asn1.ObjectIdentifier, value func(*cryptobyte.Builder)) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(kind)
		b.AddASN1(cbasn1.SET, value)
	})
}

func addAlgorithm(b *cryptobyte.Builder, kind asn1.ObjectIdentifier, null bool) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(kind)
		if null {
			b.AddASN1NULL()
		}
	})
}

func build(fn func(*cryptobyte.Builder)) ([]byte, error) {
	var b cryptobyte.Builder
	fn(&b)
	return b.Bytes()
}
