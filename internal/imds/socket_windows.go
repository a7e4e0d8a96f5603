package imds

import (
	"net"
	"syscall"
)

// IPV6_UNICAST_HOPS of ws2ipdef.h, which package syscall lacks.
const ipv6UnicastHops = 4

// setHops sets the time to live of what is sent over a TCP connection or by a listener; 0 leaves it.
func setHops(c any, hops int) error {
	sc, ok := c.(syscall.Conn)
	if hops == 0 || !ok {
		return nil
	}
	level, option := syscall.IPPROTO_IP, syscall.IP_TTL
	if v6(c) {
		level, option = syscall.IPPROTO_IPV6, ipv6UnicastHops
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = syscall.SetsockoptInt(syscall.Handle(fd), level, option, hops) }); err != nil {
		return err
	}
	return failed
}

func v6(c any) bool {
	var a net.Addr
	switch c := c.(type) {
	case net.Conn:
		a = c.LocalAddr()
	case net.Listener:
		a = c.Addr()
	}
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.To4() == nil
}

// A Unix socket's file inherits the access list of its folder.
func closeUmask() (restore func()) { return func() {} }
