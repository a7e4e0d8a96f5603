// Package tpm is the key source for keys that a TPM 2.0 holds: TSS2 PRIVATE KEY files (loadable keys) and persistent
// handles.
//
// It speaks the few commands it needs itself (TPM 2.0 Library, part 3: CreatePrimary, Load, ReadPublic, Sign,
// FlushContext) to a device, a resource manager or a Unix socket, so that the client carries no TPM library. It creates
// no keys, and it refuses keys that need a policy, sealed and importable ones. The TPM is open only while it is used, and
// every object that was loaded is flushed again; one signature is made per Sign.
// Start with [Device]; tss2.go reads key files, public.go public areas, command.go builds commands, transport.go sends them.
package tpm

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/keysource"
)

// HandlePrefix begins the names of persistent keys: handle:0x81000001.
const HandlePrefix = "handle:"

// patience bounds everything that one call does at the TPM. RSA primaries take seconds on slow ones.
const patience = time.Minute

// Device is a TPM and how to use its keys.
type Device struct {
	// Path of a device file or a Unix socket. Empty: /dev/tpmrm0, the kernel's resource manager, else /dev/tpm0.
	Path string
	// Password gives the key's authorisation. nil: none was given.
	Password func() ([]byte, error)
	// NoPassword says that the key has an empty one.
	NoPassword bool
}

// Source is a persistent key with a certificate from elsewhere.
type Source struct {
	Device
	Handle       string                                                 // handle:0x81… or the number alone
	Certificates func(ctx context.Context) ([]*x509.Certificate, error) // the leaf first
}

var _ keysource.Source = (*Source)(nil)

// Load reads the certificates and the public key.
func (s *Source) Load(ctx context.Context) (*keysource.Identity, error) {
	certs, err := s.Certificates(ctx)
	if err != nil {
		return nil, err
	}
	signer, err := s.Persistent(ctx, s.Handle)
	if err != nil {
		return nil, err
	}
	return keysource.New(signer, certs[0], certs[1:])
}

// Persistent gives the signer of a persistent key, whose public part is read from the TPM.
func (d *Device) Persistent(ctx context.Context, name string) (crypto.Signer, error) {
	n, err := parseHandle(name)
	if err != nil {
		return nil, err
	}
	if d.Password == nil && !d.NoPassword {
		return nil, keysource.Errorf("pass --no-tpm-key-password if it has none, else --tpm-key-password-file FILE, or -env, -fd or -prompt instead of -file",
			"the TPM key %s may have a password and none was given", name)
	}
	c, err := dial(ctx, d.Path)
	if err != nil {
		return nil, err
	}
	defer c.close()
	area, err := c.readPublic(n)
	if err != nil {
		return nil, err
	}
	pub, err := parsePublic(area)
	if err != nil {
		return nil, err
	}
	if err := pub.usable(); err != nil {
		return nil, err
	}
	return &signer{device: *d, persistent: n, public: pub}, nil
}

// Key gives the signer of a loadable key, from the DER of its file. The TPM is not asked before the first signature.
func (d *Device) Key(_ context.Context, der []byte) (crypto.Signer, error) {
	k, err := parseKey(der)
	if err != nil {
		return nil, err
	}
	if !k.emptyAuth && d.Password == nil && !d.NoPassword {
		return nil, keysource.Errorf("pass --tpm-key-password-file FILE, or -env, -fd or -prompt instead of -file", "the TPM key has a password and none was given")
	}
	return &signer{device: *d, key: k, public: k.public}, nil
}

func parseHandle(name string) (handle, error) {
	text := strings.TrimPrefix(strings.ToLower(strings.TrimPrefix(name, HandlePrefix)), "0x")
	n, err := strconv.ParseUint(text, 16, 32)
	if err != nil || handle(n)>>24 != rangePersistent {
		return 0, keysource.Errorf("write handle:0x81000001, as tpm2_getcap handles-persistent shows them", "%q is not a persistent TPM handle", name)
	}
	return handle(n), nil
}

// password gives the authorisation value of the key.
func (d *Device) password(key *key) ([]byte, error) {
	if key != nil && key.emptyAuth || d.NoPassword || d.Password == nil {
		return nil, nil
	}
	b, err := d.Password()
	if err != nil {
		return nil, fmt.Errorf("password of the TPM key: %w", err)
	}
	if len(b) > maxAuth {
		return nil, keysource.Errorf("", "the password of the TPM key is longer than %d bytes", maxAuth)
	}
	return []byte(strings.TrimRight(string(b), "\x00")), nil // part 1 §19.6.4.3: trailing zeros do not count
}
