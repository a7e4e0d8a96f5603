package revocation

import (
	"net/netip"
	"testing"
)

func TestAllow(t *testing.T) {
	for _, c := range []struct {
		rules []string
		host  string
		ip    string
		port  uint16
		want  bool
	}{
		{nil, "h", "8.8.8.8", 80, true},
		{nil, "h", "2600::1", 443, true},
		{nil, "h", "8.8.8.8", 8080, false},
		{nil, "localhost", "127.0.0.1", 80, false},
		{nil, "h", "::1", 80, false},
		{nil, "h", "0.0.0.0", 80, false},
		{nil, "h", "::", 80, false},
		{nil, "h", "10.1.2.3", 80, false},
		{nil, "h", "172.16.0.1", 80, false},
		{nil, "h", "192.168.1.1", 80, false},
		{nil, "h", "100.64.0.1", 80, false},
		{nil, "h", "169.254.169.254", 80, false},
		{nil, "h", "224.0.0.1", 80, false},
		{nil, "h", "255.255.255.255", 80, false},
		{nil, "h", "fe80::1", 80, false},
		{nil, "h", "fd00:ec2::254", 80, false},
		{nil, "h", "ff02::1", 80, false},
		{nil, "h", "::ffff:127.0.0.1", 80, false},
		{nil, "h", "::ffff:169.254.169.254", 80, false},
		{nil, "h", "::127.0.0.1", 80, false},
		{nil, "h", "64:ff9b::7f00:1", 80, false},
		{nil, "h", "2002:7f00:1::", 80, false},
		{nil, "h", "2001:db8::1", 80, false},
		{[]string{"none"}, "h", "8.8.8.8", 80, false},
		{[]string{"10.0.0.0/8"}, "h", "10.1.2.3", 80, true},
		{[]string{"10.0.0.0/8"}, "h", "::ffff:10.1.2.3", 80, true},
		{[]string{"10.0.0.0/8"}, "h", "8.8.8.8", 80, false},
		{[]string{"10.0.0.0/8:8080"}, "h", "10.1.2.3", 8080, true},
		{[]string{"10.0.0.0/8:8080"}, "h", "10.1.2.3", 80, false},
		{[]string{"pki.example.com"}, "PKI.example.com.", "10.1.2.3", 80, true},
		{[]string{"pki.example.com"}, "other.example.com", "10.1.2.3", 80, false},
		{[]string{"[::1]:9000"}, "h", "::1", 9000, true},
		{[]string{"public", "127.0.0.1:9000"}, "h", "8.8.8.8", 443, true},
	} {
		a, err := ParseAllow(c.rules)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.permits(c.host, netip.MustParseAddr(c.ip), c.port); got != c.want {
			t.Errorf("%v %s (%s) port %d: got %t", c.rules, c.ip, c.host, c.port, got)
		}
	}
	for _, bad := range []string{"", ":80", "a b", "10.0.0.0/99", "h:0", "h:99999", "http://h/"} {
		if _, err := ParseAllow([]string{bad}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	if _, err := ParseAllow([]string{"none", "public"}); err == nil {
		t.Error("none beside another entry was taken")
	}
}

func TestURLs(t *testing.T) {
	for _, bad := range []string{"ldap://h/cn=x", "file:///etc/passwd", "http://u:p@h/", "http:///x", "gopher://h/", "//h/x", "http://h:99999999/%zz"} {
		if checkURL(bad) == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
