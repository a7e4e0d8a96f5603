package certchain

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net"
	"net/url"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rolecall/rolecall/internal/certchain/dn"
)

// gn is a general name of a test: its kind and content.
type gn = dn.GeneralName

func addGeneralName(b *cryptobyte.Builder, g gn) {
	tag := cbasn1.Tag(g.Kind).ContextSpecific()
	switch g.Kind {
	case dn.OtherName, dn.X400Address, dn.DirectoryName, dn.EDIPartyName:
		tag = tag.Constructed()
	}
	b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes(g.Bytes) })
}

// constraintsExtension encodes name constraints of any kind, which crypto/x509 cannot write.
func constraintsExtension(permitted, excluded []gn) pkix.Extension {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for i, list := range [][]gn{permitted, excluded} {
			if len(list) == 0 {
				continue
			}
			b.AddASN1(explicitTag(uint8(i)), func(b *cryptobyte.Builder) {
				for _, g := range list {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { addGeneralName(b, g) })
				}
			})
		}
	})
	return pkix.Extension{Id: oidNameConstraints(), Critical: true, Value: b.BytesOrPanic()}
}

func sanExtension(names ...gn) pkix.Extension {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, g := range names {
			addGeneralName(b, g)
		}
	})
	return pkix.Extension{Id: oidSubjectAltName(), Value: b.BytesOrPanic()}
}

func text(kind dn.Kind, s string) gn { return gn{Kind: kind, Bytes: []byte(s)} }

func dirName(t *testing.T, name pkix.Name) gn {
	t.Helper()
	raw, err := asn1.Marshal(name.ToRDNSequence())
	if err != nil {
		t.Fatal(err)
	}
	return gn{Kind: dn.DirectoryName, Bytes: raw}
}

func TestNameConstraints(t *testing.T) {
	var (
		example  = dirName(t, pkix.Name{Organization: []string{"Example"}})
		shouting = dirName(t, pkix.Name{Organization: []string{" EXAMPLE"}})
		other    = dirName(t, pkix.Name{Organization: []string{"Other"}})
		upn      = gn{Kind: dn.OtherName, Bytes: []byte{6, 1, 42, 0xA0, 2, 12, 0}}
		v4       = func(a, m string) gn {
			return gn{Kind: dn.IPAddress, Bytes: append(net.ParseIP(a).To4(), net.ParseIP(m).To4()...)}
		}
		ip = func(a string) gn { return gn{Kind: dn.IPAddress, Bytes: net.ParseIP(a).To4()} }
	)
	type names = []gn
	one := func(kind dn.Kind, s string) names { return names{text(kind, s)} }
	tests := []struct {
		name                string
		permitted, excluded names
		san                 names
		ok                  bool
	}{
		{"dns itself", one(dn.DNSName, "example.com"), nil, one(dn.DNSName, "example.com"), true},
		{"dns below", one(dn.DNSName, "example.com"), nil, one(dn.DNSName, "a.b.Example.COM"), true},
		{"dns suffix of label", one(dn.DNSName, "example.com"), nil, one(dn.DNSName, "badexample.com"), false},
		{"dns period: below", one(dn.DNSName, ".example.com"), nil, one(dn.DNSName, "a.example.com"), true},
		{"dns period: itself", one(dn.DNSName, ".example.com"), nil, one(dn.DNSName, "example.com"), false},
		{"dns empty permits all", one(dn.DNSName, ""), nil, one(dn.DNSName, "x.test"), true},
		{"dns empty excludes all", nil, one(dn.DNSName, ""), one(dn.DNSName, "x.test"), false},
		{"dns second name outside", one(dn.DNSName, "example.com"), nil, names{text(dn.DNSName, "example.com"), text(dn.DNSName, "x.test")}, false},
		{"dns excluded", nil, one(dn.DNSName, "example.com"), one(dn.DNSName, "a.example.com"), false},
		{"dns excluded within permitted", one(dn.DNSName, "example.com"), one(dn.DNSName, "secret.example.com"), one(dn.DNSName, "x.secret.example.com"), false},
		{"dns wildcard permitted", one(dn.DNSName, "example.com"), nil, one(dn.DNSName, "*.example.com"), true},
		{"dns wildcard above permitted", one(dn.DNSName, "a.example.com"), nil, one(dn.DNSName, "*.example.com"), false},
		{"dns wildcard reaches excluded", nil, one(dn.DNSName, "a.example.com"), one(dn.DNSName, "*.example.com"), false},
		{"dns wildcard beside excluded", nil, one(dn.DNSName, "a.b.example.com"), one(dn.DNSName, "*.example.com"), true},
		{"dns unreadable name", one(dn.DNSName, "example.com"), nil, one(dn.DNSName, "example.com."), false},
		{"dns constraint does not touch uri", one(dn.DNSName, "example.com"), nil, one(dn.URI, "spiffe://other/x"), true},
		{"uri exact", one(dn.URI, "trust.example"), nil, one(dn.URI, "spiffe://trust.example/w"), true},
		{"uri below without period", one(dn.URI, "trust.example"), nil, one(dn.URI, "spiffe://a.trust.example/w"), false},
		{"uri below with period", one(dn.URI, ".trust.example"), nil, one(dn.URI, "https://a.trust.example:8443/w"), true},
		{"uri excluded below", nil, one(dn.URI, "trust.example"), one(dn.URI, "spiffe://a.trust.example/w"), false},
		{"uri user info", one(dn.URI, "trust.example"), nil, one(dn.URI, "https://trust.example@evil.test/"), false},
		{"uri address", one(dn.URI, "trust.example"), nil, one(dn.URI, "https://127.0.0.1/"), false},
		{"uri without host", one(dn.URI, "trust.example"), nil, one(dn.URI, "urn:example:trust.example"), false},
		{"email host", one(dn.RFC822Name, "example.com"), nil, one(dn.RFC822Name, "a@Example.com"), true},
		{"email subdomain", one(dn.RFC822Name, "example.com"), nil, one(dn.RFC822Name, "a@x.example.com"), false},
		{"email subdomain with period", one(dn.RFC822Name, ".example.com"), nil, one(dn.RFC822Name, "a@x.example.com"), true},
		{"email mailbox", one(dn.RFC822Name, "a@example.com"), nil, one(dn.RFC822Name, "a@example.com"), true},
		{"email mailbox letter case", one(dn.RFC822Name, "a@example.com"), nil, one(dn.RFC822Name, "A@example.com"), false},
		{"email excluded subdomain", nil, one(dn.RFC822Name, "example.com"), one(dn.RFC822Name, "a@x.example.com"), false},
		{"email quoted", one(dn.RFC822Name, "example.com"), nil, one(dn.RFC822Name, `"a@b"@example.com`), false},
		{"ip inside", names{v4("10.0.0.0", "255.0.0.0")}, nil, names{ip("10.1.2.3")}, true},
		{"ip outside", names{v4("10.0.0.0", "255.0.0.0")}, nil, names{ip("11.1.2.3")}, false},
		{"ip excluded", nil, names{v4("10.1.0.0", "255.255.0.0")}, names{ip("10.1.2.3")}, false},
		{"directory name: subject", names{example}, nil, nil, true},
		{"directory name: folded", names{shouting}, nil, nil, true},
		{"directory name: other", names{other}, nil, nil, false},
		{"directory name: excluded", nil, names{example}, nil, false},
		{"directory name: alternative name", names{example}, nil, names{other}, false},
		{"directory name: longer base", names{dirName(t, pkix.Name{Organization: []string{"Example"}, CommonName: "workload", SerialNumber: "1"})}, nil, nil, false},
		{"other name constrained and present", names{upn}, nil, names{upn}, false},
		{"other name excluded and present", nil, names{upn}, names{upn}, false},
		{"other name constrained, absent", names{upn}, nil, one(dn.DNSName, "x.test"), true},
		{"other name present, not constrained", one(dn.DNSName, "x.test"), nil, names{upn}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := newRoot(t)
			mid := root.ca(t, "Mid", func(c *x509.Certificate) {
				c.ExtraExtensions = []pkix.Extension{constraintsExtension(tt.permitted, tt.excluded)}
			})
			issuing := mid.ca(t, "Issuing")
			leaf := issuing.leaf(t, func(c *x509.Certificate) {
				if len(tt.san) > 0 {
					c.ExtraExtensions = []pkix.Extension{sanExtension(tt.san...)}
				}
			})
			_, err := verify(t, anchorsOf(t, root), leaf, mid, issuing)
			if !tt.ok {
				wantError(t, err, Untrusted, msgUntrusted, "")
				return
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNameConstraintsOfTheAnchorApply(t *testing.T) {
	root := newRoot(t, func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.com"} })
	_, err := verify(t, anchorsOf(t, root), root.leaf(t, func(c *x509.Certificate) { c.DNSNames = []string{"x.test"} }))
	wantError(t, err, Untrusted, msgUntrusted, `DNS name "x.test" is not among the permitted`)
}

// An emailAddress in the subject counts when there is no email alternative name (RFC 5280 §4.2.1.10).
func TestEmailConstraintOnSubject(t *testing.T) {
	root := newRoot(t, func(c *x509.Certificate) { c.PermittedEmailAddresses = []string{"example.com"} })
	for email, ok := range map[string]bool{"a@example.com": true, "a@x.test": false} {
		leaf := root.leaf(t, func(c *x509.Certificate) {
			c.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, Value: email}}
		})
		_, err := verify(t, anchorsOf(t, root), leaf)
		if got := err == nil; got != ok {
			t.Errorf("%s: accepted %v, want %v (%v)", email, got, ok, err)
		}
	}
}

func TestSelfIssuedIntermediateIsExemptFromNameConstraints(t *testing.T) {
	// Its subject must be the root's, so the forbidden name is an alternative name.
	root := newRoot(t, func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.com"} })
	rollover := root.ca(t, "Root", func(c *x509.Certificate) { c.DNSNames = []string{"x.test"} })
	if _, err := verify(t, anchorsOf(t, root), rollover.leaf(t), rollover); err != nil {
		t.Error(err)
	}
	// A leaf of its issuer's name is self-issued too, and not exempt (RFC 5280 §6.1.3 (b)).
	leaf := root.leaf(t, func(c *x509.Certificate) { c.Subject.CommonName, c.DNSNames = "Root", []string{"x.test"} })
	_, err := verify(t, anchorsOf(t, root), leaf)
	wantError(t, err, Untrusted, msgUntrusted, "not among the permitted")
	plain := root.ca(t, "Mid", func(c *x509.Certificate) { c.DNSNames = []string{"x.test"} })
	if _, err := verify(t, anchorsOf(t, root), plain.leaf(t), plain); err == nil {
		t.Error("a CA that is not self-issued was exempt too")
	}
}

func TestParseNameConstraintsRefuses(t *testing.T) {
	good := constraintsExtension([]gn{text(dn.DNSName, "example.com")}, nil).Value
	for name, der := range map[string][]byte{
		"trailing byte": append(append([]byte{}, good...), 0),
		"no sequence":   {4, 0},
		"maximum":       {0x30, 8, 0xA0, 6, 0x30, 4, 0x82, 0, 0x81, 0},
		"mask of holes": constraintsExtension([]gn{{Kind: dn.IPAddress, Bytes: []byte{10, 0, 0, 0, 255, 0, 255, 0}}}, nil).Value,
		"short mask":    constraintsExtension([]gn{{Kind: dn.IPAddress, Bytes: []byte{10, 0, 0}}}, nil).Value,
		"bad host":      constraintsExtension([]gn{text(dn.DNSName, "a..b")}, nil).Value,
		"bad directory": constraintsExtension([]gn{{Kind: dn.DirectoryName, Bytes: []byte{1}}}, nil).Value,
	} {
		if _, err := parseNameConstraints(der); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := parseNameConstraints(good); err != nil {
		t.Error(err)
	}
}

func TestURIHostForms(t *testing.T) {
	if _, err := url.Parse("spiffe://trust.example/w"); err != nil {
		t.Fatal(err)
	}
	for uri, want := range map[string]string{
		"spiffe://Trust.Example/w": "trust.example", "https://u:p@host:1/": "host", "https://[::1]/": "", "a b": "", "mailto:x@y": "",
	} {
		p := newPresented(text(dn.URI, uri))
		got := ""
		if p.comparable {
			got = p.host
		}
		if got != want {
			t.Errorf("%q: host %q, want %q", uri, got, want)
		}
	}
}

func dnKind(n int) dn.Kind { return dn.Kind(n) }
