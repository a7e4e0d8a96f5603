package certchain

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rolecall/rolecall/internal/certchain/dn"
)

// ParseCRL reads a complete CRL, PEM (one X509 CRL block) or DER. It does not check the
// signature. The error is an *[Error] whose text suits a ValidationException.
func ParseCRL(data []byte) (*CRL, error) {
	if len(data) <= MaxCRLBytes && !isPEM(data) {
		data = bytes.Clone(data)
	}
	return TakeCRL(data, MaxCRLBytes)
}

func isPEM(data []byte) bool {
	return (len(data) == 0 || data[0] != 0x30) && bytes.Contains(data, []byte("-----BEGIN "))
}

// TakeCRL is [ParseCRL] with another bound on the DER form, in bytes and below 1 GiB, and without a copy: the list keeps data,
// which must not be changed any more.
func TakeCRL(data []byte, most int) (*CRL, error) {
	if len(data) > 2*most {
		return nil, refuse(Malformed, msgBadCRL, "it is larger than %d bytes", most)
	}
	der := data
	if isPEM(data) {
		block, rest := pem.Decode(data)
		switch {
		case block == nil:
			return nil, refuse(Malformed, msgBadCRL, "the PEM block is damaged")
		case block.Type != "X509 CRL":
			return nil, refuse(Malformed, msgBadCRL, "it is a PEM block %q, not X509 CRL", clip(block.Type, 40))
		case bytes.Contains(rest, []byte("-----BEGIN ")):
			return nil, refuse(Malformed, msgBadCRL, "it holds more than one PEM block, import each list by itself")
		}
		der = block.Bytes
	}
	if len(der) > most {
		return nil, refuse(Malformed, msgBadCRL, "it is larger than %d bytes", most)
	}
	c, err := parseCRL(der)
	if err != nil {
		return nil, refuse(Malformed, msgBadCRL, "%s", err)
	}
	if why := weakSignature(c.algorithm); why != "" {
		return nil, refuse(Weak, msgBadCRL, "%s", why)
	}
	return c, nil
}

var errCRLSyntax = errors.New("it is no DER CertificateList")

// parseCRL follows RFC 5280 §5.1.
func parseCRL(der []byte) (*CRL, error) {
	c := &CRL{der: der}
	input := cryptobyte.String(der)
	var list, tbsElement, outer cryptobyte.String
	if !input.ReadASN1(&list, cbasn1.SEQUENCE) || !input.Empty() ||
		!list.ReadASN1Element(&tbsElement, cbasn1.SEQUENCE) ||
		!list.ReadASN1Element(&outer, cbasn1.SEQUENCE) ||
		!list.ReadASN1BitStringAsBytes(&c.signature) || !list.Empty() {
		return nil, errCRLSyntax
	}
	c.tbs = tbsElement
	var tbs cryptobyte.String
	if !tbsElement.ReadASN1(&tbs, cbasn1.SEQUENCE) {
		return nil, errCRLSyntax
	}
	// RFC 5280 §5.1.2.1: version 2, or absent for version 1, which openssl writes when a list has
	// no number. Both must be processed (§5).
	var version int64
	if tbs.PeekASN1Tag(cbasn1.INTEGER) && (!tbs.ReadASN1Integer(&version) || version != 1) {
		return nil, errors.New("it is neither a version 1 nor a version 2 list")
	}
	var inner, issuer cryptobyte.String
	if !tbs.ReadASN1Element(&inner, cbasn1.SEQUENCE) || !tbs.ReadASN1Element(&issuer, cbasn1.SEQUENCE) {
		return nil, errCRLSyntax
	}
	// RFC 5280 §5.1.1.2: both algorithm identifiers are the same.
	if !bytes.Equal(inner, outer) {
		return nil, errors.New("its two signature algorithms differ")
	}
	c.algorithm = signatureAlgorithm(inner)
	c.issuer, c.issuerKey, c.nameID = issuer, dn.KeyOf(issuer), NameID(issuer)
	if name, err := dn.Parse(issuer); err != nil || len(name) == 0 {
		return nil, errors.New("its issuer name is missing or malformed")
	}
	if !readTime(&tbs, &c.thisUpdate) {
		return nil, errCRLSyntax
	}
	if tbs.PeekASN1Tag(cbasn1.UTCTime) || tbs.PeekASN1Tag(cbasn1.GeneralizedTime) {
		if !readTime(&tbs, &c.nextUpdate) {
			return nil, errCRLSyntax
		}
	}
	if err := c.readEntries(&tbs); err != nil {
		return nil, err
	}
	return c, c.readExtensions(&tbs)
}

func (c *CRL) readEntries(tbs *cryptobyte.String) error {
	if !tbs.PeekASN1Tag(cbasn1.SEQUENCE) {
		return nil
	}
	var entries cryptobyte.String
	if !tbs.ReadASN1(&entries, cbasn1.SEQUENCE) {
		return errCRLSyntax
	}
	n := 0
	for rest := entries; !rest.Empty(); n++ {
		if !plainEntry(rest) {
			if _, err := parseEntry(rest); err != nil {
				return fmt.Errorf("entry %d: %w", n+1, err)
			}
		}
		if !rest.SkipASN1(cbasn1.SEQUENCE) {
			return errCRLSyntax
		}
	}
	c.index = newSerialIndex(entries, n)
	for rest := entries; !rest.Empty(); {
		offset := len(entries) - len(rest)
		c.index.add(entrySerial(rest), offset)
		if !rest.SkipASN1(cbasn1.SEQUENCE) {
			return errCRLSyntax
		}
	}
	return nil
}

func (c *CRL) readExtensions(tbs *cryptobyte.String) error {
	tag := cbasn1.Tag(0).Constructed().ContextSpecific()
	var explicit cryptobyte.String
	if tbs.PeekASN1Tag(tag) && !tbs.ReadASN1(&explicit, tag) || !tbs.Empty() {
		return errCRLSyntax
	}
	if len(explicit) == 0 {
		return nil
	}
	return eachExtension(explicit, func(oid string, critical bool, value []byte) error {
		switch oid {
		case "2.5.29.20":
			number := new(big.Int)
			s := cryptobyte.String(value)
			if !s.ReadASN1Integer(number) || !s.Empty() || number.Sign() < 0 {
				return errors.New("its CRL number is malformed")
			}
			c.number = number
		case "2.5.29.27":
			return errors.New("it is a delta list, a complete one is required")
		case "2.5.29.28":
			return c.scope.read(value)
		case "2.5.29.35", "2.5.29.18", "2.5.29.46": // authority key id, issuer alternative name, freshest CRL
		default:
			if critical {
				return fmt.Errorf("its critical extension %s is not understood", oid)
			}
		}
		return nil
	})
}

func readTime(s *cryptobyte.String, out *time.Time) bool {
	if s.PeekASN1Tag(cbasn1.UTCTime) {
		return s.ReadASN1UTCTime(out)
	}
	return s.ReadASN1GeneralizedTime(out)
}

// eachExtension calls fn for each extension of the DER Extensions; twice the same is an error.
func eachExtension(der []byte, fn func(oid string, critical bool, value []byte) error) error {
	input := cryptobyte.String(der)
	var list cryptobyte.String
	if !input.ReadASN1(&list, cbasn1.SEQUENCE) || !input.Empty() {
		return errCRLSyntax
	}
	seen := make(map[string]bool)
	for !list.Empty() {
		var ext, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		var critical bool
		if !list.ReadASN1(&ext, cbasn1.SEQUENCE) || !ext.ReadASN1ObjectIdentifier(&oid) ||
			ext.PeekASN1Tag(cbasn1.BOOLEAN) && !ext.ReadASN1Boolean(&critical) ||
			!ext.ReadASN1(&value, cbasn1.OCTET_STRING) || !ext.Empty() {
			return errCRLSyntax
		}
		id := oid.String()
		if seen[id] || len(seen) > 64 {
			return errors.New("an extension appears twice")
		}
		seen[id] = true
		if err := fn(id, critical, value); err != nil {
			return err
		}
	}
	return nil
}

// signatureAlgorithm maps a DER AlgorithmIdentifier to crypto/x509's name.
func signatureAlgorithm(der []byte) x509.SignatureAlgorithm {
	input := cryptobyte.String(der)
	var seq cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !input.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&oid) {
		return x509.UnknownSignatureAlgorithm
	}
	switch oid.String() {
	case "1.2.840.113549.1.1.4":
		return x509.MD5WithRSA
	case "1.2.840.113549.1.1.5", "1.3.14.3.2.29":
		return x509.SHA1WithRSA
	case "1.2.840.113549.1.1.11":
		return x509.SHA256WithRSA
	case "1.2.840.113549.1.1.12":
		return x509.SHA384WithRSA
	case "1.2.840.113549.1.1.13":
		return x509.SHA512WithRSA
	case "1.2.840.113549.1.1.10":
		return pssAlgorithm(seq)
	case "1.2.840.10045.4.1":
		return x509.ECDSAWithSHA1
	case "1.2.840.10045.4.3.2":
		return x509.ECDSAWithSHA256
	case "1.2.840.10045.4.3.3":
		return x509.ECDSAWithSHA384
	case "1.2.840.10045.4.3.4":
		return x509.ECDSAWithSHA512
	case "1.3.101.112":
		return x509.PureEd25519
	}
	return x509.UnknownSignatureAlgorithm
}
