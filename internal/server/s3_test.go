package server

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPrivateSocket(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made")
	path := filepath.Join(dir, "iam.sock")
	l, err := listenPrivate(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{dir: 0o700, path: 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %#o", name, info.Mode(), err, want)
		}
	}
	refused := func(path, why string) {
		t.Helper()
		l, err := listenPrivate(path)
		if err == nil {
			l.Close()
		}
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want %q", path, err, why)
		}
	}
	refused(path, "another process listens")
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	if l, err = listenPrivate(path); err != nil {
		t.Fatalf("a socket that a dead process left: %v", err)
	}
	l.Close()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(file, "not a socket")
	refused(filepath.Join(dir, strings.Repeat("x", 108)), "fewer than")
	if err := os.Chmod(dir, 0o710); err != nil {
		t.Fatal(err)
	}
	refused(path, "other users can enter")
}

func TestS3SocketFlags(t *testing.T) {
	dir := t.TempDir()
	for spec, why := range map[string]string{
		"x=" + dir + "/s/a.sock":            "is not an account id",
		"210987654321=" + dir + "/s/a.sock": "account 210987654321",
		dir + "/s:1":                        "network address",
	} {
		srv, err := Start(t.Context(), Config{Store: "memory", Listen: []string{"http://127.0.0.1:0"}, MetricsListen: "off", AccountID: "123456789012", S3IAMSockets: []string{spec}}, Output{})
		if err == nil {
			srv.Shutdown()
		}
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want %q", spec, err, why)
		}
	}
	twice := []string{dir + "/s/a.sock", dir + "/s/b.sock"}
	if srv, err := Start(t.Context(), Config{Store: "memory", Listen: []string{"http://127.0.0.1:0"}, MetricsListen: "off", S3IAMSockets: twice}, Output{}); err == nil {
		srv.Shutdown()
		t.Error("two sockets for one account")
	}
	if err := (&Config{Store: "memory", S3DataEvents: "some"}).normalise(); err == nil {
		t.Error("S3 data events some")
	}
}
