package dn

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// ASN.1 string tags that cryptobyte does not name (X.680 §8.4).
const (
	tagNumericString   = cbasn1.Tag(18)
	tagVisibleString   = cbasn1.Tag(26)
	tagUniversalString = cbasn1.Tag(28)
	tagBMPString       = cbasn1.Tag(30)
)

// decodeString turns the content of an ASN.1 string into UTF-8. ok is false for other types and
// for content that its type does not allow, which callers must not treat as text.
func decodeString(tag cbasn1.Tag, content []byte) (text string, ok bool) {
	switch tag {
	case cbasn1.UTF8String:
		return string(content), utf8.Valid(content)
	case cbasn1.PrintableString, cbasn1.IA5String, tagNumericString, tagVisibleString:
		// The narrow alphabets are not enforced: common CAs put "*", "@" and "&" into
		// PrintableStrings. Bytes outside ASCII have no meaning in any of these.
		for _, b := range content {
			if b >= utf8.RuneSelf {
				return "", false
			}
		}
		return string(content), true
	case cbasn1.T61String:
		// T.61 is ISO 8859-1 in every implementation that still writes it.
		var b strings.Builder
		for _, c := range content {
			b.WriteRune(rune(c))
		}
		return b.String(), true
	case tagBMPString:
		return decodeBMP(content)
	case tagUniversalString:
		return decodeUniversal(content)
	}
	return "", false
}

// decodeBMP reads UCS-2, accepting surrogate pairs, which Windows writes.
func decodeBMP(content []byte) (string, bool) {
	if len(content)%2 != 0 {
		return "", false
	}
	units := make([]uint16, 0, len(content)/2)
	for i := 0; i < len(content); i += 2 {
		units = append(units, uint16(content[i])<<8|uint16(content[i+1]))
	}
	text := string(utf16.Decode(units))
	// Decode marks a lone surrogate with U+FFFD; a real U+FFFD is no name either.
	return text, !strings.ContainsRune(text, utf8.RuneError)
}

// decodeUniversal reads UCS-4.
func decodeUniversal(content []byte) (string, bool) {
	if len(content)%4 != 0 {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(content); i += 4 {
		r := uint32(content[i])<<24 | uint32(content[i+1])<<16 | uint32(content[i+2])<<8 | uint32(content[i+3])
		if r > utf8.MaxRune || !utf8.ValidRune(rune(r)) {
			return "", false
		}
		b.WriteRune(rune(r))
	}
	return b.String(), true
}
