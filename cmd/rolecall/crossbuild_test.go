package main

import (
	"debug/macho"
	"debug/pe"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The clients for macOS and Windows cannot be run here. They are linked without cgo, and import what the system's store needs.
func TestCrossBuild(t *testing.T) {
	dir := t.TempDir()
	build := func(system, arch string) string {
		path := filepath.Join(dir, system+arch)
		cmd := exec.Command("go", "build", "-trimpath", "-o", path, ".")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+arch)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s/%s: %v\n%s", system, arch, err, out)
		}
		return path
	}
	for _, arch := range []string{"amd64", "arm64"} {
		f, err := macho.Open(build("darwin", arch))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		symbols, err := f.ImportedSymbols()
		if err != nil || !slices.Contains(symbols, "_dlopen") || !slices.Contains(symbols, "_dlsym") {
			t.Errorf("darwin/%s imports %v, %v", arch, symbols, err)
		}
	}
	f, err := pe.Open(build("windows", "amd64"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	libraries, err := f.ImportedSymbols()
	for _, s := range libraries {
		if !strings.HasSuffix(strings.ToLower(s), ":kernel32.dll") {
			t.Errorf("windows/amd64 imports %s before it is needed", s)
		}
	}
	if err != nil || len(libraries) == 0 {
		t.Errorf("windows/amd64 imports %v, %v", libraries, err)
	}
}
