package certchain

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/rolecall/rolecall/internal/certchain/dn"
)

// presented is a name in a certificate, prepared for comparison.
type presented struct {
	kind       dn.Kind
	text       string // as presented
	local      string // email: the part before "@"
	host       string // DNS, email, URI: lower case
	addr       netip.Addr
	name       dn.Name
	comparable bool // false: any constraint of this kind refuses the certificate
}

func newPresented(g dn.GeneralName) presented {
	p := presented{kind: g.Kind}
	switch g.Kind {
	case dn.DNSName:
		p.text = string(g.Bytes)
		p.host = strings.ToLower(p.text)
		p.comparable = validHost(strings.TrimPrefix(p.host, "*."))
	case dn.RFC822Name:
		p.text = string(g.Bytes)
		var ok bool
		p.local, p.host, ok = strings.Cut(p.text, "@")
		p.host = strings.ToLower(p.host)
		// Quoted local parts (RFC 5321) could hide a second "@": not compared.
		p.comparable = ok && p.local != "" && !strings.ContainsAny(p.local, "\"\\ ") && validHost(p.host)
	case dn.URI:
		p.text = string(g.Bytes)
		// A URI without a host, or with an address for one, is refused (RFC 5280 §4.2.1.10).
		if u, err := url.Parse(p.text); err == nil {
			p.host = strings.ToLower(u.Hostname())
			_, addrErr := netip.ParseAddr(p.host)
			p.comparable = addrErr != nil && validHost(p.host)
		}
	case dn.IPAddress:
		p.addr, p.comparable = netip.AddrFromSlice(g.Bytes)
		p.text = p.addr.String()
	case dn.DirectoryName:
		name, err := dn.Parse(g.Bytes)
		p.name, p.comparable = name, err == nil
	}
	return p
}

func (p *presented) quoted() string {
	text := p.text
	if p.kind == dn.DirectoryName {
		text = p.name.String()
	}
	return strconv.QuoteToGraphic(clip(text, 120))
}

// covers reports whether the name lies in the permitted subtree: the narrow reading.
func (t *subtree) covers(p *presented) bool {
	switch t.kind {
	case dn.DNSName:
		// "*.example.com" is compared as it stands: what it can stand for lies below "example.com".
		return hostBelow(p.host, t.text)
	case dn.RFC822Name:
		return t.coversEmail(p)
	case dn.URI:
		return hostExact(p.host, t.text)
	case dn.IPAddress:
		return t.prefix.Contains(p.addr)
	case dn.DirectoryName:
		return p.name.Within(t.name)
	}
	return false
}

// mayCover reports whether the name touches the excluded subtree: the wide reading. A host
// without leading period excludes its subdomains too, and a wildcard is excluded with any name
// that it stands for.
func (t *subtree) mayCover(p *presented) bool {
	switch t.kind {
	case dn.DNSName:
		parent, wild := strings.CutPrefix(p.host, "*.")
		if !wild {
			return hostBelow(p.host, t.text)
		}
		// "*.example.com" stands for every constraint with one label more than its parent.
		base := strings.TrimPrefix(t.text, ".")
		_, above, _ := strings.Cut(base, ".")
		return hostBelow(parent, base) || above == parent
	case dn.RFC822Name:
		return t.coversEmail(p) || !strings.Contains(t.text, "@") && hostBelow(p.host, t.text)
	case dn.URI:
		return hostBelow(p.host, t.text)
	}
	return t.covers(p)
}

func (t *subtree) coversEmail(p *presented) bool {
	if i := strings.LastIndexByte(t.text, '@'); i >= 0 {
		return p.local == t.text[:i] && p.host == t.text[i+1:]
	}
	return hostExact(p.host, t.text)
}

// hostBelow matches a DNS constraint: the domain itself and what is below it; with a leading
// period only what is below; empty matches everything.
func hostBelow(host, constraint string) bool {
	if constraint == "" || host == constraint {
		return true
	}
	if strings.HasPrefix(constraint, ".") {
		return strings.HasSuffix(host, constraint)
	}
	return strings.HasSuffix(host, "."+constraint)
}

// hostExact matches an email or URI constraint: that host, or with a leading period the hosts
// below it, or with an empty constraint all.
func hostExact(host, constraint string) bool {
	if strings.HasPrefix(constraint, ".") {
		return strings.HasSuffix(host, constraint)
	}
	return constraint == "" || host == constraint
}

// validHost reports whether s is a host name that can be compared: labels of 1 to 63 letters,
// digits, hyphens and underscores, no trailing period, at most 253 characters.
func validHost(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for i := 0; i < len(label); i++ {
			c := label[i]
			switch {
			case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
			default:
				return false
			}
		}
	}
	return true
}
