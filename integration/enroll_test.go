package integration

import (
	"crypto/tls"
	"crypto/x509"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// machine is a folder that `rolecall enroll` keeps, and the server that it asks.
type machine struct {
	n      *node
	ca     *authority
	folder string
	env    []string
	enroll []string // the command line, without what differs
}

func newMachine(t *testing.T, cfg nodeConfig) *machine {
	t.Helper()
	m := &machine{n: serve(t, cfg), ca: newAuthority(t, "Hosts"), folder: filepath.Join(t.TempDir(), "host1")}
	m.env = environment(t.TempDir(), "ROLECALL_DATA_DIR="+m.n.dir)
	cert, key := (&workload{cert: m.ca.cert, key: m.ca.key}).files(t)
	admin := func(args ...string) string {
		t.Helper()
		return strings.TrimSpace(mustRun(t, "", m.env, program(t, "rolecalld"), append(args, "--data-dir", m.n.dir)...).stdout)
	}
	arn := admin("ca", "import", "--account", m.n.account, "--region", region, "--certificate", cert, "--key", key)
	admin("est", "create", "hosts", "--ca-arn", arn, "--subject-pattern", "CN=*.example.com", "--san-pattern", "DNS:*.example.com")
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(admin("enroll-token", "create", "--profile", "hosts", "--subject", "CN=host1.*")), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // every node knows the profile within a second
	m.enroll = []string{"enroll", "--est", m.n.endpoint + "/hosts", "--ca-file", m.n.caFile(), "--directory", m.folder}
	mustRun(t, "", m.env, program(t, "rolecall"), append(m.enroll, "--token-file", token, "--subject", "CN=host1.example.com", "--san", "DNS:host1.example.com")...)
	return m
}

// leaf is the machine's certificate; it fails if the pair that is in place would not work.
func (m *machine) leaf(t *testing.T) *x509.Certificate {
	t.Helper()
	key := filepath.Join(m.folder, "key.pem")
	pair, err := tls.LoadX509KeyPair(filepath.Join(m.folder, "cert.pem"), key)
	if err != nil {
		t.Fatal(err)
	}
	if info := must(os.Stat(key))(t); info.Mode().Perm() != 0o600 {
		t.Fatalf("the key has mode %v", info.Mode())
	}
	pool := x509.NewCertPool()
	pool.AddCert(m.ca.cert)
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

// TestRenewalKilled: a renewal that dies at any moment leaves a pair that works: the old one, or the new one.
func TestRenewalKilled(t *testing.T) {
	m := newMachine(t, nodeConfig{dir: t.TempDir()})
	renew := append(m.enroll, "--renew", "--renew-before", "2000h")
	began := time.Now()
	mustRun(t, "", m.env, program(t, "rolecall"), renew...)
	whole := time.Since(began)
	last, changed, killed := m.leaf(t), 0, 0
	for range 60 {
		cmd := exec.Command(program(t, "rolecall"), renew...)
		cmd.Env = m.env
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(rand.N(whole * 5 / 4))
		cmd.Process.Kill()
		if cmd.Wait() != nil {
			killed++
		}
		if leaf := m.leaf(t); !leaf.Equal(last) {
			changed++
			last = leaf
		}
	}
	t.Logf("a renewal takes %s; of 60 %d were killed, %d changed the pair", whole.Round(time.Millisecond), killed, changed)
	if killed < 15 || changed < 3 {
		t.Errorf("%d killed, %d changed: the kills were not spread over a renewal", killed, changed)
	}
	mustRun(t, "", m.env, program(t, "rolecall"), renew...)
	if m.leaf(t).Equal(last) {
		t.Error("the last renewal changed nothing")
	}
	if pairs := must(filepath.Glob(filepath.Join(m.folder, "pair-*")))(t); len(pairs) > 2 {
		t.Errorf("left behind: %v", pairs)
	}
}

// TestRenewalDaemon: a daemon outlives a server that is down, tells systemd once it has renewed, and ends in order.
func TestRenewalDaemon(t *testing.T) {
	l := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	address := l.Addr().String()
	l.Close()
	cfg := nodeConfig{bare: true, args: []string{"--listen", address, "--metrics-listen", "off", "--data-dir", t.TempDir()}}
	m := newMachine(t, cfg)
	before := m.leaf(t)
	m.n.stop(t)
	notify := must(net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"}))(t)
	defer notify.Close()
	told := func(want string) {
		t.Helper()
		state := make([]byte, 100)
		notify.SetReadDeadline(time.Now().Add(60 * time.Second))
		if n, err := notify.Read(state); err != nil || string(state[:n]) != want {
			t.Fatalf("systemd was told %q, %v; want %q", state[:n], err, want)
		}
	}
	done := filepath.Join(t.TempDir(), "done")
	cmd := exec.Command(program(t, "rolecall"), append(m.enroll, "--daemon", "--renew-before", "2000h", "--on-renew", "touch", "--", done)...)
	var out output
	cmd.Env, cmd.Stderr = append(m.env, "NOTIFY_SOCKET="+notify.LocalAddr().String()), &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	for range 600 {
		if strings.Contains(out.String(), "connection refused") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if !strings.Contains(out.String(), "connection refused") || !m.leaf(t).Equal(before) {
		t.Fatalf("with the server down: %s", &out)
	}
	serve(t, cfg)
	told("READY=1")
	if _, err := os.Stat(done); err != nil || m.leaf(t).Equal(before) {
		t.Errorf("--on-renew: %v\n%s", err, &out)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	told("STOPPING=1")
	if err := cmd.Wait(); err != nil {
		t.Errorf("SIGTERM: %v\n%s", err, &out)
	}
}
