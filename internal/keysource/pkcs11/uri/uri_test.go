package uri

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func text(s string) *string { return &s }

func TestParse(t *testing.T) {
	three := uint(3)
	for _, tt := range []struct {
		in   string
		want URI
	}{
		{"pkcs11:", URI{}},
		{"PKCS11:token=my%20token;object=key;id=%00%ff1;type=private?pin-value=12%2634&module-path=/usr/lib/x.so",
			URI{Token: text("my token"), Object: text("key"), ID: []byte{0, 255, '1'}, Type: "private", PINValue: text("12&34"), ModulePath: "/usr/lib/x.so"}},
		{"pkcs11:manufacturer=a;serial=b;model=c;slot-id=3;slot-description=d;slot-manufacturer=e;library-manufacturer=f;library-description=g;library-version=2.6;",
			URI{Manufacturer: text("a"), Serial: text("b"), Model: text("c"), SlotID: &three, SlotDescription: text("d"), SlotManufacturer: text("e"),
				LibraryManufacturer: text("f"), LibraryDescription: text("g"), LibraryVersion: text("2.6")}},
		{"pkcs11:object=;id=?pin-source=file:/run/pin&module-name=softhsm2&x-other=1", URI{Object: text(""), ID: []byte{}, PINSource: "file:/run/pin", ModuleName: "softhsm2"}},
		{"pkcs11:object=a?b", URI{}}, // no = in the query
	} {
		got, err := Parse(tt.in)
		if strings.HasSuffix(tt.in, "?b") {
			if err == nil {
				t.Errorf("%s is accepted", tt.in)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
		} else if d := cmp.Diff(tt.want, *got); d != "" {
			t.Errorf("%s: %s", tt.in, d)
		}
	}
}

func TestRefusals(t *testing.T) {
	for in, want := range map[string]string{
		"file:x":                              `does not begin with "pkcs11:"`,
		"pkcs11:token":                        "has no =",
		"pkcs11:token=a;token=b":              `"token" twice`,
		"pkcs11:x-foo=1":                      `unknown attribute "x-foo"`,
		"pkcs11:type=key":                     "is unknown",
		"pkcs11:slot-id=0x1":                  "not a decimal number",
		"pkcs11:object=%1":                    "% without two",
		"pkcs11:object=%zz":                   "% without two",
		"pkcs11:?pin-value=1&pin-source=/p":   "both pin-value and pin-source",
		"pkcs11:?pin-source=|cat /p":          "is a command",
		"pkcs11:?module-name=../x":            "is a path",
		"pkcs11:object=a#b":                   "fragment",
		"pkcs11:" + strings.Repeat("a", 5000): "longer than",
	} {
		if _, err := Parse(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30s: got %v, want %q", in, err, want)
		}
	}
	if _, err := Parse("pkcs11:?pin-value=5ecret%1"); err == nil || strings.Contains(err.Error(), "5ecret") {
		t.Errorf("the PIN is in %v", err)
	}
}

func TestPINFile(t *testing.T) {
	for in, want := range map[string]string{"/p": "/p", "file:/p": "/p", "file:///p": "/p", "file://localhost/p": "/p", "file:p": "p"} {
		if got := (&URI{PINSource: in}).PINFile(); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// FuzzParse: what is accepted survives being written and read again.
func FuzzParse(f *testing.F) {
	f.Add("pkcs11:token=my%20token;object=key;id=%00%ff1;type=private?pin-value=12%2634&module-path=/usr/lib/x.so")
	f.Add("pkcs11:manufacturer=a;serial=b;model=c;slot-id=3;slot-description=d?module-name=x&pin-source=file:///p")
	f.Fuzz(func(t *testing.T, in string) {
		u, err := Parse(in)
		if err != nil || u.Object == nil {
			return
		}
		again, err := Parse("pkcs11:object=" + Encode(*u.Object) + ";id=" + Encode(u.ID))
		if err == nil && *again.Object == *u.Object && string(again.ID) == string(u.ID) {
			return
		}
		if len(in) < maxLength/4 {
			t.Fatalf("%q: %v", in, err)
		}
	})
}
