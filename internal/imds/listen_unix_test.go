//go:build unix

package imds

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestUnixSocket(t *testing.T) {
	s, err := New(Config{Roles: []Role{role(t, "arn:aws:iam::111122223333:role/r", nil)}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "s")
	l, err := s.Listen(t.Context(), "unix:"+path, 0o660)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := s.Listen(t.Context(), "unix:"+path, 0o600); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("second: %v", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	if l, err = s.Listen(t.Context(), "unix:"+path, 0o600); err != nil { // left by a process that was killed
		t.Fatal(err)
	}
	l.Close()
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Listen(t.Context(), "unix:"+path, 0o600); err == nil {
		t.Error("a file was replaced")
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "mine" {
		t.Errorf("the file is %q, %v", b, err)
	}
}

// The hop limit is on the answers' packets, of both families, and on the listening socket.
func TestHops(t *testing.T) {
	s, err := New(Config{Roles: []Role{role(t, "arn:aws:iam::111122223333:role/r", nil)}, HopLimit: 7})
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := s.Listen(t.Context(), addr, 0)
		if err != nil {
			t.Fatal(err)
		}
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c, err := (&guarded{Listener: l, server: s}).Accept()
		if err != nil {
			t.Fatal(err)
		}
		for _, sc := range []any{l, c} {
			if got := hops(t, sc.(syscall.Conn), addr[0] == '['); got != 7 {
				t.Errorf("%s %T: %d", addr, sc, got)
			}
		}
		client.Close()
		c.Close()
		l.Close()
	}
}

func hops(t *testing.T, c syscall.Conn, six bool) (n int) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	level, option := syscall.IPPROTO_IP, syscall.IP_TTL
	if six {
		level, option = syscall.IPPROTO_IPV6, syscall.IPV6_UNICAST_HOPS
	}
	if err := raw.Control(func(fd uintptr) { n, err = syscall.GetsockoptInt(int(fd), level, option) }); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNotify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	getenv := func(key string) string { return map[string]string{"NOTIFY_SOCKET": path}[key] }
	if err := Notify(getenv, "READY=1"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	if n, err := l.Read(b); err != nil || string(b[:n]) != "READY=1" {
		t.Errorf("got %q, %v", b[:n], err)
	}
	if err := Notify(func(string) string { return "" }, "READY=1"); err != nil {
		t.Errorf("without systemd: %v", err)
	}
}

// Sockets meant for another process are left alone.
func TestPassedToOthers(t *testing.T) {
	s := &Server{}
	for _, env := range []map[string]string{
		{}, {"LISTEN_FDS": "1"}, {"LISTEN_FDS": "1", "LISTEN_PID": strconv.Itoa(os.Getpid() + 1)},
		{"LISTEN_FDS": "0", "LISTEN_PID": strconv.Itoa(os.Getpid())},
	} {
		if l, err := s.Passed(func(k string) string { return env[k] }); err != nil || len(l) > 0 {
			t.Errorf("%v: %v, %v", env, l, err)
		}
	}
	for _, n := range []string{"x", "-1", "1000"} {
		env := map[string]string{"LISTEN_FDS": n, "LISTEN_PID": strconv.Itoa(os.Getpid())}
		if _, err := s.Passed(func(k string) string { return env[k] }); err == nil {
			t.Errorf("LISTEN_FDS=%s: no error", n)
		}
	}
}
