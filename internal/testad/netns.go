package testad

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Do runs f with the domain's network, in a thread of its own. Only what f itself does is there, not goroutines it starts.
// Sockets that f opens stay in the domain's network and can be used from anywhere.
func (d *Domain) Do(f func() error) error {
	done := make(chan error, 1)
	go func() {
		// Never unlocked: the thread ends with the goroutine instead of going back among the others.
		runtime.LockOSThread()
		ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", d.pid))
		if err != nil {
			done <- err
			return
		}
		defer ns.Close()
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("setns: %w", err)
			return
		}
		done <- f()
	}()
	return <-done
}

// Dial connects within the domain's network. Hosts of the domain are known by name.
func (d *Domain) Dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	address = resolve(address)
	err = d.Do(func() error {
		var dialer net.Dialer
		conn, err = dialer.DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// Listen listens on TCP within the domain's network, for example at CAHost:443.
func (d *Domain) Listen(t testing.TB, address string) net.Listener {
	t.Helper()
	var l net.Listener
	err := d.Do(func() (err error) {
		l, err = net.Listen("tcp", resolve(address))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// resolve replaces the domain's host names by addresses: a name makes the resolver's goroutines dial, elsewhere.
func resolve(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	switch strings.ToLower(host) {
	case DCHost:
		host = DCAddress
	case CAHost, "rc4." + DNSDomain:
		host = CAAddress
	}
	return net.JoinHostPort(host, port)
}

// Command is a program to run inside of the domain: its network, its names, its /run/samba, and KRB5_CONFIG set.
func (d *Domain) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"--target", strconv.Itoa(d.pid), "--net", "--mount", "--pid", "--", name}, args...)...)
	cmd.Dir = d.Dir
	cmd.Env = append(os.Environ(), "KRB5_CONFIG="+d.Path("krb5.conf"), "LC_ALL=C.UTF-8")
	return cmd
}

// Run runs a program inside of the domain and returns its standard output. The test fails if the program does.
func (d *Domain) Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	cmd := d.Command(t.Context(), name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.String()
}

// Path is a file of the domain's folder.
func (d *Domain) Path(name string) string { return filepath.Join(d.Dir, name) }

// Keytab is the contents of a keytab of the domain's folder: http, rc4, alice, bob or ws2.
func (d *Domain) Keytab(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(d.Path(name + ".keytab"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Kinit logs a principal on with a password and returns the path of a new credentials cache. Options are kinit's.
func (d *Domain) Kinit(t testing.TB, principal, password string, options ...string) string {
	t.Helper()
	ccache := filepath.Join(t.TempDir(), "ccache")
	cmd := d.Command(t.Context(), "kinit", append(append([]string{"-c", "FILE:" + ccache}, options...), principal)...)
	cmd.Stdin = strings.NewReader(password + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("kinit %s: %v\n%s", principal, err, out)
	}
	return ccache
}
