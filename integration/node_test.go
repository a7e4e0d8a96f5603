package integration

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
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
)

// node is a running rolecalld.
type node struct {
	dir      string
	endpoint string
	account  string
	root     aws.Credentials
	stdout   *output
	stderr   *output
	process  *os.Process
	ended    chan struct{} // closed once the process is gone
	code     int           // valid then
	trust    *x509.CertPool
}

// output collects what a process writes.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// nodeConfig says how a node is started.
type nodeConfig struct {
	dir  string   // data folder; "" for none
	args []string // beside data folder, listener and metrics listener
	env  []string
	bare bool // args are all there is
}

var readyLine = regexp.MustCompile(`(?m)^rolecalld: ready on (https?://\S+) \(account (\d{12}), data folder (.+)\)$`)

// startTimeout is generous: the machine may be busy with other tests.
const startTimeout = 60 * time.Second

// launch starts rolecalld and waits until it is ready. An error tells that it ended instead, with its output.
func launch(t testing.TB, cfg nodeConfig) (*node, error) {
	t.Helper()
	args := []string{"serve"}
	if !cfg.bare {
		args = append(args, "--listen", "127.0.0.1:0", "--metrics-listen", "off")
		if cfg.dir != "" {
			args = append(args, "--data-dir", cfg.dir)
		}
	}
	cmd := exec.Command(program(t, "rolecalld"), append(args, cfg.args...)...)
	cmd.Env = environment(t.TempDir(), cfg.env...)
	n := &node{dir: cfg.dir, stdout: &output{}, stderr: &output{}, ended: make(chan struct{})}
	cmd.Stderr = n.stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n.process = cmd.Process
	ready := make(chan []string, 1)
	go func() {
		for lines := bufio.NewScanner(pipe); lines.Scan(); {
			fmt.Fprintln(n.stdout, lines.Text())
			if m := readyLine.FindStringSubmatch(lines.Text()); m != nil {
				ready <- m
			}
		}
		cmd.Wait() // the code says how it ended
		n.code = cmd.ProcessState.ExitCode()
		close(n.ended)
	}()
	t.Cleanup(func() {
		n.process.Kill()
		<-n.ended
		if t.Failed() {
			t.Logf("rolecalld %s\n%s%s", n.endpoint, n.stdout, n.stderr)
		}
	})
	select {
	case m := <-ready:
		n.endpoint, n.account, n.dir = m[1], m[2], m[3]
	case <-n.ended:
		return n, fmt.Errorf("rolecalld ended with %d: %s%s", n.code, n.stdout, n.stderr)
	case <-time.After(startTimeout):
		t.Fatalf("rolecalld is not ready after %s\n%s%s", startTimeout, n.stdout, n.stderr)
	}
	return n, nil
}

// serve is launch for a server that must come up, with what a client needs to reach it.
func serve(t testing.TB, cfg nodeConfig) *node {
	t.Helper()
	n, err := launch(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(n.endpoint, "https:") {
		pem, err := os.ReadFile(n.caFile())
		if err != nil {
			t.Fatal(err)
		}
		n.trust = x509.NewCertPool()
		if !n.trust.AppendCertsFromPEM(pem) {
			t.Fatalf("no certificate in %s", n.caFile())
		}
	}
	if root, err := readCredentials(filepath.Join(n.dir, "root-credentials")); err == nil {
		n.root = root
	}
	return n
}

// serveMemory runs a throw-away server.
func serveMemory(t testing.TB, args ...string) *node {
	t.Helper()
	return serve(t, nodeConfig{dir: t.TempDir(), args: append([]string{"--store", "memory", "--account-id", testAccount}, args...)})
}

const testAccount = "123456789012"

func (n *node) caFile() string { return filepath.Join(n.dir, "tls-ca.pem") }

// stop ends the server as a service manager does; it must end in order.
func (n *node) stop(t testing.TB) {
	t.Helper()
	if err := n.process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	n.wait(t)
	if n.code != 0 {
		t.Fatalf("exit code %d after SIGTERM, want 0\n%s%s", n.code, n.stdout, n.stderr)
	}
}

func (n *node) wait(t testing.TB) {
	t.Helper()
	select {
	case <-n.ended:
	case <-time.After(30 * time.Second):
		t.Fatalf("rolecalld did not end\n%s%s", n.stdout, n.stderr)
	}
}

// kill ends the server without warning.
func (n *node) kill() {
	n.process.Kill()
	<-n.ended
}

// up reports whether the process still runs.
func (n *node) up() bool {
	select {
	case <-n.ended:
		return false
	default:
		return true
	}
}

// client is an HTTPS client that trusts this server only.
func (n *node) client() *http.Client {
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: n.trust, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16}
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}
}

func (n *node) address() string {
	_, address, _ := strings.Cut(n.endpoint, "://")
	return address
}

// readCredentials reads the default profile of an AWS credentials file.
func readCredentials(path string) (aws.Credentials, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return aws.Credentials{}, err
	}
	m := regexp.MustCompile(`^\[default\]\naws_access_key_id = (\S+)\naws_secret_access_key = (\S+)\n$`).FindStringSubmatch(string(text))
	if m == nil {
		return aws.Credentials{}, errors.New(path + " is not a credentials file with the profile default")
	}
	return aws.Credentials{AccessKeyID: m[1], SecretAccessKey: m[2]}, nil
}

// freeAddress is a loopback address that was free a moment ago.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// get fetches a URL of the server without signing, and returns status and body.
func get(t testing.TB, c *http.Client, url string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// within polls check until it returns nil, for at most limit, and returns how long it took.
func within(t testing.TB, limit time.Duration, check func() error) time.Duration {
	t.Helper()
	start := time.Now()
	for {
		err := check()
		took := time.Since(start)
		if err == nil {
			return took
		}
		if took > limit {
			t.Fatalf("not within %s: %v", limit, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
