package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkProcess runs whole programs: this one, an empty Go program, and one that only signs and posts. Reported are
// the median of the wall time (p50-ns) and of the CPU time of a process, the largest resident set, and both times as
// multiples of the empty program's.
func BenchmarkProcess(b *testing.B) {
	binDir := buildProgram(b)
	for _, name := range []string{"hello", "launch", "floor"} {
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(binDir, name), "./testdata/bench/"+name)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("build: %v\n%s", err, out)
		}
	}
	s := startStub("")
	b.Cleanup(s.Close)
	ca := filepath.Join(b.TempDir(), "server.pem")
	if err := os.WriteFile(ca, s.certificate(), 0o600); err != nil {
		b.Fatal(err)
	}
	b.Setenv("AWS_CA_BUNDLE", ca)
	cert, key := filepath.Join(fixtures, "ec.pem"), filepath.Join(b.TempDir(), "key.pem")
	pem, err := os.ReadFile(filepath.Join(fixtures, "ec.pkcs8.key"))
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(key, pem, 0o600); err != nil {
		b.Fatal(err)
	}
	hello := launch(b, 50, binDir, "hello")
	program := filepath.Join(binDir, ownName)
	for _, c := range []struct {
		name string
		args []string
	}{
		{"hello", []string{filepath.Join(binDir, "hello")}},
		{"floor", []string{filepath.Join(binDir, "floor"), s.URL, cert, key, ca}},
		{"credential-process", []string{program, "credential-process", "--role-arn", roleARN, "--profile-arn", profileARN,
			"--trust-anchor-arn", anchorARN, "--endpoint", s.URL, "--certificate", cert, "--private-key", key}},
		{"cached", []string{program, "credential-process", "--cache", "--role-arn", roleARN, "--profile-arn", profileARN,
			"--trust-anchor-arn", anchorARN, "--endpoint", s.URL, "--certificate", cert, "--private-key", key}},
		{"version", []string{program, "version"}},
		{"read-certificate-data", []string{program, "read-certificate-data", "--certificate", cert}},
	} {
		b.Run(c.name, func(b *testing.B) {
			if c.name == "cached" {
				b.Setenv("XDG_CACHE_HOME", b.TempDir())
			}
			m := launch(b, b.N, binDir, c.args...)
			b.ReportMetric(m[0], "p50-ns")
			b.ReportMetric(m[1], "p50-cpu-ns")
			b.ReportMetric(m[2]/(1<<20), "MiB")
			b.ReportMetric(m[0]/hello[0], "x-hello-wall")
			b.ReportMetric(m[1]/hello[1], "x-hello-cpu")
		})
	}
}

// launch gives the median wall and CPU time in nanoseconds and the peak resident set in bytes of n runs.
func launch(b *testing.B, n int, binDir string, args ...string) [3]float64 {
	b.Helper()
	if !strings.Contains(args[0], string(filepath.Separator)) {
		args = append([]string{filepath.Join(binDir, args[0])}, args[1:]...)
	}
	cmd := exec.Command(filepath.Join(binDir, "launch"), append([]string{fmt.Sprint(n)}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		b.Fatal(err)
	}
	var m [3]float64
	if _, err := fmt.Sscan(string(out), &m[0], &m[1], &m[2]); err != nil {
		b.Fatalf("%q: %v", out, err)
	}
	return m
}
