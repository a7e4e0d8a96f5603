package certattr

import (
	"unicode"
	"unicode/utf8"

	"github.com/rolecall/rolecall/internal/certchain/dn"
)

// STS limits in characters.
const (
	maxTagKeyChars        = 128
	maxTagValueChars      = 256
	maxSourceIdentityName = 61 // common names up to here get the prefix "CN="
	maxSourceIdentity     = 64
)

// fitsTag checks a tag against STS's limits and alphabet.
func fitsTag(key, value string) bool {
	return utf8.RuneCountInString(key) <= maxTagKeyChars &&
		utf8.RuneCountInString(value) <= maxTagValueChars && inAlphabet(value)
}

// inAlphabet matches [\p{L}\p{Z}\p{N}_.:/=+\-@]*.
func inAlphabet(s string) bool {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return false
			}
		}
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		case r == '_', r == '.', r == ':', r == '/', r == '=', r == '+', r == '-', r == '@':
		case unicode.In(r, unicode.L, unicode.Z, unicode.N):
		default:
			return false
		}
	}
	return true
}

// sourceIdentity follows the service's rules: "CN=" and the common name up to 61 characters, the
// bare common name up to 64, "ID=" and the hex serial number without one.
func sourceIdentity(subject dn.Name, serialHex string) string {
	values, ok := subject.Values(dn.CommonName)
	cn := join(values)
	n := utf8.RuneCountInString(cn)
	switch {
	case !ok || n == 0 || n > maxSourceIdentity || !inAlphabet(cn):
		return "ID=" + serialHex
	case n <= maxSourceIdentityName:
		return "CN=" + cn
	}
	return cn
}
