package tlsca

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// maxHosts bounds a certificate's size.
const maxHosts = 100

// hostSet is what a certificate must name, sorted and without repeats.
type hostSet struct {
	names []string // lower case
	addrs []netip.Addr
}

// parseHosts adds the loopback names. Empty hosts and unspecified addresses (0.0.0.0, ::) name no server and are left
// out: a listener on all addresses is reached by names that only its operator knows.
func parseHosts(hosts []string) (hostSet, error) {
	h := hostSet{
		names: []string{"localhost"},
		addrs: []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()},
	}
	if len(hosts) > maxHosts {
		return h, fmt.Errorf("%w: more than %d hosts", ErrHost, maxHosts)
	}
	for _, s := range hosts {
		bare := strings.TrimSuffix(strings.TrimPrefix(s, "["), "]") // as in URLs
		if bare == "" {
			continue
		}
		if a, err := netip.ParseAddr(bare); err == nil {
			if a.Zone() != "" {
				return h, fmt.Errorf("%w: %q: a certificate cannot name a zone", ErrHost, s)
			}
			if a = a.Unmap(); !a.IsUnspecified() {
				h.addrs = append(h.addrs, a)
			}
			continue
		}
		name := strings.ToLower(strings.TrimSuffix(s, "."))
		if !isDNSName(name) {
			return h, fmt.Errorf("%w: %q", ErrHost, s)
		}
		h.names = append(h.names, name)
	}
	slices.Sort(h.names)
	h.names = slices.Compact(h.names)
	slices.SortFunc(h.addrs, netip.Addr.Compare)
	h.addrs = slices.Compact(h.addrs)
	return h, nil
}

// isDNSName follows RFC 1123 §2.1, with underscores because container platforms use them. A leading wildcard label is
// allowed before at least two others.
func isDNSName(s string) bool {
	if len(s) == 0 || len(s) > 253 {
		return false
	}
	labels := strings.Split(s, ".")
	if labels[0] == "*" {
		if labels = labels[1:]; len(labels) < 2 {
			return false
		}
	}
	numeric := true
	for _, l := range labels {
		if len(l) == 0 || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
			return false
		}
		for i := range len(l) {
			c := l[i]
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
			numeric = numeric && c >= '0' && c <= '9'
		}
	}
	return !numeric // 1.2.3 is a mistyped address
}

// coveredBy says whether c names every host of h, as such: a name that a wildcard would match counts as missing.
func (h hostSet) coveredBy(c *x509.Certificate) bool {
	for _, n := range h.names {
		if !slices.Contains(c.DNSNames, n) {
			return false
		}
	}
	for _, a := range h.addrs {
		if !slices.ContainsFunc(c.IPAddresses, func(ip net.IP) bool { return ip.Equal(a.AsSlice()) }) {
			return false
		}
	}
	return true
}

func (h hostSet) ips() []net.IP {
	out := make([]net.IP, len(h.addrs))
	for i, a := range h.addrs {
		out[i] = a.AsSlice()
	}
	return out
}
