package main

import (
	"os/exec"
	"strings"
	"testing"
)

// The client reaches only its own packages and a short list of others: what it links, every start pays for.
func TestImports(t *testing.T) {
	allowed := map[string]string{
		"github.com/rolecall/rolecall/cmd/rolecall":            "itself",
		"github.com/rolecall/rolecall/internal/arn":            "identifiers",
		"github.com/rolecall/rolecall/internal/credclient":     "the exchange",
		"github.com/rolecall/rolecall/internal/keysource":      "key sources",
		"github.com/rolecall/rolecall/internal/keysource/file": "key sources",
		"github.com/rolecall/rolecall/sigv4":                   "signatures",
		"golang.org/x/crypto/pbkdf2":                           "scrypt needs it",
		"golang.org/x/crypto/scrypt":                           "encrypted PKCS#8 keys",
	}
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(string(out)) {
		if allowed[path] == "" {
			t.Errorf("%s is linked into the client: give a reason here or remove it", path)
		}
		delete(allowed, path)
	}
	for path := range allowed {
		t.Errorf("%s is no longer linked: remove it here", path)
	}
	heavy := map[string]string{
		"text/template": "reflection keeps every exported method in the program",
		"html/template": "as text/template",
		"regexp":        "compiled at every start",
		"os/exec":       "not needed before a key source is a program of its own",
		"flag":          "flags.go speaks the official helper's words",
	}
	std, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(string(std)) {
		if why := heavy[path]; why != "" {
			t.Errorf("%s is linked into the client: %s", path, why)
		}
	}
}
