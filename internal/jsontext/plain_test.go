package jsontext

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// slowly is Plain byte by byte.
func slowly(s string) int {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > 0x7f || c == '"' || c == '\\' {
			return i
		}
	}
	return len(s)
}

// Every byte, at every place of a word and after every other byte.
func TestPlain(t *testing.T) {
	for place := range 20 {
		for c := range 256 {
			for _, before := range []byte{'a', '!', '#', '[', ']', ' ', 0x7f, '"', 0x1f, 0x80} {
				b := []byte(strings.Repeat(string(rune('~')), 20))
				b[place] = byte(c)
				if place > 0 {
					b[place-1] = before
				}
				if got, want := Plain(string(b)), slowly(string(b)); got != want {
					t.Fatalf("%q: %d, want %d", b, got, want)
				}
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "text"))
		if got, want := Plain(s), slowly(s); got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
	})
}

func BenchmarkPlain(b *testing.B) {
	s := strings.Repeat("AbC+/=09", 90)
	for b.Loop() {
		Plain(s)
	}
}
