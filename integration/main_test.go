package integration

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

var kills = flag.Int("kills", 20, "how often TestKilled kills the server; 200 is the long run")

func TestMain(m *testing.M) {
	flag.Parse()
	// Nothing of the person who runs the tests reaches the SDK or the programs: no profile, no endpoint, no metadata address.
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "ROLECALL") || strings.HasSuffix(strings.ToUpper(name), "_PROXY") {
			os.Unsetenv(name)
		}
	}
	code := m.Run()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// built is the folder with the programs, made on first use.
var built struct {
	once sync.Once
	dir  string
	err  error
}

// program is the path of a built program: rolecalld, rolecall or rolecall-ad.
func program(t testing.TB, name string) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "rolecall-bin-"); built.err != nil {
			return
		}
		cmd := exec.Command("go", "build", "-o", built.dir+string(filepath.Separator), "./cmd/rolecalld", "./cmd/rolecall", "./cmd/rolecall-ad")
		cmd.Dir = ".."
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, name)
}

// tool finds a program that other people made.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v\nhint: run `make deps`", err)
	}
	return path
}

// environment is what programs get: a PATH, a HOME of their own, nothing that the person who runs the tests has set.
func environment(home string, more ...string) []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + os.TempDir(), "LANG=C.UTF-8"}
	return append(env, more...)
}

// outcome is a program that has ended.
type outcome struct {
	stdout, stderr string
	code           int
}

// run runs a program to its end, in dir ("" for this folder).
func run(t testing.TB, dir string, env []string, name string, args ...string) outcome {
	t.Helper()
	var stdout, stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, &stdout, &stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatalf("%s: %v", name, err)
	}
	return outcome{stdout: stdout.String(), stderr: stderr.String(), code: cmd.ProcessState.ExitCode()}
}

// mustRun is run for a program that has to end with 0.
func mustRun(t testing.TB, dir string, env []string, name string, args ...string) outcome {
	t.Helper()
	got := run(t, dir, env, name, args...)
	if got.code != 0 {
		t.Fatalf("%s %s: exit %d\n%s%s", filepath.Base(name), strings.Join(args, " "), got.code, got.stdout, got.stderr)
	}
	return got
}
