package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rolecall/rolecall/internal/server"
	"github.com/rolecall/rolecall/internal/testad"
)

// envRun makes the test program be rolecalld, so that it can run inside of the domain.
const envRun = "ROLECALLD_TEST_RUN"

func TestMain(m *testing.M) {
	if os.Getenv(envRun) != "" {
		os.Exit(run(context.Background(), os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
	}
	testad.Main(m)
}

// adWorld is a served data folder and a domain.
type adWorld struct {
	*testing.T
	d   *testad.Domain
	dir string
	srv *server.Server
}

func newADWorld(t *testing.T) *adWorld {
	t.Helper()
	w := &adWorld{T: t, d: testad.Start(t), dir: t.TempDir()}
	srv, err := server.Start(t.Context(), server.Config{DataDir: w.dir, Listen: []string{"http://127.0.0.1:0"}, MetricsListen: "off"}, server.Output{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Shutdown() })
	w.srv = srv
	return w
}

// run runs a command of rolecalld inside of the domain.
func (w *adWorld) run(env []string, args ...string) (stdout, stderr string, ok bool) {
	w.Helper()
	cmd := w.d.Command(w.Context(), must(os.Executable())(w.T), append(args, "--data-dir", w.dir)...)
	cmd.Env = append(append(cmd.Env, envRun+"=1"), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, exit := err.(*exec.ExitError); err != nil && !exit {
		w.Fatal(err)
	}
	return out.String(), errs.String(), err == nil
}

func (w *adWorld) ok(args ...string) string {
	w.Helper()
	stdout, stderr, ok := w.run(nil, args...)
	if !ok {
		w.Fatalf("rolecalld %s: %s%s", strings.Join(args, " "), stdout, stderr)
	}
	return stdout
}

// fails expects a failure that says want.
func (w *adWorld) fails(want string, args ...string) {
	w.Helper()
	stdout, stderr, ok := w.run(nil, args...)
	if ok || !strings.Contains(stderr, want) {
		w.Errorf("rolecalld %s: %v %s%s, want a failure about %q", strings.Join(args, " "), ok, stdout, stderr, want)
	}
}

func (w *adWorld) file(name, text string) string {
	w.Helper()
	path := filepath.Join(w.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
	return path
}

func must[V any](v V, err error) func(*testing.T) V {
	return func(t *testing.T) V {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// domainFlags describe the test domain.
func (w *adWorld) domainFlags() []string {
	return []string{"--server", "ldaps://" + testad.DCHost, "--ca-file", w.d.Path("cert.pem"), "--bind-user", testad.ServiceUPN,
		"--bind-password-file", w.file("password", testad.Password("svc-rolecall")+"\n"), "--keytab", w.d.Path("http.keytab"), "--policy-host", testad.CAHost}
}

// TestDirectoryCommands: a directory is proved before it is stored, and the running server's store has it at once.
func TestDirectoryCommands(t *testing.T) {
	w := newADWorld(t)
	create := func(more ...string) []string {
		return append(append([]string{"ad", "directory", "create"}, w.domainFlags()...), more...)
	}
	id := strings.TrimSpace(w.ok(create()...))
	if !regexp.MustCompile(`^d-[0-9a-f]{10}$`).MatchString(id) {
		t.Fatalf("id %q", id)
	}
	list := w.ok("ad", "directory", "list")
	for _, want := range []string{id, testad.Realm, testad.NetBIOS, testad.CAHost, "allow", "ldaps://" + testad.DCHost} {
		if !strings.Contains(list, want) {
			t.Errorf("list lacks %s:\n%s", want, list)
		}
	}
	for want, flags := range map[string][]string{
		"not OTHER.EXAMPLE.COM":                        {"--realm", "other.example.com"},
		"not NOPE":                                     {"--netbios-domain", "NOPE"},
		"no key for HTTP/other.corp.example.com":       {"--policy-host", "other.corp.example.com"},
		"no AES key":                                   {"--policy-host", "rc4.corp.example.com", "--keytab", w.d.Path("rc4.keytab")},
		"use ldaps://HOST":                             {"--server", "ldap://dc1.corp.example.com"},
		"use off, allow or require":                    {"--channel-binding", "maybe"},
		"certificate signed by unknown authority":      {"--ca-file", w.file("other.pem", otherCA)},
		"bind as the service account":                  {"--bind-password-file", w.file("wrong", "wrong\n")},
		"not the full DNS name":                        {"--policy-host", "pki"},
		"realm and NetBIOS name of the domain":         {"--offline"},
		"there is no account 111111111111":             {"--account-id", "111111111111"},
		"no certificate in PEM":                        {"--ca-file", w.file("empty.pem", "nothing")},
		"keytab: malformed":                            {"--keytab", w.file("keytab", "nothing")},
		"has no password in its first line":            {"--bind-password-file", w.file("none", "\n")},
		"an account id has 12 digits":                  {"--account-id", "123"},
		"no such file":                                 {"--keytab", "/nonexistent"},
		"\"dc1\" is not a full host name":              {"--server", "ldaps://dc1"},
		"is not a realm":                               {"--realm", "CORP"},
		"is not a NetBIOS name":                        {"--netbios-domain", "much too long a name"},
		"the account that reads the directory is need": {"--bind-user", ""},
	} {
		w.fails(want, create(flags...)...)
	}
	w.ok("ad", "directory", "update", id, "--channel-binding", "require")
	if list := w.ok("ad", "directory", "list"); !strings.Contains(list, "require") {
		t.Errorf("after update:\n%s", list)
	}
	w.fails("has no directory", "ad", "directory", "update", "d-0000000000", "--offline")
	w.fails("has no directory", "ad", "directory", "delete", "d-0000000000")
	w.ok("ad", "directory", "delete", id)

	// Without a connection, and with the password of the environment.
	flags := []string{"ad", "directory", "create", "--offline", "--server", "ldaps://dc9.corp.example.com", "--bind-user", `CORP\svc`, "--policy-host", "pki.corp.example.com"}
	w.fails("hint: give it in a file or in ROLECALLD_BIND_PASSWORD", flags...)
	stdout, stderr, ok := w.run([]string{"ROLECALLD_BIND_PASSWORD=secret"}, append(flags, "--realm", "corp.example.com", "--netbios-domain", "CORP")...)
	if !ok {
		t.Fatal(stdout, stderr)
	}
	if list := w.ok("ad", "directory", "list"); !strings.Contains(list, "no keytab") {
		t.Errorf("list:\n%s", list)
	}
	w.fails("no directory server answered", "ad", "directory", "update", strings.TrimSpace(stdout), "--channel-binding", "off")
}

// otherCA is nobody's certificate.
const otherCA = `-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIUaS3PB7puvFDQfA4eF7DcDu3YYSAwCgYIKoZIzj0EAwIw
EDEOMAwGA1UEAwwFb3RoZXIwHhcNMjYxMTIyMTkwMzU3WhcNNDYxMTE3MTkwMzU3
WjAQMQ4wDAYDVQQDDAVvdGhlcjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABGLl
OVqbMNI2ihDt0/7nRYNoQzOUKiiUdCe5lmprrs+mCH3klDTMS3CedDydx8KHGnsu
5tVGQZ49rOH4nXhM1UWjUzBRMB0GA1UdDgQWBBTkHhcPK4QV2tK88Lcs8Y+olczi
ZzAfBgNVHSMEGDAWgBTkHhcPK4QV2tK88Lcs8Y+olcziZzAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIGSdylPV7XpaZLYL18gp/irpct0oSPALp+u4
6nW2jF0QAiEAmf1IZLz8LqzrM/76NJy8aumHO3ACM4jt2xjIol1fYR8=
-----END CERTIFICATE-----
`
