package integration

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	cttypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// sessions counts the CreateSession events since the test began.
func sessions(t *testing.T, c *clients) int {
	t.Helper()
	out := must(c.trail.LookupEvents(t.Context(), &cloudtrail.LookupEventsInput{
		LookupAttributes: []cttypes.LookupAttribute{{AttributeKey: cttypes.LookupAttributeKeyEventName, AttributeValue: aws.String("CreateSession")}}}))(t)
	return len(out.Events)
}

// settles waits until the trail has n sessions, and makes sure that no more come.
func settles(t *testing.T, c *clients, n int) {
	t.Helper()
	within(t, 10*time.Second, func() error {
		if got := sessions(t, c); got < n {
			return fmt.Errorf("%d sessions, want %d", got, n)
		}
		return nil
	})
	time.Sleep(1500 * time.Millisecond) // the trail is a second behind at most
	if got := sessions(t, c); got != n {
		t.Errorf("%d sessions were made, want %d", got, n)
	}
}

// identity is what the client is told about key and certificate.
func (w *world) identity(t *testing.T, n *node) []string {
	t.Helper()
	cert, key := w.leaf.files(t)
	return []string{"--endpoint", n.endpoint, "--certificate", cert, "--private-key", key,
		"--trust-anchor-arn", w.anchorARN, "--profile-arn", w.profileARN, "--role-arn", w.roleARN}
}

// serveCredentials starts `rolecall serve` and gives its address.
func serveCredentials(t *testing.T, env []string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program(t, "rolecall"), append([]string{"serve", "--port", "0"}, args...)...)
	cmd.Env = env
	pipe := must(cmd.StderrPipe())(t)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var log output
	address := make(chan string, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		pattern := regexp.MustCompile(`AWS_EC2_METADATA_SERVICE_ENDPOINT=(http://[^/]+)`)
		for lines := bufio.NewScanner(pipe); lines.Scan(); {
			fmt.Fprintln(&log, lines.Text())
			if m := pattern.FindStringSubmatch(lines.Text()); m != nil {
				address <- m[1]
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		<-ended
		if err := cmd.Wait(); err != nil {
			t.Errorf("rolecall serve: %v\n%s", err, &log)
		}
	})
	select {
	case a := <-address:
		return a
	case <-ended:
	case <-time.After(startTimeout):
		cmd.Process.Kill()
	}
	t.Fatalf("rolecall serve gives no address\n%s", &log)
	return ""
}

// The AWS CLI and the SDK for Go take their credentials from the metadata service and from the container endpoint. All of
// them together make one session.
func TestSDKsUseServe(t *testing.T) {
	n := serveMemory(t)
	c := n.as(t, n.root)
	w := newWorld(t, c, testAccount)
	token := filepath.Join(t.TempDir(), "token")
	base := serveCredentials(t, environment(t.TempDir(), "AWS_CA_BUNDLE="+n.caFile()), append(w.identity(t, n), "--container-token-file", token)...)
	want := ":assumed-role/" + w.roleName + "/"
	common := []string{"AWS_CA_BUNDLE=" + n.caFile(), "AWS_REGION=" + region, "AWS_DEFAULT_REGION=" + region, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_CONFIG_FILE=" + os.DevNull}
	for what, more := range map[string][]string{
		"metadata":  {"AWS_EC2_METADATA_SERVICE_ENDPOINT=" + base + "/"},
		"container": {"AWS_EC2_METADATA_DISABLED=true", "AWS_CONTAINER_CREDENTIALS_FULL_URI=" + base + "/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=" + token},
	} {
		t.Run(what, func(t *testing.T) {
			env := append(append(environment(t.TempDir()), common...), more...)
			out := mustRun(t, "", env, tool(t, "aws"), "--endpoint-url", n.endpoint, "sts", "get-caller-identity")
			if !strings.Contains(out.stdout, want) {
				t.Errorf("the AWS CLI is %s", out.stdout)
			}
			for _, kv := range append(common, more...) {
				name, value, _ := strings.Cut(kv, "=")
				t.Setenv(name, value)
			}
			cfg := must(config.LoadDefaultConfig(t.Context()))(t)
			who := must(sts.NewFromConfig(cfg, func(o *sts.Options) { o.BaseEndpoint = aws.String(n.endpoint) }).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}))(t)
			if !strings.Contains(*who.Arn, want) {
				t.Errorf("the SDK for Go is %s", *who.Arn)
			}
			used := must(cfg.Credentials.Retrieve(t.Context()))(t)
			if source := map[string]string{"metadata": "EC2RoleProvider", "container": "CredentialsEndpointProvider"}[what]; used.SessionToken == "" || !used.CanExpire || used.Source != source {
				t.Errorf("credentials of %s that end: %v, want %s", used.Source, used.CanExpire, source)
			}
		})
	}
	settles(t, c, 1)
}

// One hundred commands of the AWS CLI, and an SDK beside them, make one CreateSession.
func TestHundredCommandsOneSession(t *testing.T) {
	n := serveMemory(t)
	c := n.as(t, n.root)
	w := newWorld(t, c, testAccount)
	home := t.TempDir()
	profile := filepath.Join(home, "config")
	text := "[profile workload]\nregion = " + region + "\ncredential_process = " + program(t, "rolecall") + " credential-process " + strings.Join(w.identity(t, n), " ") + "\n"
	if err := os.WriteFile(profile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := environment(home, "AWS_CA_BUNDLE="+n.caFile(), "AWS_CONFIG_FILE="+profile, "AWS_PROFILE=workload", "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true")
	want := ":assumed-role/" + w.roleName + "/"
	calls := make(chan int, 100)
	for i := range 100 {
		calls <- i
	}
	close(calls)
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for i := range calls {
				if out := run(t, "", env, tool(t, "aws"), "--endpoint-url", n.endpoint, "sts", "get-caller-identity"); out.code != 0 || !strings.Contains(out.stdout, want) {
					t.Errorf("call %d: exit %d %s%s", i, out.code, out.stdout, out.stderr)
				}
			}
		})
	}
	workers.Wait()
	for _, kv := range env {
		if name, value, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") || name == "HOME" {
			t.Setenv(name, value)
		}
	}
	for range 2 { // the SDK's own cache is per configuration
		cfg := must(config.LoadDefaultConfig(t.Context()))(t)
		who := must(sts.NewFromConfig(cfg, func(o *sts.Options) { o.BaseEndpoint = aws.String(n.endpoint) }).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}))(t)
		if !strings.Contains(*who.Arn, want) {
			t.Errorf("the SDK for Go is %s", *who.Arn)
		}
	}
	settles(t, c, 1)
}
