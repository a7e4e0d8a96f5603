package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The first minute of a new user: an empty folder, one command, an identity. Nothing of the user's is touched.
func TestQuickstartOnce(t *testing.T) {
	work, home := t.TempDir(), t.TempDir()
	out := mustRun(t, work, environment(home), program(t, "rolecalld"), "quickstart", "--once", "--gateway", gatewayProgram(t))
	if !regexp.MustCompile(`you are arn:aws:sts::\d{12}:assumed-role/quickstart-role/[0-9a-f]+ until \d{4}-`).MatchString(out.stdout) {
		t.Errorf("no identity in\n%s", out.stdout)
	}
	if steps := regexp.MustCompile(`(?m)^ +[0-9.]+(µs|ms|s)  \S`).FindAllString(out.stdout, -1); len(steps) < 6 {
		t.Errorf("%d steps with their times, want at least 6:\n%s", len(steps), out.stdout)
	}
	if !strings.Contains(out.stdout, "Hello from a real S3 store.") ||
		!regexp.MustCompile(`AccessDenied: User: arn:aws:sts::\d{12}:assumed-role/quickstart-role/[0-9a-f]+ is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::quickstart/hello.txt" because no identity-based policy allows the s3:PutObject action`).MatchString(out.stdout) {
		t.Errorf("no object read, or no write refused, in\n%s", out.stdout)
	}
	if left := must(os.ReadDir(home))(t); len(left) > 0 {
		t.Errorf("the user's home folder has got %v", left)
	}
	if made := must(os.ReadDir(work))(t); len(made) != 1 || made[0].Name() != "quickstart" {
		t.Errorf("made %v, want one folder", made)
	}
	dir := filepath.Join(work, "quickstart")
	root := must(readCredentials(filepath.Join(dir, "data", "root-credentials")))(t)
	if strings.Contains(out.stdout+out.stderr, root.SecretAccessKey) {
		t.Error("the root secret was printed")
	}
	checkMode(t, filepath.Join(dir, "workload.key"), 0o600)
	checkMode(t, filepath.Join(dir, "aws-config"), 0o600)
	trust := must(os.ReadFile(filepath.Join(dir, "aws-config")))(t)
	if !strings.Contains(string(trust), "credential-process") {
		t.Errorf("the AWS config does not run the client:\n%s", trust)
	}

	again := mustRun(t, work, environment(home), program(t, "rolecalld"), "quickstart", "--once")
	if !strings.Contains(again.stdout, "quickstart-2") {
		t.Errorf("a second quickstart does not use a folder of its own:\n%s", again.stdout)
	}
	alone := mustRun(t, work, environment(home), linked(t, "rolecalld"), "quickstart", "--once", "--client", program(t, "rolecall"))
	if !strings.Contains(alone.stdout, "no S3: there is no versitygw") {
		t.Errorf("without a gateway:\n%s", alone.stdout)
	}
	missing := run(t, work, environment(home), program(t, "rolecalld"), "quickstart", "--once", "--gateway", "nowhere")
	if missing.code != 1 || !strings.Contains(missing.stderr, "the S3 gateway is not there") {
		t.Errorf("a gateway that is not there: exit %d, %s", missing.code, missing.stderr)
	}
	used := run(t, work, environment(home), program(t, "rolecalld"), "quickstart", "--once", "--dir", "quickstart")
	if used.code != 1 || !strings.Contains(used.stderr, "not empty") {
		t.Errorf("a used folder: exit %d, %s", used.code, used.stderr)
	}
}

// Without --once the server stays, the pasted lines work, and Ctrl-C ends it in order.
func TestQuickstartStays(t *testing.T) {
	tool(t, "aws")
	work, home := t.TempDir(), t.TempDir()
	cmd := exec.Command(program(t, "rolecalld"), "quickstart", "--listen", freeAddress(t), "--gateway", gatewayProgram(t))
	var out output
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = work, environment(home), &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	within(t, startTimeout, func() error {
		if !strings.Contains(out.String(), "Ctrl-C stops the server") {
			return os.ErrNotExist
		}
		return nil
	})
	// Each group of export lines with the commands after it, as a person pastes it.
	groups := regexp.MustCompile(`(?m)(?:^  export .*\n)+(?:^  aws .*\n)+`).FindAllString(out.String(), -1)
	if len(groups) != 2 {
		t.Fatalf("%d groups of lines to paste, want 2:\n%s", len(groups), &out)
	}
	if !strings.Contains(groups[0], "s3 cp s3://quickstart/hello.txt -") {
		t.Errorf("nothing to paste for S3:\n%s", groups[0])
	}
	for _, group := range groups {
		got := mustRun(t, work, environment(home, "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true"), "sh", "-eu", "-c", group)
		if got.stdout == "" {
			t.Errorf("nothing printed by\n%s", group)
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("after Ctrl-C: %v\n%s", err, &out)
		}
	case <-time.After(30 * time.Second):
		cmd.Process.Signal(syscall.SIGQUIT)
		<-done
		t.Errorf("Ctrl-C does not end it:\n%s", &out)
	}
	if left := must(os.ReadDir(home))(t); len(left) > 1 { // the CLI itself may make ~/.aws/cli
		t.Errorf("the home folder has got %v", left)
	}
}

// linked is a built program in a folder with nothing beside it.
func linked(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.Link(program(t, name), path); err != nil {
		t.Fatal(err)
	}
	return path
}
