package certchain

import (
	"bytes"
	"crypto/x509"
	"slices"

	"github.com/rolecall/rolecall/internal/blockedkeys"
	"github.com/rolecall/rolecall/internal/certchain/dn"
)

// Bounds on the work that one request can cause. The header limits already bound the number of
// certificates; these bound the combinations.
const (
	maxSignatureChecks = 16
	maxSteps           = 64 // (certificate, issuer candidate) pairs looked at
)

// builder searches for one valid path from the leaf to an anchor, depth first, anchors first.
type builder struct {
	in      *Input
	blocked *blockedkeys.List
	nodes   []*authority // candidates: anchors first, then usable chain certificates
	anchors int          // how many of nodes are anchors
	path    []*authority // from the leaf upwards; the leaf is wrapped like a CA
	used    []bool       // by node

	signatures map[edge]*Error // results of signature checks by child and issuer
	checks     int
	steps      int
	best       *Error // the failure of the attempt that came furthest
	bestRank   int
	unreadable int           // chain certificates left aside
	faults     map[int]error // by node: why it cannot be a CA in any path
}

// edge is a child (node index, -1 for the leaf) and its supposed issuer.
type edge struct{ child, issuer int }

const leafNode = -1

func newBuilder(leaf *x509.Certificate, in *Input) (*builder, error) {
	b := &builder{in: in, anchors: len(in.Anchors.certs), signatures: make(map[edge]*Error), faults: make(map[int]error)}
	b.nodes = append(b.nodes, in.Anchors.certs...)
	for i, der := range in.Chain {
		if len(der) > MaxCertificateBytes {
			return nil, refuse(Malformed, msgMalformed, "chain certificate %d is larger than %d bytes", i+1, MaxCertificateBytes)
		}
		if bytes.Equal(der, leaf.Raw) || b.known(der) {
			continue
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			b.unreadable++
			continue
		}
		ca, fault := newAuthority(cert)
		if fault != nil {
			b.faults[len(b.nodes)] = fault
		}
		b.nodes = append(b.nodes, ca)
	}
	if others := len(b.nodes) - b.anchors; others > MaxChainCertificates {
		return nil, tooMany(others)
	}
	b.used = make([]bool, len(b.nodes))
	b.path = append(b.path, &authority{cert: leaf, subjectKey: dn.KeyOf(leaf.RawSubject), issuerKey: dn.KeyOf(leaf.RawIssuer)})
	return b, nil
}

func (b *builder) known(der []byte) bool {
	return slices.ContainsFunc(b.nodes, func(n *authority) bool { return bytes.Equal(n.cert.Raw, der) })
}

// build returns the path, leaf first, or the most telling *Error.
func (b *builder) build() ([]*authority, error) {
	if b.extend(leafNode, 0) {
		return b.path, nil
	}
	return nil, b.best // extend notes a failure whenever it returns false
}

func (b *builder) noIssuer(cert *x509.Certificate) *Error {
	note := ""
	if b.unreadable > 0 {
		note = "; some chain certificates could not be parsed"
	}
	return refuse(Untrusted, msgUntrusted,
		"no certificate of the issuer %s was found in the trust anchor or among the %d chain certificates%s",
		describeName(cert.RawIssuer), len(b.in.Chain), note)
}

// note keeps the failure that came furthest: it is the one its sender can act on.
func (b *builder) note(rank int, err *Error) {
	if err != nil && rank > b.bestRank {
		b.best, b.bestRank = err, rank
	}
}

// extend tries to complete b.path by certificates whose subject is the last one's issuer (RFC 5280
// §6.1.3 (a)(4)). The last certificate is node child; intermediates counts the
// CAs in it that are not self-issued (RFC 5280 §6.1.4 (l)).
func (b *builder) extend(child, intermediates int) bool {
	current := b.path[len(b.path)-1]
	found := false
	for _, wantKeyMatch := range []bool{true, false} {
		for i, node := range b.nodes {
			if b.used[i] || current.issuerKey != node.subjectKey || keyMatch(current.cert, node.cert) != wantKeyMatch {
				continue
			}
			found = true
			if b.steps++; b.steps > maxSteps {
				b.note(2, refuse(Untrusted, msgUntrusted, "the chain allows too many paths"))
				return false
			}
			if b.tryIssuer(edge{child, i}, intermediates) {
				return true
			}
		}
	}
	if !found {
		b.note(2*len(b.path), b.noIssuer(current.cert))
	}
	return false
}

// tryIssuer checks one step upwards and what follows from it.
func (b *builder) tryIssuer(e edge, intermediates int) bool {
	issuer, rank := b.nodes[e.issuer], 2*len(b.path)+1
	if err := b.checkSignature(e); err != nil {
		b.note(rank, err)
		return false
	}
	if fault := b.faults[e.issuer]; fault != nil {
		b.note(rank+100, refuse(Untrusted, msgUntrusted, "%s: %s", describe(issuer.cert), fault))
		return false
	}
	if b.blocked.Contains(issuer.cert.PublicKey) { // its signature proves nothing
		b.note(rank+100, refuse(Weak, msgUntrusted, "%s: %s", describe(issuer.cert), blockedkeys.Reason))
		return false
	}
	if err := issuer.checkIssuing(intermediates, b.in.Now); err != nil {
		b.note(rank+100, err) // the signature is right: more telling than any path without
		return false
	}
	b.path = append(b.path, issuer)
	b.used[e.issuer] = true
	if b.finish(e.issuer, intermediates) {
		return true
	}
	b.path = b.path[:len(b.path)-1]
	b.used[e.issuer] = false
	return false
}

// finish ends the path if its last certificate is an anchor, and extends it otherwise.
func (b *builder) finish(last, intermediates int) bool {
	issuer := b.nodes[last]
	if last >= b.anchors {
		if !issuer.selfIssued() {
			intermediates++
		}
		return b.extend(last, intermediates)
	}
	if err := checkNames(b.path); err != nil {
		b.note(200, err)
		return false
	}
	if err := checkPurposes(b.path); err != nil {
		b.note(200, err)
		return false
	}
	return true
}

// checkSignature checks the child's signature with the issuer's key, at most once per pair and
// within the request's budget.
func (b *builder) checkSignature(e edge) *Error {
	if err, ok := b.signatures[e]; ok {
		return err
	}
	if b.checks++; b.checks > maxSignatureChecks {
		return refuse(Untrusted, msgUntrusted, "the chain needs too many signature checks")
	}
	child := b.path[len(b.path)-1].cert
	err := verifySignature(child, b.nodes[e.issuer].cert)
	b.signatures[e] = err
	return err
}

func verifySignature(child, issuer *x509.Certificate) *Error {
	if why := weakSignature(child.SignatureAlgorithm); why != "" {
		return refuse(Weak, msgUntrusted, "%s: %s", describe(child), why)
	}
	// Before the check, so that an oversized key cannot make it expensive.
	if why := weakKey(issuer); why != "" {
		return refuse(Weak, msgUntrusted, "%s: %s", describe(issuer), why)
	}
	if err := issuer.CheckSignature(child.SignatureAlgorithm, child.RawTBSCertificate, child.Signature); err != nil {
		return refuse(Untrusted, msgUntrusted, "the signature of %s was not made with the key of %s", describe(child), describe(issuer))
	}
	return nil
}

// keyMatch reports whether key identifiers point from child to issuer. They only order the
// candidates: a missing or wrong identifier does not exclude one (RFC 5280 §4.2.1.1).
func keyMatch(child, issuer *x509.Certificate) bool {
	return len(child.AuthorityKeyId) > 0 && bytes.Equal(child.AuthorityKeyId, issuer.SubjectKeyId)
}
