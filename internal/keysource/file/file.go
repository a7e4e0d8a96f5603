// Package file is the key source for keys and certificates in files: PEM or DER, apart or combined in one file, the key
// plain (PKCS#8, SEC1, PKCS#1) or encrypted (PKCS#8 with PBES2).
//
// It recognises PKCS#12 files and keys that a TPM holds, which packages pkcs12 and tpm read. It never falls back to
// another source. Every file is read once per [Source.Load] (again if key and certificate do not match and were replaced), so
// key and certificate of a combined file always belong to the same state of it, and a pipe works as well as a file.
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
	"github.com/rolecall/rolecall/internal/keysource/pkcs12"
	"github.com/rolecall/rolecall/internal/userfile"
)

// maxFile bounds every file that is read, in bytes.
const maxFile = 1 << 20

// Source reads an identity from files. The zero value names none; Load says which one is missing.
type Source struct {
	Certificate   string // the end-entity certificate first; further certificates in it are the chain
	PrivateKey    string // empty: the key is in the Certificate file
	Intermediates string // a bundle of PEM certificates (or one DER certificate) to add to the chain; may be empty

	// Password gives the password of an encrypted key. It is called only when one is needed, at most once per Load.
	// nil: an encrypted key is an error, and a PKCS#12 file must have an empty password.
	Password func() ([]byte, error)

	// Stream gives the contents of what is named like a file and is none, such as standard input, or false. It gives the
	// same at every call and at most limit bytes. nil: everything is a file.
	Stream func(name string, limit int) (data []byte, ok bool, err error)

	// TPMKey turns the DER of a TSS2 PRIVATE KEY block into a signer. nil: such a key is an error.
	TPMKey func(ctx context.Context, der []byte) (crypto.Signer, error)
}

var _ keysource.Source = (*Source)(nil)

// Load reads the files and checks that key and certificate belong together. Two files that do not, and were replaced while
// they were read, are read again.
func (s *Source) Load(ctx context.Context) (*keysource.Identity, error) {
	for n := 0; ; n++ {
		before := s.states()
		id, err := s.load(ctx)
		if n == maxReadings || !errors.Is(err, keysource.ErrPair) || !replaced(before, s.states()) {
			return id, err
		}
	}
}

const maxReadings = 10

// states are those of the two files; nil for what is not a regular file and cannot be read again.
func (s *Source) states() (list [2]fs.FileInfo) {
	for i, path := range []string{s.Certificate, s.PrivateKey} {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			list[i] = info
		}
	}
	return list
}

func replaced(before, after [2]fs.FileInfo) (changed bool) {
	for i, a := range before {
		b := after[i]
		if a == nil || b == nil {
			return false
		}
		changed = changed || !os.SameFile(a, b) || a.Size() != b.Size() || !a.ModTime().Equal(b.ModTime())
	}
	return changed
}

func (s *Source) load(ctx context.Context) (*keysource.Identity, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	certs, err := s.read(s.Certificate, "certificate")
	if err != nil {
		return nil, err
	}
	key := certs
	var signer crypto.Signer
	if certs.pkcs12 != nil {
		if s.PrivateKey != "" && s.PrivateKey != s.Certificate {
			return nil, keysource.Errorf("pass the PKCS#12 file to --certificate alone", "%s is PKCS#12 and holds a private key, but --private-key names another one", s.Certificate)
		}
		if signer, err = s.openPKCS12(ctx, certs); err != nil {
			return nil, err
		}
	} else {
		if len(certs.certificates) == 0 {
			return nil, keysource.Errorf("pass a PEM or DER certificate to --certificate", "no certificate in %s", s.Certificate)
		}
		if s.PrivateKey != "" && s.PrivateKey != s.Certificate {
			if key, err = s.read(s.PrivateKey, "private key"); err != nil {
				return nil, err
			}
		}
		if signer, err = s.signer(ctx, key); err != nil {
			return nil, err
		}
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

// Certificates reads the certificates of the Certificate file and the Intermediates; the first one is the end-entity
// certificate. There is at least one.
func (s *Source) Certificates(ctx context.Context) ([]*x509.Certificate, error) {
	c, err := s.read(s.Certificate, "certificate")
	if err != nil {
		return nil, err
	}
	if c.pkcs12 != nil {
		if _, err := s.openPKCS12(ctx, c); err != nil {
			return nil, err
		}
	}
	if len(c.certificates) == 0 {
		return nil, keysource.Errorf("pass a PEM or DER certificate to --certificate", "no certificate in %s", s.Certificate)
	}
	if s.Intermediates == "" {
		return c.certificates, nil
	}
	more, err := s.intermediates()
	if err != nil {
		return nil, err
	}
	return append(c.certificates, more...), nil
}

// contents is one file, parsed.
type contents struct {
	*parsed
	path string
	mode fs.FileMode // of the open file, so that mode and bytes are of the same one
}

func (s *Source) read(path, what string) (*contents, error) {
	if path == "" {
		return nil, keysource.Errorf("pass --certificate FILE, and --private-key FILE if the key is not in the same file", "no %s given", what)
	}
	data, mode, err := s.bytes(path)
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
	data, _, err := s.bytes(s.Intermediates)
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
	if p.key != nil || p.pkcs12 != nil || p.tss2 != nil {
		return nil, keysource.Errorf("keep only certificates in the --intermediates file", "private key among the certificates of %s", s.Intermediates)
	}
	return p.certificates, nil
}

// openPKCS12 decrypts a PKCS#12 file, puts its certificates into c, the leaf first, and gives its key.
func (s *Source) openPKCS12(ctx context.Context, c *contents) (crypto.Signer, error) {
	var password []byte // the official helper knows only the empty one
	if s.Password != nil {
		var err error
		if password, err = s.Password(); err != nil {
			return nil, fmt.Errorf("password of the PKCS#12 file: %w", err)
		}
	}
	p, err := pkcs12.Decode(ctx, c.pkcs12, password)
	if errors.Is(err, pkcs12.ErrPassword) && s.Password == nil {
		return nil, &keysource.Error{Problem: "the PKCS#12 file " + c.path + " has a password and none was given", Advice: advicePassword, Cause: ErrNoPassword}
	}
	if err != nil {
		return nil, inFile(c.path, err)
	}
	c.certificates = append([]*x509.Certificate{p.Leaf}, p.Chain...)
	return p.Key, nil
}

// ErrNoPassword is the cause of the error about a key that is encrypted while the Source has no Password.
var ErrNoPassword = errors.New("a password is needed")

const advicePassword = "pass --pkcs8-password-file FILE, or -env, -fd or -prompt instead of -file"

func (s *Source) signer(ctx context.Context, c *contents) (crypto.Signer, error) {
	if c.tss2 != nil {
		if s.TPMKey == nil {
			return nil, keysource.Errorf("use a key in a file", "the key in %s is held by a TPM, which is not supported here", c.path)
		}
		signer, err := s.TPMKey(ctx, c.tss2)
		if err != nil {
			return nil, inFile(c.path, err)
		}
		return signer, nil
	}
	if c.pkcs12 != nil {
		return nil, keysource.Errorf("pass the PKCS#12 file to --certificate, without --private-key", "the private key file %s is PKCS#12", c.path)
	}
	if c.key == nil {
		if c.path == s.Certificate {
			return nil, keysource.Errorf("pass --private-key FILE", "no private key in %s", c.path)
		}
		return nil, keysource.Errorf("pass the file that holds the key to --private-key", "no private key in %s", c.path)
	}
	var password []byte
	if c.key.encrypted {
		if s.Password == nil {
			return nil, &keysource.Error{Problem: "the private key in " + c.path + " is encrypted and no password was given", Advice: advicePassword, Cause: ErrNoPassword}
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

// bytes reads a stream or a file.
func (s *Source) bytes(path string) ([]byte, fs.FileMode, error) {
	if s.Stream != nil {
		if data, ok, err := s.Stream(path, maxFile); ok || err != nil {
			return data, 0, err
		}
	}
	return readBounded(path)
}

// readBounded reads a file of at most maxFile bytes, and its mode.
func readBounded(path string) ([]byte, fs.FileMode, error) {
	f, err := userfile.Open(path)
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
