package certattr

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rolecall/rolecall/internal/certchain"
)

var testNow = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// verified issues a leaf with the given template changes and verifies it.
func verified(t testing.TB, mods ...func(*x509.Certificate)) *certchain.Verified {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Country: []string{"US"}, CommonName: "CA Root v1"},
		NotBefore: testNow.Add(-time.Hour), NotAfter: testNow.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(0x1000), Subject: pkix.Name{CommonName: "awsUser"},
		NotBefore: testNow.Add(-time.Hour), NotAfter: testNow.Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	for _, m := range mods {
		m(leaf)
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	anchors, err := certchain.ParseAnchors(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})))
	if err != nil {
		t.Fatal(err)
	}
	v, err := certchain.NewVerifier(0).Verify(&certchain.Input{Leaf: leafDER, Anchors: anchors, Now: testNow})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func rules(t testing.TB, mappings ...Mapping) *Rules {
	t.Helper()
	r, err := Compile(mappings)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func oid(n ...int) asn1.ObjectIdentifier { return n }

func extra(pairs ...any) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		for i := 0; i < len(pairs); i += 2 {
			c.Subject.ExtraNames = append(c.Subject.ExtraNames, pkix.AttributeTypeAndValue{Type: pairs[i].(asn1.ObjectIdentifier), Value: pairs[i+1]})
		}
	}
}

var ou = oid(2, 5, 4, 11)

// sanWithNames has, in this order: email, two DNS names, IP, two URIs, two directory names.
func sanWithNames(t testing.TB, dirs ...pkix.Name) func(*x509.Certificate) {
	t.Helper()
	raw := func(tag int, b []byte) asn1.RawValue {
		return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, IsCompound: tag == 4, Bytes: b}
	}
	values := []asn1.RawValue{
		raw(1, []byte("a@example.com")), raw(2, []byte("first.example.com")), raw(2, []byte("second.example.com")),
		raw(7, []byte{10, 0, 0, 1}), raw(6, []byte("spiffe://td/first")), raw(6, []byte("spiffe://td/second")),
	}
	for _, dir := range dirs {
		der, err := asn1.Marshal(dir.ToRDNSequence())
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, raw(4, der))
	}
	value, err := asn1.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: oid(2, 5, 29, 17), Value: value}}
	}
}

func TestApplyDefaults(t *testing.T) {
	v := verified(t,
		func(c *x509.Certificate) {
			c.Subject = pkix.Name{
				Country: []string{"US"}, Organization: []string{"Example"},
				CommonName: "awsUser", SerialNumber: "42",
			}
		},
		extra(ou, "Security", ou, "Engineering", ou, "Research", oid(0, 9, 2342, 19200300, 100, 1, 25), "corp", oid(1, 2, 3, 4), "own"),
		sanWithNames(t, pkix.Name{CommonName: "dir", Locality: []string{"Here"}}, pkix.Name{CommonName: "second"}))
	got := rules(t, Defaults()...).Apply(v)
	want := &Attributes{
		Tags: []Tag{
			{"x509Issuer/C", "US"}, {"x509Issuer/CN", "CA Root v1"},
			{"x509SAN/DNS", "first.example.com"}, {"x509SAN/URI", "spiffe://td/first"},
			{"x509SAN/Name/L", "Here"}, {"x509SAN/Name/CN", "dir"},
			{"x509Subject/C", "US"}, {"x509Subject/O", "Example"}, {"x509Subject/CN", "awsUser"},
			{"x509Subject/serialNumber", "42"}, {"x509Subject/OU", "Security/Engineering/Research"}, {"x509Subject/DC", "corp"}, {"x509Subject/1.2.3.4", "own"},
		},
		SessionName: "1000", SourceIdentity: "CN=awsUser", Issuer: "CN=CA Root v1,C=US",
		Subject: got.Subject,
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Attributes{}, "Plan")); diff != "" {
		t.Error(diff)
	}
	if want := "1.2.3.4=#13036f776e,DC=corp,OU=Research,OU=Engineering,OU=Security,serialNumber=42,CN=awsUser,O=Example,C=US"; got.Subject != want {
		t.Errorf("Subject = %q, want %q", got.Subject, want)
	}
	if got.Hint() != "" {
		t.Errorf("Hint = %q", got.Hint())
	}
}

func TestApplySpecifiers(t *testing.T) {
	v := verified(t, extra(ou, "a", ou, "b"), sanWithNames(t, pkix.Name{CommonName: "dir", Locality: []string{"Here"}}))
	tests := []struct {
		name     string
		mappings []Mapping
		want     []Tag
	}{
		{"no mappings", nil, nil},
		{"one name", []Mapping{{FieldSubject, []string{"CN"}}}, []Tag{{"x509Subject/CN", "awsUser"}}},
		{"letter case", []Mapping{{FieldSubject, []string{"cn"}}}, []Tag{{"x509Subject/CN", "awsUser"}}},
		{"by OID", []Mapping{{FieldSubject, []string{"2.5.4.11"}}}, []Tag{{"x509Subject/2.5.4.11", "a/b"}}},
		{"absent", []Mapping{{FieldSubject, []string{"O", "1.2.3"}}}, nil},
		{"wildcard and name", []Mapping{{FieldSubject, []string{"*", "CN"}}}, []Tag{{"x509Subject/CN", "awsUser"}, {"x509Subject/OU", "a/b"}}},
		{"order of mappings", []Mapping{{FieldSubject, []string{"CN"}}, {FieldIssuer, []string{"C"}}}, []Tag{{"x509Subject/CN", "awsUser"}, {"x509Issuer/C", "US"}}},
		{"field twice", []Mapping{{FieldIssuer, []string{"C"}}, {FieldIssuer, []string{"CN", "C"}}}, []Tag{{"x509Issuer/C", "US"}, {"x509Issuer/CN", "CA Root v1"}}},
		{"directory name", []Mapping{{FieldSAN, []string{"Name/CN"}}}, []Tag{{"x509SAN/Name/CN", "dir"}}},
		{"Name", []Mapping{{FieldSAN, []string{"Name"}}}, []Tag{{"x509SAN/Name/L", "Here"}, {"x509SAN/Name/CN", "dir"}}},
		{"DNS", []Mapping{{FieldSAN, []string{"DNS"}}}, []Tag{{"x509SAN/DNS", "first.example.com"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := rules(t, tt.mappings...).Apply(v).Tags; !cmp.Equal(got, tt.want) {
				t.Error(cmp.Diff(tt.want, got))
			}
		})
	}
	plain := rules(t, Defaults()...).Apply(verified(t))
	want := []Tag{{"x509Issuer/C", "US"}, {"x509Issuer/CN", "CA Root v1"}, {"x509Subject/CN", "awsUser"}}
	if !cmp.Equal(plain.Tags, want) {
		t.Errorf("without alternative names: %v", plain.Tags)
	}
}

func TestUnmappableValuesAreDroppedAndNamed(t *testing.T) {
	v := verified(t,
		func(c *x509.Certificate) {
			c.Subject = pkix.Name{CommonName: "Doe (Jane)", Organization: []string{strings.Repeat("x", 256)}, Locality: []string{"ok"}}
			c.DNSNames = []string{"*.example.com", "good.example.com"}
		},
		extra(ou, strings.Repeat("y", 200), ou, strings.Repeat("z", 56)))
	a := rules(t, Defaults()...).Apply(v)
	want := []Tag{{"x509Issuer/C", "US"}, {"x509Issuer/CN", "CA Root v1"}, {"x509Subject/L", "ok"}, {"x509Subject/O", strings.Repeat("x", 256)}}
	if !cmp.Equal(a.Tags, want) {
		t.Error(cmp.Diff(want, a.Tags))
	}
	wantHint := " Some attributes failed to be mapped into session tags. Issuer: [  ]; Subject: [ CN, OU ]; SAN: [ DNS ]"
	if got := a.Hint(); got != wantHint {
		t.Errorf("Hint = %q, want %q", got, wantHint)
	}
	if got, want := a.SourceIdentity, "ID=1000"; got != want {
		t.Errorf("SourceIdentity = %q, want %q", got, want)
	}
	if got := rules(t, Mapping{FieldSubject, []string{"L"}}).Apply(v).Hint(); got != "" {
		t.Errorf("what is not mapped is not named: %q", got)
	}
}

func TestHintText(t *testing.T) {
	a := &Attributes{Dropped: Dropped{SAN: []string{"DNS/2"}}}
	want := " Some attributes failed to be mapped into session tags. Issuer: [  ]; Subject: [  ]; SAN: [ DNS/2 ]"
	if got := a.Hint(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAtMostFiftyTags(t *testing.T) {
	v := verified(t, func(c *x509.Certificate) {
		for i := range 60 {
			extra(oid(1, 3, i), "v")(c)
		}
	})
	a := rules(t, Defaults()...).Apply(v)
	if got := len(a.Tags); got != MaxTags {
		t.Errorf("%d tags, want %d", got, MaxTags)
	}
	if got, want := len(a.Tags)+len(a.Dropped.Subject), 63; got != want {
		t.Errorf("%d tags and dropped, want %d", got, want)
	}
}

func TestSessionNameAndSourceIdentity(t *testing.T) {
	long := func(n int) string { return strings.Repeat("é", n) }
	big160 := new(big.Int).SetBytes([]byte{0x93, 0x6E, 0xAC})
	tests := []struct {
		cn           string
		serial       *big.Int
		name, source string
	}{
		{"awsUser", big.NewInt(0x1000), "1000", "CN=awsUser"},
		{"", big.NewInt(291), "0123", "ID=0123"},
		{"", big.NewInt(17767), "4567", "ID=4567"},
		{"a", big.NewInt(5), "05", "CN=a"},
		{"a", big160, "936eac", "CN=a"},
		{long(61), big.NewInt(16), "10", "CN=" + long(61)},
		{long(62), big.NewInt(16), "10", long(62)},
		{long(64), big.NewInt(16), "10", long(64)},
		{long(65), big.NewInt(16), "10", "ID=10"},
		{"host/a b@c", big.NewInt(16), "10", "CN=host/a b@c"},
		{"a(b)", big.NewInt(16), "10", "ID=10"},
	}
	for _, tt := range tests {
		v := verified(t, func(c *x509.Certificate) {
			c.SerialNumber = tt.serial
			c.Subject = pkix.Name{CommonName: tt.cn, Organization: []string{"o"}}
		})
		a := rules(t).Apply(v)
		if a.SessionName != tt.name || a.SourceIdentity != tt.source {
			t.Errorf("CN %q serial %v: %q, %q; want %q, %q", tt.cn, tt.serial, a.SessionName, a.SourceIdentity, tt.name, tt.source)
		}
	}
	two := verified(t, extra(oid(2, 5, 4, 3), "awsUser", oid(2, 5, 4, 3), "admin"))
	if got, want := rules(t).Apply(two).SourceIdentity, "CN=awsUser/admin"; got != want {
		t.Errorf("two common names: %q, want %q", got, want)
	}
}

func TestNormalise(t *testing.T) {
	good := []struct{ in, want Mapping }{
		{Mapping{FieldSAN, []string{"Name", "Name/", "Name/*", "URI", "DNS", "Name/cn"}}, Mapping{FieldSAN, []string{"Name/*", "URI", "DNS", "Name/CN"}}},
		{Mapping{FieldSubject, []string{"*", "ou", "2.5.4.11"}}, Mapping{FieldSubject, []string{"*", "OU", "2.5.4.11"}}},
		{Mapping{FieldIssuer, nil}, Mapping{FieldIssuer, nil}},
	}
	for _, tt := range good {
		if got, err := Normalise(tt.in); err != nil || !cmp.Equal(got, tt.want) {
			t.Errorf("%v: got %v, %v, want %v", tt.in, got, err, tt.want)
		}
	}
	for _, m := range Defaults() {
		if got, err := Normalise(m); err != nil || !cmp.Equal(got, m) {
			t.Errorf("default %v becomes %v, %v", m, got, err)
		}
	}
	for _, bad := range []Mapping{
		{"", []string{"*"}}, {"x509subject", []string{"*"}}, {FieldSubject, []string{""}}, {FieldSubject, []string{"nonsense"}},
		{FieldSubject, []string{"Name/CN"}}, {FieldSubject, []string{strings.Repeat("1.", 40) + "1"}},
		{FieldSAN, []string{"*"}}, {FieldSAN, []string{"DNS/*"}}, {FieldSAN, []string{"URI/*"}}, {FieldSAN, []string{"Email"}},
		{FieldSAN, []string{"Name/nonsense"}}, {FieldIssuer, make([]string, maxSpecifiers+1)},
	} {
		if got, err := Normalise(bad); err == nil {
			t.Errorf("%.60v accepted as %v", bad, got)
		}
		if _, err := Compile([]Mapping{bad}); err == nil {
			t.Errorf("%.60v compiled", bad)
		}
	}
}

func TestAlphabet(t *testing.T) {
	for s, want := range map[string]bool{
		"": true, "azAZ09_.:/=+-@ ": true, "é漢٣": true, "\u00a0": true,
		"a(b)": false, "*": false, "a,b": false, "a\n": false, "\xff": false, "\uFFFD": false, "😀": false, "#": false, "\\": false,
	} {
		if got := inAlphabet(s); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
}

func TestApplyIsCachedByRules(t *testing.T) {
	v := verified(t)
	r := rules(t, Defaults()...)
	first := r.Apply(v)
	if again := rules(t, Defaults()...).Apply(v); again != first {
		t.Error("equal rules computed the attributes again")
	}
	if other := rules(t, Mapping{FieldSubject, []string{"CN"}}).Apply(v); other == first || len(other.Tags) != 1 {
		t.Errorf("other rules got %v", other.Tags)
	}
	if allocs := testing.AllocsPerRun(100, func() { r.Apply(v) }); allocs != 0 {
		t.Errorf("a warm Apply allocates %v times", allocs)
	}
	var wg sync.WaitGroup
	for g := range 8 { // more rule sets than are remembered
		wg.Go(func() {
			for i := range 100 {
				spec := fmt.Sprintf("1.2.%d", (g+i)%20)
				a := rules(t, Mapping{FieldSubject, []string{"CN", spec}}).Apply(v)
				if len(a.Tags) != 1 || a.Tags[0].Value != "awsUser" {
					t.Errorf("got %v", a.Tags)
				}
			}
		})
	}
	wg.Wait()
	if got := len(*v.Memo(nil).(*memo).list.Load()); got > maxMemo {
		t.Errorf("%d rule sets remembered, at most %d", got, maxMemo)
	}
}

func FuzzNormalise(f *testing.F) {
	f.Add(FieldSAN, "Name/")
	f.Add(FieldSubject, "2.5.4.3")
	f.Fuzz(func(t *testing.T, field, specifier string) {
		once, err := Normalise(Mapping{field, []string{specifier}})
		if err != nil {
			return
		}
		if twice, err := Normalise(once); err != nil || !cmp.Equal(once, twice) {
			t.Fatalf("%v becomes %v, %v", once, twice, err)
		}
	})
}

func BenchmarkApplyWarm(b *testing.B) {
	v, r := verified(b), rules(b, Defaults()...)
	b.ReportAllocs()
	for b.Loop() {
		r.Apply(v)
	}
}

func BenchmarkApplyCold(b *testing.B) {
	v, r := verified(b, sanWithNames(b, pkix.Name{CommonName: "dir"})), rules(b, Defaults()...)
	b.ReportAllocs()
	for b.Loop() {
		r.compute(v.Leaf(), v.SerialHex())
	}
}
