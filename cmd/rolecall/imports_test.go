package main

import (
	"os/exec"
	"strings"
	"testing"
)

// The client reaches only its own packages and a short list of others: what it links, every start pays for.
func TestImports(t *testing.T) {
	allowed := map[string]string{
		"github.com/rolecall/rolecall/internal/credcache":             "the session cache",
		"github.com/rolecall/rolecall/internal/credfile":              "update",
		"github.com/rolecall/rolecall/internal/imds":                  "serve",
		"github.com/rolecall/rolecall/internal/userfile":              "locks and atomic writes for both",
		"golang.org/x/sys/unix":                                       "to hide what is typed at a prompt",
		"github.com/rolecall/rolecall/cmd/rolecall":                   "itself",
		"github.com/rolecall/rolecall/internal/arn":                   "identifiers",
		"github.com/rolecall/rolecall/internal/credclient":            "the exchange",
		"github.com/rolecall/rolecall/internal/keysource":             "key sources",
		"github.com/rolecall/rolecall/internal/keysource/file":        "key sources",
		"github.com/rolecall/rolecall/sigv4":                          "signatures",
		"github.com/rolecall/rolecall/internal/keysource/pkcs11":      "starts rolecall-pkcs11",
		"github.com/rolecall/rolecall/internal/keysource/pkcs11/wire": "speaks with it",
		"github.com/rolecall/rolecall/internal/keysource/pkcs12":      "PKCS#12 files",
		"github.com/rolecall/rolecall/internal/keysource/selector":    "--cert-selector",
		"github.com/rolecall/rolecall/internal/keysource/tpm":         "TPM keys, without a TPM library",
		"software.sslmate.com/src/go-pkcs12":                          "PKCS#12 files; it has no start-up work",
		"software.sslmate.com/src/go-pkcs12/internal/rc2":             "old PKCS#12 files",
		"golang.org/x/crypto/pbkdf2":                                  "scrypt needs it",
		"golang.org/x/crypto/scrypt":                                  "encrypted PKCS#8 keys",
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
