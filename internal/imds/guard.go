package imds

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Any process of a let-in machine can ask, and so can a web page in its browser unless it is kept from it: by the name in
// Host (DNS rebinding gives a page's own name our address), by the refusal of what a proxy forwards, and by the PUT and the
// header that a page cannot send to another origin without being asked for permission first.

type localKey struct{}

// connContext keeps the address that a connection came in on.
func connContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, localKey{}, c.LocalAddr())
}

// guard refuses what no SDK on a let-in machine sends.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		local, _ := r.Context().Value(localKey{}).(net.Addr)
		switch {
		case r.Header["X-Forwarded-For"] != nil, r.Header["Forwarded"] != nil: // RFC 7239
			refuse(w, http.StatusBadRequest, "unable to process requests with X-Forwarded-For header")
		case !s.knownHost(r.Host, local):
			refuse(w, http.StatusForbidden, "the name in Host is not one of this server")
		case r.ContentLength != 0: // nothing that is served takes a body
			refuse(w, http.StatusRequestEntityTooLarge, "no body expected")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// knownHost reports whether host, with or without a port, can only mean this server.
func (s *Server) knownHost(host string, local net.Addr) bool {
	if _, ok := local.(*net.UnixAddr); ok {
		return true // nothing resolves to a Unix socket
	}
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]"))
	if name == "localhost" || s.hosts[name] {
		return true
	}
	ip, err := netip.ParseAddr(name)
	if err != nil {
		return false
	}
	ip = ip.Unmap().WithZone("")
	if ip.IsLoopback() || metadataAddress(ip) {
		return true
	}
	tcp, ok := local.(*net.TCPAddr)
	return ok && tcp.AddrPort().Addr().Unmap().WithZone("") == ip
}

// metadataAddress reports whether ip is one of the addresses that SDKs ask by default; a packet filter may lead them here.
func metadataAddress(ip netip.Addr) bool {
	switch ip.String() {
	case "169.254.169.254", "fd00:ec2::254", // instance metadata
		"169.254.170.2", "169.254.170.23", "fd00:ec2::23": // container credentials
		return true
	}
	return false
}

// guarded lets in only connections from allowed networks, and sets their hop limit.
type guarded struct {
	net.Listener
	server *Server
}

// Accept closes refused connections without an answer.
func (g *guarded) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
			if !g.server.admitted(tcp.AddrPort().Addr()) {
				g.server.cfg.Log(fmt.Sprintf("connection from %s refused: it is in no allowed network", tcp.IP))
				c.Close()
				continue
			}
			if err := setHops(c, g.server.cfg.HopLimit); err != nil {
				g.server.cfg.Log(fmt.Sprintf("connection from %s closed: cannot set its hop limit: %v", tcp.IP, err))
				c.Close()
				continue
			}
		}
		return c, nil
	}
}

func (s *Server) admitted(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if ip.IsLoopback() {
		return true
	}
	for _, n := range s.cfg.Networks {
		if n.Contains(ip) {
			return true
		}
	}
	return false
}

func refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintln(w, text)
}
