package iampolicy

import (
	"testing"
	"time"
)

func TestInstant(t *testing.T) {
	for s, want := range map[string]string{
		"2024-02-29T12:30:45Z": "2024-02-29T12:30:45Z", "2024-02-29T12:30:45.25+02:00": "2024-02-29T10:30:45.25Z",
		"2024-02-29T12:30-05:30": "2024-02-29T18:00:00Z", "2024-03": "2024-03-01T00:00:00Z", "2024-": "", "1969-12-31": "1969-12-31T00:00:00Z",
		"0": "1970-01-01T00:00:00Z", "1704067200": "2024-01-01T00:00:00Z", "2024-12-31t23z": "2024-12-31T23:00:00Z",
		"1900-03-01": "1900-03-01T00:00:00Z", "2000-02-29": "2000-02-29T00:00:00Z", "0001-01-01": "0001-01-01T00:00:00Z",
		"": "", "T": "", "-": "", "x": "", "2024-13": "", "2024-00": "", "2024-01-32": "", "2024-01-01T24:00": "", "2024-01-01T10:60": "",
		"2024-01-01T10:00:60": "", "2024-01-01T10:00:00.": "", "2024-01-01T10:00:00+1": "", "2024-01-01T10:00:00Zx": "", "1.5": "", "+5": "",
		"2024-01-01-01": "", "99999999999999999999": "", "2024-01-01T10:00:00+10:5": "", "2024-01-01T1a": "",
	} {
		at, ok := parseInstant(s)
		if ok != (want != "") {
			t.Errorf("parseInstant(%q): ok %v", s, ok)
			continue
		}
		if got := time.Unix(at.seconds, int64(at.nanos)).UTC().Format(time.RFC3339Nano); ok && got != want {
			t.Errorf("parseInstant(%q): got %s, want %s", s, got, want)
		}
	}
	for _, year := range []int{1, 3, 4, 100, 399, 400, 1582, 1969, 1970, 1999, 2000, 2001, 2100, 9999} {
		for month := 1; month <= 12; month++ {
			want := time.Date(year, time.Month(month), 28, 0, 0, 0, 0, time.UTC).Unix() / 86400
			if time.Date(year, time.Month(month), 28, 0, 0, 0, 0, time.UTC).Unix()%86400 != 0 {
				t.Fatal("the reference is off")
			}
			if got := civilDays(int64(year), int64(month), 28); got != want {
				t.Errorf("civilDays(%d, %d): got %d, want %d", year, month, got, want)
			}
		}
	}
}

func TestDecimal(t *testing.T) {
	ascending := []string{"-1000000000000000000000000000001", "-1000000000000000000000000000000", "-10.5", "-10", "-0.001", "0", "0.0001", "0.001", ".5", "1", "1.01", "1.1", "9", "10", "9007199254740992", "9007199254740993"}
	for i, a := range ascending {
		for j, b := range ascending {
			x, okX := parseDecimal(a)
			y, okY := parseDecimal(b)
			if !okX || !okY {
				t.Fatalf("parseDecimal(%q, %q) failed", a, b)
			}
			if got := compareDecimals(x, y); sign(got) != sign(i-j) {
				t.Errorf("compare %s with %s: got %d", a, b, got)
			}
		}
	}
	for _, pair := range [][2]string{{"-0", "0"}, {"+5", "005.000"}, {"1.50", "1.5"}} {
		x, _ := parseDecimal(pair[0])
		y, _ := parseDecimal(pair[1])
		if compareDecimals(x, y) != 0 {
			t.Errorf("%s and %s differ", pair[0], pair[1])
		}
	}
	for _, s := range []string{"", "-", ".", "1.", "1e3", "0x10", "Inf", "NaN", " 1", "1 ", "1,5", "--1", "+-1", "1.2.3"} {
		if _, ok := parseDecimal(s); ok {
			t.Errorf("parseDecimal(%q) succeeded", s)
		}
	}
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

func TestContext(t *testing.T) {
	c := NewContext(0)
	c.Set("aws:SourceIp", "1.2.3.4")
	c.Set("AWS:SOURCEIP", "5.6.7.8")
	c.SetMulti(KeyTagKeys, "a", "b")
	c.Set("aws:PrincipalTag/Größe", "x")
	for key, want := range map[string]string{"aws:sourceip": "5.6.7.8", "aws:principaltag/GRÖSSE": "", "AWS:PrincipalTag/GRÖßE": "x", "aws:tagkeys": "a"} {
		got, ok := c.Get(key)
		if ok != (want != "") || (ok && got[0] != want) {
			t.Errorf("Get(%q): got %q, %v; want %q", key, got, ok, want)
		}
	}
	if c.Len() != 3 {
		t.Errorf("Len: got %d, want 3", c.Len())
	}
	c.Set("aws:sourceIP")
	if _, ok := c.Get("aws:SourceIp"); ok || c.Len() != 2 {
		t.Error("Set without values keeps the key")
	}
	if got, _ := c.Get("aws:PrincipalTag/größe"); len(got) != 1 || got[0] != "x" {
		t.Errorf("after a removal: got %q", got)
	}
	seen := 0
	c.Each(func(key string, multi bool, values []string) {
		seen++
		if multi != (key == KeyTagKeys) {
			t.Errorf("%s: multi %v", key, multi)
		}
	})
	if seen != 2 {
		t.Errorf("Each visited %d keys", seen)
	}
	c.Reset()
	if _, ok := c.Get(KeyTagKeys); ok || c.Len() != 0 {
		t.Error("Reset keeps keys")
	}
}
