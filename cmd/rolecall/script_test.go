package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

const fixtures = "../../internal/keysource/file/testdata"

// binDir holds the program as it is shipped, under both of its names.
func buildProgram(t testing.TB) (binDir string) {
	t.Helper()
	binDir = t.TempDir()
	path := filepath.Join(binDir, ownName)
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X github.com/rolecall/rolecall/internal/early.Version=9.8.7", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	if err := os.Symlink(path, filepath.Join(binDir, officialName)); err != nil {
		t.Fatal(err)
	}
	return binDir
}

// TestScripts runs testdata/script/*.txtar against the built program. Each script has a server of its own, which checks
// the signature of every request with sigv4 and writes what came to the file "requests"; see stub_test.go.
func TestScripts(t *testing.T) {
	runScripts(t, "testdata/script", buildProgram(t), nil)
}

// runScripts runs the scripts of a folder, with further environment variables.
func runScripts(t *testing.T, folder, binDir string, further [][2]string) {
	testscript.Run(t, testscript.Params{
		Dir:                 folder,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			if err := copyFixtures(env.WorkDir); err != nil {
				return err
			}
			s := startStub(filepath.Join(env.WorkDir, "requests"))
			env.Defer(s.Close)
			if err := os.WriteFile(filepath.Join(env.WorkDir, "server.pem"), s.certificate(), 0o644); err != nil {
				return err
			}
			ca, err := startCAStub(filepath.Join(env.WorkDir, "enrolled"))
			if err != nil {
				return err
			}
			env.Defer(ca.Close)
			if err := os.WriteFile(filepath.Join(env.WorkDir, "est.pem"), []byte(certificatePEM(ca.Certificate().Raw)), 0o644); err != nil {
				return err
			}
			proxy := startProxy(s.Listener.Addr().String())
			env.Defer(proxy.Close)
			for _, kv := range append([][2]string{
				{"PATH", binDir + string(os.PathListSeparator) + env.Getenv("PATH")},
				{"URL", s.URL}, {"PLAIN", s.plain.URL},
				{"AWS_CA_BUNDLE", filepath.Join(env.WorkDir, "server.pem")},
				{"ANCHOR", anchorARN}, {"PROFILE", profileARN}, {"ROLE", roleARN},
				{"PROXY", proxy.URL}, {"EST", ca.URL}, {"FINGERPRINT", fmt.Sprintf("%x", sha256.Sum256(ca.Certificate().Raw))},
				{"CA", "arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority/1"},
				{"HOME", ""}, {"XDG_CACHE_HOME", ""}, // no session cache but in the script that is about it
			}, further...) {
				env.Setenv(kv[0], kv[1])
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"session": cmdSession,
			"run":     cmdRun,
			"each":    cmdEach,
			"broken":  cmdBroken,
			"bytes":   cmdBytes,
			"count":   cmdCount,
			"lines":   cmdLines,
		},
	})
}

func copyFixtures(dir string) error {
	names, err := filepath.Glob(filepath.Join(fixtures, "*.*"))
	if err != nil || len(names) == 0 {
		return fmt.Errorf("no fixtures: %v", err)
	}
	for _, name := range []string{"modern.p12", "legacy.p12", "empty.p12"} {
		names = append(names, filepath.Join("../../internal/keysource/pkcs12/testdata", name))
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), b, 0o600); err != nil {
			return err
		}
	}
	date := func(year int, month time.Month, d, h, m, s int) time.Time {
		return time.Date(year, month, d, h, m, s, 0, time.UTC)
	}
	if err := writeIdentity(filepath.Join(dir, "expired.pem"), date(2019, 1, 1, 0, 0, 0), date(2020, 2, 3, 4, 5, 6)); err != nil {
		return err
	}
	now := time.Now()
	if err := writeIdentity(filepath.Join(dir, "ending.pem"), now.Add(-1000*time.Hour), now.Add(10*time.Hour)); err != nil {
		return err
	}
	return writeIdentity(filepath.Join(dir, "early.pem"), date(2220, 1, 2, 3, 4, 5), date(2221, 1, 1, 0, 0, 0))
}

const (
	anchorARN  = "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/5ad7b3a5-1bd5-4b3c-9d0f-6a8e1f1c2b11"
	profileARN = "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/0f3fc0a1-77aa-4c1e-8f2e-2f6f0d4c7e22"
	roleARN    = "arn:aws:iam::111122223333:role/app/backup"
)

// cmdSession is "exec rolecall credential-process" with the three ARNs and, unless others are given, the file ec.pem
// and its key: session [PATH-ON-THE-STUB] FLAG...
// A path that begins with / becomes --endpoint.
func cmdSession(ts *testscript.TestScript, neg bool, args []string) {
	line := []string{"credential-process", "--role-arn", roleARN, "--profile-arn", profileARN, "--trust-anchor-arn", anchorARN}
	if len(args) > 0 && strings.HasPrefix(args[0], "/") {
		line = append(line, "--endpoint", ts.Getenv("URL")+args[0])
		args = args[1:]
	}
	if !strings.Contains(strings.Join(args, " ")+" ", "--certificate") {
		line = append(line, "--certificate", "ec.pem", "--private-key", "ec.pkcs8.key")
	}
	err := ts.Exec(ownName, append(line, args...)...)
	if (err != nil) != neg {
		ts.Fatalf("session: %v", err)
	}
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		ts.Fatalf("%v, want exit code 1", err)
	}
}

// cmdBytes compares a stream or file with a text exactly, \n in it being a newline: bytes stdout 'TEXT'
func cmdBytes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: bytes FILE TEXT")
	}
	got, want := ts.ReadFile(args[0]), strings.ReplaceAll(args[1], `\n`, "\n")
	if got != want {
		ts.Fatalf("%s is\n%q, want\n%q", args[0], got, want)
	}
}

// cmdCount checks how many requests the server has seen: count N
func cmdCount(ts *testscript.TestScript, neg bool, args []string) {
	got := strings.Count(readOrEmpty(ts.MkAbs("requests")), "\n")
	if neg || len(args) != 1 || fmt.Sprint(got) != args[0] {
		ts.Fatalf("%d requests, want %v", got, args)
	}
}

// cmdLines checks the number of lines of stderr or a file: lines FILE N
func cmdLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lines FILE N")
	}
	if got := strings.Count(ts.ReadFile(args[0]), "\n"); fmt.Sprint(got) != args[1] {
		ts.Fatalf("%d lines, want %s:\n%s", got, args[1], ts.ReadFile(args[0]))
	}
}

func readOrEmpty(path string) string {
	b, _ := os.ReadFile(path) // no file: no request yet
	return string(b)
}
