package tlsca

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/keyring/privatefile"
)

func served(t *testing.T, r *Reloader) []byte {
	t.Helper()
	c, err := r.GetCertificate(&tls.ClientHelloInfo{ServerName: "localhost"})
	if err != nil || c == nil {
		t.Fatalf("GetCertificate: %v, %v", c, err)
	}
	return c.Certificate[0]
}

func TestReloaderRenews(t *testing.T) {
	var now atomic.Pointer[time.Time]
	now.Store(&testNow)
	dir := t.TempDir()
	r, err := NewReloader(Bootstrap(dir, nil), func() time.Time { return *now.Load() })
	if err != nil {
		t.Fatal(err)
	}
	first := served(t, r)
	ctx, cancel := context.WithCancel(t.Context())
	reports := make(chan error, 10)
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx, time.Millisecond, func(err error) { reports <- err }) }()
	wait := func(what string) error {
		t.Helper()
		select {
		case err := <-reports:
			return err
		case <-time.After(30 * time.Second):
			t.Fatalf("%s: nothing was reported", what)
			return nil
		}
	}

	later := testNow.Add(ServerLife)
	now.Store(&later)
	if err := wait("renewal"); err != nil {
		t.Errorf("renewal: %v", err)
	}
	second := served(t, r)
	if bytes.Equal(first, second) {
		t.Error("the certificate was not renewed")
	}

	ca := readCA(t, dir)
	if err := privatefile.Write(filepath.Join(dir, CAFile), []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := wait("damage"); !errors.Is(err, ErrDamaged) {
		t.Errorf("damage: %v, want ErrDamaged", err)
	}
	time.Sleep(20 * time.Millisecond) // many looks, one report
	if n := len(reports); n != 0 {
		t.Errorf("the same damage was reported %d more times", n)
	}
	if !bytes.Equal(second, served(t, r)) {
		t.Error("the certificate in use was lost")
	}
	if err := privatefile.Write(filepath.Join(dir, CAFile), ca); err != nil {
		t.Fatal(err)
	}
	if err := wait("repair"); err != nil {
		t.Errorf("repair: %v", err)
	}
	cancel()
	<-done
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	ensure(t, dir, nil, testNow)
	certPath, keyPath := filepath.Join(dir, ServerFile), filepath.Join(dir, ServerKeyFile)
	now := testNow
	r, err := NewReloader(Files(certPath, keyPath), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	first := served(t, r)
	if changed, err := r.Reload(); changed || err != nil {
		t.Errorf("unchanged files: %v, %v", changed, err)
	}
	other := t.TempDir()
	ensure(t, other, nil, testNow)
	if err := copyFile(filepath.Join(other, ServerFile), certPath); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Reload(); err == nil || !bytes.Equal(first, served(t, r)) {
		t.Errorf("half of a change: %v; want an error and the old certificate", err)
	}
	if err := copyFile(filepath.Join(other, ServerKeyFile), keyPath); err != nil {
		t.Fatal(err)
	}
	if changed, err := r.Reload(); !changed || err != nil || bytes.Equal(first, served(t, r)) {
		t.Errorf("the whole change: %v, %v", changed, err)
	}
	now = testNow.Add(ServerLife + time.Second)
	if _, err := r.Reload(); err == nil {
		t.Error("an expired certificate was taken")
	}
	now = testNow.Add(-2 * backdate)
	if _, err := NewReloader(Files(certPath, keyPath), func() time.Time { return now }); err == nil {
		t.Error("a certificate of the future was taken")
	}
	now = testNow
	if err := os.Chmod(keyPath, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Reload(); !errors.Is(err, privatefile.ErrModes) {
		t.Errorf("readable key: %v, want ErrModes", err)
	}
	if _, err := NewReloader(Files(certPath+"x", keyPath), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v, want ErrNotExist", err)
	}
}
