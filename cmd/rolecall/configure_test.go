package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// 64 programs write 64 profiles into one file at the same time: none is lost, and what was there stays.
func TestConfigureParallel(t *testing.T) {
	bin, dir := buildProgram(t), t.TempDir()
	if err := copyFixtures(dir); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "config")
	const before = "# mine\r\n[default]\r\nregion = x"
	if err := os.WriteFile(config, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	configure := func(args ...string) {
		cmd := exec.Command(filepath.Join(bin, ownName), append([]string{"configure"}, args...)...)
		cmd.Env = []string{"AWS_CONFIG_FILE=" + config}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			configure("--profile", fmt.Sprintf("p%d", i), "--role-arn", roleARN, "--profile-arn", profileARN,
				"--trust-anchor-arn", anchorARN, "--certificate", filepath.Join(dir, "combined.pem"))
		})
	}
	wg.Wait()
	data, err := os.ReadFile(config)
	if err != nil || !strings.HasPrefix(string(data), before) || strings.Count(string(data), "credential_process = ") != 64 {
		t.Fatalf("%v:\n%s", err, data)
	}
	for i := range 64 {
		if name := fmt.Sprintf("[profile p%d]\r\n", i); strings.Count(string(data), name) != 1 {
			t.Errorf("%q is there %d times", name, strings.Count(string(data), name))
		}
	}
	for i := range 64 {
		configure("--remove", "--profile", fmt.Sprintf("p%d", i))
	}
	if data, err := os.ReadFile(config); err != nil || strings.TrimSuffix(string(data), "\r\n") != before {
		t.Errorf("%v: %q is left", err, data)
	}
}
