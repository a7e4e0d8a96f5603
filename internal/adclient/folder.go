package adclient

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rolecall/rolecall/internal/userfile"
)

// Names inside of a template's folder.
const (
	CertFile  = "cert.pem"  // the certificate and its issuers below the root
	KeyFile   = "key.pem"   // PKCS #8, 0600
	ChainFile = "chain.pem" // the issuers, the root among them if it is known
)

// folder holds the certificates of all templates. FOLDER/NAME is a symbolic link to a folder of one certificate, so that
// key and certificate change in one step.
type folder string

// fileName makes a template's name fit for a file.
func fileName(template string) string {
	var b strings.Builder
	for i, c := range []byte(template) {
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '-' || c == '_' || c == '.' && i > 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// path is the link of a template.
func (f folder) path(template string) string { return filepath.Join(string(f), fileName(template)) }

// current is the template's certificate, nil if there is none that is usable.
func (f folder) current(template string) (*x509.Certificate, error) {
	dir := f.path(template)
	certPEM, _, err := userfile.Read(filepath.Join(dir, CertFile), maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	keyPEM, _, err := userfile.Read(filepath.Join(dir, KeyFile), maxFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, nil //nolint:nilerr // what does not fit together is replaced
	}
	return pair.Leaf, nil
}

// install puts a new certificate in the place of the old one, whose folder is kept until the next time: a program may be
// reading it.
func (f folder) install(template string, key crypto.Signer, leaf *x509.Certificate, chain []*x509.Certificate) error {
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	cert, issuers := encode(leaf), []byte(nil)
	for _, c := range chain {
		issuers = append(issuers, encode(c)...)
		if !selfSigned(c) {
			cert = append(cert, encode(c)...)
		}
	}
	link := f.path(template)
	old, err := os.Readlink(link)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is not what this program made: %w", link, err)
	}
	suffix := make([]byte, 8)
	rand.Read(suffix) //nolint:errcheck // it never fails
	prefix := "." + fileName(template) + "@"
	name := prefix + hex.EncodeToString(suffix)
	dir := filepath.Join(string(f), name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for _, file := range []struct {
		name string
		data []byte
	}{
		{KeyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})}, {CertFile, cert}, {ChainFile, issuers},
	} {
		if err := userfile.Replace(filepath.Join(dir, file.name), file.data, 0o600, nil); err != nil {
			return errors.Join(err, os.RemoveAll(dir))
		}
	}
	if err := userfile.Link(name, link); err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	return f.clean(prefix, name, old)
}

// clean removes what earlier certificates of the template left, but for the folders named.
func (f folder) clean(prefix string, keep ...string) error {
	entries, err := os.ReadDir(string(f))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), prefix) || e.Name() == keep[0] || e.Name() == keep[1] {
			continue
		}
		if err := os.RemoveAll(filepath.Join(string(f), e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func encode(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
