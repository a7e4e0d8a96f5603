package certchain

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rolecall/rolecall/internal/certchain/dn"
)

// scope is what an issuingDistributionPoint limits a list to (RFC 5280 §5.2.5).
type scope struct {
	named       bool // by a distribution point
	uris        []string
	user, ca    bool // onlyContainsUserCerts, onlyContainsCACerts
	someReasons bool
}

var errIDP = errors.New("its issuing distribution point is malformed")

// read reads an issuingDistributionPoint. A list that is limited to some certificates or reasons still revokes what it
// lists. Only a list whose entries may belong to other issuers, or are no public key certificates, would be misread.
func (s *scope) read(value []byte) error {
	in := cryptobyte.String(value)
	var idp cryptobyte.String
	if !in.ReadASN1(&idp, cbasn1.SEQUENCE) || !in.Empty() {
		return errIDP
	}
	for !idp.Empty() {
		var content cryptobyte.String
		var tag cbasn1.Tag
		if !idp.ReadAnyASN1(&content, &tag) {
			return errIDP
		}
		set := len(content) == 1 && content[0] != 0
		switch tag {
		case explicitTag(0):
			s.named = true
			s.uris = distributionURIs(content)
		case cbasn1.Tag(1).ContextSpecific():
			s.user = set
		case cbasn1.Tag(2).ContextSpecific():
			s.ca = set
		case cbasn1.Tag(3).ContextSpecific():
			s.someReasons = true
		case cbasn1.Tag(4).ContextSpecific():
			if set {
				return errors.New("it is an indirect list, which is not supported")
			}
		case cbasn1.Tag(5).ContextSpecific():
			if set {
				return errors.New("it lists attribute certificates only")
			}
		default:
			return errIDP
		}
	}
	return nil
}

// distributionURIs are the URIs of a DistributionPointName; a form without any names no point that we know.
func distributionURIs(name cryptobyte.String) (uris []string) {
	var full cryptobyte.String
	if !name.ReadASN1(&full, explicitTag(0)) {
		return nil
	}
	for !full.Empty() {
		var value cryptobyte.String
		var tag cbasn1.Tag
		if !full.ReadAnyASN1(&value, &tag) {
			return nil
		}
		if tag == cbasn1.Tag(6).ContextSpecific() {
			uris = append(uris, string(value))
		}
	}
	return uris
}

// Covers reports whether the certificate's absence from the list says that it is not revoked: the list is of its issuer's
// name, and not limited to other certificates, other distribution points or some reasons (RFC 5280 §6.3.3 (b)).
func (c *CRL) Covers(cert *x509.Certificate) bool {
	s := &c.scope
	if c.nameID != NameID(cert.RawIssuer) || s.someReasons || s.user && cert.IsCA || s.ca && !cert.IsCA {
		return false
	}
	if !s.named {
		return true
	}
	return slices.ContainsFunc(s.uris, func(u string) bool { return slices.Contains(cert.CRLDistributionPoints, u) })
}

// NameID identifies a name (DER), equal for names that RFC 5280 §7.1 calls equal.
func NameID(name []byte) (id [16]byte) {
	sum := sha256.Sum256([]byte(dn.KeyOf(name)))
	copy(id[:], sum[:])
	return id
}

// NameID is the [NameID] of the list's issuer.
func (c *CRL) NameID() [16]byte { return c.nameID }

// Lists reports whether the list holds the serial number, in hex of even length.
func (c *CRL) Lists(serial string) bool {
	b, err := hex.DecodeString(serial)
	if err != nil || len(b) == 0 {
		return false
	}
	if b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	return c.index.find(b) != nil
}
