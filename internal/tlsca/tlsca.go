// Package tlsca is the server's own TLS identity for a deployment without one: a small CA in the data folder and a
// server certificate under it, so that HTTPS works from the first start and clients need to trust one file,
// tls-ca.pem.
//
// It is not the CA that workloads get certificates from, and nothing that it signs is accepted as a client's
// identity. The CA certificate may sign TLS servers only (extended key usage) and no further CAs (path length 0). It
// has no name constraints: clients hold on to tls-ca.pem for years while the names that the server listens on change,
// and a constraint could not follow them. Keep it out of system-wide trust stores; AWS_CA_BUNDLE is its place.
//
// Start with [Ensure]; [Reloader] serves a certificate that is renewed while the server runs.
package tlsca

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/rolecall/rolecall/internal/keyring/privatefile"
)

// The files in the data folder.
const (
	CAFile        = "tls-ca.pem" // mode 0644: clients may read it
	CAKeyFile     = "tls-ca.key"
	ServerFile    = "tls-server.pem"
	ServerKeyFile = "tls-server.key"
)

// Lives. A certificate is renewed when less than a third of its life is left.
const (
	CALife     = 10 * 365 * 24 * time.Hour
	ServerLife = 90 * 24 * time.Hour
	backdate   = time.Hour // so that clients whose clocks are behind accept a new certificate
	maxFile    = 64 << 10
)

var (
	// ErrKeyMissing is wrapped when the CA's key is needed and is not there.
	ErrKeyMissing = errors.New("the key of the TLS CA is missing")
	// ErrDamaged is wrapped when a file of the CA is not what it should be. Nothing is replaced in that case: clients
	// trust the CA that is there.
	ErrDamaged = errors.New("the TLS CA is damaged")
	// ErrHost is wrapped for a host that no certificate can name.
	ErrHost = errors.New("not a host name or IP address")
)

// Ensure makes sure that dir holds a TLS CA and a server certificate under it for localhost, 127.0.0.1, ::1 and hosts
// (DNS names and IP addresses), valid at now, and returns the path of the CA certificate and the server's
// certificate. created says that the CA is new. The server certificate is issued anew with a new key when a third of
// its life is left, when it lacks one of the hosts, or when it does not fit the CA or its key. Names that it already
// has are kept only until then. Keys are P-256.
func Ensure(dir string, hosts []string, now time.Time) (caPath string, cert tls.Certificate, created bool, err error) {
	caPath = filepath.Join(dir, CAFile)
	want, err := parseHosts(hosts)
	if err != nil {
		return caPath, tls.Certificate{}, false, err
	}
	ca, created, err := ensureCA(dir, now)
	if err != nil {
		return caPath, tls.Certificate{}, false, err
	}
	if cert, ok := loadServer(dir, ca, want, now); ok {
		return caPath, cert, created, nil
	}
	if ca.key == nil {
		return caPath, tls.Certificate{}, created, fmt.Errorf("%w: %s: put it back, or move %s away to make a new CA that clients "+
			"must then trust anew", ErrKeyMissing, filepath.Join(dir, CAKeyFile), caPath)
	}
	cert, err = issueServer(dir, ca, want, now)
	return caPath, cert, created, err
}

// authority is the CA. key is nil if its file is gone, which matters only when something must be signed.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// ensureCA loads the CA or makes one. The key is written first, so that a crash in between leaves a key that the next
// start makes the certificate for, never a certificate without its key.
func ensureCA(dir string, now time.Time) (ca *authority, created bool, err error) {
	key, err := loadKey(filepath.Join(dir, CAKeyFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, false, err
	}
	cert, err := loadCA(filepath.Join(dir, CAFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if key == nil {
			if key, err = createKey(filepath.Join(dir, CAKeyFile)); err != nil {
				return nil, false, err
			}
		}
		ca, err = issueCA(dir, key, now)
		return ca, err == nil, err
	case err != nil:
		return nil, false, err
	}
	ca = &authority{cert: cert, key: key}
	if key == nil {
		return ca, false, nil
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, false, fmt.Errorf("%w: %s is not the key of %s", ErrDamaged, CAKeyFile, CAFile)
	}
	if lifeLeft(cert, now) {
		return ca, false, nil
	}
	// The same key and name again: clients that hold the older certificate go on accepting what the newer one signed.
	ca, err = issueCA(dir, key, now)
	return ca, false, err
}

func loadCA(path string) (*x509.Certificate, error) {
	data, err := readPublic(path)
	if err != nil {
		return nil, err
	}
	der, err := onePEM(data, "CERTIFICATE")
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, path, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, path, err)
	}
	if !cert.IsCA || !cert.BasicConstraintsValid || cert.CheckSignatureFrom(cert) != nil {
		return nil, fmt.Errorf("%w: %s: not a self-signed CA certificate", ErrDamaged, path)
	}
	return cert, nil
}

// loadServer is the certificate in dir if it will do.
func loadServer(dir string, ca *authority, want hostSet, now time.Time) (tls.Certificate, bool) {
	certPEM, err := readPublic(filepath.Join(dir, ServerFile))
	if err != nil {
		return tls.Certificate{}, false
	}
	keyPEM, _, err := privatefile.Read(filepath.Join(dir, ServerKeyFile), maxFile)
	if err != nil {
		return tls.Certificate{}, false
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM) // compares key and certificate too
	if err != nil || pair.Leaf == nil {
		return tls.Certificate{}, false
	}
	leaf := pair.Leaf
	if leaf.CheckSignatureFrom(ca.cert) != nil || now.Before(leaf.NotBefore) || !now.Before(leaf.NotAfter) || !want.coveredBy(leaf) {
		return tls.Certificate{}, false
	}
	if !lifeLeft(leaf, now) && ca.key != nil { // without the CA's key it serves to its last day
		return tls.Certificate{}, false
	}
	return pair, true
}

// lifeLeft says whether more than a third of a certificate's life lies ahead.
func lifeLeft(c *x509.Certificate, now time.Time) bool {
	return c.NotAfter.Sub(now) > c.NotAfter.Sub(c.NotBefore)/3
}

// readPublic reads a file without a secret in it, so any mode will do.
func readPublic(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("%w: %s: want a regular file of at most %d bytes", ErrDamaged, path, maxFile)
	}
	return os.ReadFile(path)
}
