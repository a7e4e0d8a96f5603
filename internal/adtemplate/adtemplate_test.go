package adtemplate

import (
	"strconv"
	"strings"
	"testing"
)

// TestPredefined: there are 13, user signature first, and each passes the checks.
func TestPredefined(t *testing.T) {
	if len(Predefined) != 13 || Predefined[0].Name != "UserSignature" {
		t.Errorf("%d presets from %s", len(Predefined), Predefined[0].Name)
	}
	for i := range Predefined {
		p := &Predefined[i]
		if err := Check(p.Name, p.Definition()); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		for _, name := range []string{p.Name, strings.ToUpper(p.Title)} {
			if found, ok := FindPredefined(name); !ok || found != p {
				t.Errorf("%s is not found by %s", p.Name, name)
			}
		}
	}
}

func TestCheckSID(t *testing.T) {
	for text, want := range map[string]bool{
		"S-1-1-0": true, "S-1-5-11": true, "S-1-5-21-4294967295-0-1-512": true, "S-1-5-21-1-2-3-4-5-6-7-8-9-10-11-12-13-14": true,
		"S-1-5-21-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15": false, "S-1-5": false, "S-2-5-1": false, "S-1-5-4294967296": false, "S-1-5-01": false,
		"s-1-5-1": false, "S-1-5-+1": false, "S-1-5-": false, "": false, "S-1-4294967296-1": false,
	} {
		if err := CheckSID(text); (err == nil) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzCheckSID(f *testing.F) {
	for _, seed := range []string{"S-1-5-21-1111111111-2222222222-3333333333-1105", "S-1-1-0", "S-1-5", "S-1-5--1", "", "S-1-5-4294967296"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if CheckSID(text) != nil {
			return
		}
		for _, part := range strings.Split(text, "-")[1:] {
			if n, err := strconv.ParseUint(part, 10, 32); err != nil || strconv.FormatUint(n, 10) != part {
				t.Errorf("%q was taken", text)
			}
		}
	})
}

func FuzzCheckOID(f *testing.F) {
	for _, seed := range []string{"1.3.6.1.4.1.311.21.8.1.2.3", "2.5.29.37", "1.3.4294967296", "1.3.01", "3.1", "1", "", "1..2", "2.999.4294967295"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if CheckOID(text) != nil {
			return
		}
		for arc := range strings.SplitSeq(text, ".") {
			if n, err := strconv.ParseUint(arc, 10, 32); err != nil || strconv.FormatUint(n, 10) != arc {
				t.Errorf("%q was taken", text)
			}
		}
	})
}
