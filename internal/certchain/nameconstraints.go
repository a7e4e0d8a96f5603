package certchain

import (
	"crypto/x509"
	"errors"
	"net/netip"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rolecall/rolecall/internal/certchain/dn"
)

// maxNameChecks bounds (name, subtree) comparisons for one path.
const maxNameChecks = 100_000

// nameConstraints is a CA's name constraints extension (RFC 5280 §4.2.1.10).
type nameConstraints struct {
	permitted, excluded []subtree
}

// subtree is one GeneralSubtree, with its base in the form that its kind is compared in.
type subtree struct {
	kind   dn.Kind
	text   string       // DNS, email, URI: lower case
	prefix netip.Prefix // IP
	name   dn.Name      // directoryName
}

var errNameConstraints = errors.New("its name constraints are malformed")

// parseNameConstraints reads the extension. Forms that cannot be compared (otherName and the
// like) are kept: a certificate below that has such a name is refused.
func parseNameConstraints(der []byte) (*nameConstraints, error) {
	input := cryptobyte.String(der)
	var seq, permitted, excluded cryptobyte.String
	var hasPermitted, hasExcluded bool
	if !input.ReadASN1(&seq, cbasn1.SEQUENCE) || !input.Empty() ||
		!seq.ReadOptionalASN1(&permitted, &hasPermitted, explicitTag(0)) ||
		!seq.ReadOptionalASN1(&excluded, &hasExcluded, explicitTag(1)) || !seq.Empty() {
		return nil, errNameConstraints
	}
	nc := &nameConstraints{}
	var err error
	if nc.permitted, err = readSubtrees(permitted); err != nil {
		return nil, err
	}
	nc.excluded, err = readSubtrees(excluded)
	return nc, err
}

func readSubtrees(list cryptobyte.String) ([]subtree, error) {
	var out []subtree
	for !list.Empty() {
		var seq cryptobyte.String
		if !list.ReadASN1(&seq, cbasn1.SEQUENCE) {
			return nil, errNameConstraints
		}
		base, ok := dn.ReadGeneralName(&seq)
		// RFC 5280 §4.2.1.10: minimum must be the default 0 and maximum absent, so DER has neither.
		if !ok || !seq.Empty() || len(out) == dn.MaxGeneralNames {
			return nil, errNameConstraints
		}
		tree, err := newSubtree(base)
		if err != nil {
			return nil, err
		}
		out = append(out, tree)
	}
	return out, nil
}

func newSubtree(base dn.GeneralName) (subtree, error) {
	tree := subtree{kind: base.Kind}
	switch base.Kind {
	case dn.DNSName, dn.URI, dn.RFC822Name:
		tree.text = string(base.Bytes)
		host := tree.text
		if base.Kind == dn.RFC822Name {
			if i := strings.LastIndexByte(host, '@'); i >= 0 {
				host = host[i+1:]
				tree.text = tree.text[:i+1] + strings.ToLower(host) // the local part keeps its case
			} else {
				tree.text = strings.ToLower(host)
			}
		} else {
			tree.text = strings.ToLower(host)
		}
		if host != "" && !validHost(strings.TrimPrefix(host, ".")) {
			return tree, errNameConstraints
		}
	case dn.IPAddress:
		prefix, ok := prefixOf(base.Bytes)
		if !ok {
			return tree, errNameConstraints
		}
		tree.prefix = prefix
	case dn.DirectoryName:
		name, err := dn.Parse(base.Bytes)
		if err != nil {
			return tree, errNameConstraints
		}
		tree.name = name
	}
	return tree, nil
}

// prefixOf reads an address and mask of 8 or 32 bytes. Masks with holes are refused.
func prefixOf(b []byte) (netip.Prefix, bool) {
	if len(b) != 8 && len(b) != 32 {
		return netip.Prefix{}, false
	}
	addr, _ := netip.AddrFromSlice(b[:len(b)/2])
	bits, ended := 0, false
	for _, m := range b[len(b)/2:] {
		for i := 7; i >= 0; i-- {
			if m>>i&1 == 1 {
				if ended {
					return netip.Prefix{}, false
				}
				bits++
			} else {
				ended = true
			}
		}
	}
	return netip.PrefixFrom(addr, bits).Masked(), true
}

// checkNames applies every CA's constraints, the anchor's included, to every certificate below it
// (RFC 5280 §6.1.3 (b), (c)). path is leaf first.
func checkNames(path []*authority) *Error {
	budget := maxNameChecks
	names := make([][]presented, len(path)) // by certificate, read once when first needed
	for i := len(path) - 1; i > 0; i-- {
		nc := path[i].constraints
		if nc == nil {
			continue
		}
		for j := i - 1; j >= 0; j-- {
			below := path[j].cert
			if j > 0 && path[j].selfIssued() {
				continue // §6.1.3: self-issued intermediates are exempt, the last certificate is not
			}
			if names[j] == nil {
				var err error
				if names[j], err = presentedNames(below); err != nil {
					return refuse(Untrusted, msgUntrusted, "%s: %s", describe(below), err)
				}
			}
			if why := nc.check(names[j], &budget); why != "" {
				return refuse(Untrusted, msgUntrusted, "the name constraints of %s forbid %s: %s",
					describe(path[i].cert), describe(below), why)
			}
		}
	}
	return nil
}

// check returns why one of the names is forbidden, or "".
func (nc *nameConstraints) check(names []presented, budget *int) string {
	if *budget -= len(names) * (len(nc.permitted) + len(nc.excluded)); *budget < 0 {
		return "there are too many names and constraints"
	}
	for i := range names {
		n := &names[i]
		constrained, allowed := false, false
		for j := range nc.excluded {
			t := &nc.excluded[j]
			if t.kind != n.kind {
				continue
			}
			if !n.comparable {
				return n.kind.String() + " names cannot be checked against constraints"
			}
			if t.mayCover(n) {
				return "the " + n.kind.String() + " name " + n.quoted() + " is excluded"
			}
		}
		for j := range nc.permitted {
			t := &nc.permitted[j]
			if t.kind != n.kind {
				continue
			}
			if !n.comparable {
				return n.kind.String() + " names cannot be checked against constraints"
			}
			constrained = true
			if allowed = t.covers(n); allowed {
				break
			}
		}
		if constrained && !allowed {
			return "the " + n.kind.String() + " name " + n.quoted() + " is not among the permitted ones"
		}
	}
	return ""
}

// emailFromSubject lists emailAddress attributes, which email constraints apply to when the
// certificate has no email alternative name (RFC 5280 §4.2.1.10).
func emailFromSubject(subject dn.Name) []string {
	values, ok := subject.Values(dn.EmailAddress)
	if !ok {
		return []string{""} // an email that cannot be read: never comparable
	}
	return values
}

// presentedNames returns the names of a certificate that constraints apply to.
func presentedNames(cert *x509.Certificate) ([]presented, error) {
	out := []presented{}
	subject, err := dn.Parse(cert.RawSubject)
	if err != nil {
		return nil, err
	}
	if len(subject) > 0 {
		out = append(out, presented{kind: dn.DirectoryName, name: subject, comparable: true})
	}
	hasEmail := false
	if raw, ok := extension(cert, oidSubjectAltName()); ok {
		general, err := dn.ParseGeneralNames(raw)
		if err != nil {
			return nil, errors.New("its subject alternative name is malformed")
		}
		for _, g := range general {
			hasEmail = hasEmail || g.Kind == dn.RFC822Name
			out = append(out, newPresented(g))
		}
	}
	if !hasEmail {
		for _, email := range emailFromSubject(subject) {
			out = append(out, newPresented(dn.GeneralName{Kind: dn.RFC822Name, Bytes: []byte(email)}))
		}
	}
	return out, nil
}
