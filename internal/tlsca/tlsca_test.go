package tlsca

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/keyring/privatefile"
)

var testNow = time.Date(2026, 5, 24, 12, 0, 0, 0, time.UTC)

func ensure(t *testing.T, dir string, hosts []string, now time.Time) (tls.Certificate, bool) {
	t.Helper()
	path, cert, created, err := Ensure(dir, hosts, now)
	if err != nil {
		t.Fatalf("Ensure: %v", err)
	}
	if want := filepath.Join(dir, CAFile); path != want {
		t.Fatalf("path = %q, want %q", path, want)
	}
	return cert, created
}

// handshake is a TLS client that trusts caPEM and nothing else.
func handshake(t *testing.T, caPEM []byte, cert tls.Certificate, name string, now time.Time) error {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(caPEM) {
		t.Fatal("no certificate in the CA file")
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		if c, err := ln.Accept(); err == nil {
			_ = c.(*tls.Conn).Handshake() // the client's verdict is the one that counts
			c.Close()
		}
	}()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return tls.Client(c, &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, ServerName: name, Time: func() time.Time { return now }}).Handshake()
}

func readCA(t *testing.T, dir string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, CAFile))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFirstStart(t *testing.T) {
	dir := t.TempDir()
	cert, created := ensure(t, dir, []string{"Rolecall.Example.ORG.", "10.1.2.3", "[fd00::1]", "0.0.0.0", "::", ""}, testNow)
	if !created {
		t.Error("created = false on the first start")
	}
	for name, mode := range map[string]os.FileMode{CAFile: 0o644, CAKeyFile: 0o600, ServerFile: 0o600, ServerKeyFile: 0o600} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v; want mode %#o", name, info, err, mode)
		}
	}
	ca := readCA(t, dir)
	for _, name := range []string{"localhost", "127.0.0.1", "::1", "rolecall.example.org", "10.1.2.3", "fd00::1"} {
		if err := handshake(t, ca, cert, name, testNow); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"example.org", "10.1.2.4", "0.0.0.0"} {
		if err := handshake(t, ca, cert, name, testNow); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	again, created := ensure(t, dir, []string{"10.1.2.3"}, testNow.Add(time.Hour))
	if created || !bytes.Equal(again.Certificate[0], cert.Certificate[0]) {
		t.Errorf("created = %v, or a new certificate an hour later", created)
	}
}

func TestCAProfile(t *testing.T) {
	dir := t.TempDir()
	cert, _ := ensure(t, dir, nil, testNow)
	ca, err := loadCA(filepath.Join(dir, CAFile))
	if err != nil {
		t.Fatal(err)
	}
	if !ca.IsCA || !ca.MaxPathLenZero || ca.MaxPathLen != 0 || ca.KeyUsage != x509.KeyUsageCertSign ||
		!slices.Equal(ca.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}) {
		t.Errorf("CA: %v %v %v %v", ca.IsCA, ca.MaxPathLen, ca.KeyUsage, ca.ExtKeyUsage)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	if _, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: testNow, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err == nil {
		t.Error("the certificate passes for a client's")
	}
	if cert.Leaf.IsCA {
		t.Error("the server's certificate is a CA's")
	}
	other := t.TempDir()
	ensure(t, other, nil, testNow)
	if o, err := loadCA(filepath.Join(other, CAFile)); err != nil || o.Subject.String() == ca.Subject.String() {
		t.Errorf("two CAs have one name: %v, %v", ca.Subject, err)
	}
}

func TestReissue(t *testing.T) {
	dir := t.TempDir()
	first, _ := ensure(t, dir, nil, testNow)
	ca := readCA(t, dir)
	serverKey := filepath.Join(dir, ServerKeyFile)
	now := testNow
	for _, tc := range []struct {
		name   string
		change func() error
		hosts  []string
		after  time.Duration
		want   bool // a new certificate
	}{
		{"nothing changed", nil, nil, 0, false},
		{"two thirds through", nil, nil, ServerLife*2/3 - 2*time.Hour, false},
		{"beyond that", nil, nil, 4 * time.Hour, true},
		{"another host", nil, []string{"new.example.org"}, 0, true},
		{"host dropped", nil, nil, 0, false},
		{"another address", nil, []string{"10.0.0.1"}, 0, true},
		{"long expired", nil, nil, 2 * ServerLife, true},
		{"clock set back before it", nil, nil, -ServerLife, true},
		{"certificate gone", func() error { return os.Remove(filepath.Join(dir, ServerFile)) }, nil, 0, true},
		{"certificate damaged", func() error { return privatefile.Write(filepath.Join(dir, ServerFile), []byte("x")) }, nil, 0, true},
		{"key gone", func() error { return os.Remove(serverKey) }, nil, 0, true},
		{"key readable by others", func() error { return os.Chmod(serverKey, 0o644) }, nil, 0, true},
		{"key of another", func() error {
			b, err := os.ReadFile(filepath.Join(dir, CAKeyFile))
			if err != nil {
				return err
			}
			return privatefile.Write(serverKey, b)
		}, nil, 0, true},
		{"at rest again", nil, nil, 0, false},
	} {
		if tc.change != nil {
			if err := tc.change(); err != nil {
				t.Fatal(err)
			}
		}
		now = now.Add(tc.after)
		next, created := ensure(t, dir, tc.hosts, now)
		if got := !bytes.Equal(next.Certificate[0], first.Certificate[0]); got != tc.want || created {
			t.Errorf("%s: new certificate = %v, want %v; created = %v", tc.name, got, tc.want, created)
		}
		if err := handshake(t, ca, next, "localhost", now); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		first = next
	}
	if !bytes.Equal(ca, readCA(t, dir)) {
		t.Error("the CA changed")
	}
}

// The CA is renewed with its key and name, so that clients with the older file go on.
func TestCARenewal(t *testing.T) {
	dir := t.TempDir()
	ensure(t, dir, nil, testNow)
	old := readCA(t, dir)
	late := testNow.Add(CALife * 3 / 4)
	cert, created := ensure(t, dir, nil, late)
	renewed := readCA(t, dir)
	if created || bytes.Equal(old, renewed) {
		t.Errorf("created = %v, or not renewed", created)
	}
	for _, ca := range [][]byte{old, renewed} {
		if err := handshake(t, ca, cert, "localhost", late); err != nil {
			t.Error(err)
		}
	}
}

func TestBrokenCA(t *testing.T) {
	caPath := func(dir string) string { return filepath.Join(dir, CAFile) }
	keyPath := func(dir string) string { return filepath.Join(dir, CAKeyFile) }
	for name, tc := range map[string]struct {
		change func(dir string) error
		want   error
	}{
		"CA damaged":     {func(d string) error { return privatefile.Write(caPath(d), []byte("x")) }, ErrDamaged},
		"CA empty":       {func(d string) error { return privatefile.Write(caPath(d), nil) }, ErrDamaged},
		"CA is a leaf":   {func(d string) error { return copyFile(filepath.Join(d, ServerFile), caPath(d)) }, ErrDamaged},
		"key damaged":    {func(d string) error { return privatefile.Write(keyPath(d), []byte("x")) }, ErrDamaged},
		"key of another": {func(d string) error { return copyFile(filepath.Join(d, ServerKeyFile), keyPath(d)) }, ErrDamaged},
		"key readable":   {func(d string) error { return os.Chmod(keyPath(d), 0o640) }, privatefile.ErrModes},
		"key gone, needed": {func(d string) error {
			return errors.Join(os.Remove(keyPath(d)), os.Remove(filepath.Join(d, ServerFile)))
		}, ErrKeyMissing},
		"CA is a folder": {func(d string) error { return errors.Join(os.Remove(caPath(d)), os.Mkdir(caPath(d), 0o700)) }, ErrDamaged},
	} {
		dir := t.TempDir()
		ensure(t, dir, nil, testNow)
		if err := tc.change(dir); err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadFile(caPath(dir)) // a folder reads as nothing, before and after
		if _, _, _, err := Ensure(dir, nil, testNow); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
		if after, _ := os.ReadFile(caPath(dir)); !bytes.Equal(before, after) {
			t.Errorf("%s: the CA was replaced", name)
		}
	}
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return privatefile.Write(to, b)
}

// A CA whose key is kept elsewhere serves until its certificate ends.
func TestWithoutCAKey(t *testing.T) {
	dir := t.TempDir()
	first, _ := ensure(t, dir, nil, testNow)
	if err := os.Remove(filepath.Join(dir, CAKeyFile)); err != nil {
		t.Fatal(err)
	}
	got, created := ensure(t, dir, nil, testNow.Add(ServerLife-time.Hour))
	if created || !bytes.Equal(got.Certificate[0], first.Certificate[0]) {
		t.Error("not the same certificate")
	}
	if _, _, _, err := Ensure(dir, nil, testNow.Add(ServerLife)); !errors.Is(err, ErrKeyMissing) {
		t.Errorf("once expired: %v, want ErrKeyMissing", err)
	}
}

// A crash after the key was written leaves no certificate; the next start makes it for that key.
func TestInterruptedFirstStart(t *testing.T) {
	dir := t.TempDir()
	ensure(t, dir, nil, testNow)
	key, err := os.ReadFile(filepath.Join(dir, CAKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{CAFile, ServerFile, ServerKeyFile} {
		if err := os.Remove(filepath.Join(dir, f)); err != nil {
			t.Fatal(err)
		}
	}
	if _, created := ensure(t, dir, nil, testNow); !created {
		t.Error("created = false")
	}
	if again, err := os.ReadFile(filepath.Join(dir, CAKeyFile)); err != nil || !bytes.Equal(key, again) {
		t.Errorf("the key was replaced (%v)", err)
	}
}

func TestConcurrentFirstStart(t *testing.T) {
	dir := t.TempDir()
	certs := make([]tls.Certificate, 6)
	var wg sync.WaitGroup
	for i := range certs {
		wg.Go(func() {
			_, cert, _, err := Ensure(dir, nil, testNow)
			if err != nil {
				t.Errorf("Ensure: %v", err)
			}
			certs[i] = cert
		})
	}
	wg.Wait()
	ca := readCA(t, dir)
	for _, cert := range certs {
		if err := handshake(t, ca, cert, "localhost", testNow); err != nil {
			t.Error(err)
		}
	}
}

func TestHosts(t *testing.T) {
	for _, s := range []string{"a b", "-a.example", "a..b", "example.org:8443", "http://x", "*", "*.org", "a.*.org", "1.2.3", "256.1.1.1", "fe80::1%eth0", "ä.example", "a\x00b", string(bytes.Repeat([]byte("a"), 64)), string(bytes.Repeat([]byte("a."), 128))} {
		if _, _, _, err := Ensure(t.TempDir(), []string{s}, testNow); !errors.Is(err, ErrHost) {
			t.Errorf("%q: %v, want ErrHost", s, err)
		}
	}
	if _, err := parseHosts(make([]string, maxHosts+1)); !errors.Is(err, ErrHost) {
		t.Errorf("too many: %v", err)
	}
	got, err := parseHosts([]string{"b.example", "B.EXAMPLE.", "*.a.example", "a_b", "::ffff:10.0.0.1", "10.0.0.1", "localhost"})
	if err != nil || !slices.Equal(got.names, []string{"*.a.example", "a_b", "b.example", "localhost"}) || len(got.addrs) != 3 {
		t.Errorf("parseHosts = %v, %v", got, err)
	}
}

func FuzzParseHosts(f *testing.F) {
	for _, s := range []string{"localhost", "*.example.org", "10.0.0.1", "[::1]", "fe80::1%eth0", "::ffff:1.2.3.4", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parseHosts([]string{s})
		if err != nil {
			return
		}
		tmpl := &x509.Certificate{DNSNames: h.names, IPAddresses: h.ips()}
		if !h.coveredBy(tmpl) {
			t.Fatalf("%q: not covered by a certificate of its own", s)
		}
	})
}
