package server

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// smaps has a mapping of each kind; the fields in between are shortened.
const smaps = `00400000-010e9000 r-xp 00000000 fe:00 1234                               /opt/a b/rolecalld
Size:              13220 kB
Rss:               11556 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
010e9000-01f67000 r--p 00ce9000 fe:00 1234                               /opt/a b/rolecalld
Rss:               12464 kB
Anonymous:             0 kB
01f67000-02080000 rw-p 01b67000 fe:00 1234                               /opt/a b/rolecalld
Rss:                1060 kB
Anonymous:           252 kB
02080000-02090000 r--p 01c67000 fe:00 1234                               /opt/a b/rolecalld
Rss:                  64 kB
Anonymous:             4 kB
02090000-020a0000 r--s 01c67000 fe:00 1234                               /opt/a b/rolecalld
Rss:                  64 kB
Anonymous:             0 kB
7f738f1da000-7f738f330000 r-xp 00000000 fe:00 99                         /usr/lib/libc.so.6
Rss:                 920 kB
Anonymous:             0 kB
2b35dc000000-2b35ddc00000 rw-p 00000000 00:00 0
Rss:                8784 kB
Anonymous:          8784 kB
`

func TestProgramMappings(t *testing.T) {
	got, err := programMappings(strings.NewReader(smaps), "/opt/a b/rolecalld")
	if err != nil {
		t.Fatal(err)
	}
	want := []mapping{{0x400000, 0x10e9000}, {0x10e9000, 0x1f67000}}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] {
		t.Fatalf("got %v, want %v: writable, shared, changed and foreign mappings stay", got, want)
	}
	if _, err := programMappings(strings.NewReader("00400000-010e9000 r-xp 0 fe:00 1 /x\nAnonymous: many kB\n"), "/x"); err == nil {
		t.Error("a size that is no number was taken")
	}
}

// TestReleaseProgram drops the pages of this test program and goes on running.
func TestReleaseProgram(t *testing.T) {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	resident := func() (kib int) {
		text, err := os.ReadFile("/proc/self/smaps")
		if err != nil {
			t.Fatal(err)
		}
		own := false
		for line := range strings.Lines(string(text)) {
			var n int
			if _, err := fmt.Sscanf(line, "Rss: %d kB", &n); err == nil && own {
				kib += n
			} else if key, rest, _ := strings.Cut(line, " "); !strings.HasSuffix(key, ":") {
				own = strings.HasPrefix(rest, "r") && !strings.HasPrefix(rest, "rw") && strings.HasSuffix(line, " "+exe+"\n")
			}
		}
		return kib
	}
	before := resident()
	if err := releaseProgram(); err != nil {
		t.Fatal(err)
	}
	if after := resident(); before < 1<<10 || after > before/2 {
		t.Fatalf("%d KiB of the program were resident, and %d are after their release", before, after)
	}
}
