package find

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/keysource/pkcs11"
	"github.com/rolecall/rolecall/internal/keysource/selector"
)

// make writes a key and a certificate for it, issued by a CA unless it is "self"; valid but for "old".
func make(t *testing.T, name, cert, key string, usages ...x509.ExtKeyUsage) *x509.Certificate {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	end := time.Now().Add(time.Hour)
	if name == "old" {
		end = time.Now().Add(-time.Hour)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: end, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: usages}
	issuer := &x509.Certificate{Subject: pkix.Name{CommonName: "CA"}}
	if name == "self" {
		issuer = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, k.Public(), k)
	check(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
	check(t, err)
	write(t, cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	c, err := x509.ParseCertificate(der)
	check(t, err)
	return c
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(path), 0o700))
	check(t, os.WriteFile(path, b, 0o600))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// look gives what every place has, a line for each identity, and the names of the places.
func look(t *testing.T, cfg Config) (found, names []string) {
	t.Helper()
	for _, p := range Places(cfg) {
		names = append(names, p.Name)
		list, err := p.Look(t.Context())
		if err != nil {
			found = append(found, p.Name+": "+err.Error())
		}
		for _, id := range list {
			found = append(found, fmt.Sprint(p.Name, ": ", id.Certificate.Subject.CommonName, " ", id.Flags))
		}
	}
	return found, names
}

func env(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

// Every place is looked into, in order; what is expired, has no key or another's is left out.
func TestPlaces(t *testing.T) {
	root := t.TempDir()
	at := func(path ...string) string { return filepath.Join(append([]string{root}, path...)...) }
	make(t, "own", at("home/.config/rolecall/a/cert.pem"), at("home/.config/rolecall/a/key.pem"))
	make(t, "old", at("home/.config/rolecall/b/cert.pem"), at("home/.config/rolecall/b/key.pem"))
	make(t, "host", at("etc/rolecall/host/cert.pem"), at("etc/rolecall/host/key.pem"))
	make(t, "domain", at("var/lib/rolecall-ad/host.pem"), at("var/lib/rolecall-ad/host.key"))
	make(t, "debian", at("etc/ssl/certs/host.pem"), at("etc/ssl/private/host.key"))
	make(t, "other", at("etc/ssl/certs/mixed.pem"), at("x.key"))
	make(t, "x", at("x.pem"), at("etc/ssl/private/mixed.key"))
	make(t, "self", at("etc/ssl/certs/snakeoil.pem"), at("etc/ssl/private/snakeoil.key"))
	make(t, "web", at("etc/ssl/certs/web.pem"), at("etc/ssl/private/web.key"), x509.ExtKeyUsageServerAuth)
	make(t, "fedora", at("etc/pki/tls/certs/host.crt"), at("etc/pki/tls/private/host.key"))
	make(t, "puppet", at("etc/puppetlabs/puppet/ssl/certs/n.pem"), at("etc/puppetlabs/puppet/ssl/private_keys/n.pem"))
	cfg := Config{Root: root, GOOS: "linux", Getenv: env(map[string]string{"HOME": at("home")})}
	found, names := look(t, cfg)
	for i, want := range []string{
		at("home/.config/rolecall") + ": own [[certificate " + at("home/.config/rolecall/a/cert.pem") + "] [private-key " + at("home/.config/rolecall/a/key.pem") + "]]",
		at("etc/rolecall") + ": host ", at("var/lib/rolecall-ad") + ": domain ",
		"/etc/ssl/certs with /etc/ssl/private: debian [[certificate " + at("etc/ssl/certs/host.pem") + "] [private-key " + at("etc/ssl/private/host.key") + "]]",
		"/etc/pki/tls/certs with /etc/pki/tls/private: fedora ", "/etc/puppetlabs/puppet/ssl/certs with /etc/puppetlabs/puppet/ssl/private_keys: puppet ",
	} {
		if i >= len(found) || !strings.HasPrefix(found[i], want) {
			t.Errorf("want %s, found\n%s", want, strings.Join(found, "\n"))
		}
	}
	if len(found) != 6 || names[0] != at("home/.config/rolecall") || slices.Contains(names, "PKCS#11 tokens") {
		t.Errorf("found %d in %q", len(found), names)
	}
}

type fakeStore []selector.Candidate

func (s fakeStore) List(context.Context) ([]selector.Candidate, error) {
	if s == nil {
		return nil, errors.New("access denied")
	}
	return slices.Clone(s), nil
}

type fakeTokens struct{ list []pkcs11.Listed }

func (f fakeTokens) List(context.Context) ([]pkcs11.Listed, error) { return f.list, nil }

// The stores of Windows and macOS are asked through their interface. A subject names what it alone has, a thumbprint the rest.
func TestStores(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	one, twin, twin2, old := make(t, "one", path, path), make(t, "twin", path, path), make(t, "twin", path, path), make(t, "old", path, path)
	stores := map[string]fakeStore{`CurrentUser\MY`: {{Certificate: one}, {Certificate: twin}, {Certificate: twin2}, {Certificate: old}}}
	cfg := Config{Root: dir, GOOS: "windows", Getenv: env(nil), Stores: func(name string) Store { return stores[name] }}
	found, names := look(t, cfg)
	if len(found) != 4 || found[0] != `the certificate store CurrentUser\MY: one [[cert-selector Key=x509Subject,Value=CN=one] [system-store-name CurrentUser\MY]]` ||
		!strings.Contains(found[1], "Key=x509Thumbprint,Value=") || found[3] != `the certificate store LocalMachine\MY: access denied` {
		t.Errorf("in %q:\n%s", names, strings.Join(found, "\n"))
	}
	for _, p := range Places(cfg)[:1] {
		list, err := p.Look(t.Context())
		check(t, err)
		for i, id := range list { // each selector chooses its certificate and no other
			s, err := selector.Parse(id.Flags[0][1])
			check(t, err)
			if got, err := s.Select(stores[`CurrentUser\MY`], false); err != nil || got != i {
				t.Errorf("%s chooses %d, %v", id.Flags[0][1], got, err)
			}
		}
	}
	cfg.GOOS = "darwin"
	if _, names := look(t, cfg); !slices.Contains(names, `the certificate store CurrentUser\MY`) || slices.Contains(names, `the certificate store LocalMachine\MY`) {
		t.Errorf("on macOS: %q", names)
	}
}

// Tokens are asked only if a module is named, or p11-kit is told of one that is not the list of CAs.
func TestTokens(t *testing.T) {
	root := t.TempDir()
	c := make(t, "card", filepath.Join(root, "x"), filepath.Join(root, "x"))
	cfg := Config{Root: root, GOOS: "linux", Getenv: env(nil), Tokens: func(module string) interface {
		List(context.Context) ([]pkcs11.Listed, error)
	} {
		return fakeTokens{[]pkcs11.Listed{{Certificate: c, URI: "pkcs11:object=card" + module}}}
	}}
	write(t, filepath.Join(root, "usr/share/p11-kit/modules/p11-kit-trust.module"), nil)
	if found, names := look(t, cfg); len(found) != 0 || slices.Contains(names, "PKCS#11 tokens") {
		t.Errorf("found %q in %q", found, names)
	}
	write(t, filepath.Join(root, "etc/pkcs11/modules/opensc.module"), nil)
	if found, _ := look(t, cfg); len(found) != 1 || found[0] != "PKCS#11 tokens: card [[certificate pkcs11:object=card]]" {
		t.Errorf("found %q", found)
	}
	check(t, os.RemoveAll(filepath.Join(root, "etc")))
	cfg.Module = "m"
	if found, _ := look(t, cfg); len(found) != 1 || found[0] != "PKCS#11 tokens: card [[certificate pkcs11:object=cardm]]" {
		t.Errorf("found %q", found)
	}
}

// What certmonger itself writes about a certificate that it tracks is read.
func TestCertmonger(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "host.pem"), filepath.Join(dir, "host.key")
	make(t, "tracked", cert, key)
	variables := map[string]string{}
	for _, name := range []string{"REQUESTS", "CAS", "CONFIG"} {
		variables["CERTMONGER_"+name+"_DIR"] = filepath.Join(dir, name)
		check(t, os.Mkdir(filepath.Join(dir, name), 0o700))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "dbus-run-session", "--", "sh", "-c", `certmonger -s -n -d 1 & for i in $(seq 100); do getcert list-cas -s >/dev/null 2>&1 && break; sleep 0.1; done
getcert start-tracking -s -k "$1" -f "$2"; for i in $(seq 100); do grep -qs cert_storage_location "$3"/* && break; sleep 0.1; done; kill $!; wait`, "sh", key, cert, variables["CERTMONGER_REQUESTS_DIR"])
	cmd.Env = append(os.Environ(), "CERTMONGER_TMPDIR="+dir)
	for name, value := range variables {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("certmonger: %v\n%s(scripts/deps installs it)", err, out)
	}
	cfg := Config{Root: dir, GOOS: "linux", Getenv: env(variables)}
	found, _ := look(t, cfg)
	if want := fmt.Sprintf("the certificates that certmonger tracks: tracked [[certificate %s] [private-key %s]]", cert, key); len(found) != 1 || found[0] != want {
		t.Errorf("found %q, want %q", found, want)
	}
	check(t, os.Remove(key))
	if found, _ := look(t, cfg); len(found) != 0 {
		t.Errorf("without its key: %q", found)
	}
}

func FuzzTrackedFiles(f *testing.F) {
	f.Add([]byte("id=1\nkey_storage_type=FILE\nkey_storage_location=/k\ncert_storage_type=FILE\ncert_storage_location=/c\n"))
	f.Add([]byte("cert=A\n B=\nkey_storage_type=NSSDB\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, k, ok := trackedFiles(data); ok && (!filepath.IsAbs(c) || !filepath.IsAbs(k) || strings.ContainsAny(c+k, "\r\n")) {
			t.Errorf("%q, %q", c, k)
		}
	})
}
