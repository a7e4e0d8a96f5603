package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/rolecall/rolecall/"

// tiers orders the packages from the bottom up: a package imports only from tiers below its own, or what
// sameTier names. A prefix stands for everything under it; the longest one wins.
var tiers = []struct {
	prefix string
	tier   int
}{
	{"internal/arn", 0},
	{"internal/keyring/privatefile", 0},
	{"internal/manpage", 0},
	{"internal/keyring", 1},
	{"internal/tlsca", 1},
	{"internal/p256", 0},
	{"internal/rsakey", 0},
	{"internal/jsontext", 0},
	{"internal/worker", 0},
	{"internal/follow", 0},
	{"internal/blockedkeys", 0},
	{"internal/certsonly", 0},
	{"sigv4", 1},
	{"iampolicy", 1},
	{"internal/certchain", 1},
	{"internal/awspolicy", 2},
	{"internal/certattr", 2},
	{"internal/sessiontoken", 2},
	{"internal/webidentity", 2},
	{"internal/awsclient", 2},
	{"internal/store", 3},
	{"internal/metrics", 3},
	{"internal/webissuer", 4},
	{"internal/audit", 4},
	{"internal/awsapi", 5},
	{"internal/revocation", 5},
	{"internal/gate", 6},
	{"internal/authority", 6},
	{"internal/adtemplate", 6},
	{"internal/bucket", 2},
	{"internal/issuance", 7},
	{"internal/hsm", 7},
	{"internal/service/", 8},
	{"internal/enroll", 8},
	{"internal/adclient", 9},
	{"internal/s3iam", 8},
	{"internal/httpauthz", 8},
	{"internal/server", 9},
	{"internal/quickstart", 10},
	{"cmd/rolecalld", 11},
	{"internal/keysource", 1},
	{"internal/keysource/find", 2},
	{"internal/credclient", 2},
	{"internal/early", 0},
	{"internal/processline", 0},
	{"internal/early/certificate", 1},
	{"internal/userfile", 0},
	{"internal/credfile", 1},
	{"internal/credcache", 3},
	{"internal/enrollclient", 3},
	{"internal/imds", 3},
	{"cmd/rolecall", 11},
	{"cmd/rolecall-pkcs11", 11},
	{"cmd/rolecall-ad", 11},
	{"internal/bench", 12},
}

// forbidden names imports that the tiers alone would let through, each with the reason.
var forbidden = []struct{ from, to, why string }{
	{"internal/service/", "internal/service/", "services meet in gate, sessiontoken and store, never directly"},
	{"internal/enroll", "internal/service/", "enrollment and the services meet in issuance and store, never directly"},
	{"internal/s3iam", "internal/service/", "the gateway's identities come from gate and store"},
	{"internal/httpauthz", "internal/service/", "decisions come from gate and store"},
	{"sigv4", "internal/", "a public package cannot rest on internal ones"},
	{"iampolicy", "internal/", "a public package cannot rest on internal ones"},
	{"cmd/rolecall", "internal/store", "the client carries no server code"},
	{"cmd/rolecall", "internal/awsapi", "the client does one signed POST and needs no API model"},
	{"cmd/rolecall", "internal/sessiontoken", "the client never sees the key ring"},
	{"cmd/rolecall", "internal/keyring", "the client never sees the key ring"},
	{"cmd/rolecall", "internal/server", "the client carries no server code"},
	{"internal/credclient", "internal/store", "the client carries no server code"},
	{"internal/early", "internal/credclient", "what answers before net/http is initialised cannot import it"},
	{"internal/certchain", "internal/store", "path validation decides from what it is given, it fetches nothing"},
	{"internal/awsapi", "internal/gate", "gate implements awsapi's interface; the other way is a cycle"},
	{"internal/adclient", "internal/store", "the client carries no server code"},
	{"internal/authority", "internal/store", "the engine signs what it is given and stores nothing"},
	{"internal/authority", "internal/awsapi", "the engine knows no API"},
	{"internal/store", "internal/certchain", "rows are plain data; their users compile them"},
}

// forbiddenExternal names outside modules that a part of the project must stay free of.
var forbiddenExternal = []struct{ from, to, why string }{
	{"cmd/rolecall", "modernc.org/", "the client carries no database"},
	{"cmd/rolecall", "github.com/jackc/", "the client carries no database"},
	{"cmd/rolecall", "github.com/prometheus/", "the client has no metrics"},
	{"cmd/rolecall", "github.com/miekg/pkcs11", "PKCS#11 modules need cgo; rolecall-pkcs11 loads them"},
	{"cmd/rolecall", "github.com/google/go-tpm", "five commands need no library of 12,000 lines; it is for tests"},
	{"cmd/rolecall", "github.com/jcmturner/", "Kerberos is rolecall-ad's; the client stays small"},
	{"cmd/rolecall", "github.com/go-ldap/", "the client asks no directory"},
	{"cmd/rolecall", "github.com/aws/", "the client does one signed POST and needs no SDK"},
	{"sigv4", "github.com/", "public packages rest on the standard library"},
	{"iampolicy", "github.com/", "public packages rest on the standard library"},
}

type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps=false", "-json=ImportPath,Imports,Deps", "./...")
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var pkgs []pkg
	dec := json.NewDecoder(bytes.NewReader(out))
	for {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
	return pkgs
}

// within reports whether path is the package prefix names, or lies under it. A trailing slash asks for "under".
func within(path, prefix string) bool {
	if strings.HasSuffix(prefix, "/") {
		return strings.HasPrefix(path, prefix)
	}
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

func tierOf(path string) (int, bool) {
	best, tier := -1, 0
	for _, e := range tiers {
		if within(path, e.prefix) && len(e.prefix) > best {
			best, tier = len(e.prefix), e.tier
		}
	}
	return tier, best >= 0
}

// sameFamily reports whether two packages stand under one entry of the table (awsapi and awsapi/wire).
func sameFamily(a, b string) bool {
	for _, e := range tiers {
		if e.prefix != "internal/service/" && within(a, e.prefix) && within(b, e.prefix) {
			return true
		}
	}
	return false
}

func TestImportsPointOneWay(t *testing.T) {
	for _, p := range packages(t) {
		from, ok := strings.CutPrefix(p.ImportPath, module)
		if !ok || from == "internal/archtest" || within(from, "internal/testdb") || within(from, "internal/testserver") || within(from, "internal/testad") || within(from, "internal/testldap") {
			continue
		}
		tier, known := tierOf(from)
		if !known {
			t.Errorf("%s has no tier: give it one in tiers", from)
			continue
		}
		for _, imp := range p.Imports {
			to, ok := strings.CutPrefix(imp, module)
			if !ok || sameFamily(from, to) {
				continue
			}
			if tt, known := tierOf(to); !known || tt >= tier {
				t.Errorf("%s imports %s: imports point down only", from, to)
			}
			for _, f := range forbidden {
				if within(from, f.from) && within(to, f.to) && from != to {
					t.Errorf("%s imports %s: %s", from, to, f.why)
				}
			}
		}
	}
}

func TestForbiddenDependencies(t *testing.T) {
	for _, p := range packages(t) {
		from, _ := strings.CutPrefix(p.ImportPath, module)
		for _, dep := range p.Deps {
			for _, f := range forbiddenExternal {
				if within(from, f.from) && strings.HasPrefix(dep, f.to) && !strings.HasPrefix(dep, module) {
					t.Errorf("%s depends on %s: %s", from, dep, f.why)
				}
			}
			to, ok := strings.CutPrefix(dep, module)
			if !ok {
				continue
			}
			for _, f := range forbidden {
				if f.from == "cmd/rolecall" && within(from, f.from) && within(to, f.to) {
					t.Errorf("%s depends on %s: %s", from, dep, f.why)
				}
			}
		}
	}
}
