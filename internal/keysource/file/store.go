package file

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rolecall/rolecall/internal/keysource"
	"github.com/rolecall/rolecall/internal/keysource/selector"
)

// maxStoreFiles bounds how many files of a folder are read.
const maxStoreFiles = 256

// Store is a folder, or one file, with several certificates and their keys, of which a selector chooses one: what the
// certificate stores of Windows and macOS are there. Files that are neither certificate nor key are left out, and so are
// sub-folders. A certificate counts if its private key is there too; its chain is put together from the others.
type Store struct {
	Path     string
	Selector *selector.Selector // nil: any certificate
	Latest   bool               // of several that fit take the one that expires last

	Password func() ([]byte, error)                                       // as in Source; keys that it does not open are left out
	TPMKey   func(ctx context.Context, der []byte) (crypto.Signer, error) // as in Source
}

var _ keysource.Source = (*Store)(nil)

// storeKey is a private key that was found.
type storeKey struct {
	signer crypto.Signer
	file   *contents
}

// Load reads everything and chooses.
func (s *Store) Load(ctx context.Context) (*keysource.Identity, error) {
	certs, where, keys, notes, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	candidates, owners := pairs(certs, where, keys)
	i, err := s.Selector.Select(candidates, s.Latest)
	if err != nil {
		if len(candidates) == 0 {
			return nil, s.nothing(len(certs), len(keys), notes)
		}
		return nil, err
	}
	leaf := candidates[i].Certificate
	id, err := keysource.New(owners[i].signer, leaf, keysource.Issuers(leaf, certs))
	if err != nil {
		return nil, err
	}
	if w := openness(owners[i].file.path, owners[i].file.mode); w != "" {
		id.Warn(w)
	}
	return id, nil
}

// List gives the certificates that Load would choose from and the selector fits.
func (s *Store) List(ctx context.Context) ([]selector.Candidate, error) {
	certs, where, keys, _, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	candidates, _ := pairs(certs, where, keys)
	return slices.DeleteFunc(candidates, func(c selector.Candidate) bool {
		_, err := s.Selector.Select([]selector.Candidate{c}, false)
		return err != nil
	}), nil
}

// Pair is a certificate and the file with its private key.
type Pair struct {
	selector.Candidate
	Key string
}

// Pairs gives every certificate with its private key that is there. Selector and Latest do not count.
func (s *Store) Pairs(ctx context.Context) ([]Pair, error) {
	certs, where, keys, _, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	candidates, owners := pairs(certs, where, keys)
	list := make([]Pair, len(candidates))
	for i, c := range candidates {
		list[i] = Pair{c, owners[i].file.path}
	}
	return list, nil
}

func pairs(certs []*x509.Certificate, where []string, keys []storeKey) (candidates []selector.Candidate, owners []storeKey) {
	for i, c := range certs {
		for _, k := range keys {
			if keysource.SamePublicKey(k.signer.Public(), c.PublicKey) {
				candidates = append(candidates, selector.Candidate{Certificate: c, Where: where[i]})
				owners = append(owners, k)
				break
			}
		}
	}
	return candidates, owners
}

func (s *Store) nothing(certs, keys int, notes []string) error {
	hint := "put the certificates and their private keys there"
	if len(notes) > 0 {
		hint = "left out: " + strings.Join(notes[:min(len(notes), 5)], "; ")
	}
	return keysource.Errorf(hint, "no matching identities: none of %d certificates in %s has its private key among the %d there", certs, s.Path, keys)
}

// read gives the distinct certificates, where each was found, the keys, and why some were left out.
func (s *Store) read(ctx context.Context) (certs []*x509.Certificate, where []string, keys []storeKey, notes []string, err error) {
	paths, folder, err := s.files()
	if err != nil {
		return nil, nil, nil, nil, err
	}
	for _, path := range paths {
		if err := ctx.Err(); err != nil {
			return nil, nil, nil, nil, err
		}
		c, found, problems, err := s.readFile(ctx, path)
		if err != nil && !folder {
			return nil, nil, nil, nil, err
		}
		if err != nil {
			problems = append(problems, err.Error())
		}
		notes, keys = append(notes, problems...), append(keys, found...)
		if c == nil {
			continue
		}
		for _, cert := range c.certificates {
			if !slices.ContainsFunc(certs, cert.Equal) {
				certs, where = append(certs, cert), append(where, path)
			}
		}
	}
	return certs, where, keys, notes, nil
}

func (s *Store) files() (paths []string, folder bool, err error) {
	info, err := os.Stat(s.Path)
	if err != nil {
		return nil, false, fileError("certificate store", s.Path, err)
	}
	if !info.IsDir() {
		return []string{s.Path}, false, nil
	}
	entries, err := os.ReadDir(s.Path)
	if err != nil {
		return nil, false, fileError("certificate store", s.Path, err)
	}
	for _, e := range entries {
		switch strings.ToLower(filepath.Ext(e.Name())) {
		case ".pem", ".crt", ".cer", ".cert", ".der", ".key", ".p12", ".pfx", ".tss":
			if e.Type()&^fs.ModeSymlink == 0 { // a regular file or a link; not a pipe, which would block
				paths = append(paths, filepath.Join(s.Path, e.Name()))
			}
		}
	}
	if len(paths) > maxStoreFiles {
		return nil, false, keysource.Errorf("name a folder with fewer files", "%s holds more than %d certificate and key files", s.Path, maxStoreFiles)
	}
	return paths, true, nil
}

// readFile gives what a file holds: keys that cannot be used become problems.
func (s *Store) readFile(ctx context.Context, path string) (c *contents, keys []storeKey, problems []string, err error) {
	data, mode, err := readBounded(path)
	if err != nil {
		return nil, nil, nil, fileError("store", path, err)
	}
	c = &contents{parsed: &parsed{many: true}, path: path, mode: mode}
	if err := c.read(data); err != nil {
		return nil, nil, nil, inFile(path, err)
	}
	add := func(signer crypto.Signer, err error) {
		if err != nil {
			problems = append(problems, err.Error())
			return
		}
		keys = append(keys, storeKey{signer, c})
	}
	src := &Source{Certificate: path, Password: s.Password, TPMKey: s.TPMKey}
	if c.pkcs12 != nil {
		add(src.openPKCS12(ctx, c))
	}
	if c.tss2 != nil {
		add(src.signer(ctx, c))
	}
	for _, k := range c.keys {
		one := *c.parsed
		one.key, one.tss2, one.pkcs12 = k, nil, nil
		add(src.signer(ctx, &contents{parsed: &one, path: path, mode: mode}))
	}
	if ctx.Err() != nil {
		return nil, nil, nil, fmt.Errorf("%s: %w", path, ctx.Err())
	}
	return c, keys, problems, nil
}
