package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// A certificate becomes the first role, that the second and that the third: each trusts only the one before, and the last
// asks for the source identity that the certificate gave the first session.
func TestRoleChain(t *testing.T) {
	n := serveMemory(t)
	c := n.as(t, n.root)
	w := newWorld(t, c, n.account)
	trust := func(role, condition string) string { return trustPolicy(`{"AWS":"`+role+`"}`, condition) }
	second := newRole(t, c, "second", trust(w.roleARN, ""), allow("sts:*"))
	third := newRole(t, c, "third", trust(second, `{"StringLike":{"aws:SourceIdentity":"CN=host.example*"}}`), allow("sts:*"))
	stranger := newRole(t, c, "stranger", trust(second, `{"StringEquals":{"aws:SourceIdentity":"somebody else"}}`), allow("sts:*"))
	cert, key := w.leaf.files(t)
	home := t.TempDir()
	env := environment(home, "AWS_CA_BUNDLE="+n.caFile())
	flags := func(command string, more ...string) []string {
		return append([]string{command, "--trust-anchor-arn", w.anchorARN, "--profile-arn", w.profileARN, "--role-arn", w.roleARN,
			"--certificate", cert, "--private-key", key, "--endpoint", n.endpoint}, more...)
	}
	check := func(t *testing.T, got aws.Credentials) {
		t.Helper()
		if who := whoAmI(t, n.as(t, got)); !strings.Contains(who, "assumed-role/third/") || !strings.HasSuffix(who, "1000") {
			t.Errorf("the last session is %s, want the third role under the serial number", who)
		}
	}

	t.Run("credential-process", func(t *testing.T) {
		var answers []string
		for range 2 {
			out := mustRun(t, "", env, program(t, "rolecall"), flags("credential-process", "--cache", "--role-arns", second+","+third)...)
			answers = append(answers, out.stdout)
		}
		var got struct{ AccessKeyId, SecretAccessKey, SessionToken, Expiration string }
		if err := json.Unmarshal([]byte(answers[0]), &got); err != nil {
			t.Fatal(err)
		}
		check(t, aws.Credentials{AccessKeyID: got.AccessKeyId, SecretAccessKey: got.SecretAccessKey, SessionToken: got.SessionToken})
		until, err := time.Parse(time.RFC3339, got.Expiration)
		if err != nil || time.Until(until) > time.Hour {
			t.Errorf("expires at %s, %v: a chained session lasts an hour at most", got.Expiration, err)
		}
		if answers[0] != answers[1] {
			t.Error("the second call did not come from the cache")
		}
		other := mustRun(t, "", env, program(t, "rolecall"), flags("credential-process", "--cache", "--role-arns", second)...)
		if other.stdout == answers[0] {
			t.Error("another chain was answered with this one's credentials")
		}
	})
	t.Run("refused", func(t *testing.T) {
		out := run(t, "", env, program(t, "rolecall"), flags("credential-process", "--role-arns", second, "--role-arns", stranger)...)
		if out.code != 1 || out.stdout != "" || !strings.Contains(out.stderr, "cannot assume "+stranger+": AccessDenied") || !strings.Contains(out.stderr, "hint: the trust policy of a chained role") {
			t.Errorf("got %+v", out)
		}
		out = run(t, "", env, program(t, "rolecall"), flags("credential-process", "--session-duration", "7200", "--role-arns", second)...)
		if out.code != 1 || !strings.Contains(out.stderr, "1 hour session limit for roles assumed by role chaining") {
			t.Errorf("got %+v", out)
		}
	})
	t.Run("update", func(t *testing.T) {
		mustRun(t, "", env, program(t, "rolecall"), flags("update", "--once", "--role-arns", second+","+third)...)
		check(t, sharedFile(t, filepath.Join(home, ".aws", "credentials")))
	})
	t.Run("serve", func(t *testing.T) {
		got := servedOnce(t, env, "third", flags("serve", "--port", "0", "--role-arns", second, "--role-arns", third)...)
		check(t, got)
	})
}

// sharedFile reads the three keys of a file with one profile.
func sharedFile(t *testing.T, path string) aws.Credentials {
	t.Helper()
	b := must(os.ReadFile(path))(t)
	value := func(name string) string {
		_, rest, _ := strings.Cut(string(b), name+" = ")
		line, _, _ := strings.Cut(rest, "\n")
		return line
	}
	return aws.Credentials{AccessKeyID: value("aws_access_key_id"), SecretAccessKey: value("aws_secret_access_key"), SessionToken: value("aws_session_token")}
}

// servedOnce starts rolecall serve, asks it as an SDK does for the credentials of role, and ends it.
func servedOnce(t *testing.T, env []string, role string, args ...string) aws.Credentials {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var log output
	cmd := exec.CommandContext(ctx, program(t, "rolecall"), args...)
	cmd.Env, cmd.Stderr = env, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	port := ""
	within(t, 20*time.Second, func() error {
		if m := regexp.MustCompile(`started on port: (\d+)`).FindStringSubmatch(log.String()); m != nil {
			port = m[1]
			return nil
		}
		return fmt.Errorf("not started: %s", log.String())
	})
	base := "http://127.0.0.1:" + port + "/latest/"
	ask := func(method, path, header, value string) string {
		r := must(http.NewRequestWithContext(ctx, method, base+path, nil))(t)
		r.Header.Set(header, value)
		resp := must(http.DefaultClient.Do(r))(t)
		defer resp.Body.Close()
		b := must(io.ReadAll(resp.Body))(t)
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s", path, resp.StatusCode, b)
		}
		return string(bytes.TrimSpace(b))
	}
	token := ask(http.MethodPut, "api/token", "X-aws-ec2-metadata-token-ttl-seconds", "60")
	if got := ask(http.MethodGet, "meta-data/iam/security-credentials/", "X-aws-ec2-metadata-token", token); got != role {
		t.Errorf("the service lists %q, want %q", got, role)
	}
	var c struct{ AccessKeyId, SecretAccessKey, Token string }
	if err := json.Unmarshal([]byte(ask(http.MethodGet, "meta-data/iam/security-credentials/"+role, "X-aws-ec2-metadata-token", token)), &c); err != nil {
		t.Fatal(err)
	}
	return aws.Credentials{AccessKeyID: c.AccessKeyId, SecretAccessKey: c.SecretAccessKey, SessionToken: c.Token}
}
