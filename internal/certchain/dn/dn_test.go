package dn

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// av is one attribute of a test name.
type av struct {
	oid   asn1.ObjectIdentifier
	tag   cbasn1.Tag
	value []byte
}

func str(oid asn1.ObjectIdentifier, s string) av { return av{oid, cbasn1.UTF8String, []byte(s)} }

func encode(rdns ...[]av) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, rdn := range rdns {
			b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
				for _, a := range rdn {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1ObjectIdentifier(a.oid)
						b.AddASN1(a.tag, func(b *cryptobyte.Builder) { b.AddBytes(a.value) })
					})
				}
			})
		}
	})
	return b.BytesOrPanic()
}

func oidOf(last int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 4, last} }

func parse(t *testing.T, der []byte) Name {
	t.Helper()
	n, err := Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestParseKeepsOrderAndDuplicates(t *testing.T) {
	n := parse(t, encode(
		[]av{str(oidOf(6), "US")}, []av{str(oidOf(11), "Security")},
		[]av{str(oidOf(11), "Engineering"), str(oidOf(3), "a")}, []av{str(oidOf(11), "Research")}))
	got, ok := n.Values("2.5.4.11")
	if want := []string{"Security", "Engineering", "Research"}; !ok || !cmp.Equal(got, want) {
		t.Errorf("Values = %v, %v, want %v", got, ok, want)
	}
	if got, want := n.Types(), []OID{"2.5.4.6", "2.5.4.11", CommonName}; !cmp.Equal(got, want) {
		t.Errorf("Types = %v, want %v", got, want)
	}
	if got, want := n.String(), "OU=Research,OU=Engineering+CN=a,OU=Security,C=US"; got != want {
		t.Errorf("String = %q, want %q", got, want)
	}
}

func TestStringTypes(t *testing.T) {
	tests := []struct {
		name string
		tag  cbasn1.Tag
		in   []byte
		want string
		ok   bool
	}{
		{"UTF8", cbasn1.UTF8String, []byte("zoë"), "zoë", true},
		{"UTF8 broken", cbasn1.UTF8String, []byte{0xFF}, "", false},
		{"printable", cbasn1.PrintableString, []byte("Abc 1"), "Abc 1", true},
		{"printable with star", cbasn1.PrintableString, []byte("*.a@b"), "*.a@b", true},
		{"printable, high byte", cbasn1.PrintableString, []byte{0xE9}, "", false},
		{"IA5", cbasn1.IA5String, []byte("a@b"), "a@b", true},
		{"numeric", tagNumericString, []byte("12 3"), "12 3", true},
		{"visible", tagVisibleString, []byte("v"), "v", true},
		{"T61", cbasn1.T61String, []byte{'M', 0xFC}, "Mü", true},
		{"BMP", tagBMPString, []byte{0, 'A', 0x20, 0xAC}, "A€", true},
		{"BMP surrogates", tagBMPString, []byte{0xD8, 0x3D, 0xDE, 0x00}, "😀", true},
		{"BMP lone surrogate", tagBMPString, []byte{0xD8, 0x3D}, "", false},
		{"BMP odd", tagBMPString, []byte{0}, "", false},
		{"universal", tagUniversalString, []byte{0, 0, 0, 'A', 0, 1, 0xF6, 0}, "A😀", true},
		{"universal out of range", tagUniversalString, []byte{0, 0x11, 0, 0}, "", false},
		{"universal short", tagUniversalString, []byte{0, 0, 0}, "", false},
		{"octets", cbasn1.OCTET_STRING, []byte("x"), "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := parse(t, encode([]av{{oidOf(3), tt.tag, tt.in}}))
			a := n[0][0]
			if a.IsString != tt.ok || tt.ok && a.Value != tt.want {
				t.Errorf("got %q, %v, want %q, %v", a.Value, a.IsString, tt.want, tt.ok)
			}
			if _, ok := n.Values(CommonName); ok != tt.ok {
				t.Errorf("Values ok = %v, want %v", ok, tt.ok)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	good := encode([]av{str(oidOf(3), "a")})
	many := make([][]av, MaxAttributes+1)
	for i := range many {
		many[i] = []av{str(oidOf(3), "a")}
	}
	for name, der := range map[string][]byte{
		"nothing": nil, "trailing": append(append([]byte{}, good...), 0), "truncated": good[:len(good)-1],
		"empty set": {0x30, 2, 0x31, 0}, "not a set": {0x30, 2, 0x30, 0}, "no value": {0x30, 9, 0x31, 7, 0x30, 5, 6, 3, 85, 4, 3},
		"too many": encode(many...), "too long": encode([]av{str(oidOf(3), strings.Repeat("a", MaxNameBytes))}),
	} {
		if _, err := Parse(der); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if n := parse(t, []byte{0x30, 0}); len(n) != 0 || n.String() != "" {
		t.Errorf("empty name: %v", n)
	}
}

func TestText(t *testing.T) {
	unknown := asn1.ObjectIdentifier{1, 2, 3}
	tests := []struct {
		in   []av
		want string
	}{
		{[]av{str(oidOf(3), `a,b+"c"\<>;=d`)}, `CN=a\,b\+\"c\"\\\<\>\;\=d`},
		{[]av{str(oidOf(3), " a b ")}, `CN=\ a b\ `},
		{[]av{str(oidOf(3), "#1")}, `CN=\#1`},
		{[]av{str(oidOf(3), "a\nb\x00")}, `CN=a\0ab\00`},
		{[]av{str(oidOf(3), "")}, "CN="},
		{[]av{str(unknown, "x")}, "1.2.3=#0c0178"},
		{[]av{{oidOf(3), cbasn1.OCTET_STRING, []byte{1}}}, "CN=#040101"},
		{[]av{str(asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}, "corp")}, "DC=corp"},
		{[]av{str(oidOf(5), "7")}, "serialNumber=7"},
	}
	for _, tt := range tests {
		if got := parse(t, encode(tt.in)).String(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestLookup(t *testing.T) {
	for label, want := range map[string]OID{
		"CN": CommonName, "cn": CommonName, "SERIALNUMBER": "2.5.4.5", "1.2.3": "1.2.3", "2.5.4.3": CommonName,
		"GN": "2.5.4.42", "emailAddress": EmailAddress,
	} {
		if got, ok := Lookup(label); !ok || got != want {
			t.Errorf("Lookup(%q) = %q, %v, want %q", label, got, ok, want)
		}
	}
	for _, label := range []string{"", "nonsense", "1", "1..2", "01.2", "1.02", "3.1", "1.2.", "1.x", "-1.2"} {
		if got, ok := Lookup(label); ok {
			t.Errorf("Lookup(%q) = %q, want nothing", label, got)
		}
	}
	for _, oid := range namedTypes() {
		if got, ok := Lookup(oid.Label()); !ok || got != oid || oid.Label() == string(oid) {
			t.Errorf("%s: label %q leads to %q", oid, oid.Label(), got)
		}
	}
}

func TestComparison(t *testing.T) {
	name := func(rdns ...[]av) []byte { return encode(rdns...) }
	o, cn := func(s string) []av { return []av{str(oidOf(10), s)} }, func(s string) []av { return []av{str(oidOf(3), s)} }
	printable := []av{{oidOf(10), cbasn1.PrintableString, []byte("acme  INC ")}}
	multi := []av{str(oidOf(10), "a"), str(oidOf(3), "b")}
	swapped := []av{str(oidOf(3), "B"), str(oidOf(10), "a")}
	tests := []struct {
		name string
		a, b []byte
		want bool
	}{
		{"same", name(o("x")), name(o("x")), true},
		{"case, space, string type", name(o("Acme Inc")), name(printable), true},
		{"other value", name(o("x")), name(o("y")), false},
		{"other type", name(o("x")), name(cn("x")), false},
		{"order of RDNs", name(o("x"), cn("y")), name(cn("y"), o("x")), false},
		{"set order", name(multi), name(swapped), true},
		{"set or sequence", name(multi), name(o("a"), cn("b")), false},
		{"prefix", name(o("x")), name(o("x"), cn("y")), false},
		{"not strings", name([]av{{oidOf(3), cbasn1.OCTET_STRING, []byte("A")}}), name([]av{{oidOf(3), cbasn1.OCTET_STRING, []byte("a")}}), false},
		{"imitated boundary", name(o("a"), cn("b")), name(o("a8:2.5.4.3=b")), false},
		{"garbage", []byte{1}, []byte{2}, false},
	}
	for _, tt := range tests {
		if got := KeyOf(tt.a) == KeyOf(tt.b); got != tt.want {
			t.Errorf("%s: keys equal %v, want %v", tt.name, got, tt.want)
		}
	}
	whole, base := parse(t, name(o("X"), cn("y"))), parse(t, name(o("x")))
	if !whole.Within(base) || !whole.Within(nil) || base.Within(whole) {
		t.Error("Within is wrong")
	}
}

func TestGeneralNames(t *testing.T) {
	got, err := ParseGeneralNames([]byte{0x30, 8, 0x82, 1, 'a', 0x86, 3, 'u', ':', 'x'})
	if err != nil {
		t.Fatal(err)
	}
	want := []GeneralName{{DNSName, []byte("a")}, {URI, []byte("u:x")}}
	if !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
	for name, der := range map[string][]byte{
		"nothing": nil, "universal tag": {0x30, 3, 0x0c, 1, 'a'}, "kind 9": {0x30, 3, 0x89, 1, 'a'},
		"primitive directory name": {0x30, 2, 0x84, 0}, "constructed dns": {0x30, 2, 0xA2, 0}, "trailing": {0x30, 0, 0},
	} {
		if _, err := ParseGeneralNames(der); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	raw, err := asn1.Marshal(pkix.Name{CommonName: "a", Organization: []string{"b", "c"}}.ToRDNSequence())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(encode([]av{{oidOf(3), tagBMPString, []byte{0, 'A'}}, str(oidOf(6), "US")}))
	f.Add([]byte{0x30, 0})
	f.Fuzz(func(t *testing.T, der []byte) {
		n, err := Parse(der)
		if err != nil {
			return
		}
		for _, c := range n.String() {
			if c < 0x20 {
				t.Fatalf("control character in %q", n.String())
			}
		}
		if KeyOf(der) != n.key() || !n.Within(n) {
			t.Fatal("a name is not itself")
		}
		for _, oid := range n.Types() {
			n.Values(oid)
		}
	})
}

func FuzzParseGeneralNames(f *testing.F) {
	f.Add([]byte{0x30, 8, 0x82, 1, 'a', 0x86, 3, 'u', ':', 'x'})
	f.Fuzz(func(t *testing.T, der []byte) {
		names, err := ParseGeneralNames(der)
		if err == nil && len(names) > MaxGeneralNames {
			t.Fatal("limit exceeded")
		}
	})
}
