package main

import (
	"bufio"
	"bytes"
	stdflag "flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

var updateList = stdflag.Bool("update", false, "rewrite dependencies.txt and the manual page; reasons are written by hand")

const (
	listFile = "dependencies.txt"
	listHead = `# What the client links: every package of other modules, with the reason, and every package of the standard library
# but its internal ones. L, W and D: on Linux, Windows and macOS. go test ./cmd/rolecall -run TestImports -update
# rewrites the list; what is new needs a reason, and every start pays for it.
`
)

// linked is a line of the list.
type linked struct {
	systems string
	reason  string // of packages of other modules and of this one
}

// linkedPackages asks the Go tool, for each system, as the programs are shipped: without cgo.
func linkedPackages(t *testing.T) map[string]*linked {
	t.Helper()
	list := map[string]*linked{}
	for _, system := range []struct{ letter, name string }{{"L", "linux"}, {"W", "windows"}, {"D", "darwin"}} {
		cmd := exec.Command("go", "list", "-deps", "-f", "{{.ImportPath}} {{.Standard}}", ".")
		cmd.Env = append(os.Environ(), "GOOS="+system.name, "GOARCH=amd64", "CGO_ENABLED=0")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			path, standard, _ := strings.Cut(strings.TrimSpace(line), " ")
			if standard == "true" && (strings.Contains("/"+path+"/", "/internal/") || strings.HasPrefix(path, "vendor/")) {
				continue
			}
			if list[path] == nil {
				list[path] = &linked{}
			}
			list[path].systems += system.letter
			if standard == "true" {
				list[path].reason = "std"
			}
		}
	}
	return list
}

func readList(t *testing.T) map[string]*linked {
	t.Helper()
	b, err := os.ReadFile(listFile)
	if err != nil {
		t.Fatal(err)
	}
	list := map[string]*linked{}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		if fields := strings.Fields(s.Text()); len(fields) >= 2 && fields[0] != "#" {
			list[fields[1]] = &linked{fields[0], strings.Join(fields[2:], " ")}
		}
	}
	return list
}

// The client reaches only its own packages and a short list of others: what it links, every start pays for.
func TestImports(t *testing.T) {
	got, want := linkedPackages(t), readList(t)
	if *updateList {
		var b strings.Builder
		b.WriteString(listHead)
		for _, std := range []bool{false, true} {
			for _, path := range slices.Sorted(maps.Keys(got)) {
				g := got[path]
				if (g.reason == "std") != std {
					continue
				}
				if w := want[path]; w != nil && !std {
					g.reason = w.reason
				}
				b.WriteString(strings.TrimRight(fmt.Sprintf("%-3s  %-62s  %s", g.systems, path, strings.TrimPrefix(g.reason, "std")), " ") + "\n")
			}
		}
		if err := os.WriteFile(listFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		want = readList(t)
	}
	for path, g := range got {
		w := want[path]
		switch {
		case w == nil:
			t.Errorf("%s is linked into the client: give a reason in %s or remove it", path, listFile)
		case w.systems != g.systems:
			t.Errorf("%s is linked on %s, the list says %s", path, g.systems, w.systems)
		case g.reason != "std" && w.reason == "":
			t.Errorf("%s is in %s without a reason", path, listFile)
		}
	}
	for path := range want {
		if got[path] == nil {
			t.Errorf("%s is no longer linked: remove it from %s", path, listFile)
		}
	}
	for path, why := range map[string]string{
		"text/template": "reflection keeps every exported method in the program",
		"html/template": "as text/template",
		"regexp":        "compiled at every start",
		"flag":          "flags.go speaks the official helper's words",
		"os/user":       "HOME says the same without reading files",
		"runtime/cgo":   "the client is one static file",
	} {
		if got[path] != nil {
			t.Errorf("%s is linked into the client: %s", path, why)
		}
	}
}
