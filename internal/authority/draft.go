package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"io"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rolecall/rolecall/internal/certchain"
)

// draft is a certificate without its signature (RFC 5280 §4.1: TBSCertificate and signatureAlgorithm).
type draft struct {
	tbs       []byte
	algorithm []byte // DER of the AlgorithmIdentifier
	hash      crypto.Hash
	cert      *x509.Certificate // as it reads, with zeros for a signature
}

// newDraft lets crypto/x509 build the certificate, takes what it would sign, and reads it back.
func newDraft(template, parent *x509.Certificate, pub, issuer crypto.PublicKey) (*draft, error) {
	c := &capture{public: issuer}
	if _, err := x509.CreateCertificate(rand.Reader, template, parent, pub, c); c.tbs == nil {
		if err == nil {
			err = errors.New("nothing was built")
		}
		return nil, refuse(BadArgument, "the certificate cannot be made: %s", clip(strings.TrimPrefix(err.Error(), "x509: ")))
	}
	d := &draft{tbs: c.tbs, hash: c.hash}
	if d.algorithm = signatureAlgorithm(c.tbs); d.algorithm == nil {
		return nil, refuse(BadArgument, "the certificate cannot be made")
	}
	der, err := d.join(make([]byte, signatureSize(issuer)))
	if err != nil {
		return nil, err
	}
	if len(der) > certchain.MaxCertificateBytes {
		return nil, refuse(BadArgument, "the certificate would be larger than %d bytes", certchain.MaxCertificateBytes)
	}
	if d.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, refuse(BadArgument, "the certificate could not be read back: %s", clip(strings.TrimPrefix(err.Error(), "x509: ")))
	}
	return d, nil
}

// seal completes the certificate with a signature that was checked.
func (d *draft) seal(signature []byte) (*x509.Certificate, error) {
	der, err := d.join(signature)
	if err != nil {
		return nil, err
	}
	cert := *d.cert // every signed byte of it was parsed before
	cert.Raw, cert.Signature = der, signature
	return &cert, nil
}

func (d *draft) join(signature []byte) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(d.tbs)
		b.AddBytes(d.algorithm)
		b.AddASN1BitString(signature)
	})
	return b.Bytes()
}

// signatureAlgorithm is the third field of a TBSCertificate with a version.
func signatureAlgorithm(tbs []byte) []byte {
	s := cryptobyte.String(tbs)
	var inner, algorithm cryptobyte.String
	if !s.ReadASN1(&inner, cbasn1.SEQUENCE) || !inner.SkipASN1(cbasn1.Tag(0).Constructed().ContextSpecific()) ||
		!inner.SkipASN1(cbasn1.INTEGER) || !inner.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) {
		return nil
	}
	return algorithm
}

// signatureSize is the most bytes that a signature with the key has.
func signatureSize(pub crypto.PublicKey) int {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return k.Size()
	case *ecdsa.PublicKey:
		return 2*((k.Curve.Params().BitSize+7)/8) + 16
	}
	return 512
}

// capture is a signer that signs nothing: it keeps what it is given.
type capture struct {
	public crypto.PublicKey
	tbs    []byte
	hash   crypto.Hash
}

var errCaptured = errors.New("authority: taken, not signed")

func (c *capture) Public() crypto.PublicKey { return c.public }

func (c *capture) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, errCaptured }

// SignMessage implements crypto.MessageSigner.
func (c *capture) SignMessage(_ io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	c.tbs, c.hash = append([]byte(nil), message...), opts.HashFunc()
	return nil, errCaptured
}
