package blockedkeys

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

// Whatever a file holds: each of its lines is an entry, a comment, blank, or the reason to refuse it; and an accepted entry is found.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "#\n", entry64, entry30 + "\r\n" + entry20 + "\n", strings.ToUpper(entry30), entry20 + "x", "\n\n " + entry20 + "\t\n", strings.Repeat("a", 70<<10), "\xef\xbb\xbf" + entry20} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &set{}
		line, err := s.parse(bytes.NewReader(data))
		lines := bytes.Split(data, []byte("\n"))
		if err != nil {
			if line < 1 || line > len(lines) {
				t.Errorf("line %d of %d: %v", line, len(lines), err)
			}
			return
		}
		slices.SortFunc(s.long, compareLong)
		slices.SortFunc(s.short, compareShort)
		entries := 0
		for _, l := range lines {
			l = bytes.TrimSpace(l)
			if len(l) == 0 || l[0] == '#' {
				continue
			}
			entries++
			value, err := hex.DecodeString(string(l))
			if err != nil {
				t.Fatalf("%q was accepted", l)
			}
			found := false
			switch len(value) {
			case 10:
				found = s.hasShort([shortBytes]byte(value))
			case 15, 32:
				found = s.hasLong([longBytes]byte(value))
			}
			if !found {
				t.Fatalf("%q was accepted and is not found", l)
			}
		}
		if entries != s.entries || entries != len(s.long)+len(s.short) {
			t.Errorf("%d entries, counted %d, kept %d", entries, s.entries, len(s.long)+len(s.short))
		}
	})
}
