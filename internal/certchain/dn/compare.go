package dn

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Key is a name in a form in which equal names are equal strings (RFC 5280 §7.1: string type,
// letter case and white space do not matter). Unlike the RFC it applies no Unicode normalisation:
// names that differ only there are different.
type Key string

// KeyOf returns the key of an encoded name. Bytes that are no name are equal to themselves only.
func KeyOf(der []byte) Key {
	name, err := Parse(der)
	if err != nil {
		return Key("!" + string(der))
	}
	return name.key()
}

// Within reports whether n lies in the directory subtree below base: base is n's beginning
// (RFC 5280 §4.2.1.10).
func (n Name) Within(base Name) bool {
	return len(base) <= len(n) && n[:len(base)].key() == base.key()
}

// key writes each RDN with its length in front, so that no value can imitate a boundary.
func (n Name) key() Key {
	var b strings.Builder
	b.WriteByte('=')
	for _, rdn := range n {
		rdnKey := rdn.key()
		b.WriteString(strconv.Itoa(len(rdnKey)))
		b.WriteByte(':')
		b.WriteString(rdnKey)
	}
	return Key(b.String())
}

// key sorts the attributes: an RDN is a set.
func (r RDN) key() string {
	if len(r) == 1 {
		return r[0].key()
	}
	parts := make([]string, len(r))
	for i, attr := range r {
		k := attr.key()
		parts[i] = strconv.Itoa(len(k)) + ":" + k
	}
	slices.Sort(parts)
	return strings.Join(parts, "")
}

func (a Attribute) key() string {
	if !a.IsString {
		return string(a.Type) + "#" + string(a.Raw)
	}
	return string(a.Type) + "=" + fold(a.Value)
}

// fold prepares a value for comparison: letter case away, white space trimmed and collapsed
// (RFC 4518 §2.2 and §2.6.1).
func fold(s string) string {
	if isFolded(s) {
		return s
	}
	s = strings.Join(strings.FieldsFunc(s, unicode.IsSpace), " ")
	return strings.ToLower(strings.ToUpper(s))
}

// isFolded reports ASCII text that folding leaves alone.
func isFolded(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return true
}
