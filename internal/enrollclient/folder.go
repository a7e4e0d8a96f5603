package enrollclient

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/userfile"
)

// Pair is a key with its certificate and what is above it.
type Pair struct {
	Key   crypto.Signer
	Leaf  *x509.Certificate
	Above []*x509.Certificate
}

// matches reports whether the certificate is of the key.
func (p *Pair) matches() bool {
	pub, ok := p.Leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return ok && pub.Equal(p.Key.Public())
}

// ErrNone means that there is no pair yet.
var ErrNone = errors.New("there is no certificate yet")

// newPair makes sure that the pair works: the certificate is of the key, in force, and its chain leads to the last issuer.
func newPair(key crypto.Signer, leaf *x509.Certificate, above []*x509.Certificate, now time.Time) (*Pair, error) {
	if pair := (&Pair{Key: key, Leaf: leaf}); !pair.matches() {
		return nil, errors.New("the certificate that was issued is not of the key that was made")
	}
	if len(above) == 0 {
		return nil, errors.New("the issuer's own certificates are not known")
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	for _, c := range above {
		// An issuing CA without a self-signed one above it is the end of what is known.
		roots.AddCert(c)
		between.AddCert(c)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return nil, fmt.Errorf("the certificate that was issued does not verify: %w", err)
	}
	longest := chains[0]
	for _, c := range chains {
		if len(c) > len(longest) {
			longest = c
		}
	}
	return &Pair{key, leaf, longest[1:]}, nil
}

// Folder holds the pair: cert.pem with the certificate and what is above it, and key.pem, 0600. Both are links into the
// folder that "current" leads to, so that one rename changes both: who looks after a crash finds a pair that works.
type Folder struct{ Path string }

// The names in a folder.
const (
	CertificateFile = "cert.pem"
	KeyFile         = "key.pem"
	current         = "current"
	pairPrefix      = "pair-"
)

const maxFile = 256 << 10

func (f Folder) lock(ctx context.Context) (func(), error) {
	if err := os.MkdirAll(f.Path, 0o755); err != nil {
		return nil, err
	}
	l, err := userfile.Acquire(ctx, filepath.Join(f.Path, ".lock"))
	if err != nil {
		return nil, err
	}
	return l.Release, nil
}

// Load reads the pair. [ErrNone] means that there is none.
func (f Folder) Load() (*Pair, error) {
	for n := 0; ; n++ {
		// One look at "current": the pair is of one moment.
		dir, err := os.Readlink(filepath.Join(f.Path, current))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, f.empty()
		}
		if err != nil {
			return nil, err
		}
		p, err := f.read(dir)
		if now, _ := os.Readlink(filepath.Join(f.Path, current)); n < 3 && errors.Is(err, fs.ErrNotExist) && now != dir {
			continue // renewed twice since
		}
		return p, err
	}
}

// empty is [ErrNone], or an error if something else is in the place of the pair.
func (f Folder) empty() error {
	for _, name := range []string{CertificateFile, KeyFile} {
		if info, err := os.Lstat(filepath.Join(f.Path, name)); err == nil && info.Mode().IsRegular() {
			return &Error{Problem: fmt.Sprintf("%s is there and was not made by enroll", filepath.Join(f.Path, name)), Advice: "move it away, or name another folder", Permanent: true}
		}
	}
	return ErrNone
}

func (f Folder) read(dir string) (*Pair, error) {
	p := &Pair{}
	keyText, _, err := userfile.Read(filepath.Join(f.Path, dir, KeyFile), maxFile)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(keyText)
	if block == nil {
		return nil, fmt.Errorf("%s holds no key", filepath.Join(f.Path, KeyFile))
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s holds no key", filepath.Join(f.Path, KeyFile))
	}
	var ok bool
	if p.Key, ok = key.(crypto.Signer); !ok {
		return nil, fmt.Errorf("the key in %s cannot sign", filepath.Join(f.Path, KeyFile))
	}
	text, _, err := userfile.Read(filepath.Join(f.Path, dir, CertificateFile), maxFile)
	if err != nil {
		return nil, err
	}
	list, err := parsePEM(text)
	if err != nil || len(list) == 0 {
		return nil, fmt.Errorf("%s holds no certificate", filepath.Join(f.Path, CertificateFile))
	}
	p.Leaf, p.Above = list[0], list[1:]
	if !p.matches() {
		return nil, &Error{
			Problem: fmt.Sprintf("the key and the certificate in %s do not belong together", f.Path),
			Advice:  "somebody else has changed them: restore both, or enroll into another folder", Permanent: true,
		}
	}
	return p, nil
}

func parsePEM(text []byte) (list []*x509.Certificate, err error) {
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return list, nil
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
}

// store puts the pair in place.
func (f Folder) store(p *Pair) error {
	der, err := x509.MarshalPKCS8PrivateKey(p.Key)
	if err != nil {
		return err
	}
	name := pairPrefix + strconv.FormatInt(time.Now().UnixNano(), 10)
	dir := filepath.Join(f.Path, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	var text []byte
	for _, c := range append([]*x509.Certificate{p.Leaf}, p.Above...) {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	err = userfile.Replace(filepath.Join(dir, KeyFile), key, 0o600, nil)
	if err == nil {
		err = userfile.Replace(filepath.Join(dir, CertificateFile), text, 0o644, nil)
	}
	if err == nil {
		err = f.link(name, current)
	}
	for _, file := range []string{CertificateFile, KeyFile} {
		if err == nil {
			err = f.link(filepath.Join(current, file), file)
		}
	}
	if err != nil {
		return errors.Join(err, f.clean())
	}
	return f.clean()
}

// link makes name lead to target, in one step, if it does not yet.
func (f Folder) link(target, name string) error {
	path := filepath.Join(f.Path, name)
	if have, err := os.Readlink(path); err == nil && have == target {
		return nil
	}
	return userfile.Link(target, path)
}

// clean removes pairs that nothing leads to, but for the newest of them: somebody may be reading it.
func (f Folder) clean() error {
	keep, err := os.Readlink(filepath.Join(f.Path, current))
	if err != nil {
		return nil //nolint:nilerr // nothing is in place, nothing can be told apart
	}
	entries, err := os.ReadDir(f.Path) // by name, which is by age
	if err != nil {
		return err
	}
	var old []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), pairPrefix) && e.Name() != keep {
			old = append(old, e.Name())
		}
	}
	for i := 0; i+1 < len(old); i++ {
		err = errors.Join(err, os.RemoveAll(filepath.Join(f.Path, old[i])))
	}
	return err
}
