// Package dn reads X.501 distinguished names and X.509 general names from their DER form, in order
// and with duplicates, which pkix.Name loses. It knows the attribute short names that IAM Roles
// Anywhere uses in session tags, writes names as text, and compares them as RFC 5280 §7.1 asks.
//
// It validates nothing: package certchain decides what to trust. Start reading at [Parse].
package dn

import (
	"encoding/asn1"
	"errors"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Limits on a name, far above anything seen in practice.
const (
	MaxNameBytes  = 16 << 10
	MaxAttributes = 256
)

// OID is an object identifier in dotted decimal form.
type OID string

// Name is a sequence of relative distinguished names in certificate order (the most significant,
// often the country, first).
type Name []RDN

// RDN is a set of one attribute, rarely more.
type RDN []Attribute

// Attribute is one type and value of a name.
type Attribute struct {
	Type OID
	// Value is the text of a string value as UTF-8, "" if it is no string.
	Value string
	// IsString says whether the value is of an ASN.1 string type and was decoded.
	IsString bool
	// Raw is the DER of the value with its tag; it shares the input's memory.
	Raw []byte
}

var errSyntax = errors.New("malformed distinguished name")

// Parse reads the DER of an RDNSequence. A value that is not a well-formed string is kept as raw
// bytes; anything else out of shape is an error.
func Parse(der []byte) (Name, error) {
	if len(der) > MaxNameBytes {
		return nil, errors.New("distinguished name too long")
	}
	input := cryptobyte.String(der)
	var rdns cryptobyte.String
	if !input.ReadASN1(&rdns, cbasn1.SEQUENCE) || !input.Empty() {
		return nil, errSyntax
	}
	var name Name
	left := MaxAttributes
	for !rdns.Empty() {
		var set cryptobyte.String
		if !rdns.ReadASN1(&set, cbasn1.SET) || set.Empty() {
			return nil, errSyntax
		}
		var rdn RDN
		for !set.Empty() {
			if left--; left < 0 {
				return nil, errors.New("distinguished name has too many attributes")
			}
			attr, ok := readAttribute(&set)
			if !ok {
				return nil, errSyntax
			}
			rdn = append(rdn, attr)
		}
		name = append(name, rdn)
	}
	return name, nil
}

func readAttribute(set *cryptobyte.String) (attr Attribute, ok bool) {
	var pair, raw, content cryptobyte.String
	var oid asn1.ObjectIdentifier
	var tag cbasn1.Tag
	if !set.ReadASN1(&pair, cbasn1.SEQUENCE) || !pair.ReadASN1ObjectIdentifier(&oid) ||
		!pair.ReadAnyASN1Element(&raw, &tag) || !pair.Empty() {
		return attr, false
	}
	attr = Attribute{Type: OID(oid.String()), Raw: raw}
	if !raw.ReadAnyASN1(&content, &tag) {
		return attr, false
	}
	attr.Value, attr.IsString = decodeString(tag, content)
	return attr, true
}

// Values returns the texts of every attribute of the given type in certificate order.
// ok is false if one of them is not a string.
func (n Name) Values(oid OID) (values []string, ok bool) {
	for _, rdn := range n {
		for _, attr := range rdn {
			if attr.Type != oid {
				continue
			}
			if !attr.IsString {
				return nil, false
			}
			values = append(values, attr.Value)
		}
	}
	return values, true
}

// Types returns the attribute types of the name, each once, in order of first appearance.
func (n Name) Types() []OID {
	var types []OID
	for _, rdn := range n {
		for _, attr := range rdn {
			if !slices.Contains(types, attr.Type) {
				types = append(types, attr.Type)
			}
		}
	}
	return types
}
