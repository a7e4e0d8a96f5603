package bounds

import "testing"

func TestGlobs(t *testing.T) {
	for _, c := range []struct {
		pattern, value string
		want           bool
	}{
		{"CN=host1.*", "host1.example.com", true}, {"CN=host1.*", "host1x.example.com", false}, {"CN=*.example.com", "a.b.example.com", true},
		{"CN=*.example.com", "*.example.com", false}, {`CN=\*.example.com`, "*.example.com", true}, {"CN=a*b*c", "axxbyyc", true}, {"CN=a*b*c", "ac", false},
		{"CN=a*a", "a", false}, {"CN=*", "x", true}, {"CN=*", "*", false}, {`CN=a\,b`, "a,b", true}, {"CN=x", "X", false}, {"CN=host1.*", "host1.*.example.com", false},
	} {
		s, err := ParseSubject(c.pattern)
		if err != nil {
			t.Fatal(c.pattern, err)
		}
		if got := s.Check([]Attribute{{"2.5.4.3", c.value}}) == nil; got != c.want {
			t.Errorf("%s on %s: %v", c.pattern, c.value, got)
		}
	}
	for _, bad := range []string{"CN", "CN=", "CN=a,CN=b", "XX=a", `CN=a\`, "CN=a,"} {
		if _, err := ParseSubject(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	for _, bad := range []string{"host", "DNS:", "IP:x", "IP:10.0.0.0/64", "RID:1.2"} {
		if _, err := ParseAlternatives([]string{bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func FuzzPatterns(f *testing.F) {
	f.Add("CN=*.example.com,O=x", "DNS:*.example.com", "host1.example.com")
	f.Add(`CN=a\,*b*`, "IP:10.0.0.0/8", "10.1.2.3")
	f.Fuzz(func(t *testing.T, subject, alternative, value string) {
		if s, err := ParseSubject(subject); err == nil {
			s.Check([]Attribute{{"2.5.4.3", value}}) //nolint:errcheck // must not panic
		}
		if l, err := ParseAlternatives([]string{alternative}); err == nil {
			l.Check([]Alternative{{"DNS", value}, {"IP", value}}) //nolint:errcheck // must not panic
		}
	})
}

func FuzzReadNames(f *testing.F) {
	f.Add([]byte{0x30, 0}, []byte{0x30, 3, 0x82, 1, 'a'})
	f.Fuzz(func(t *testing.T, subject, alternatives []byte) {
		n, err := ReadNames(subject, alternatives)
		if err == nil && !n.Equal(n) {
			t.Error("names that differ from themselves")
		}
	})
}
