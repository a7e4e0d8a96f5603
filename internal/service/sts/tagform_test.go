package sts

import (
	"strings"
	"testing"
)

func TestIsTag(t *testing.T) {
	letters := func(n int) string { return strings.Repeat("é", n) }
	for _, tt := range []struct {
		key, value string
		want       bool
	}{
		{"k", "", true}, {letters(128), letters(256), true}, {"a b", "x_.:/=+-@1", true},
		{"", "v", false}, {letters(129), "", false}, {"k", letters(257), false}, {"k*", "v", false}, {"k", "v\n", false}, {"k", "\xff", false},
	} {
		if got := isTag(tt.key, tt.value); got != tt.want {
			t.Errorf("%.10q (%d bytes), %.10q (%d bytes): %v", tt.key, len(tt.key), tt.value, len(tt.value), got)
		}
	}
}
