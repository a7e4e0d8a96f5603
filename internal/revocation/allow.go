package revocation

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Allow says where the server may connect to. The zero value allows public unicast addresses, on ports 80 and 443.
type Allow struct {
	set   bool // rules stand in place of the default
	rules []rule
}

// rule allows a network, a host by its name, or all public addresses; on one port, or on 80 and 443.
type rule struct {
	public bool
	host   string
	net    netip.Prefix
	port   uint16 // 0 for 80 and 443
}

// ParseAllow reads a configuration: CIDR, address or host name, each with ":PORT" if it is neither 80 nor 443 (IPv6 in
// brackets then); "public" for public unicast addresses; "none", alone, for nothing at all. No entry is "public".
func ParseAllow(entries []string) (Allow, error) {
	var a Allow
	for _, e := range entries {
		e = strings.TrimSpace(e)
		a.set = true
		if e == "none" {
			if len(entries) > 1 {
				return Allow{}, fmt.Errorf("none stands alone in what revocation checks may fetch from")
			}
			continue
		}
		r, err := parseRule(e)
		if err != nil {
			return Allow{}, err
		}
		a.rules = append(a.rules, r)
	}
	return a, nil
}

func parseRule(e string) (r rule, err error) {
	bad := fmt.Errorf("%q is no CIDR, address or host with an optional :PORT", e)
	text := e
	if i := strings.LastIndexByte(e, ':'); i > 0 && (strings.Count(e, ":") == 1 || e[i-1] == ']') {
		port, err := strconv.ParseUint(e[i+1:], 10, 16)
		if err != nil || port == 0 {
			return rule{}, bad
		}
		text, r.port = e[:i], uint16(port)
	}
	if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		text = text[1 : len(text)-1]
	}
	if text == "public" {
		r.public = true
		return r, nil
	}
	if p, err := netip.ParsePrefix(text); err == nil {
		r.net = p.Masked()
		return r, nil
	}
	if ip, err := netip.ParseAddr(text); err == nil && ip.Zone() == "" {
		ip = ip.Unmap()
		r.net = netip.PrefixFrom(ip, ip.BitLen())
		return r, nil
	}
	if !hostName(text) {
		return rule{}, bad
	}
	r.host = strings.ToLower(strings.TrimSuffix(text, "."))
	return r, nil
}

func hostName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return true
}

// permits decides on a connection to an address that host was resolved to.
func (a *Allow) permits(host string, ip netip.Addr, port uint16) bool {
	if ip.Zone() != "" {
		return false
	}
	ip = ip.Unmap() // ::ffff:127.0.0.1 is 127.0.0.1
	if !a.set {
		return standard(port) && public(ip)
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for i := range a.rules {
		r := &a.rules[i]
		if r.port != port && (r.port != 0 || !standard(port)) {
			continue
		}
		if r.public && public(ip) || r.host != "" && r.host == host || r.net.IsValid() && r.net.Contains(ip) {
			return true
		}
	}
	return false
}

func standard(port uint16) bool { return port == 80 || port == 443 }

// special are the networks of the IANA special-purpose registries (RFC 6890) inside what would pass for public unicast.
var special = func() (nets []netip.Prefix) {
	for _, s := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "240.0.0.0/4", // 169.254.0.0/16, where clouds keep their metadata, is link-local
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	} {
		nets = append(nets, netip.MustParsePrefix(s))
	}
	return nets
}()

var global6 = netip.MustParsePrefix("2000::/3") // all that is assigned (RFC 4291 §2.4); no NAT64, no mapped or unique local ones

// public reports whether ip, unmapped, is a unicast address of the public Internet.
func public(ip netip.Addr) bool {
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsLoopback() || ip.Is6() && !global6.Contains(ip) {
		return false
	}
	return !slices.ContainsFunc(special, func(n netip.Prefix) bool { return n.Contains(ip) })
}
