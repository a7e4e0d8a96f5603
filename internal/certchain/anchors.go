package certchain

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"

	"github.com/rolecall/rolecall/internal/blockedkeys"
)

// Limits of a trust anchor bundle, the service's own quotas.
const (
	MaxAnchorCharacters   = 16000
	MaxAnchorCertificates = 2
)

// Anchors is a compiled trust anchor: one or more CA certificates, each of which ends a path.
// Immutable. Two Anchors of the same certificates in the same order are interchangeable.
type Anchors struct {
	certs []*authority
	id    [32]byte
}

// ID identifies the certificates of the bundle and their order.
func (a *Anchors) ID() [32]byte { return a.id }

// Certificates returns the bundle's certificates in order, which must not be changed.
func (a *Anchors) Certificates() []*x509.Certificate {
	certs := make([]*x509.Certificate, len(a.certs))
	for i, ca := range a.certs {
		certs[i] = ca.cert
	}
	return certs
}

// CheckKeys refuses a bundle with a blocked key. The error is like that of [ParseAnchors].
func (a *Anchors) CheckKeys(blocked *blockedkeys.List) error {
	for _, ca := range a.certs {
		if blocked.Contains(ca.cert.PublicKey) {
			return refuse(Weak, msgBadAnchor, "%s: %s", describe(ca.cert), blockedkeys.Reason)
		}
	}
	return nil
}

// ParseAnchors reads the PEM bundle of a trust anchor: 1 to [MaxAnchorCertificates] CA
// certificates in at most [MaxAnchorCharacters] characters. Validity dates are not looked at
// here but at verification. The error is an *[Error] whose text suits a ValidationException.
func ParseAnchors(pemBundle string) (*Anchors, error) {
	return ParseAnchorsMax(pemBundle, MaxAnchorCertificates)
}

// ParseAnchorsMax is [ParseAnchors] with another bound on the number of certificates.
func ParseAnchorsMax(pemBundle string, maxCertificates int) (*Anchors, error) {
	if len(pemBundle) > MaxAnchorCharacters {
		return nil, refuse(Malformed, msgBadAnchor, "the bundle is longer than %d characters", MaxAnchorCharacters)
	}
	ders, err := decodeBundle(pemBundle)
	if err != nil {
		return nil, err
	}
	if len(ders) > maxCertificates {
		return nil, refuse(Malformed, msgBadAnchor, "the bundle holds %d certificates, at most %d are allowed", len(ders), maxCertificates)
	}
	return newAnchors(ders)
}

func newAnchors(ders [][]byte) (*Anchors, error) {
	a := &Anchors{}
	hash := sha256.New()
	for i, der := range ders {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, refuse(Malformed, msgBadAnchor, "certificate %d: %s", i+1, parseFault(err))
		}
		if slices.ContainsFunc(a.certs, func(have *authority) bool { return bytes.Equal(have.cert.Raw, der) }) {
			continue
		}
		ca, err := newAnchorAuthority(cert)
		if err != nil {
			return nil, err
		}
		a.certs = append(a.certs, ca)
		sum := sha256.Sum256(der)
		hash.Write(sum[:])
	}
	hash.Sum(a.id[:0])
	return a, nil
}

// decodeBundle returns the DER of each CERTIFICATE block. Comments between blocks are allowed.
func decodeBundle(bundle string) ([][]byte, error) {
	const begin = "-----BEGIN "
	want := strings.Count(bundle, begin)
	var ders [][]byte
	for rest := []byte(bundle); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, refuse(Malformed, msgBadAnchor, "the bundle holds a PEM block %q, only CERTIFICATE is allowed", clip(block.Type, 40))
		}
		ders = append(ders, block.Bytes)
	}
	// pem.Decode steps over a damaged block; a bundle must not lose a certificate that way.
	if len(ders) == 0 || len(ders) != want {
		return nil, refuse(Malformed, msgBadAnchor, "the bundle must be one or more well-formed PEM blocks of type CERTIFICATE")
	}
	return ders, nil
}

// newAnchorAuthority applies the service's rules for trust anchor certificates.
func newAnchorAuthority(cert *x509.Certificate) (*authority, error) {
	name := describe(cert)
	switch {
	case cert.Version != 3:
		return nil, refuse(Malformed, msgBasicConstraints, "%s is an X.509 version %d certificate, version 3 is required", name, cert.Version)
	case !cert.BasicConstraintsValid:
		return nil, refuse(Malformed, msgBasicConstraints, "%s has no basic constraints, CA:true is required", name)
	case !cert.IsCA:
		return nil, refuse(Malformed, msgBasicConstraints, "%s has CA:false, CA:true is required", name)
	case cert.KeyUsage&x509.KeyUsageCertSign == 0:
		return nil, refuse(Malformed, msgBadAnchor, "the key usage of %s lacks keyCertSign", name)
	}
	if why := weakKey(cert); why != "" {
		return nil, refuse(Weak, msgBadAnchor, "%s: %s", name, why)
	}
	if why := weakSignature(cert.SignatureAlgorithm); why != "" {
		return nil, refuse(Weak, msgBadAnchor, "%s: %s", name, why)
	}
	ca, err := newAuthority(cert)
	if err != nil {
		return nil, refuse(Malformed, msgBadAnchor, "%s: %s", name, err)
	}
	return ca, nil
}
