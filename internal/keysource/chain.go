package keysource

import (
	"bytes"
	"crypto/x509"
)

// maxChain bounds the issuers that are put after a leaf.
const maxChain = 8

// Issuers orders the certificates between leaf and its root that are among pool, each checked by its signature. Roots,
// which a server has as its trust anchor, and everything that has nothing to do with the leaf stay out.
func Issuers(leaf *x509.Certificate, pool []*x509.Certificate) []*x509.Certificate {
	var out []*x509.Certificate
	for child := leaf; len(out) < maxChain; {
		var issuer *x509.Certificate
		for _, c := range pool {
			selfIssued := bytes.Equal(c.RawSubject, c.RawIssuer)
			if !selfIssued && bytes.Equal(c.RawSubject, child.RawIssuer) && child.CheckSignatureFrom(c) == nil {
				issuer = c
				break
			}
		}
		if issuer == nil {
			return out
		}
		out, child = append(out, issuer), issuer
	}
	return out
}
