package selector

import (
	"crypto/sha1" // a thumbprint names a certificate; it proves nothing
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

type fit int

const (
	noFit fit = iota
	looseFit
	exactFit
)

// fits compares all terms; why names every term that does not fit.
func (s *Selector) fits(c *x509.Certificate) (fit, string) {
	if s == nil {
		return exactFit, ""
	}
	result := exactFit
	var why []string
	for i := range s.terms {
		f, text := s.terms[i].fits(c)
		if text != "" {
			why = append(why, text)
		}
		result = min(result, f)
	}
	return result, strings.Join(why, "; ")
}

func (t *term) fits(c *x509.Certificate) (fit, string) {
	switch t.key {
	case Subject:
		return t.dn(c.Subject.String(), c.RawSubject)
	case Issuer:
		return t.dn(c.Issuer.String(), c.RawIssuer)
	case SubjectHas:
		return t.has(c.Subject.String(), c.RawSubject)
	case IssuerHas:
		return t.has(c.Issuer.String(), c.RawIssuer)
	case Serial:
		return t.equal(c.SerialNumber.Text(16))
	case Thumbprint:
		if len(t.hex) == 2*sha256.Size {
			sum := sha256.Sum256(c.Raw)
			return t.equal(hex.EncodeToString(sum[:]))
		}
		sum := sha1.Sum(c.Raw)
		return t.equal(hex.EncodeToString(sum[:]))
	case Template:
		have := templates(c)
		if slices.ContainsFunc(have, func(v string) bool { return strings.EqualFold(v, t.text) }) {
			return exactFit, ""
		}
		return noFit, fmt.Sprintf("%s is %q, not %q", t.key, have, t.text)
	case SAN:
		have := altNames(c)
		for _, n := range have {
			if (t.sanKind == "" || t.sanKind == n.kind) && like(t.san, n.value) {
				return exactFit, ""
			}
		}
		return noFit, fmt.Sprintf("%s is %q, not %q", t.key, have, t.text)
	}
	return noFit, fmt.Sprintf("%s is unknown", t.key)
}

func (t *term) equal(have string) (fit, string) {
	if have == t.hex {
		return exactFit, ""
	}
	return noFit, fmt.Sprintf("%s is %s, not %s", t.key, have, t.hex)
}

func (t *term) dn(text string, raw []byte) (fit, string) {
	if text == t.text {
		return exactFit, ""
	}
	if sameAttributes(readDN(raw), t.name) {
		return looseFit, ""
	}
	return noFit, fmt.Sprintf("%s is %q, not %q", t.key, text, t.text)
}

func (t *term) has(text string, raw []byte) (fit, string) {
	have := readDN(raw)
	for _, want := range t.name {
		if !slices.ContainsFunc(have, func(a attribute) bool { return a.kind == want.kind && like(want.value, a.value) }) {
			return noFit, fmt.Sprintf("%s: %q lacks an attribute of %q", t.key, text, t.text)
		}
	}
	return exactFit, ""
}
