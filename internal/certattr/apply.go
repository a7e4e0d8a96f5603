package certattr

import (
	"crypto/x509"
	"slices"
	"strings"

	"github.com/rolecall/rolecall/internal/certchain"
	"github.com/rolecall/rolecall/internal/certchain/dn"
)

// MaxTags is the STS limit on session tags.
const MaxTags = 50

// Apply returns the certificate's attributes under these rules. The first call for a certificate
// computes them, later ones, from any goroutine, return the same value.
func (r *Rules) Apply(v *certchain.Verified) *Attributes {
	m := v.Memo(func() any { return new(memo) }).(*memo)
	if a := m.get(r.key); a != nil {
		return a
	}
	return m.put(r.key, r.compute(v.Leaf(), v.SerialHex()))
}

// names is what is mapped of a certificate.
type names struct {
	subject, issuer, dirName dn.Name
	dns, uri                 *string // first of each kind, nil if there is none
}

func (r *Rules) compute(leaf *x509.Certificate, serialHex string) *Attributes {
	n := readNames(leaf)
	a := &Attributes{
		SessionName:    serialHex,
		SourceIdentity: sourceIdentity(n.subject, serialHex),
		Subject:        n.subject.String(),
		Issuer:         n.issuer.String(),
	}
	c := collector{attributes: a, seen: make(map[string]bool)}
	for _, s := range r.specifiers {
		c.add(&n, s)
	}
	return a
}

// readNames reads the names again from DER, because pkix.Name loses order and duplicates.
// Package certchain has refused certificates whose names do not parse; if one came here all the
// same, it would have no attributes and match no policy.
func readNames(leaf *x509.Certificate) (n names) {
	n.subject, _ = dn.Parse(leaf.RawSubject)
	n.issuer, _ = dn.Parse(leaf.RawIssuer)
	for _, e := range leaf.Extensions {
		if e.Id.String() != "2.5.29.17" {
			continue
		}
		general, err := dn.ParseGeneralNames(e.Value)
		if err != nil {
			return n
		}
		n.dns = firstText(general, dn.DNSName)
		n.uri = firstText(general, dn.URI)
		if i := slices.IndexFunc(general, func(g dn.GeneralName) bool { return g.Kind == dn.DirectoryName }); i >= 0 {
			n.dirName, _ = dn.Parse(general[i].Bytes)
		}
	}
	return n
}

func firstText(general []dn.GeneralName, kind dn.Kind) *string {
	for _, g := range general {
		if g.Kind == kind {
			text := string(g.Bytes)
			return &text
		}
	}
	return nil
}

// collector gathers tags, each key once.
type collector struct {
	attributes *Attributes
	seen       map[string]bool // by lower-case key: STS ignores letter case in tag keys
}

func (c *collector) add(n *names, s specifier) {
	d := &c.attributes.Dropped
	switch s.source {
	case fromSubject:
		c.addName(n.subject, s, FieldSubject, "", &d.Subject)
	case fromIssuer:
		c.addName(n.issuer, s, FieldIssuer, "", &d.Issuer)
	case fromDirName:
		c.addName(n.dirName, s, FieldSAN, "Name/", &d.SAN)
	case fromDNS:
		c.addText(n.dns, s, &d.SAN)
	case fromURI:
		c.addText(n.uri, s, &d.SAN)
	}
}

func (c *collector) addText(value *string, s specifier, dropped *[]string) {
	if value != nil {
		c.put(FieldSAN, s.label, *value, true, dropped)
	}
}

func (c *collector) addName(name dn.Name, s specifier, field, prefix string, dropped *[]string) {
	if !s.all {
		c.addType(name, s.oid, field, s.label, dropped)
		return
	}
	for _, oid := range name.Types() {
		c.addType(name, oid, field, prefix+oid.Label(), dropped)
	}
}

func (c *collector) addType(name dn.Name, oid dn.OID, field, label string, dropped *[]string) {
	values, ok := name.Values(oid)
	if ok && len(values) == 0 {
		return
	}
	c.put(field, label, strings.Join(values, "/"), ok, dropped)
}

func (c *collector) put(field, label, value string, isText bool, dropped *[]string) {
	key := field + "/" + label
	fold := strings.ToLower(key)
	if c.seen[fold] {
		return
	}
	c.seen[fold] = true
	if !isText || !fitsTag(key, value) || len(c.attributes.Tags) == MaxTags {
		*dropped = append(*dropped, hintName(label))
		return
	}
	c.attributes.Tags = append(c.attributes.Tags, Tag{key, value})
}

// hintName shortens an outlandish OID for the hint.
func hintName(label string) string {
	if len(label) > maxTagKeyChars {
		return label[:maxTagKeyChars] + "…"
	}
	return label
}
