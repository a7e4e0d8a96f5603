package integration

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Rotating the key ring beside a busy server disturbs nobody: sessions of before go on, new ones are made throughout, and
// all of them survive a restart.
func TestKeyRotationUnderLoad(t *testing.T) {
	n := serve(t, nodeConfig{dir: t.TempDir()})
	w := newWorld(t, n.as(t, n.root), n.account)
	before := w.login(t, n).credentials()
	ctx, stop := context.WithCancel(t.Context())
	var workers sync.WaitGroup
	var served atomic.Int64
	for range 2 {
		workers.Go(func() {
			for client := n.client(); ctx.Err() == nil; served.Add(1) {
				s, err := w.createSession(context.Background(), client, n.endpoint, w.leaf)
				if err != nil {
					t.Errorf("CreateSession: %v", err)
					return
				}
				if _, err := n.as(t, s.credentials()).sts.GetCallerIdentity(context.Background(), &sts.GetCallerIdentityInput{}); err != nil {
					t.Errorf("GetCallerIdentity: %v", err)
					return
				}
			}
		})
	}
	env := environment(t.TempDir())
	for range 3 {
		out := mustRun(t, "", env, program(t, "rolecalld"), "keys", "rotate", "--data-dir", n.dir)
		if !strings.Contains(out.stdout, " is active from ") {
			t.Errorf("keys rotate printed %q", out.stdout)
		}
		reached := served.Load()
		time.Sleep(1200 * time.Millisecond) // the server looks at the file once a second
		if served.Load() == reached {
			t.Error("nobody was served after a rotation")
		}
	}
	stop()
	workers.Wait()
	list := mustRun(t, "", env, program(t, "rolecalld"), "keys", "list", "--data-dir", n.dir).stdout
	if lines := strings.Count(list, "\n"); lines != 5 || strings.Count(list, "yes") != 1 {
		t.Errorf("keys list, want a head and four keys, one of them active:\n%s", list)
	}
	for _, secret := range secretsOf(t, n) {
		if strings.Contains(list, secret) {
			t.Error("keys list prints a secret")
		}
	}
	if !strings.Contains(n.stderr.String(), "key ring reloaded") {
		t.Errorf("the running server did not take the new key up:\n%s", n.stderr)
	}
	after := w.login(t, n).credentials()
	n.stop(t)
	again := serve(t, nodeConfig{dir: n.dir})
	for name, creds := range map[string]func() string{
		"before": func() string { return whoAmI(t, again.as(t, before)) },
		"after":  func() string { return whoAmI(t, again.as(t, after)) },
		"root":   func() string { return whoAmI(t, again.as(t, n.root)) },
	} {
		if creds() == "" {
			t.Errorf("%s: nobody", name)
		}
	}
}

// An operator's own certificate is served, and no other.
func TestOwnServerCertificate(t *testing.T) {
	dir := t.TempDir()
	ca := newAuthority(t, "Corporate CA")
	cert, key := filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key")
	k := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(77), Subject: pkix.Name{CommonName: "rolecall.example"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 0, 7), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der := must(x509.CreateCertificate(rand.Reader, template, ca.cert, k.Public(), ca.key))(t)
	keyDER := must(x509.MarshalPKCS8PrivateKey(k))(t)
	for path, text := range map[string][]byte{cert: pemBlock("CERTIFICATE", der), key: pemBlock("PRIVATE KEY", keyDER)} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n, err := launch(t, nodeConfig{dir: filepath.Join(dir, "data"), args: []string{"--tls-cert", cert, "--tls-key", key}})
	if err != nil {
		t.Fatal(err)
	}
	n.trust = x509.NewCertPool()
	n.trust.AddCert(ca.cert)
	n.root = must(readCredentials(filepath.Join(n.dir, "root-credentials")))(t)
	must(n.as(t, n.root).anywhere.ListTrustAnchors(t.Context(), &rolesanywhere.ListTrustAnchorsInput{}))(t)
	if _, err := os.Stat(n.caFile()); err == nil {
		t.Error("a CA of its own was made beside the operator's certificate")
	}
	if strings.Contains(n.stdout.String(), "tls-ca.pem") {
		t.Errorf("the first start names a file that is not there:\n%s", n.stdout)
	}
	other := filepath.Join(dir, "other.key")
	if err := os.WriteFile(other, pemBlock("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(newKey(t)))(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	refuse(t, nodeConfig{dir: filepath.Join(dir, "data2"), args: []string{"--tls-cert", cert, "--tls-key", other}}, "private key")
}

// --host puts further names into the certificate that the server makes for itself.
func TestHostNames(t *testing.T) {
	n := serve(t, nodeConfig{dir: t.TempDir(), args: []string{"--host", "creds.example.internal,192.0.2.7", "--listen", "127.0.0.1:0"}})
	conn := must(tlsDial(n))(t)
	defer conn.Close()
	leaf := conn.ConnectionState().PeerCertificates[0]
	for _, host := range []string{"creds.example.internal", "192.0.2.7", "localhost", "127.0.0.1", "::1"} {
		if err := leaf.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	if err := leaf.VerifyHostname("other.example.internal"); err == nil {
		t.Error("the certificate covers names that nobody asked for")
	}
}
