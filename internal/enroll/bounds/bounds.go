// Package bounds says which names a certificate request may ask for: patterns of subjects and of alternative names, which
// an administrator writes into an enrollment profile or a token.
//
// A subject pattern is a list "CN=*.example.com,O=Example": the request's subject must have exactly these attributes, each
// once, in any order. An alternative name's pattern is "DNS:…", "EMAIL:…", "URI:…" with a glob, or "IP:…" with an address or
// a network. In a glob, * stands for any run of characters but another *; \ takes the special meaning off the next one.
//
// Start with [ReadNames] and [Subject.Check].
package bounds

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rolecall/rolecall/internal/certchain/dn"
)

// Limits of what is read.
const (
	MaxPattern  = 1024 // bytes of one pattern
	MaxPatterns = 64
	maxValue    = 512 // bytes of one name
)

// glob is a sequence of literal pieces: between two of them anything may stand.
type glob []string

// parseGlob reads up to the first unescaped stop character; 0 for none.
func parseGlob(text string, stop byte) (g glob, rest string, found bool, err error) {
	var piece strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			if i++; i == len(text) {
				return nil, "", false, fmt.Errorf("the pattern %q ends with a backslash", text)
			}
			piece.WriteByte(text[i])
		case c == '*':
			g = append(g, piece.String())
			piece.Reset()
		case c == stop && stop != 0:
			return append(g, piece.String()), text[i+1:], true, nil
		default:
			piece.WriteByte(c)
		}
	}
	return append(g, piece.String()), "", false, nil
}

// match reports whether value is the literal pieces in order. What a star stands for holds no star itself: a pattern for
// hosts must not let a wildcard certificate through.
func (g glob) match(value string) bool {
	first, ok := strings.CutPrefix(value, g[0])
	if !ok {
		return false
	}
	if len(g) == 1 {
		return first == ""
	}
	last := g[len(g)-1]
	if len(first) < len(last) || !strings.HasSuffix(first, last) {
		return false
	}
	rest := first[:len(first)-len(last)]
	for _, piece := range g[1 : len(g)-1] {
		before, after, found := strings.Cut(rest, piece)
		if !found || strings.Contains(before, "*") {
			return false
		}
		rest = after
	}
	return !strings.Contains(rest, "*")
}

// Attribute is one attribute of a subject.
type Attribute struct {
	Type  dn.OID
	Value string
}

// Alternative is one alternative name in the form of a pattern: "DNS:host.example", with DNS names in lower case.
type Alternative struct{ Kind, Value string }

func (a Alternative) String() string { return a.Kind + ":" + a.Value }

// Names are a request's or a certificate's names, all of them, in a form that can be compared.
type Names struct {
	Subject      []Attribute // in the certificate's order
	Alternatives []Alternative
}

// Equal reports whether two certificates name the same thing: same attributes in the same order, same alternative names in
// any order.
func (n *Names) Equal(o *Names) bool {
	a, b := slices.Clone(n.Alternatives), slices.Clone(o.Alternatives)
	order := func(x, y Alternative) int { return strings.Compare(x.String(), y.String()) }
	slices.SortFunc(a, order)
	slices.SortFunc(b, order)
	return slices.Equal(n.Subject, o.Subject) && slices.Equal(slices.Compact(a), slices.Compact(b))
}

func validText(s string) bool {
	return s != "" && len(s) <= maxValue && utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) < 0
}

// ReadNames takes the names out of a subject's DER and an alternative names extension's value (nil for none). Names of kinds
// that no pattern can admit are an error.
func ReadNames(subject, alternatives []byte) (*Names, error) {
	name, err := dn.Parse(subject)
	if err != nil {
		return nil, fmt.Errorf("the subject is malformed")
	}
	out := &Names{}
	for _, rdn := range name {
		if len(rdn) != 1 {
			return nil, fmt.Errorf("the subject has several attributes in one of its parts")
		}
		if !rdn[0].IsString || !validText(rdn[0].Value) {
			return nil, fmt.Errorf("the subject's %s is not plain text of 1 to %d bytes", rdn[0].Type.Label(), maxValue)
		}
		out.Subject = append(out.Subject, Attribute{rdn[0].Type, rdn[0].Value})
	}
	if alternatives == nil {
		return out, nil
	}
	list, err := dn.ParseGeneralNames(alternatives)
	if err != nil {
		return nil, fmt.Errorf("the alternative names are malformed")
	}
	for _, n := range list {
		text := string(n.Bytes)
		a := Alternative{Value: text}
		switch n.Kind {
		case dn.DNSName:
			a = Alternative{"DNS", strings.ToLower(text)}
		case dn.RFC822Name:
			a.Kind = "EMAIL"
		case dn.URI:
			a.Kind = "URI"
		case dn.IPAddress:
			addr, ok := netip.AddrFromSlice(n.Bytes)
			if !ok {
				return nil, fmt.Errorf("an alternative name is not an IP address")
			}
			a = Alternative{"IP", addr.Unmap().String()}
		default:
			return nil, fmt.Errorf("alternative names of kind %s are not allowed", n.Kind)
		}
		if !validText(a.Value) {
			return nil, fmt.Errorf("an alternative name is not plain text of 1 to %d bytes", maxValue)
		}
		out.Alternatives = append(out.Alternatives, a)
	}
	return out, nil
}

// OfCertificate are the names of a certificate.
func OfCertificate(c *x509.Certificate) (*Names, error) {
	for _, e := range c.Extensions {
		if e.Id.String() == "2.5.29.17" {
			return ReadNames(c.RawSubject, e.Value)
		}
	}
	return ReadNames(c.RawSubject, nil)
}

// Subject is a pattern of subjects.
type Subject struct {
	types []dn.OID
	globs []glob
}

// ParseSubject reads a subject pattern. "" is for certificates without a subject.
func ParseSubject(text string) (*Subject, error) {
	if len(text) > MaxPattern || !utf8.ValidString(text) {
		return nil, fmt.Errorf("a subject pattern has at most %d bytes of UTF-8", MaxPattern)
	}
	s := &Subject{}
	for more := text != ""; more; {
		label, rest, ok := strings.Cut(text, "=")
		oid, known := dn.Lookup(strings.TrimSpace(label))
		if !ok || !known {
			return nil, fmt.Errorf("the subject pattern has no attribute in %q: write CN=…,O=…", text)
		}
		if slices.Contains(s.types, oid) {
			return nil, fmt.Errorf("the subject pattern has %s twice", oid.Label())
		}
		g, after, found, err := parseGlob(rest, ',')
		if err != nil {
			return nil, err
		}
		if len(g) == 1 && g[0] == "" {
			return nil, fmt.Errorf("the subject pattern's %s is empty", oid.Label())
		}
		s.types, s.globs = append(s.types, oid), append(s.globs, g)
		text, more = after, found
	}
	return s, nil
}

// Check says why the subject is outside of the pattern.
func (s *Subject) Check(subject []Attribute) error {
	var seen []dn.OID
	for _, a := range subject {
		i := slices.Index(s.types, a.Type)
		switch {
		case i < 0:
			return fmt.Errorf("a subject with %s is not allowed", a.Type.Label())
		case slices.Contains(seen, a.Type):
			return fmt.Errorf("the subject has %s twice", a.Type.Label())
		case !s.globs[i].match(a.Value):
			return fmt.Errorf("the subject %s=%q is not allowed", a.Type.Label(), a.Value)
		}
		seen = append(seen, a.Type)
	}
	for _, t := range s.types {
		if !slices.Contains(seen, t) {
			return fmt.Errorf("the subject lacks %s", t.Label())
		}
	}
	return nil
}

// Alternatives are patterns of alternative names; each name must fit one of them.
type Alternatives []alternative

type alternative struct {
	kind    string
	glob    glob
	network netip.Prefix // for IP
}

// ParseAlternatives reads patterns of alternative names.
func ParseAlternatives(patterns []string) (Alternatives, error) {
	if len(patterns) > MaxPatterns {
		return nil, fmt.Errorf("at most %d patterns of alternative names", MaxPatterns)
	}
	var list Alternatives
	for _, text := range patterns {
		kind, value, ok := strings.Cut(text, ":")
		a := alternative{kind: strings.ToUpper(kind)}
		if !ok || value == "" || len(text) > MaxPattern || !utf8.ValidString(text) || !slices.Contains([]string{"DNS", "EMAIL", "URI", "IP"}, a.kind) {
			return nil, fmt.Errorf("%q is no pattern of alternative names: write DNS:…, EMAIL:…, URI:… or IP:…", text)
		}
		var err error
		if a.kind == "IP" {
			a.network, err = netip.ParsePrefix(value)
			if addr, single := netip.ParseAddr(value); single == nil && addr.Zone() == "" {
				a.network, err = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()), nil
			}
		} else {
			if a.kind == "DNS" {
				value = strings.ToLower(value)
			}
			a.glob, _, _, err = parseGlob(value, 0)
		}
		if err != nil {
			return nil, fmt.Errorf("the pattern %q: %w", text, err)
		}
		list = append(list, a)
	}
	return list, nil
}

// Check says which name is outside of the patterns.
func (l Alternatives) Check(names []Alternative) error {
	for _, n := range names {
		if !slices.ContainsFunc(l, func(a alternative) bool { return a.match(n) }) {
			return fmt.Errorf("the alternative name %s is not allowed", n)
		}
	}
	return nil
}

func (a *alternative) match(n Alternative) bool {
	if a.kind != n.Kind {
		return false
	}
	if a.kind == "IP" {
		addr, err := netip.ParseAddr(n.Value)
		return err == nil && a.network.Contains(addr)
	}
	return a.glob.match(n.Value)
}

// OwnHost is what a token without patterns admits: the DNS name that the subject's common name is.
func OwnHost(n *Names) error {
	for _, a := range n.Alternatives {
		if !slices.ContainsFunc(n.Subject, func(s Attribute) bool {
			return s.Type == dn.CommonName && a.Kind == "DNS" && strings.EqualFold(s.Value, a.Value)
		}) {
			return fmt.Errorf("the alternative name %s is not the subject's common name, and the token allows no other", a)
		}
	}
	return nil
}
