package authority

import (
	"encoding/asn1"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Subject is a distinguished name as the API takes it. Attributes are encoded in the order of the fields, Custom last;
// empty fields are left out.
type Subject struct {
	Country, Organization, OrganizationalUnit, DistinguishedNameQualifier, State, CommonName, SerialNumber, Locality,
	Title, Surname, GivenName, Initials, Pseudonym, GenerationQualifier string

	// Custom attributes make up the whole name: they cannot be mixed with the fields above.
	Custom []Attribute
}

// Attribute is one attribute of a name.
type Attribute struct{ OID, Value string }

// maxAttributes bounds a name, custom or from a CSR.
const maxAttributes = 150

// maxCommonName is RFC 5280's ub-common-name, which the API counts in bytes.
const maxCommonName = 64

// attribute is one attribute to encode.
type attribute struct {
	oid   asn1.ObjectIdentifier
	value string
}

// attributes lists the name's attributes in their order.
func (s *Subject) attributes() ([]attribute, error) {
	at := func(n int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 4, n} }
	var list []attribute
	for _, f := range []struct {
		arc   int
		value string
	}{
		{6, s.Country}, {10, s.Organization}, {11, s.OrganizationalUnit}, {46, s.DistinguishedNameQualifier}, {8, s.State},
		{3, s.CommonName}, {5, s.SerialNumber}, {7, s.Locality}, {12, s.Title}, {4, s.Surname}, {42, s.GivenName},
		{43, s.Initials}, {65, s.Pseudonym}, {44, s.GenerationQualifier},
	} {
		if f.value != "" {
			list = append(list, attribute{at(f.arc), f.value})
		}
	}
	if len(s.Custom) == 0 {
		return list, nil
	}
	if len(list) > 0 {
		return nil, refuse(BadArgument, "custom attributes of a name cannot be combined with standard ones")
	}
	if len(s.Custom) > maxAttributes {
		return nil, refuse(BadArgument, "a name can have at most %d custom attributes", maxAttributes)
	}
	for _, c := range s.Custom {
		oid, err := parseOID(c.OID)
		if err != nil {
			return nil, err
		}
		if c.Value == "" {
			return nil, refuse(BadArgument, "the value of attribute %s is empty", c.OID)
		}
		list = append(list, attribute{oid, c.Value})
	}
	return list, nil
}

// DER encodes the name; the name without attributes is an empty sequence. Strings are UTF8String but where RFC 5280
// Appendix A asks for another type.
func (s *Subject) DER() ([]byte, error) {
	list, err := s.attributes()
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	var bad error
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, a := range list {
			tag, err := stringTag(a)
			if err != nil {
				bad = err
				return
			}
			b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(a.oid)
					b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes([]byte(a.value)) })
				})
			})
		}
	})
	if bad != nil {
		return nil, bad
	}
	return b.Bytes()
}

// stringTag chooses the string type of an attribute and checks that the value fits it.
func stringTag(a attribute) (cbasn1.Tag, error) {
	name := a.oid.String()
	switch name {
	case "2.5.4.6": // countryName
		if len(a.value) != 2 {
			return 0, refuse(BadArgument, "a country is a code of two letters")
		}
		fallthrough
	case "2.5.4.5", "2.5.4.46": // serialNumber, dnQualifier
		if !printable(a.value) {
			return 0, refuse(BadArgument, "attribute %s holds characters that a PrintableString cannot", name)
		}
		return cbasn1.PrintableString, nil
	case "0.9.2342.19200300.100.1.25", "1.2.840.113549.1.9.1": // domainComponent, emailAddress
		if !ascii(a.value) {
			return 0, refuse(BadArgument, "attribute %s holds characters that an IA5String cannot", name)
		}
		return cbasn1.IA5String, nil
	case "2.5.4.3":
		if len(a.value) > maxCommonName {
			return 0, refuse(BadArgument, "a common name has at most %d bytes", maxCommonName)
		}
	}
	if !utf8.ValidString(a.value) || strings.ContainsRune(a.value, 0) {
		return 0, refuse(BadArgument, "attribute %s is not text", name)
	}
	return cbasn1.UTF8String, nil
}

// printable tells whether s fits a PrintableString (X.680 §41.4).
func printable(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte(" '()+,-./:=?", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// ascii tells whether s is text of printable ASCII characters.
func ascii(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
