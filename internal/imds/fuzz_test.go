package imds

import (
	"crypto/rand"
	"net"
	"testing"
	"time"
)

// No text but one that was issued is a token, and no bit of one may change.
func FuzzToken(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	tk := newTokens(rand.Reader, func() time.Time { return now })
	good, err := tk.issue(time.Minute)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("")
	f.Add(good + "=")
	f.Add(good[:len(good)-1])
	f.Fuzz(func(t *testing.T, text string) {
		if left := tk.left(text); (left > 0) != (text == good) {
			t.Errorf("%q: %v", text, left)
		}
	})
}

func FuzzHost(f *testing.F) {
	for _, s := range []string{"localhost", "[::1]:80", "::1", "127.0.0.1", "", "[", "]:", "evil.example:80", "[fe80::1%lo]"} {
		f.Add(s)
	}
	s := &Server{}
	local := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 80}
	f.Fuzz(func(t *testing.T, host string) {
		if !s.knownHost(host, local) {
			return
		}
		name := host
		if h, _, err := net.SplitHostPort(host); err == nil {
			name = h
		}
		// Whatever is accepted without a list is an address or localhost, which no DNS zone can hold.
		if ip := net.ParseIP(trimZone(name)); ip == nil && !isLocalhost(name) {
			t.Errorf("%q is accepted", host)
		}
	})
}

func trimZone(s string) string {
	if len(s) > 1 && s[0] == '[' {
		s = s[1:]
	}
	if n := len(s); n > 0 && s[n-1] == ']' {
		s = s[:n-1]
	}
	for i := range s {
		if s[i] == '%' {
			return s[:i]
		}
	}
	return s
}

func isLocalhost(s string) bool {
	s = trimZone(s)
	if len(s) != len("localhost") {
		return false
	}
	for i := range s {
		if s[i]|0x20 != "localhost"[i] {
			return false
		}
	}
	return true
}
