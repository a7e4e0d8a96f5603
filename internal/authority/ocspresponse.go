package authority

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// OCSPError is an answer without a signature (RFC 6960 §4.2.1).
type OCSPError int

// The errors of RFC 6960 §4.2.1.
const (
	OCSPMalformed    OCSPError = 1
	OCSPInternal     OCSPError = 2
	OCSPTryLater     OCSPError = 3
	OCSPUnauthorized OCSPError = 6
)

// DER is the answer's bytes.
func (e OCSPError) DER() []byte { return []byte{0x30, 3, byte(cbasn1.ENUM), 1, byte(e)} }

// CertStatus is what a responder knows of a certificate.
type CertStatus int

// The states of RFC 6960 §2.2.
const (
	CertGood    CertStatus = 0
	CertRevoked CertStatus = 1
	CertUnknown CertStatus = 2 // never issued
)

// OCSPAnswer is the answer about one certificate.
type OCSPAnswer struct {
	ID        []byte // DER of the CertID, as it was asked
	Status    CertStatus
	RevokedAt time.Time
	Reason    RevocationReason
}

// Responder signs OCSP answers for one CA. It is safe for concurrent use.
type Responder struct {
	Certificate *x509.Certificate
	key         crypto.Signer // P-256
	keyHash     []byte        // SHA-1 of the public key's bits
}

func newResponder(cert *x509.Certificate, key crypto.Signer) (*Responder, error) {
	hash, err := keyID(cert.RawSubjectPublicKeyInfo)
	return &Responder{cert, key, hash}, err
}

// Sign makes a successful answer (RFC 6960 §4.2.1), valid from now to until. nonce is nil for none.
func (r *Responder) Sign(answers []OCSPAnswer, nonce []byte, now, until time.Time) ([]byte, error) {
	data, err := r.responseData(answers, nonce, now, until)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(data)
	signature, err := r.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	c := cryptobyte.NewBuilder(make([]byte, 0, len(data)+len(r.Certificate.Raw)+192))
	c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
		c.AddASN1Enum(0) // successful
		c.AddASN1(explicit(0), func(c *cryptobyte.Builder) {
			c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
				c.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1})
				c.AddASN1(cbasn1.OCTET_STRING, func(c *cryptobyte.Builder) {
					c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
						c.AddBytes(data)
						c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) { // ecdsa-with-SHA256
							c.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2})
						})
						c.AddASN1BitString(signature)
						c.AddASN1(explicit(0), func(c *cryptobyte.Builder) {
							c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) { c.AddBytes(r.Certificate.Raw) })
						})
					})
				})
			})
		})
	})
	return c.Bytes()
}

// responseData is what the signature covers.
func (r *Responder) responseData(answers []OCSPAnswer, nonce []byte, now, until time.Time) ([]byte, error) {
	now, until = now.UTC().Truncate(time.Second), until.UTC().Truncate(time.Second)
	var c cryptobyte.Builder
	c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
		c.AddASN1(explicit(2), func(c *cryptobyte.Builder) { c.AddASN1OctetString(r.keyHash) }) // byKey
		c.AddASN1GeneralizedTime(now)
		c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
			for k := range answers {
				addAnswer(c, &answers[k], now, until)
			}
		})
		if nonce == nil {
			return
		}
		c.AddASN1(explicit(1), func(c *cryptobyte.Builder) {
			c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
				addExtension(c, oidNonce(), false, func(c *cryptobyte.Builder) { c.AddASN1OctetString(nonce) })
			})
		})
	})
	return c.Bytes()
}

func addAnswer(c *cryptobyte.Builder, a *OCSPAnswer, now, until time.Time) {
	c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
		c.AddBytes(a.ID)
		if a.Status == CertRevoked {
			c.AddASN1(explicit(1), func(c *cryptobyte.Builder) { // implicit SEQUENCE
				c.AddASN1GeneralizedTime(a.RevokedAt.UTC().Truncate(time.Second))
				if a.Reason != 0 {
					c.AddASN1(explicit(0), func(c *cryptobyte.Builder) { c.AddASN1Enum(int64(a.Reason)) })
				}
			})
		} else {
			c.AddASN1(cbasn1.Tag(a.Status).ContextSpecific(), func(*cryptobyte.Builder) {}) // implicit NULL
		}
		c.AddASN1GeneralizedTime(now)
		c.AddASN1(explicit(0), func(c *cryptobyte.Builder) { c.AddASN1GeneralizedTime(until) })
	})
}
