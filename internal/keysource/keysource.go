// Package keysource is what the client asks for a workload's identity: a private key that can sign, the end-entity
// certificate that belongs to it, and the certificates between that and the trust anchor.
//
// Each kind of source (files, and later PKCS#12, PKCS#11, TPM, the system's certificate stores) is a package of its own
// below this one that implements [Source]. This package holds what they share: the [Identity], the checks that every
// identity must pass before anything is sent, and the error type. It reads nothing itself.
// Start with [Source] and [New].
package keysource

import (
	"context"
	"crypto"
	"crypto/x509"
)

// Source loads an identity. Load may be called again, at any time, to pick up a rotated certificate; key and certificate
// of one result always come from the same call and belong together. Load is safe for concurrent use.
// Errors are *[Error] where there is something the user can do.
type Source interface {
	Load(ctx context.Context) (*Identity, error)
}

// Identity is a key with its certificate. [New] makes it, so one that exists has been checked.
type Identity struct {
	signer   crypto.Signer
	leaf     *x509.Certificate
	chain    []*x509.Certificate
	warnings []string
}

// New checks that key and leaf belong together and are of a kind that Roles Anywhere can verify.
// chain holds the other certificates, in any order; copies of the leaf and duplicates are dropped, the order is kept.
func New(signer crypto.Signer, leaf *x509.Certificate, chain []*x509.Certificate) (*Identity, error) {
	if err := CheckCertificateKey(leaf); err != nil {
		return nil, err
	}
	if err := checkPair(signer, leaf, chain); err != nil {
		return nil, err
	}
	id := &Identity{signer: signer, leaf: leaf}
	for _, c := range chain {
		if !c.Equal(leaf) && !contains(id.chain, c) {
			id.chain = append(id.chain, c)
		}
	}
	return id, nil
}

// Signer signs with the private key. What it is depends on the source; it never reveals the key.
func (id *Identity) Signer() crypto.Signer { return id.signer }

// Leaf is the end-entity certificate.
func (id *Identity) Leaf() *x509.Certificate { return id.leaf }

// Chain is every certificate but the leaf, in the order of the source; it may be empty.
func (id *Identity) Chain() []*x509.Certificate { return id.chain }

// Warn adds a remark for the user: lower case, no full stop, no secret.
func (id *Identity) Warn(problem string) { id.warnings = append(id.warnings, problem) }

// Warnings are the remarks of the source, in order.
func (id *Identity) Warnings() []string { return id.warnings }

func contains(list []*x509.Certificate, c *x509.Certificate) bool {
	for _, have := range list {
		if have.Equal(c) {
			return true
		}
	}
	return false
}
