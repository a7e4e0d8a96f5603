// Package file is the key source for keys and certificates in files: PEM or DER, apart or combined in one file, the key
// plain (PKCS#8, SEC1, PKCS#1) or encrypted (PKCS#8 with PBES2).
//
// It does not read PKCS#12, and it never falls back to another source. Every file is read once per [Source.Load], so key
// and certificate of a combined file always belong to the same state of it, and a pipe works as well as a file.
// Start with [Source]; parse.go splits bytes into keys and certificates, key.go reads a key, pbes2.go decrypts one.
package file

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"

	"github.com/rolecall/rolecall/internal/keysource"
)

// maxFile bounds every file that is read, in bytes.
const maxFile = 1 << 20

// Source reads an identity from files. The zero value names none; Load says which one is missing.
type Source struct {
	Certificate   string // the end-entity certificate first; further certificates in it are the chain
	PrivateKey    string // empty: the key is in the Certificate file
	Intermediates string // a bundle of PEM certificates (or one DER certificate) to add to the chain; may be empty

	// Password gives the password of an encrypted key. It is called only when one is needed, at most once per Load.
	// nil: an encrypted key is an error.
	Password func() ([]byte, error)
}

var _ keysource.Source = (*Source)(nil)

// Load reads the files and checks that key and certificate belong together.
func (s *Source) Load(ctx context.Context) (*keysource.Identity, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	certs, err := read(s.Certificate, "certificate")
	if err != nil {
		return nil, err
	}
	if len(certs.certificates) == 0 {
		return nil, keysource.Errorf("pass a PEM or DER certificate to --certificate", "no certificate in %s", s.Certificate)
	}
	key := certs
	if s.PrivateKey != "" && s.PrivateKey != s.Certificate {
		if key, err = read(s.PrivateKey, "private key"); err != nil {
			return nil, err
		}
	}
	signer, err := s.signer(key)
	if err != nil {
		return nil, err
	}
	chain := certs.certificates[1:]
	if s.Intermediates != "" {
		more, err := s.intermediates()
		if err != nil {
			return nil, err
		}
		chain = append(chain[:len(chain):len(chain)], more...)
	}
	id, err := keysource.New(signer, certs.certificates[0], chain)
	if err != nil {
		return nil, err
	}
	if w := openness(key.path, key.mode); w != "" {
		id.Warn(w)
	}
	return id, nil
}

// LoadCertificates reads the certificates of a file; the first one is the end-entity certificate. There is at least one.
func LoadCertificates(path string) ([]*x509.Certificate, error) {
	c, err := read(path, "certificate")
	if err != nil {
		return nil, err
	}
	if len(c.certificates) == 0 {
		return nil, keysource.Errorf("pass a PEM or DER certificate to --certificate", "no certificate in %s", path)
	}
	return c.certificates, nil
}

// contents is one file, parsed.
type contents struct {
	*parsed
	path string
	mode fs.FileMode // of the open file, so that mode and bytes are of the same one
}

func read(path, what string) (*contents, error) {
	if path == "" {
		return nil, keysource.Errorf("pass --certificate FILE, and --private-key FILE if the key is not in the same file", "no %s given", what)
	}
	data, mode, err := readBounded(path)
	if err != nil {
		return nil, fileError(what, path, err)
	}
	p, err := parse(data)
	if err != nil {
		return nil, inFile(path, err)
	}
	return &contents{parsed: p, path: path, mode: mode}, nil
}

func (s *Source) intermediates() ([]*x509.Certificate, error) {
	data, _, err := readBounded(s.Intermediates)
	if err != nil {
		return nil, fileError("intermediates", s.Intermediates, err)
	}
	if len(data) == 0 {
		return nil, nil // as the official helper: an empty bundle is no chain
	}
	p, err := parse(data)
	if err != nil {
		return nil, inFile(s.Intermediates, err)
	}
	if p.key != nil {
		return nil, keysource.Errorf("keep only certificates in the --intermediates file", "private key among the certificates of %s", s.Intermediates)
	}
	return p.certificates, nil
}

func (s *Source) signer(c *contents) (crypto.Signer, error) {
	if c.key == nil {
		if c.path == s.Certificate {
			return nil, keysource.Errorf("pass --private-key FILE", "no private key in %s", c.path)
		}
		return nil, keysource.Errorf("pass the file that holds the key to --private-key", "no private key in %s", c.path)
	}
	var password []byte
	if c.key.encrypted {
		if s.Password == nil {
			return nil, keysource.Errorf("pass --pkcs8-password, or decrypt the key with: openssl pkey -in KEY -out NEWKEY",
				"the private key in %s is encrypted and no password was given", c.path)
		}
		var err error
		if password, err = s.Password(); err != nil {
			return nil, fmt.Errorf("password of the private key: %w", err)
		}
	}
	signer, err := c.key.signer(password)
	if err != nil {
		return nil, inFile(c.path, err)
	}
	return signer, nil
}

// readBounded reads a file of at most maxFile bytes, and its mode.
func readBounded(path string) ([]byte, fs.FileMode, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	if info.IsDir() {
		return nil, 0, errors.New("it is a folder")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, 0, err
	}
	if len(data) > maxFile {
		return nil, 0, fmt.Errorf("it is larger than %d bytes", maxFile)
	}
	return data, info.Mode(), nil
}

// openness says in words that a key file is too open, or "". A group that may read it is a common set-up and passes.
func openness(path string, mode fs.FileMode) string {
	if runtime.GOOS == "windows" || !mode.IsRegular() {
		return "" // Windows modes say nothing about access; a pipe's is not a file's
	}
	switch {
	case mode&0o004 != 0:
		return fmt.Sprintf("the private key file %s can be read by every user (mode %04o): chmod 600 it", path, mode.Perm())
	case mode&0o022 != 0:
		return fmt.Sprintf("the private key file %s can be changed by other users (mode %04o): chmod 600 it", path, mode.Perm())
	}
	return ""
}

func fileError(what, path string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err // the path is named once
	}
	advice := ""
	switch {
	case errors.Is(err, fs.ErrNotExist):
		advice = "check the path"
	case errors.Is(err, fs.ErrPermission):
		advice = "let the user who runs this read the file"
	}
	return keysource.Errorf(advice, "cannot read the %s file %s: %w", what, path, err)
}

func inFile(path string, err error) error {
	var e *keysource.Error
	if errors.As(err, &e) {
		return &keysource.Error{Problem: path + ": " + e.Problem, Advice: e.Advice, Cause: e.Cause}
	}
	return fmt.Errorf("%s: %w", path, err)
}
