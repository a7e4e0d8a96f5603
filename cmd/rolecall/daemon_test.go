package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/credclient"
)

// daemon is a started program whose log can be read.
type daemon struct {
	*exec.Cmd
	lines chan string
}

func startDaemon(t *testing.T, env []string, extra []*os.File, binDir string, args ...string) *daemon {
	t.Helper()
	cmd := exec.Command(filepath.Join(binDir, ownName), args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.ExtraFiles = extra
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d := &daemon{cmd, make(chan string, 1000)}
	go func() {
		defer close(d.lines)
		for s := bufio.NewScanner(stderr); s.Scan(); {
			d.lines <- s.Text()
		}
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // most have ended
	return d
}

// await gives what follows text in the first line of the log that has it.
func (d *daemon) await(t *testing.T, text string) string {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case line, ok := <-d.lines:
			if !ok {
				t.Fatalf("ended without %q in its log", text)
			}
			if strings.Contains(line, "SECRET") {
				t.Errorf("a secret in the log: %s", line)
			}
			if _, after, ok := strings.Cut(line, text); ok {
				return after
			}
		case <-late:
			t.Fatalf("no %q in the log", text)
		}
	}
}

// end asks for the end and wants exit code 0.
func (d *daemon) end(t *testing.T) {
	t.Helper()
	if err := d.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for range d.lines {
	}
	if err := d.Wait(); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
}

func ask(t *testing.T, client *http.Client, method, url string, headers ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func serveArgs(s *stub, identity string, more ...string) []string {
	return append([]string{"serve", "--role-arn", roleARN, "--profile-arn", profileARN, "--trust-anchor-arn", anchorARN,
		"--endpoint", s.plain.URL, "--certificate", identity}, more...)
}

// The built program serves both protocols on TCP, IPv6 and a Unix socket, for two roles, with one session for each.
func TestServeProgram(t *testing.T) {
	binDir, dir := buildProgram(t), t.TempDir()
	requests := filepath.Join(dir, "requests")
	s := startStub(requests)
	t.Cleanup(s.Close)
	identity, token, socket := filepath.Join(dir, "id.pem"), filepath.Join(dir, "token"), filepath.Join(dir, "s")
	if err := writeIdentity(identity, time.Now().Add(-time.Hour), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer notify.Close()
	d := startDaemon(t, []string{"NOTIFY_SOCKET=" + notify.LocalAddr().String()}, nil, binDir,
		serveArgs(s, identity, "--role-arn", "arn:aws:iam::111122223333:role/other", "--port", "0", "--listen", "[::1]:0", "--listen", "unix:"+socket, "--container-token-file", token)...)
	base := strings.TrimSuffix(d.await(t, "export AWS_EC2_METADATA_SERVICE_ENDPOINT="), "/")
	v6 := d.await(t, "Listening on tcp ")
	state := make([]byte, 100)
	if n, err := notify.Read(state); err != nil || string(state[:n]) != "READY=1" {
		t.Errorf("systemd was told %q, %v", state[:n], err)
	}
	secret, err := os.ReadFile(token)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(token); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("token file: %v, %v", info.Mode(), err)
	}
	unix := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for _, where := range []struct {
				client *http.Client
				base   string
			}{{http.DefaultClient, base}, {http.DefaultClient, "http://" + v6}, {unix, "http://unix"}} {
				_, session := ask(t, where.client, "PUT", where.base+"/latest/api/token", "X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "60")
				for role, want := range map[string]int{"backup": 200, "other": 200, "nobody": 404} {
					status, body := ask(t, where.client, "GET", where.base+"/latest/meta-data/iam/security-credentials/"+role, "X-Aws-Ec2-Metadata-Token", session)
					if status != want || (status == 200) != strings.Contains(body, `"AccessKeyId":"ASIATESTKEY"`) {
						t.Errorf("%s %s: %d %s", where.base, role, status, body)
					}
				}
				if status, body := ask(t, where.client, "GET", where.base+"/v1/credentials/other", "Authorization", string(secret)); status != 200 || !strings.Contains(body, "role/other") {
					t.Errorf("container: %d %s", status, body)
				}
			}
		})
	}
	all.Wait()
	d.end(t)
	if n := strings.Count(readOrEmpty(requests), "verified"); n != 2 {
		t.Errorf("%d sessions, want one for each role", n)
	}
	if _, err := os.Stat(socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

// A socket from systemd is used in place of the default port. LISTEN_PID must be the program's own, which exec keeps.
func TestSocketActivation(t *testing.T) {
	binDir, dir := buildProgram(t), t.TempDir()
	s := startStub("")
	t.Cleanup(s.Close)
	identity := filepath.Join(dir, "id.pem")
	if err := writeIdentity(identity, time.Now().Add(-time.Hour), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // as systemd's
	l, err := lc.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	passed, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + l.Addr().String()
	l.Close()
	cmd := exec.Command("sh", append([]string{"-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"`, "sh", filepath.Join(binDir, ownName)}, serveArgs(s, identity)...)...)
	cmd.ExtraFiles = []*os.File{passed}
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	passed.Close()
	status, body := ask(t, http.DefaultClient, "PUT", base+"/latest/api/token") // waits in the socket's queue
	if status != 200 || len(body) < 40 {
		t.Errorf("%d %s", status, body)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, log.String())
	}
}

func TestServeRefuses(t *testing.T) {
	s := startStub("")
	t.Cleanup(s.Close)
	dir := t.TempDir()
	identity := filepath.Join(dir, "id.pem")
	if err := writeIdentity(identity, time.Now().Add(-time.Hour), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	short := filepath.Join(dir, "short")
	if err := os.WriteFile(short, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	untrusted := serveArgs(s, identity, "--port", "0", "--endpoint", s.plain.URL+"/untrusted")
	for i, a := range untrusted {
		if a == s.plain.URL {
			untrusted[i] = s.plain.URL + "/untrusted"
		}
	}
	for want, args := range map[string][]string{
		"Untrusted signing certificate": untrusted,
		"failed to create listener":     serveArgs(s, identity, "--port", fmt.Sprint(busy.Addr().(*net.TCPAddr).Port)),
		"no client network":             serveArgs(s, identity, "--listen", "0.0.0.0:0"),
		"two roles are named backup":    serveArgs(s, identity, "--port", "0", "--role-arn", "arn:aws:iam::111122223333:role/backup"),
		"invalid role ARN":              serveArgs(s, identity, "--role-arn", "arn:aws:iam::111122223333:user/u"),
		"hop limit 0":                   serveArgs(s, identity, "--hop-limit", "0"),
		"hop limit 256":                 serveArgs(s, identity, "--hop-limit", "256"),
		`"10.0.0.1/8" is not a network`: serveArgs(s, identity, "--allow-net", "10.0.0.1/8"),
		"2 profile ARNs for 1 roles":    serveArgs(s, identity, "--profile-arn", profileARN),
		"shorter than 16 characters":    serveArgs(s, identity, "--container-token-file", short),
		"no certificate in":             serveArgs(s, short, "--port", "0"),
	} {
		stdout, _, err := runArgs(args...)
		if err == nil || !strings.Contains(err.Error(), want) && want != "no certificate in" || stdout != "" {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// A rotated certificate of another key type is used for the next session, with its own algorithm.
func TestRotation(t *testing.T) {
	dir := t.TempDir()
	requests := filepath.Join(dir, "requests")
	s := startStub(requests)
	t.Cleanup(s.Close)
	copyPair := func(name string) {
		t.Helper()
		for from, to := range map[string]string{name + ".pem": "cert.pem", name + ".pkcs8.key": "key.pem"} {
			b, err := os.ReadFile(filepath.Join(fixtures, from))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, to), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	copyPair("ec")
	p := &program{name: ownName, getenv: func(string) string { return "" }, stderr: io.Discard}
	in, err := parseFlags(serve().flags, serveArgs(s, filepath.Join(dir, "cert.pem"), "--private-key", filepath.Join(dir, "key.pem"))[1:])
	if err != nil {
		t.Fatal(err)
	}
	in.secrets.program = p
	m, err := p.newSessionMaker(in)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ec", "rsa", "ec"} {
		copyPair(name)
		if _, err := m.create(t.Context(), roleARN, profileARN); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	got := readOrEmpty(requests)
	if strings.Count(got, "verified") != 3 || strings.Count(got, "alg=AWS4-X509-ECDSA-SHA256") != 2 || strings.Count(got, "alg=AWS4-X509-RSA-SHA256") != 1 {
		t.Errorf("requests:\n%s", got)
	}
}

// update goes on over an outage, does not spin, and ends at once when it is refused at the start.
func TestUpdater(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	down := &credclient.ServiceError{Status: 503, Code: "ServiceUnavailableException"}
	denied := &credclient.ServiceError{Status: 403, Code: "AccessDeniedException"}
	life := time.Hour
	answers := []error{down, down, nil, denied, down, nil, nil, nil}
	var pauses []time.Duration
	calls, writes := 0, 0
	u := &updater{
		fetch: func(context.Context) (*credclient.Credentials, error) {
			calls++
			if err := answers[calls-1]; err != nil {
				return nil, err
			}
			if calls > 6 {
				life = time.Second
			}
			return &credclient.Credentials{AccessKeyID: "a", SecretAccessKey: "s", SessionToken: "t", Expiration: now.Add(life).Format(time.RFC3339)}, nil
		},
		write: func(context.Context, *credclient.Credentials) error { writes++; return nil },
		log:   func(string) {}, now: func() time.Time { return now },
		wait: func(_ context.Context, _ func() time.Time, until time.Time) error {
			pauses = append(pauses, until.Sub(now))
			now = until
			if len(pauses) == len(answers) {
				return context.Canceled
			}
			return nil
		},
	}
	if err := u.run(t.Context()); err != nil || calls != len(answers) || writes != 4 {
		t.Fatalf("%v, %d calls, %d writes", err, calls, writes)
	}
	between := func(i int, least, most time.Duration) {
		t.Helper()
		if pauses[i] < least || pauses[i] > most {
			t.Errorf("pause %d is %v, want %v to %v", i, pauses[i], least, most)
		}
	}
	between(0, 500*time.Millisecond, time.Second)
	between(1, time.Second, 2*time.Second)
	between(2, 38*time.Minute, 42*time.Minute)
	between(3, 500*time.Millisecond, time.Second) // the count of failures began anew
	between(5, 38*time.Minute, 42*time.Minute)
	between(6, leastUpdate, leastUpdate) // credentials for a second do not make it spin
	between(7, leastUpdate, leastUpdate)

	for name, tt := range map[string]struct {
		once   bool
		answer error
	}{"refused at the start": {false, denied}, "once": {true, down}} {
		calls, answers, u.once = 0, []error{tt.answer}, tt.once
		if err := u.run(t.Context()); !errors.Is(err, tt.answer) || calls != 1 {
			t.Errorf("%s: %v after %d calls", name, err, calls)
		}
	}
}
