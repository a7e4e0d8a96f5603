// Package certstore takes key and certificate from the operating system's store: the certificate stores of Windows, with
// keys of CNG providers, and the keychains of macOS. It needs no cgo on either.
//
// Private keys never leave their store: it is asked for signatures. Where there is no such store, [Source.Load] says so.
// What is common to all systems, choosing, the chain, the check of every signature, is in this file, place.go and
// signer.go; store_windows.go and store_darwin.go hold the calls into the system behind the interface system, which the
// tests replace. Start with [Source].
package certstore

import (
	"context"
	"crypto/x509"
	"slices"

	"github.com/rolecall/rolecall/internal/keysource"
	"github.com/rolecall/rolecall/internal/keysource/selector"
)

// maxEntries bounds how many certificates of a store are read.
const maxEntries = 4096

// Source is a store of the system, of which a selector chooses one certificate.
type Source struct {
	Name     string             // as --system-store-name: MY, CurrentUser\MY, LocalMachine\MY …; empty: MY
	Selector *selector.Selector // nil: any certificate with a private key
	Latest   bool               // of several that fit take the one that expires last

	system system // nil: the system's own
}

var _ keysource.Source = (*Source)(nil)

// system is what the operating system offers. open gives an open store; its certificates are read once.
type system interface {
	open(p place) (store, error)
}

// store is an open store. close may be called while keys that it gave are in use.
type store interface {
	// entries are at most maxEntries certificates.
	entries() ([]entry, error)
	// issuers are further certificates, DER, that may belong into a chain.
	issuers() ([][]byte, error)
	// key opens the private key of the entry i.
	key(i int) (nativeKey, error)
	close()
}

// entry is a certificate of a store.
type entry struct {
	der    []byte
	hasKey bool // as far as the store knows without opening the key
}

// Load reads the store and chooses.
func (s *Source) Load(ctx context.Context) (*keysource.Identity, error) {
	st, p, err := s.open()
	if err != nil {
		return nil, err
	}
	defer st.close()
	candidates, indices, others, err := read(st, p)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	i, err := s.Selector.Select(candidates, s.Latest)
	if err != nil {
		return nil, err
	}
	leaf := candidates[i].Certificate
	if err := keysource.CheckCertificateKey(leaf); err != nil { // before a key is opened that nobody can use
		return nil, err
	}
	k, err := st.key(indices[i])
	if err != nil {
		return nil, err
	}
	more, err := st.issuers()
	if err != nil {
		k.close()
		return nil, err
	}
	for _, der := range more[:min(len(more), maxEntries)] {
		if c, err := x509.ParseCertificate(der); err == nil {
			others = append(others, c)
		}
	}
	id, err := keysource.New(newSigner(k, leaf), leaf, keysource.Issuers(leaf, others))
	if err != nil {
		k.close()
	}
	return id, err
}

// List gives the certificates that Load would choose from and the selector fits.
func (s *Source) List(context.Context) ([]selector.Candidate, error) {
	st, p, err := s.open()
	if err != nil {
		return nil, err
	}
	defer st.close()
	candidates, _, _, err := read(st, p)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(candidates, func(c selector.Candidate) bool {
		_, err := s.Selector.Select([]selector.Candidate{c}, false)
		return err != nil
	}), nil
}

func (s *Source) open() (store, place, error) {
	sys := s.system
	if sys == nil {
		var err error
		if sys, err = native(); err != nil {
			return nil, place{}, err
		}
	}
	p, err := parsePlace(s.Name)
	if err != nil {
		return nil, place{}, err
	}
	st, err := sys.open(p)
	return st, p, err
}

// read gives the certificates with a key, where each is among the entries, and all certificates. What Go cannot parse is
// left out, as it could not be sent either.
func read(st store, p place) (candidates []selector.Candidate, indices []int, all []*x509.Certificate, err error) {
	list, err := st.entries()
	if err != nil {
		return nil, nil, nil, err
	}
	for i, e := range list {
		c, err := x509.ParseCertificate(e.der)
		if err != nil || slices.ContainsFunc(candidates, func(have selector.Candidate) bool { return have.Certificate.Equal(c) }) {
			continue
		}
		all = append(all, c)
		if e.hasKey {
			candidates, indices = append(candidates, selector.Candidate{Certificate: c, Where: p.String()}), append(indices, i)
		}
	}
	return candidates, indices, all, nil
}
