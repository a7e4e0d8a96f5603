package integration

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// secretsOf are the texts of a data folder that nobody may print.
func secretsOf(t *testing.T, n *node) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(n.dir, "keyring.json"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`[A-Za-z0-9+/_=-]{40,}`).FindAllString(string(text), -1)
	if len(found) == 0 {
		t.Fatal("no key found in the key ring: this test does not know its form any more")
	}
	return append(found, n.root.SecretAccessKey)
}

func checkMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Error(err)
		return
	}
	if got := info.Mode().Perm(); got != want {
		t.Errorf("%s has mode %o, want %o", path, got, want)
	}
}

// The first start makes everything and says where it is, never what it is. The second one uses it again.
func TestFirstStartAndSecond(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	n := serve(t, nodeConfig{dir: dir})
	checkMode(t, dir, 0o700)
	checkMode(t, filepath.Join(dir, "keyring.json"), 0o600)
	checkMode(t, filepath.Join(dir, "root-credentials"), 0o600)
	checkMode(t, filepath.Join(dir, "rolecall.db"), 0o600)
	checkNothingForOthers(t, dir)
	printed := n.stdout.String()
	for _, name := range []string{"keyring.json", "root-credentials", "tls-ca.pem"} {
		if path := filepath.Join(dir, name); !strings.Contains(printed, path) {
			t.Errorf("the first start does not say where %s is:\n%s", path, printed)
		}
	}
	if got := len(readyLine.FindAllString(printed, -1)); got != 1 {
		t.Errorf("%d ready lines, want 1:\n%s", got, printed)
	}
	c := n.as(t, n.root)
	who := must(c.sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}))(t)
	if want := "arn:aws:iam::" + n.account + ":root"; aws.ToString(who.Arn) != want {
		t.Errorf("the root key belongs to %s, want %s", aws.ToString(who.Arn), want)
	}
	must(c.iam.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("stays")}))(t)
	secrets := secretsOf(t, n)
	n.stop(t)
	checkUnprinted(t, n, secrets)

	before := contents(t, dir, "keyring.json", "root-credentials", "tls-ca.pem")
	again := serve(t, nodeConfig{dir: dir, args: []string{"--account-id", "999999999999"}})
	if again.account != n.account {
		t.Errorf("the second start serves account %s, the first made %s", again.account, n.account)
	}
	if text := again.stdout.String(); strings.Contains(text, "first start") || strings.Count(text, "\n") != 1 {
		t.Errorf("the second start prints more than its ready line:\n%s", text)
	}
	for name, text := range contents(t, dir, "keyring.json", "root-credentials", "tls-ca.pem") {
		if text != before[name] {
			t.Errorf("the second start changed %s", name)
		}
	}
	must(again.as(t, n.root).iam.GetUser(t.Context(), &iam.GetUserInput{UserName: aws.String("stays")}))(t)
	again.stop(t)
	checkUnprinted(t, again, secrets)
}

func checkUnprinted(t *testing.T, n *node, secrets []string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(n.stdout.String()+n.stderr.String(), s) {
			t.Error("a secret was printed")
		}
	}
}

// checkNothingForOthers allows tls-ca.pem alone to be read by everybody.
func checkNothingForOthers(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Base(path) == "tls-ca.pem" {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("others can reach %s (%o)", path, info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// contents reads files of dir, all but the lock if none are named. One that is missing has the text "missing".
func contents(t *testing.T, dir string, names ...string) map[string]string {
	t.Helper()
	if len(names) == 0 {
		for _, e := range must(os.ReadDir(dir))(t) {
			if !e.IsDir() && e.Name() != "lock" {
				names = append(names, e.Name())
			}
		}
	}
	all := map[string]string{}
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			text = []byte("missing")
		}
		all[name] = string(text)
	}
	return all
}

// refuse starts a server that must not come up, and says so in words that contain all of want.
func refuse(t *testing.T, cfg nodeConfig, want ...string) {
	t.Helper()
	n, err := launch(t, cfg)
	if err == nil {
		t.Fatalf("the server came up: %s", n.stdout)
	}
	if n.code != 1 {
		t.Errorf("exit code %d, want 1", n.code)
	}
	text := n.stderr.String()
	if !strings.HasPrefix(text, "rolecalld: ") || strings.Contains(text, "goroutine ") {
		t.Errorf("not a message for a person:\n%s", text)
	}
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("the message lacks %q:\n%s", w, text)
		}
	}
}

func TestSecondServerOnTheSameFolderIsRefused(t *testing.T) {
	n := serve(t, nodeConfig{dir: t.TempDir()})
	refuse(t, nodeConfig{dir: n.dir}, "another rolecalld", fmt.Sprintf("process %d", n.process.Pid), n.dir)
	must(n.as(t, n.root).sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}))(t)
	n.kill()
	serve(t, nodeConfig{dir: n.dir}) // a lock never outlives its process
}

// The memory store keeps nothing, and the root key of the environment opens it.
func TestMemoryStoreWithGivenRootKey(t *testing.T) {
	tmp := t.TempDir()
	root := aws.Credentials{AccessKeyID: "AKIAINTEGRATIONROOT1", SecretAccessKey: "the-root-secret-of-the-integration-tests"}
	env := []string{"TMPDIR=" + tmp, "ROLECALLD_ROOT_ACCESS_KEY_ID=" + root.AccessKeyID, "ROLECALLD_ROOT_SECRET_ACCESS_KEY=" + root.SecretAccessKey}
	n := serve(t, nodeConfig{args: []string{"--store", "memory", "--account-id", testAccount}, env: env})
	who := must(n.as(t, root).sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}))(t)
	if got := aws.ToString(who.Account); got != testAccount {
		t.Errorf("account %s, want %s", got, testAccount)
	}
	n.stop(t)
	if left := must(os.ReadDir(tmp))(t); len(left) > 0 {
		t.Errorf("the memory store left %v behind", left)
	}
	checkUnprinted(t, n, []string{root.SecretAccessKey})
	refuse(t, nodeConfig{args: []string{"--store", "memory"}, env: env[:2]}, "root access key")
}

// A key given by the environment works on a store that has one already, and a changed secret replaces the old one.
func TestGivenRootKeyOnAnExistingStore(t *testing.T) {
	dir := t.TempDir()
	n := serve(t, nodeConfig{dir: dir})
	first := n.root
	n.stop(t)
	given := aws.Credentials{AccessKeyID: "AKIAINTEGRATIONROOT1", SecretAccessKey: "one-secret-of-the-integration-tests-here"}
	env := func(secret string) []string {
		return []string{"ROLECALLD_ROOT_ACCESS_KEY_ID=" + given.AccessKeyID, "ROLECALLD_ROOT_SECRET_ACCESS_KEY=" + secret}
	}
	serve(t, nodeConfig{dir: dir, env: env(given.SecretAccessKey)}).stop(t)
	n = serve(t, nodeConfig{dir: dir, env: env("another-secret-of-the-integration-tests")})
	ctx := t.Context()
	must(n.as(t, first).sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}))(t)
	if _, err := n.as(t, given).sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}); err == nil {
		t.Error("the replaced secret still works")
	}
	given.SecretAccessKey = "another-secret-of-the-integration-tests"
	must(n.as(t, given).sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}))(t)
}

func TestRefusedConfigurations(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"plain HTTP beyond loopback", []string{"--listen", "http://0.0.0.0:0"}, "loopback"},
		{"plain HTTP on a name", []string{"--listen", "http://host.example:80"}, "loopback"},
		{"one good listener and one bad", []string{"--listen", "127.0.0.1:0", "--listen", "http://[::]:0"}, "loopback"},
		{"metrics beyond loopback", []string{"--listen", "127.0.0.1:0", "--metrics-listen", "0.0.0.0:0"}, "loopback"},
		{"account id", []string{"--account-id", "12345"}, "account id"},
		{"staleness", []string{"--staleness", "10ms"}, "at least 1s"},
		{"log format", []string{"--log-format", "xml"}, "text or json"},
		{"store", []string{"--store", "mysql://x"}, "sqlite"},
		{"half a certificate", []string{"--tls-cert", "x.pem"}, "--tls-key"},
		{"unknown flag", []string{"--bogus"}, "--bogus"},
	} {
		t.Run(c.name, func(t *testing.T) {
			refuse(t, nodeConfig{bare: true, args: append([]string{"--data-dir", data, "--metrics-listen", "off"}, c.args...)}, c.want)
			if _, err := os.Stat(data); err == nil {
				t.Errorf("%s was made before the refusal", data)
			}
		})
	}
	refuse(t, nodeConfig{bare: true}, "--data-dir")
	taken := serveMemory(t).address()
	refuse(t, nodeConfig{bare: true, args: []string{"--store", "memory", "--metrics-listen", "off", "--listen", taken}}, "listen on "+taken, "address already in use")
}

// Every line of the log is one JSON object with time, level and message.
func TestJSONLog(t *testing.T) {
	n := serve(t, nodeConfig{dir: t.TempDir(), args: []string{"--log-format", "json"}})
	n.stop(t)
	lines := strings.Split(strings.TrimSpace(n.stderr.String()), "\n")
	for _, line := range lines {
		var entry struct{ Time, Level, Msg string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Time == "" || entry.Level == "" || entry.Msg == "" {
			t.Errorf("%v: %q", err, line)
		}
	}
}
