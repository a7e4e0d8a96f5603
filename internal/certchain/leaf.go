package certchain

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"math/big"
)

// maxSerialBytes keeps the serial's hex form within the 64 characters of a role session name.
// RFC 5280 §4.1.2.2 allows issuers 20 octets; some exceed it.
const maxSerialBytes = 32

// Leaf is a parsed end-entity certificate about which nothing has been verified yet, except that
// its key is of a kind and size that is safe to check a signature with.
type Leaf struct {
	cert        *x509.Certificate
	fingerprint [32]byte
	serialDec   string
	serialHex   string
	keyUse      keyUse
}

// Certificate returns the parsed certificate, which must not be changed.
func (l *Leaf) Certificate() *x509.Certificate { return l.cert }

// PublicKey returns an *rsa.PublicKey or an *ecdsa.PublicKey.
func (l *Leaf) PublicKey() crypto.PublicKey { return l.cert.PublicKey }

// Fingerprint returns the SHA-256 of the DER form.
func (l *Leaf) Fingerprint() [32]byte { return l.fingerprint }

// SerialDecimal returns the serial number as clients write it into the credential scope.
func (l *Leaf) SerialDecimal() string { return l.serialDec }

// SerialHex returns the serial number in lower-case hex of even length.
func (l *Leaf) SerialHex() string { return l.serialHex }

// ParseLeaf parses a DER certificate of at most [MaxCertificateBytes] and checks that its key can
// be used. The error is an *[Error] with reason Malformed or Weak.
func ParseLeaf(der []byte) (*x509.Certificate, error) {
	if len(der) > MaxCertificateBytes {
		return nil, refuse(Malformed, msgMalformed, "the certificate is larger than %d bytes", MaxCertificateBytes)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, refuse(Malformed, msgMalformed, "%s", parseFault(err))
	}
	if len(cert.SerialNumber.Bytes()) > maxSerialBytes {
		return nil, refuse(Malformed, msgMalformed, "the serial number is longer than %d bytes", maxSerialBytes)
	}
	if why := weakKey(cert); why != "" {
		return nil, refuse(Weak, msgInsufficient, "%s", why)
	}
	return cert, nil
}

func newLeaf(der []byte, fingerprint [32]byte) (*Leaf, error) {
	cert, err := ParseLeaf(der)
	if err != nil {
		return nil, err
	}
	return &Leaf{
		cert:        cert,
		fingerprint: fingerprint,
		serialDec:   cert.SerialNumber.String(),
		serialHex:   serialHex(cert.SerialNumber),
	}, nil
}

// serialHex writes n as lower-case hex of even length, "00" for zero.
func serialHex(n *big.Int) string {
	b := n.Bytes()
	if len(b) == 0 {
		return "00"
	}
	return hex.EncodeToString(b)
}

func fingerprintOf(der []byte) [32]byte { return sha256.Sum256(der) }
