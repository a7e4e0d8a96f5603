package tlsca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"path/filepath"
	"time"

	"github.com/rolecall/rolecall/internal/keyring/privatefile"
)

// issueCA signs the CA's certificate for key and writes it. Its name depends on the key alone.
func issueCA(dir string, key *ecdsa.PrivateKey, now time.Time) (*authority, error) {
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("issue TLS CA: %w", err)
	}
	id := sha256.Sum256(spki)
	tmpl := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: "rolecall TLS CA " + hex.EncodeToString(id[:4])},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(CALife),
		KeyUsage:              x509.KeyUsageCertSign, // it issues no CRL
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
		SubjectKeyId:          id[:20], // RFC 7093 §2 method 1: the leftmost 160 bits of SHA-256
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("issue TLS CA: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("issue TLS CA: %w", err)
	}
	if err := privatefile.WriteMode(filepath.Join(dir, CAFile), certPEM(der), 0o644); err != nil {
		return nil, fmt.Errorf("issue TLS CA: %w", err)
	}
	return &authority{cert: cert, key: key}, nil
}

// issueServer makes a new key and certificate and writes both. A crash between the two leaves a pair that does not
// fit, which the next Ensure replaces.
func issueServer(dir string, ca *authority, hosts hostSet, now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("issue server certificate: %w", err)
	}
	notAfter := now.Add(ServerLife)
	if notAfter.After(ca.cert.NotAfter) {
		notAfter = ca.cert.NotAfter
	}
	tmpl := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: "rolecalld"},
		NotBefore:    now.Add(-backdate),
		NotAfter:     notAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     hosts.names,
		IPAddresses:  hosts.ips(),
		// RFC 5280 §4.2.1.9: an end entity needs none of basicConstraints.
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("issue server certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("issue server certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("issue server certificate: %w", err)
	}
	if err := privatefile.Write(filepath.Join(dir, ServerKeyFile), keyPEM(keyDER)); err != nil {
		return tls.Certificate{}, err
	}
	if err := privatefile.Write(filepath.Join(dir, ServerFile), certPEM(der)); err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// createKey makes the CA's key. If another process is faster, its key is the one.
func createKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("create TLS CA: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("create TLS CA: %w", err)
	}
	switch err := privatefile.Create(path, keyPEM(der)); {
	case errors.Is(err, fs.ErrExist):
		return loadKey(path)
	case err != nil:
		return nil, fmt.Errorf("create TLS CA: %w", err)
	}
	return key, nil
}

func loadKey(path string) (*ecdsa.PrivateKey, error) {
	data, _, err := privatefile.Read(path, maxFile)
	if err != nil {
		return nil, err
	}
	der, err := onePEM(data, "PRIVATE KEY")
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, path, err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: not a PKCS #8 key", ErrDamaged, path)
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok || ec.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: %s: not a P-256 key", ErrDamaged, path)
	}
	return ec, nil
}

// onePEM is the content of a file with exactly one block of the kind.
func onePEM(data []byte, kind string) ([]byte, error) {
	block, rest := pem.Decode(data)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("no PEM block %q", kind)
	}
	if more, _ := pem.Decode(rest); more != nil {
		return nil, errors.New("more than one PEM block")
	}
	return block.Bytes, nil
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func keyPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// serial is 127 random bits, positive and never zero. RFC 5280 §4.1.2.2
func serial() *big.Int {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand documents that it ends the program instead
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b[:])
}
