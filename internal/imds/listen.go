package imds

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
)

const unixPrefix = "unix:"

// Listen opens a socket at addr: "host:port", "[address]:port", ":port" for loopback only, or "unix:PATH". An address that
// is not loopback is refused when no network is allowed, as nobody could use it. mode is that of a Unix socket's file.
func (s *Server) Listen(ctx context.Context, addr string, mode fs.FileMode) (net.Listener, error) {
	if path, ok := strings.CutPrefix(addr, unixPrefix); ok {
		return listenUnix(ctx, path, mode)
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("%q is not an address with a port, such as 127.0.0.1:9911", addr)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return nil, fmt.Errorf("port %q is not within 0 to 65535", port)
	}
	if host == "localhost" { // whatever a hosts file says it is
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return nil, fmt.Errorf("%q is not an IP address", host)
	}
	if !ip.Unmap().IsLoopback() && len(s.cfg.Networks) == 0 {
		return nil, fmt.Errorf("%s is not a loopback address and no client network is allowed", host)
	}
	network := "tcp4"
	if ip.Is6() && !ip.Is4In6() {
		network = "tcp6" // [::] does not take the IPv4 address as well
	}
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // MPTCP sockets have no time to live to set
	l, err := lc.Listen(ctx, network, net.JoinHostPort(host, port))
	if err != nil {
		return nil, err
	}
	return s.prepare(l)
}

// prepare sets the hop limit on the listening socket, so that the first packet of a connection has it too.
func (s *Server) prepare(l net.Listener) (net.Listener, error) {
	if err := setHops(l, s.cfg.HopLimit); err != nil {
		l.Close()
		return nil, fmt.Errorf("cannot set the hop limit of %s: %w", l.Addr(), err)
	}
	return l, nil
}

// listenUnix makes a socket that never is more open than mode, not even for a moment. A socket that nobody answers on is
// what a killed process left, and is replaced.
func listenUnix(ctx context.Context, path string, mode fs.FileMode) (net.Listener, error) {
	if path == "" {
		return nil, errors.New("no path given for the Unix socket")
	}
	if info, err := os.Lstat(path); err == nil {
		if info.Mode()&fs.ModeSocket == 0 {
			return nil, fmt.Errorf("%s exists and is not a socket", path)
		}
		c, err := net.Dial("unix", path)
		if err == nil {
			c.Close()
			return nil, fmt.Errorf("%s is in use by another process", path)
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return nil, fmt.Errorf("%s exists: %w", path, err)
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	restore := closeUmask()
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	restore()
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, mode.Perm()); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// firstPassed is the descriptor of the first passed socket (sd_listen_fds(3)).
const firstPassed = 3

// Passed takes over the sockets that systemd opened for this process, if any (LISTEN_PID and LISTEN_FDS). Who may connect
// to a Unix socket is then the unit's decision; for others the allowed networks hold.
func (s *Server) Passed(getenv func(string) string) ([]net.Listener, error) {
	if getenv("LISTEN_FDS") == "" || getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	n, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || n < 0 || n > 64 {
		return nil, fmt.Errorf("LISTEN_FDS is %q", getenv("LISTEN_FDS"))
	}
	var list []net.Listener
	for i := range n {
		f := os.NewFile(uintptr(firstPassed+i), "systemd socket "+strconv.Itoa(i))
		l, err := net.FileListener(f)
		f.Close() // the listener has a copy
		if err != nil {
			return nil, fmt.Errorf("socket %d of systemd: %w", i, err)
		}
		if _, ok := l.(*net.TCPListener); ok {
			if l, err = s.prepare(l); err != nil {
				return nil, err
			}
		}
		if u, ok := l.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false) // the file is systemd's
		}
		list = append(list, l)
	}
	return list, nil
}

// Notify tells systemd the state of the service (sd_notify(3)), such as "READY=1". Without NOTIFY_SOCKET it does nothing.
func Notify(getenv func(string) string, state string) error {
	path := getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write([]byte(state))
	return err
}
