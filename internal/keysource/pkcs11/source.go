// Package pkcs11 is the key source for keys on PKCS#11 tokens: smart cards, HSMs, security keys.
//
// It loads no module, since that needs cgo: it starts the program rolecall-pkcs11, which must lie beside rolecall or on
// PATH, and speaks to it over pipes. PINs never appear in arguments or the environment. No signature is made to test a
// key; the first one is checked against the certificate before it is used.
// Start with [Source]; process.go runs the program, its messages are in package wire, and what it does in package token.
package pkcs11

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/rolecall/rolecall/internal/keysource"
	"github.com/rolecall/rolecall/internal/keysource/pkcs11/wire"
)

// Prefix begins the names of keys and certificates on tokens.
const Prefix = "pkcs11:"

// patience bounds a signature: entering a PIN at a reader or touching a key takes a person's time.
const patience = 2 * time.Minute

// Source is a key on a token. Its fields are not to be changed once Load has been called. Loads reuse one started
// program, and with it the PIN that was given; Close ends it.
type Source struct {
	Certificate string // URI; empty: Certificates gives it
	PrivateKey  string // URI; empty: the key on the token that belongs to the certificate
	Module      string // path of the module; the URI's module-path wins; both empty: p11-kit's proxy
	ReusePIN    bool   // the user PIN also serves keys that want one for every signature
	Latest      bool   // of several certificates that fit take the one that expires last

	// Certificates gives the leaf, first, and its chain when Certificate is empty.
	Certificates func(ctx context.Context) ([]*x509.Certificate, error)
	// Intermediates are added to the chain. nil: none.
	Intermediates func(ctx context.Context) ([]*x509.Certificate, error)
	// PIN asks for a PIN when the URI has none. what says which, for a prompt. nil: that is an error.
	PIN func(what string) ([]byte, error)

	Program string    // path of rolecall-pkcs11; empty: beside this program, else on PATH
	Stderr  io.Writer // what the program and the module print there; nil: nowhere

	mu      sync.Mutex // one request at a time; guards what follows
	process *process
	pin     *string // as the token accepted it
}

var _ keysource.Source = (*Source)(nil)

// Load finds the key and its certificate.
func (s *Source) Load(ctx context.Context) (*keysource.Identity, error) {
	var certs []*x509.Certificate
	req := &wire.Open{Module: s.Module, Certificate: s.Certificate, PrivateKey: s.PrivateKey, Latest: s.Latest, ReusePIN: s.ReusePIN}
	if s.Certificate == "" {
		var err error
		if certs, err = s.Certificates(ctx); err != nil {
			return nil, err
		}
		req.Leaf = certs[0].Raw
	}
	resp, p, err := s.open(ctx, req)
	if err != nil {
		return nil, err
	}
	for i, der := range resp.Certificates {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, keysource.Errorf("", "certificate %d from the token: %w", i+1, err)
		}
		certs = append(certs, c)
	}
	if len(certs) == 0 {
		return nil, keysource.Errorf(adviceSame, "rolecall-pkcs11 gives no certificate")
	}
	if err := keysource.CheckCertificateKey(certs[0]); err != nil {
		return nil, err
	}
	signer := &signer{source: s, process: p, handle: resp.Handle, leaf: certs[0], public: certs[0].PublicKey}
	if len(resp.PublicKey) > 0 {
		if signer.public, err = x509.ParsePKIXPublicKey(resp.PublicKey); err != nil {
			return nil, keysource.Errorf("", "public key from the token: %w", err)
		}
	}
	chain := certs[1:]
	if s.Intermediates != nil {
		more, err := s.Intermediates(ctx)
		if err != nil {
			return nil, err
		}
		chain = append(chain, more...)
	}
	return keysource.New(signer, certs[0], chain)
}

// open asks the program, once more with a PIN if it wants one, and once more with a new program if the running one
// has ended or its token was taken out and put in again.
func (s *Source) open(ctx context.Context, req *wire.Open) (*wire.Response, *process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh := s.process == nil
	for {
		resp, err := s.tryOpenLocked(ctx, req)
		if err == nil {
			return resp, s.process, nil
		}
		s.closeLocked()
		var remote *remoteError
		if fresh || ctx.Err() != nil || errors.As(err, &remote) && remote.e.Final {
			return nil, nil, err
		}
		fresh = true
	}
}

func (s *Source) tryOpenLocked(ctx context.Context, req *wire.Open) (*wire.Response, error) {
	if s.process == nil {
		var err error
		if s.process, err = start(s.Program, s.Stderr); err != nil {
			return nil, err
		}
	}
	req.PIN = s.pin
	resp, err := s.process.call(ctx, &wire.Request{Open: req})
	if err != nil || resp.Need == "" {
		return resp, err
	}
	if resp.Need != wire.NeedUserPIN || req.PIN != nil {
		return nil, keysource.Errorf(adviceSame, "rolecall-pkcs11 asks for a PIN that it has")
	}
	if req.PIN, err = s.ask("PIN of the token " + resp.Token); err != nil {
		return nil, err
	}
	if resp, err = s.process.call(ctx, &wire.Request{Open: req}); err != nil {
		return nil, err
	}
	if resp.Need != "" {
		return nil, keysource.Errorf(adviceSame, "rolecall-pkcs11 asks for a PIN that it has")
	}
	s.pin = req.PIN
	return resp, nil
}

func (s *Source) ask(what string) (*string, error) {
	if s.PIN == nil {
		return nil, keysource.Errorf("pass --pkcs11-pin-file FILE, or -env, -fd or -prompt instead of -file, or put pin-source=FILE into the URI",
			"the %s is needed and was not given", what)
	}
	b, err := s.PIN(what)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	pin := string(b)
	return &pin, nil
}

// Listed is a certificate on a token.
type Listed struct {
	Certificate *x509.Certificate
	URI         string
}

// List gives the certificates that the URI of Certificate fits, on every token. It needs no PIN.
func (s *Source) List(ctx context.Context) ([]Listed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := start(s.Program, s.Stderr)
	if err != nil {
		return nil, err
	}
	defer p.close()
	resp, err := p.call(ctx, &wire.Request{List: &wire.Open{Module: s.Module, Certificate: s.Certificate}})
	if err != nil {
		return nil, err
	}
	if len(resp.URIs) != len(resp.Certificates) {
		return nil, keysource.Errorf(adviceSame, "rolecall-pkcs11 gives an incomplete list")
	}
	var out []Listed
	for i, der := range resp.Certificates {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, keysource.Errorf("", "certificate %d from the token: %w", i+1, err)
		}
		out = append(out, Listed{c, resp.URIs[i]})
	}
	return out, nil
}

// Close ends the program. Signers of identities that were loaded fail afterwards.
func (s *Source) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closeLocked()
}

func (s *Source) closeLocked() {
	if s.process != nil {
		s.process.close()
		s.process = nil
	}
}

// signer signs with an opened key.
type signer struct {
	source  *Source
	process *process // that opened it
	handle  int
	leaf    *x509.Certificate
	public  crypto.PublicKey
}

func (k *signer) Public() crypto.PublicKey { return k.public }

// Sign makes one signature over a SHA-2 digest and checks it: a token that does not tell a key's public part could hold
// another key than the certificate's.
func (k *signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if _, pss := opts.(*rsa.PSSOptions); pss {
		return nil, errors.New("PSS signatures are not supported")
	}
	hash := opts.HashFunc()
	k.source.mu.Lock()
	defer k.source.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req := &wire.Sign{Handle: k.handle, Hash: hash.String(), Digest: digest}
	resp, err := k.process.call(ctx, &wire.Request{Sign: req})
	if err == nil && resp.Need == wire.NeedKeyPIN {
		if req.PIN, err = k.source.ask("PIN for a signature with the key on the token " + resp.Token + " (the user PIN with --reuse-pin)"); err != nil {
			return nil, err
		}
		resp, err = k.process.call(ctx, &wire.Request{Sign: req})
	}
	if err != nil {
		return nil, err
	}
	ok := false
	switch pub := k.leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		ok = rsa.VerifyPKCS1v15(pub, hash, digest, resp.Signature) == nil
	case *ecdsa.PublicKey:
		ok = ecdsa.VerifyASN1(pub, digest, resp.Signature)
	}
	if !ok {
		return nil, keysource.Errorf("name the key with another --private-key URI", "the token's signature does not fit the certificate: the key is another one")
	}
	return resp.Signature, nil
}
