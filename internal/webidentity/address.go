package webidentity

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// special are networks that are not public though netip's predicates say nothing about them (IANA special-purpose
// registries, RFC 6890). Those that carry an IPv4 address inside are among them: it could be a private one.
var special = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "240.0.0.0/4", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

// global is all of IPv6 that is routed publicly; NAT64's 64:ff9b::/96 lies outside of it.
var global = netip.MustParsePrefix("2000::/3")

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		out[i] = netip.MustParsePrefix(t)
	}
	return out
}

// public reports whether a belongs to the internet at large.
func public(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.Is6() && !global.Contains(a) {
		return false
	}
	return !within(special, a)
}

func within(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// control looks at the address that a socket is about to connect to. What a name resolved to before or resolves to later
// plays no part, so a name server cannot show one address to a check and another one to the connection.
func (v *Verifier) control(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return err
	}
	a = a.Unmap().WithZone("")
	if public(a) || within(v.cfg.Allow, a) {
		return nil
	}
	return &refusedAddress{a}
}

// refusedAddress is an address that the server's configuration does not allow.
type refusedAddress struct{ addr netip.Addr }

func (e *refusedAddress) Error() string {
	return fmt.Sprintf("the address %s is not public and --oidc-allow does not name it", e.addr)
}
