package selector

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"
)

// issue makes a certificate for subject, signed by an issuer of another name.
func issue(t testing.TB, serial int64, subject pkix.Name, notAfter time.Time, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: subject, NotAfter: notAfter}
	if change != nil {
		change(template)
	}
	issuer := &x509.Certificate{Subject: pkix.Name{CommonName: "Issuing CA", Organization: []string{"Ex, Inc."}}}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func extend(oid asn1.ObjectIdentifier, value any) pkix.Extension {
	der, err := asn1.Marshal(value)
	if err != nil {
		panic(err)
	}
	return pkix.Extension{Id: oid, Value: der}
}

// rich has everything that a term can look at.
func rich(t testing.TB) *x509.Certificate {
	return issue(t, 0x0abc, pkix.Name{CommonName: "Web 1", Organization: []string{"Ex, Inc."}, OrganizationalUnit: []string{"A", "B"}, Country: []string{"DE"}},
		time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC), func(c *x509.Certificate) {
			upn, _ := hex.DecodeString("a01b060a2b060104018237140203a00d0c0b626f624065782e74657374") // otherName, UPN bob@ex.test
			var names []byte
			add := func(tag int, b []byte) {
				der, _ := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: b})
				names = append(names, der...)
			}
			names = append(names, upn...)
			add(2, []byte("web1.ex.test"))
			add(2, []byte("*.wild.test"))
			add(1, []byte("ops@ex.test"))
			u, _ := url.Parse("spiffe://ex.test/web")
			add(6, []byte(u.String()))
			add(7, net.IPv4(192, 0, 2, 1).To4())
			c.ExtraExtensions = []pkix.Extension{
				extend(asn1.ObjectIdentifier{2, 5, 29, 17}, asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: names}),
				extend(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2}, asn1.RawValue{Tag: asn1.TagBMPString, Bytes: []byte("\x00W\x00e\x00b\x00S")}),
				extend(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 21, 7}, struct {
					ID           asn1.ObjectIdentifier
					Major, Minor int
				}{asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 21, 8, 77}, 100, 2}),
			}
		})
}

func TestParse(t *testing.T) {
	for _, tt := range []struct{ text, want string }{ // key=value lines, or the error after !
		{"Key=x509Subject,Value=CN=a", "x509Subject=CN=a"},
		{"  Key=x509Subject,Value=CN=a b,O=c \t\n Key=x509Issuer,Value=CN=d  Key=x509Serial,Value=0A:bc ", "x509Subject=CN=a b,O=c|x509Issuer=CN=d|x509Serial=0A:bc"},
		{"Key=x509Subject,Value=CN=Key=1 Key=x509Serial,Value=1", "x509Subject=CN=Key=1|x509Serial=1"}, // the official helper cannot read this
		{"Key=x509Subject,Value=CN=a Key=b", "x509Subject=CN=a Key=b"},
		{`[{"Key":"x509Subject","Value":"CN=a"},{"Key":"x509Serial","Value":"0x1"}]`, "x509Subject=CN=a|x509Serial=0x1"},
		{` {"Key":"x509SAN","Value":"dns:a"}`, "x509SAN=dns:a"},
		{"", "!unable to parse cert selector string"},
		{"CN=a", "!unable to parse cert selector string"},
		{"Key=x509Subject,Value=", "!the value of x509Subject is empty"},
		{"Key=x509Subject,Value= Key=x509Issuer,Value=CN=a", "!the value of x509Subject is empty"},
		{"key=x509Subject,Value=CN=a", "!unable to parse cert selector string"},
		{"Key=x509subject,Value=CN=a", `!cert selector contained invalid key "x509subject"`},
		{"Key=x509Serial,Value=1 Key=x509Serial,Value=2", "!duplicate x509Serial keys can't be present in cert selector"},
		{"Key=x509Serial,Value=12g", "!is not hexadecimal"},
		{"Key=x509Thumbprint,Value=1234", "!has 4 hexadecimal digits"},
		{"Key=x509SubjectHas,Value=host", "!is not a list of attributes"},
		{"Key=x509SubjectHas,Value=FOO=host", "!unknown attribute type"},
		{`[{"Key":"x509Subject","Value":"CN=a","More":1}]`, "!unable to parse JSON cert selector"},
		{`[{"Key":"x509Subject","Value":"CN=a"}] x`, "!unable to parse JSON cert selector"},
		{`[{"Key":"x509Subject"}]`, "!is empty"},
		{`[]`, "!has no terms"},
		{`[`, "!unable to parse JSON cert selector"},
		{strings.Repeat(" ", MaxText+1), "!longer than"},
		{strings.Repeat("Key=x509SAN,Value=a ", 100), "!more than 32 terms"},
	} {
		s, err := Parse(tt.text)
		if want, ok := strings.CutPrefix(tt.want, "!"); ok {
			var h interface{ Hint() string }
			if err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, &h) || h.Hint() == "" {
				t.Errorf("%.40q: got %v, want %q and a hint", tt.text, err, want)
			}
			continue
		}
		var got []string
		if err == nil {
			for _, x := range s.terms {
				got = append(got, string(x.key)+"="+x.text)
			}
		}
		if g := strings.Join(got, "|"); g != tt.want {
			t.Errorf("%q: got %q, %v; want %q", tt.text, g, err, tt.want)
		}
	}
}

func TestFits(t *testing.T) {
	c := rich(t)
	one, two := sha1.Sum(c.Raw), sha256.Sum256(c.Raw)
	for _, tt := range []struct {
		key   Key
		value string
		want  fit
	}{
		{Subject, c.Subject.String(), exactFit},
		{Subject, `CN=Web 1,OU=A+OU=B,O=Ex\, Inc.,C=DE`, exactFit}, // what that is
		{Subject, `C=DE, O="Ex, Inc.", OU=B, OU=A, CN=web  1`, looseFit},
		{Subject, `/C=DE/O=Ex, Inc./OU=A/OU=B/CN=Web 1`, looseFit},
		{Subject, `2.5.4.3=#0c0557656220 31,C=DE`, noFit},
		{Subject, `2.5.4.3=#0c055765622031;OU=A;OU=B;O=Ex\2C Inc.;OID.2.5.4.6=DE`, looseFit},
		{Subject, `CN=Web 1,OU=A,O=Ex\, Inc.,C=DE`, noFit},
		{Subject, `CN=Web 1`, noFit},
		{Subject, `Web 1`, noFit},
		{Issuer, `CN=Issuing CA,O=Ex\, Inc.`, exactFit},
		{Issuer, `o=ex\, inc., cn=issuing ca`, looseFit},
		{Issuer, `CN=Web 1`, noFit},
		{SubjectHas, "CN=web*", exactFit},
		{SubjectHas, "OU=b,C=de", exactFit},
		{SubjectHas, "OU=b,C=fr", noFit},
		{SubjectHas, "CN=eb 1", noFit},
		{IssuerHas, "O=ex*inc*", exactFit},
		{IssuerHas, "C=DE", noFit},
		{Serial, "abc", exactFit}, {Serial, "0ABC", exactFit}, {Serial, "0x0a:bc", exactFit}, {Serial, "0abd", noFit}, {Serial, "0abc00", noFit},
		{SAN, "web1.ex.test", exactFit}, {SAN, "dns:WEB1.EX.test", exactFit}, {SAN, "*.ex.test", exactFit}, {SAN, "*.wild.test", exactFit},
		{SAN, "email:ops@ex.test", exactFit}, {SAN, "uri:spiffe://ex.test/*", exactFit}, {SAN, "spiffe://ex.test/web", exactFit},
		{SAN, "ip:192.0.2.1", exactFit}, {SAN, "upn:bob@ex.test", exactFit}, {SAN, "bob@ex.test", exactFit},
		{SAN, "dns:bob@ex.test", noFit}, {SAN, "email:bob@ex.test", noFit}, {SAN, "ex.test", noFit},
		{Thumbprint, hex.EncodeToString(one[:]), exactFit}, {Thumbprint, strings.ToUpper(hex.EncodeToString(two[:])), exactFit},
		{Thumbprint, strings.Repeat("00", 20), noFit},
		{Template, "webs", exactFit}, {Template, "1.3.6.1.4.1.311.21.8.77", exactFit}, {Template, "web", noFit},
	} {
		s, err := Parse("Key=" + string(tt.key) + ",Value=" + tt.value)
		if err != nil {
			t.Errorf("%s %s: %v", tt.key, tt.value, err)
			continue
		}
		got, why := s.fits(c)
		if got != tt.want || (why == "") != (got != noFit) || !strings.Contains(why+string(tt.key), string(tt.key)) {
			t.Errorf("%s %s: got %d (%s), want %d", tt.key, tt.value, got, why, tt.want)
		}
	}
}

func TestSelect(t *testing.T) {
	day := func(d int) time.Time { return time.Date(2030, 1, d, 0, 0, 0, 0, time.UTC) }
	a := issue(t, 1, pkix.Name{CommonName: "Host"}, day(1), nil)
	b := issue(t, 2, pkix.Name{CommonName: "host"}, day(3), nil)
	c := issue(t, 3, pkix.Name{CommonName: "host"}, day(2), nil)
	all := []Candidate{{a, "a.pem"}, {b, ""}, {c, "c.pem"}}
	for _, tt := range []struct {
		text   string
		latest bool
		want   int // negative: the error says -1 none, -2 several
	}{
		{"Key=x509Subject,Value=CN=Host", false, 0}, // written exactly so
		{"Key=x509Subject,Value=CN=host", false, -2},
		{"Key=x509Subject,Value=CN=host", true, 1},
		{"Key=x509Subject,Value=CN=HOST", true, 1}, // all three alike
		{"Key=x509Subject,Value=CN=host Key=x509Serial,Value=3", false, 2},
		{"Key=x509Subject,Value=CN=host Key=x509Serial,Value=4", true, -1},
		{"", true, 1},
		{"", false, -2},
	} {
		var s *Selector
		if tt.text != "" {
			var err error
			if s, err = Parse(tt.text); err != nil {
				t.Fatal(err)
			}
		}
		got, err := s.Select(all, tt.latest)
		if tt.want >= 0 {
			if err != nil || got != tt.want {
				t.Errorf("%s: got %d, %v; want %d", tt.text, got, err, tt.want)
			}
			continue
		}
		word := map[int]string{-1: "no matching identities", -2: "multiple matching identities"}[tt.want]
		if err == nil || !strings.HasPrefix(err.Error(), word) {
			t.Errorf("%s: %v, want %s", tt.text, err, word)
		}
	}
	s, err := Parse("Key=x509Issuer,Value=CN=x Key=x509Serial,Value=1")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Select(all, false)
	var e *Error
	if !errors.As(err, &e) || len(e.Details()) != 3 {
		t.Fatalf("got %v", err)
	}
	want := `CN=Host, serial 1, valid until 2030-01-01 (a.pem): x509Issuer is "CN=Issuing CA,O=Ex\\, Inc.", not "CN=x"`
	if e.Details()[0] != want {
		t.Errorf("got %s, want %s", e.Details()[0], want)
	}
	if d := e.Details()[1]; !strings.HasSuffix(d, `not "CN=x"; x509Serial is 2, not 1`) {
		t.Errorf("got %s", d)
	}
	_, err = s.Select(nil, false)
	if err == nil || !strings.Contains(err.Error(), "there is no certificate to choose from") {
		t.Errorf("nothing: %v", err)
	}
	_, err = s.Select(make50(a), false)
	if !errors.As(err, &e) || len(e.Details()) != maxDetails+1 || e.Details()[maxDetails] != "and 30 more" {
		t.Errorf("many: %v", e.Details())
	}
}

func make50(c *x509.Certificate) []Candidate {
	out := make([]Candidate, 50)
	for i := range out {
		out[i] = Candidate{issuedBy(c), ""}
	}
	return out
}

// issuedBy is a copy whose serial differs, so that no term of the test fits it.
func issuedBy(c *x509.Certificate) *x509.Certificate {
	copied := *c
	copied.SerialNumber = big.NewInt(99)
	return &copied
}

func TestLike(t *testing.T) {
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{"a*b", "ab", true}, {"a*b", "axxb", true}, {"a*b", "axxbc", false}, {"ab*ba", "aba", false}, {"*", "", true},
		{"*a*b*", "xaxbx", true}, {"*a*b*", "xbxax", false}, {"a**", "a", true}, {"A", "a", true}, {"", "", true}, {"", "a", false},
	} {
		if got := like(tt.pattern, tt.text); got != tt.want {
			t.Errorf("%q in %q: %v", tt.pattern, tt.text, got)
		}
	}
}

// FuzzParse: no text makes the reader fail in any way but with an error, and what it reads it can compare.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"Key=x509Subject,Value=CN=a\\, b,O=c Key=x509Issuer,Value=/C=DE/CN=d  Key=x509Serial,Value=0A:bc",
		`[{"Key":"x509SubjectHas","Value":"CN=*,2.5.4.3=#0c0161"},{"Key":"x509SAN","Value":"dns:*"}]`,
		`Key=x509Template,Value=1.2 Key=x509IssuerHas,Value=O="a,b";CN=x Key=x509Thumbprint,Value=` + strings.Repeat("a", 40),
	} {
		f.Add(s)
	}
	c := rich(f)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		if len(s.terms) == 0 || len(s.terms) > maxTerms {
			t.Fatalf("%d terms", len(s.terms))
		}
		if got, why := s.fits(c); (got == noFit) != (why != "") {
			t.Fatalf("%d %q", got, why)
		}
	})
}

// FuzzExtensions: a certificate's extensions are outside bytes too.
func FuzzExtensions(f *testing.F) {
	c := rich(f)
	for _, e := range c.Extensions {
		f.Add(e.Value)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		for _, oid := range []asn1.ObjectIdentifier{{2, 5, 29, 17}, {1, 3, 6, 1, 4, 1, 311, 20, 2}, {1, 3, 6, 1, 4, 1, 311, 21, 7}} {
			c := &x509.Certificate{Extensions: []pkix.Extension{{Id: oid, Value: value}}}
			if n := len(altNames(c)) + len(templates(c)); n > len(value)+1 {
				t.Fatalf("%d names from %d bytes", n, len(value))
			}
		}
		readDN(value)
	})
}
