package integration

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rolecall/rolecall/sigv4"
)

// signedIdentityRequest is GetCallerIdentity as bytes of HTTP/1.1.
func signedIdentityRequest(t *testing.T, n *node) []byte {
	t.Helper()
	body := []byte("Action=GetCallerIdentity&Version=2011-06-15")
	r := must(http.NewRequest(http.MethodPost, n.endpoint+"/", bytes.NewReader(body)))(t)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	sum := sha256.Sum256(body)
	err := sigv4.Sign(r, &sigv4.SignInput{AccessKeyID: n.root.AccessKeyID, SecretAccessKey: n.root.SecretAccessKey, Region: region, Service: "sts", Time: time.Now(), BodySHA256: hex.EncodeToString(sum[:])})
	if err != nil {
		t.Fatal(err)
	}
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	return wire.Bytes()
}

// A request that has begun is answered after SIGTERM, new ones are not taken, and the process ends with 0.
func TestTerminationDrains(t *testing.T) {
	n := serve(t, nodeConfig{dir: t.TempDir()})
	wire := signedIdentityRequest(t, n)
	conn := must(tls.Dial("tcp", n.address(), &tls.Config{RootCAs: n.trust, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}))(t)
	defer conn.Close()
	half := len(wire) - 10
	if _, err := conn.Write(wire[:half]); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond) // the server has read what there is
	if err := n.process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	within(t, 5*time.Second, func() error {
		probe, err := net.DialTimeout("tcp", n.address(), time.Second)
		if err == nil {
			probe.Close()
			return io.ErrNoProgress
		}
		return nil
	})
	time.Sleep(300 * time.Millisecond)
	if !n.up() {
		t.Fatalf("the server did not wait for the running request\n%s", n.stderr)
	}
	if _, err := conn.Write(wire[half:]); err != nil {
		t.Fatal(err)
	}
	resp := must(http.ReadResponse(bufio.NewReader(conn), nil))(t)
	defer resp.Body.Close()
	body := must(io.ReadAll(resp.Body))(t)
	if resp.StatusCode != 200 || !strings.Contains(string(body), ":root</Arn>") {
		t.Errorf("answer of the drained request: %s %s", resp.Status, body)
	}
	n.wait(t)
	if n.code != 0 {
		t.Errorf("exit code %d, want 0\n%s", n.code, n.stderr)
	}
}

// A request that never ends does not hold the process longer than the drain timeout.
func TestDrainTimeout(t *testing.T) {
	n := serve(t, nodeConfig{dir: t.TempDir(), args: []string{"--drain-timeout", "500ms"}})
	wire := signedIdentityRequest(t, n)
	conn := must(tls.Dial("tcp", n.address(), &tls.Config{RootCAs: n.trust, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}))(t)
	defer conn.Close()
	if _, err := conn.Write(wire[:len(wire)-10]); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	start := time.Now()
	if err := n.process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	n.wait(t)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("ended after %s", took)
	}
	if n.code != 1 || !strings.Contains(n.stderr.String(), "requests were still running after 500ms") {
		t.Errorf("exit code %d\n%s", n.code, n.stderr)
	}
}
