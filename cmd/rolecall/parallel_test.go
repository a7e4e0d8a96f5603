package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// parallel is a stub with its record, an identity, and the built program.
type parallel struct {
	*testing.T
	bin, identity, requests string
	stub                    *stub
}

func newParallel(t *testing.T) *parallel {
	t.Helper()
	dir := t.TempDir()
	p := &parallel{T: t, bin: filepath.Join(buildProgram(t), ownName), identity: filepath.Join(dir, "id.pem"), requests: filepath.Join(dir, "requests")}
	p.stub = startStub(p.requests)
	t.Cleanup(p.stub.Close)
	if err := writeIdentity(p.identity, time.Now().Add(-time.Hour), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	return p
}

// start runs 64 programs at once and gives what each printed.
func (p *parallel) start(env []string, command string, args func(i int) []string) (out [64]string) {
	p.Helper()
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			cmd := exec.Command(p.bin, append([]string{command, "--role-arn", roleARN, "--profile-arn", profileARN, "--trust-anchor-arn", anchorARN,
				"--endpoint", p.stub.plain.URL, "--certificate", p.identity}, args(i)...)...)
			cmd.Env = env
			text, err := cmd.Output()
			if err != nil {
				p.Errorf("%s %d: %v", command, i, err)
			}
			out[i] = string(text)
		})
	}
	all.Wait()
	return out
}

// 64 programs that share an identity share one session.
func TestCredentialProcessParallel(t *testing.T) {
	p := newParallel(t)
	out := p.start([]string{"XDG_CACHE_HOME=" + t.TempDir()}, "credential-process", func(int) []string { return nil })
	for i, text := range out {
		if !strings.Contains(text, "ASIATESTKEY") || text != out[0] {
			t.Errorf("program %d printed %q, the first %q", i, text, out[0])
		}
	}
	if n := strings.Count(readOrEmpty(p.requests), "verified"); n != 1 {
		t.Errorf("%d sessions were made, want 1", n)
	}
}

// 64 programs write 64 profiles into one credentials file: none is lost, and every other byte stays.
func TestUpdateParallel(t *testing.T) {
	p := newParallel(t)
	path := filepath.Join(t.TempDir(), "credentials")
	before := "# mine\r\n[default]\r\nregion = x\r\n; " + strings.Repeat("long ", 2000) + "\r\n"
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	p.start([]string{"AWS_SHARED_CREDENTIALS_FILE=" + path}, "update", func(i int) []string { return []string{"--once", "--profile", fmt.Sprintf("p%d", i)} })
	b, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(b), before) || strings.Count(string(b), "aws_session_token = TOKEN==") != 64 {
		t.Fatalf("%v:\n%s", err, b)
	}
	for i := range 64 {
		if name := fmt.Sprintf("[p%d]\r\naws_access_key_id = ASIATESTKEY\r\n", i); strings.Count(string(b), name) != 1 {
			t.Errorf("%q is there %d times", name, strings.Count(string(b), name))
		}
	}
	if n := strings.Count(readOrEmpty(p.requests), "verified"); n != 64 {
		t.Errorf("%d sessions were made, want 64", n)
	}
	// All write one profile: it is there once.
	p.start([]string{"AWS_SHARED_CREDENTIALS_FILE=" + path}, "update", func(int) []string { return []string{"--once", "--profile", "shared"} })
	if b, err := os.ReadFile(path); err != nil || strings.Count(string(b), "[shared]") != 1 || strings.Count(string(b), "aws_session_token") != 65 {
		t.Errorf("%v:\n%s", err, b)
	}
}
