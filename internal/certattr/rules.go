package certattr

import (
	"fmt"
	"strings"
)

// Rules are compiled mappings. Immutable. Rules of equal mappings are interchangeable.
type Rules struct {
	specifiers []specifier
	key        string // identifies the mappings in the cache on a Verified
}

// Compile checks and compiles a profile's mappings. Their order decides the order of the tags.
// No mappings, no tags.
func Compile(mappings []Mapping) (*Rules, error) {
	r := &Rules{}
	seen := make(map[string]bool)
	var key strings.Builder
	for _, m := range mappings {
		m, err := Normalise(m)
		if err != nil {
			return nil, err
		}
		for _, text := range m.Specifiers {
			s, err := parseSpecifier(m.CertificateField, text)
			if err != nil {
				return nil, fmt.Errorf("specifier %q of %s: %w", clip(text), m.CertificateField, err)
			}
			id := m.CertificateField + "/" + s.label
			if seen[id] {
				continue
			}
			seen[id] = true
			r.specifiers = append(r.specifiers, s)
			key.WriteString(id)
			key.WriteByte('\n')
		}
	}
	r.key = key.String()
	return r, nil
}
