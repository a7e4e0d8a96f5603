package certattr

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rolecall/rolecall/internal/certchain/dn"
)

// Certificate fields that attributes are mapped from.
const (
	FieldSubject = "x509Subject"
	FieldIssuer  = "x509Issuer"
	FieldSAN     = "x509SAN"
)

// Limits on mappings.
const (
	maxSpecifierChars = 60
	maxSpecifiers     = 256 // per certificate field
)

// Mapping says which attributes of one certificate field become session tags.
type Mapping struct {
	CertificateField string // x509Subject, x509Issuer or x509SAN
	// Specifiers are RDN short names or OIDs of at most 60 characters, or "*" for every attribute;
	// for x509SAN "DNS", "URI", "Name/*" and "Name/" before a short name or OID.
	Specifiers []string
}

// Defaults returns the mappings of a new profile, in the order in which the service lists them.
func Defaults() []Mapping {
	return []Mapping{
		{FieldIssuer, []string{"*"}},
		{FieldSAN, []string{"DNS", "URI", "Name/*"}},
		{FieldSubject, []string{"*"}},
	}
}

// Normalise checks a mapping and returns it in the form in which it is stored: "Name" and "Name/"
// become "Name/*", known names get their usual spelling, duplicates go.
func Normalise(m Mapping) (Mapping, error) {
	switch m.CertificateField {
	case FieldSubject, FieldIssuer, FieldSAN:
	default:
		return Mapping{}, fmt.Errorf("unknown certificate field %q", clip(m.CertificateField))
	}
	if len(m.Specifiers) > maxSpecifiers {
		return Mapping{}, fmt.Errorf("more than %d specifiers for %s", maxSpecifiers, m.CertificateField)
	}
	out := Mapping{CertificateField: m.CertificateField}
	for _, text := range m.Specifiers {
		s, err := parseSpecifier(m.CertificateField, text)
		if err != nil {
			return Mapping{}, fmt.Errorf("specifier %q of %s: %w", clip(text), m.CertificateField, err)
		}
		if !slices.Contains(out.Specifiers, s.label) {
			out.Specifiers = append(out.Specifiers, s.label)
		}
	}
	return out, nil
}

// source is the place in a certificate that a specifier takes values from.
type source uint8

const (
	fromSubject source = iota
	fromIssuer
	fromDNS
	fromURI
	fromDirName
)

// specifier is a parsed specifier.
type specifier struct {
	source source
	all    bool
	oid    dn.OID
	label  string // as stored and as used in tag keys
}

func parseSpecifier(field, text string) (specifier, error) {
	if text == "" || utf8.RuneCountInString(text) > maxSpecifierChars {
		return specifier{}, fmt.Errorf("must have 1 to %d characters", maxSpecifierChars)
	}
	switch field {
	case FieldSubject:
		return parseRDN(fromSubject, "", text)
	case FieldIssuer:
		return parseRDN(fromIssuer, "", text)
	}
	switch text {
	case "DNS":
		return specifier{source: fromDNS, label: text}, nil
	case "URI":
		return specifier{source: fromURI, label: text}, nil
	case "Name", "Name/":
		return parseRDN(fromDirName, "Name/", "*")
	}
	if rdn, ok := strings.CutPrefix(text, "Name/"); ok {
		return parseRDN(fromDirName, "Name/", rdn)
	}
	// A wildcard has no meaning for the SAN itself, DNS or URI. It is refused rather than
	// stored without effect.
	return specifier{}, errors.New("must be DNS, URI, Name/* or Name/ and a name")
}

func parseRDN(from source, prefix, text string) (specifier, error) {
	if text == "*" {
		return specifier{source: from, all: true, label: prefix + "*"}, nil
	}
	oid, ok := dn.Lookup(text)
	if !ok {
		return specifier{}, errors.New("is neither a known attribute name nor an OID")
	}
	label := text
	if string(oid) != text {
		label = oid.Label()
	}
	return specifier{source: from, oid: oid, label: prefix + label}, nil
}

// clip shortens what a caller sent for an error message.
func clip(s string) string {
	if r := []rune(s); len(r) > maxSpecifierChars {
		return string(r[:maxSpecifierChars]) + "…"
	}
	return s
}
