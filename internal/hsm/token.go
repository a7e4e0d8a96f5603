// Package hsm keeps keys of certificate authorities in a PKCS#11 token: they are made there, sign there, and never leave.
//
// It loads no module, since that needs cgo: it runs the program rolecall-pkcs11 and speaks to it over pipes, in as many
// processes as may work at once. A process that ends, hangs or reports a problem is replaced; while the token cannot be
// reached, what needs a key fails with [authority.ErrUnavailable]. A PIN that was refused is not tried again: tokens
// lock themselves.
//
// Start with [Keys], which decides where a key is; [Token] runs the processes.
package hsm

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/keysource/pkcs11"
	"github.com/rolecall/rolecall/internal/keysource/pkcs11/wire"
)

// Config says which token. Module is required, and Label or Serial.
type Config struct {
	Module  string    // file of the PKCS#11 module
	Label   string    // of the token
	Serial  string    // of the token
	PIN     string    // of its user
	Program string    // rolecall-pkcs11; "" finds it beside this program or on PATH
	Stderr  io.Writer // what the program and the module print; nil: nowhere
}

const (
	processes = 2                // at work at once
	patience  = 10 * time.Second // for a signature, the wait for a process included
	making    = 2 * time.Minute  // for a key: a token may take its time over RSA
)

// Token is a configured token. It need not be there.
type Token struct {
	cfg   Config
	slots chan *pkcs11.Companion // nil for a process that is yet to be started

	mu      sync.Mutex // guards refused
	refused error      // the token refused the PIN
}

// NewToken starts nothing yet.
func NewToken(cfg Config) *Token {
	t := &Token{cfg: cfg, slots: make(chan *pkcs11.Companion, processes)}
	for range processes {
		t.slots <- nil
	}
	return t
}

// Close ends the processes.
func (t *Token) Close() error {
	for range processes {
		if c := <-t.slots; c != nil {
			c.Close()
		}
	}
	return nil
}

// reference is what a CA's row holds of its key, as JSON. What is sealed never begins like it.
type reference struct {
	Module string `json:"module"` // for a person who looks for the key
	Token  string `json:"token"`
	Serial string `json:"serial"`
	ID     string `json:"id"`     // CKA_ID in hex
	Public []byte `json:"public"` // PKIX
}

func inToken(ref []byte) bool { return len(ref) > 0 && ref[0] == '{' }

// keyID is the CKA_ID of a CA's key: the 16 bytes of the CA's UUID.
func keyID(id string) ([]byte, error) {
	b, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	if err != nil || len(b) != 16 {
		return nil, errors.New("hsm: the id of a certificate authority is no UUID")
	}
	return b, nil
}

func (t *Token) generate(id string, a authority.KeyAlgorithm) ([]byte, error) {
	ckaID, err := keyID(id)
	if err != nil {
		return nil, err
	}
	resp, err := t.call(making, &wire.Custody{Do: wire.CustodyGenerate, ID: ckaID, Label: "rolecall CA " + id, Algorithm: string(a)})
	if err != nil {
		return nil, err
	}
	pub, err := x509.ParsePKIXPublicKey(resp.PublicKey)
	if err != nil || wire.CustodyAlgorithm(pub) != string(a) {
		return nil, fmt.Errorf("hsm: the token made another key than one of kind %s", a)
	}
	return json.Marshal(reference{Module: t.cfg.Module, Token: t.cfg.Label, Serial: t.cfg.Serial, ID: hex.EncodeToString(ckaID), Public: resp.PublicKey})
}

// open asks the token nothing: the key is looked for when it signs.
func (t *Token) open(id string, ref []byte) (crypto.Signer, error) {
	if t == nil {
		return nil, fmt.Errorf("%w: certificate authority %s has its key in a token, and none is configured (--hsm-module)", authority.ErrUnavailable, id)
	}
	var r reference
	if err := json.Unmarshal(ref, &r); err != nil {
		return nil, fmt.Errorf("reference to the key of certificate authority %s is damaged", id)
	}
	pub, err := x509.ParsePKIXPublicKey(r.Public)
	if err != nil {
		return nil, fmt.Errorf("reference to the key of certificate authority %s is damaged", id)
	}
	ckaID, err := keyID(id)
	if err != nil {
		return nil, err
	}
	if r.ID != hex.EncodeToString(ckaID) {
		return nil, fmt.Errorf("reference to the key of certificate authority %s names another's", id)
	}
	return &signer{token: t, id: ckaID, public: pub, der: r.Public}, nil
}

func (t *Token) remove(id string) error {
	if t == nil {
		return fmt.Errorf("%w: certificate authority %s has its key in a token, and none is configured (--hsm-module)", authority.ErrUnavailable, id)
	}
	ckaID, err := keyID(id)
	if err != nil {
		return err
	}
	_, err = t.call(patience, &wire.Custody{Do: wire.CustodyDelete, ID: ckaID})
	return err
}

// call has one of the processes carry out a request; a process that worked before is replaced once.
func (t *Token) call(wait time.Duration, req *wire.Custody) (*wire.Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	t.mu.Lock()
	refused := t.refused
	t.mu.Unlock()
	if refused != nil {
		return nil, refused
	}
	var c *pkcs11.Companion
	select {
	case c = <-t.slots:
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: the token is busy", authority.ErrUnavailable)
	}
	defer func() { t.slots <- c }()
	req.Module, req.Token, req.Serial, req.PIN = t.cfg.Module, t.cfg.Label, t.cfg.Serial, t.cfg.PIN
	for {
		fresh := c == nil
		if fresh {
			var err error
			if c, err = pkcs11.StartCompanion(t.cfg.Program, t.cfg.Stderr); err != nil {
				return nil, fmt.Errorf("%w: %w", authority.ErrUnavailable, err)
			}
		}
		resp, final, err := c.Custody(ctx, req)
		if err == nil {
			return resp, nil
		}
		c.Close()
		c = nil
		err = fmt.Errorf("%w: %w", authority.ErrUnavailable, err)
		if final {
			t.mu.Lock()
			t.refused = err
			t.mu.Unlock()
		}
		if final || fresh || ctx.Err() != nil {
			return nil, err
		}
	}
}

// signer signs with a key in the token.
type signer struct {
	token  *Token
	id     []byte
	public crypto.PublicKey
	der    []byte
}

func (s *signer) Public() crypto.PublicKey { return s.public }

// Sign makes one signature: PKCS#1 v1.5 with an RSA key.
func (s *signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if _, pss := opts.(*rsa.PSSOptions); pss {
		return nil, errors.New("hsm: PSS signatures are not supported")
	}
	resp, err := s.token.call(patience, &wire.Custody{Do: wire.CustodySign, ID: s.id, Public: s.der, Hash: opts.HashFunc().String(), Digest: digest})
	if err != nil {
		return nil, err
	}
	return resp.Signature, nil
}
