// Package enrollclient gets and renews the certificate of a machine: over EST (RFC 7030) with a token or the certificate from
// before, or from AWS Private CA's API with credentials. The key is made here and goes nowhere; key and certificate are put in
// place together, and only after they were found to work.
//
// Keys are files. It makes none in TPMs or PKCS#11 tokens.
//
// Start with [Client.Run].
package enrollclient

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"time"
)

// Names are what a certificate is asked for.
type Names struct {
	Subject      []byte           // DER of the name
	Alternatives []pkix.Extension // at most one
}

// Issuer is where certificates come from.
type Issuer interface {
	// Enroll has the request certified. old is the pair from before; nil for none. It returns the leaf and, in any order, the
	// certificates of its issuers, which are to be trusted as the issuer's answer is.
	Enroll(ctx context.Context, csr []byte, old *Pair) (leaf *x509.Certificate, above []*x509.Certificate, err error)
}

// Error is a problem with advice.
type Error struct {
	Problem, Advice string
	Cause           error
	// Permanent says that trying again changes nothing.
	Permanent bool
}

func (e *Error) Error() string { return e.Problem }

// Hint is what to do about it.
func (e *Error) Hint() string { return e.Advice }

func (e *Error) Unwrap() error { return e.Cause }

// KeyTypes are the kinds of keys that can be made; the first is the default.
func KeyTypes() []string { return []string{"P-256", "P-384", "RSA-2048", "RSA-3072", "RSA-4096"} }

func newKey(kind string) (crypto.Signer, error) {
	switch kind {
	case "P-256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "P-384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "RSA-2048":
		return rsa.GenerateKey(rand.Reader, 2048)
	case "RSA-3072":
		return rsa.GenerateKey(rand.Reader, 3072)
	case "RSA-4096":
		return rsa.GenerateKey(rand.Reader, 4096)
	}
	return nil, fmt.Errorf("key type %q is not known", kind)
}

// Client keeps the certificate of one folder.
type Client struct {
	Folder  Folder
	Issuer  Issuer
	KeyType string
	Names   *Names // nil: those of the certificate that is there
	// RenewBefore is how long before its end a certificate is renewed; 0 for a third of its life.
	RenewBefore time.Duration
	Renew       bool // a pair that works and is not due stays; without it, a pair that is there is an error
}

// due is when the certificate is renewed.
func (c *Client) due(leaf *x509.Certificate) time.Time {
	before := c.RenewBefore
	if before == 0 {
		before = leaf.NotAfter.Sub(leaf.NotBefore) / 3
	}
	return leaf.NotAfter.Add(-before)
}

// Run enrolls or renews once, if it is due. changed says that there is a new pair, next when to come again.
func (c *Client) Run(ctx context.Context, now time.Time) (changed bool, next time.Time, err error) {
	nothing := &Error{Problem: "there is no certificate yet, and no subject to ask for", Advice: "pass --subject CN=…", Permanent: true}
	if _, err := c.Folder.Load(); errors.Is(err, ErrNone) && c.Names == nil {
		return false, next, nothing // before a folder is made
	}
	unlock, err := c.Folder.lock(ctx)
	if err != nil {
		return false, next, err
	}
	defer unlock()
	old, err := c.Folder.Load()
	if err != nil && !errors.Is(err, ErrNone) {
		return false, next, err
	}
	if old != nil {
		if !c.Renew {
			return false, next, &Error{Problem: fmt.Sprintf("there is a certificate in %s already", c.Folder.Path), Advice: "pass --renew to renew it when it is due", Permanent: true}
		}
		if next = c.due(old.Leaf); now.Before(next) {
			return false, next, nil
		}
	}
	names := c.Names
	if names == nil {
		if old == nil {
			return false, next, nothing
		}
		names = namesOf(old.Leaf)
	}
	key, err := newKey(c.KeyType)
	if err != nil {
		return false, next, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{RawSubject: names.Subject, ExtraExtensions: names.Alternatives}, key)
	if err != nil {
		return false, next, err
	}
	leaf, above, err := c.Issuer.Enroll(ctx, csr, old)
	if err != nil {
		return false, next, err
	}
	pair, err := newPair(key, leaf, above, time.Now())
	if err != nil {
		return false, next, err
	}
	if err := c.Folder.store(pair); err != nil {
		return false, next, err
	}
	return true, c.due(leaf), nil
}

func namesOf(leaf *x509.Certificate) *Names {
	n := &Names{Subject: leaf.RawSubject}
	for _, e := range leaf.Extensions {
		if e.Id.String() == "2.5.29.17" {
			n.Alternatives = []pkix.Extension{e}
		}
	}
	return n
}
