package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMain keeps the tests out of the session cache of whoever runs them. The Go tool, which has its cache in the same
// place, is told where that is.
func TestMain(m *testing.M) {
	out, err := exec.Command("go", "env", "GOCACHE").Output()
	if err == nil {
		err = os.Setenv("GOCACHE", strings.TrimSpace(string(out)))
	}
	if err == nil {
		err = os.Setenv("XDG_CACHE_HOME", os.DevNull+"/none")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
