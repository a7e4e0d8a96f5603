// Package pkcs12 reads PKCS#12 files (RFC 7292): one private key, its certificate and the chain, protected by a password.
//
// It reads bytes, not files: package file recognises the format and hands the bytes over. It reads what OpenSSL 3 and
// current Windows write (AES, PBKDF2, SHA-256 MAC, PBMAC1) and what their predecessors wrote (3DES, RC2, SHA-1 MAC).
// It does not read BER with indefinite lengths, and it bounds the work that a file can ask for.
// Start with [Decode]; work.go bounds the work.
package pkcs12

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"strings"
	"time"

	gopkcs12 "software.sslmate.com/src/go-pkcs12"

	"github.com/rolecall/rolecall/internal/keysource"
)

// maxCertificates bounds how many certificates one file may hold.
const maxCertificates = 32

// patience bounds a decryption whose cost is hidden inside an encrypted part, where checkWork cannot see it.
const patience = 30 * time.Second

const (
	adviceExport = "export it again with: openssl pkcs12 -in FILE -out ALL.pem; openssl pkcs12 -export -in ALL.pem -out NEWFILE.p12"
	adviceOneKey = "export the certificate again with its private key, and only that key"
)

// Contents is what a file holds. The key is the leaf's.
type Contents struct {
	Key   crypto.Signer
	Leaf  *x509.Certificate
	Chain []*x509.Certificate // the other certificates in the file's order, never the leaf
}

// ErrPassword is the cause of the error about a wrong password.
var ErrPassword = errors.New("wrong password")

// Decode decrypts and checks a file. Errors never quote the password or the key.
func Decode(ctx context.Context, data, password []byte) (*Contents, error) {
	if err := checkWork(data, maxRounds); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	type result struct {
		c   *Contents
		err error
	}
	done := make(chan result, 1)
	go func() {
		c, err := decode(data, password)
		done <- result{c, err}
	}()
	select {
	case r := <-done:
		return r.c, r.err
	case <-ctx.Done():
		return nil, keysource.Errorf(adviceExport, "the PKCS#12 file takes too long to decrypt: %w", ctx.Err())
	}
}

func decode(data, password []byte) (*Contents, error) {
	key, first, others, err := gopkcs12.DecodeChain(data, string(password))
	if err != nil {
		return nil, explain(err)
	}
	certs := append([]*x509.Certificate{first}, others...)
	if len(certs) > maxCertificates {
		return nil, keysource.Errorf("keep only the certificates between the key's and the trust anchor's", "more than %d certificates in the PKCS#12 file", maxCertificates)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, keysource.Errorf(keysource.AdviceKeyKinds, "the private key in the PKCS#12 file cannot sign (%T)", key)
	}
	if err := keysource.CheckPublicKey(signer.Public()); err != nil {
		return nil, err
	}
	// The order of the bags says nothing (RFC 7292 §4.2): the leaf is the certificate of the key.
	c := &Contents{Key: signer}
	for _, cert := range certs {
		if c.Leaf == nil && keysource.SamePublicKey(signer.Public(), cert.PublicKey) {
			c.Leaf = cert
			continue
		}
		c.Chain = append(c.Chain, cert)
	}
	if c.Leaf == nil {
		return nil, keysource.Errorf("export the key together with the certificate that was issued for it",
			"none of the %d certificates in the PKCS#12 file belongs to its private key", len(certs))
	}
	return c, nil
}

func explain(err error) error {
	text := strings.TrimPrefix(err.Error(), "pkcs12: ")
	switch {
	case errors.Is(err, gopkcs12.ErrIncorrectPassword), errors.Is(err, gopkcs12.ErrDecryption):
		return &keysource.Error{Problem: "the PKCS#12 file cannot be decrypted with this password", Advice: "check the password", Cause: ErrPassword}
	case strings.Contains(text, "private key missing"), strings.Contains(text, "expected exactly one key"):
		return keysource.Errorf(adviceOneKey, "the PKCS#12 file does not hold exactly one private key and its certificate")
	case strings.Contains(text, "certificate missing"):
		return keysource.Errorf(adviceOneKey, "the PKCS#12 file holds no certificate")
	case strings.Contains(text, "2.16.840.1.101.3.4.3.1"): // the arc of ML-DSA (RFC 9881 §2)
		return keysource.Errorf(keysource.AdviceKeyKinds, "the key in the PKCS#12 file is ML-DSA, which this client cannot sign with yet")
	}
	return keysource.Errorf(adviceExport, "the PKCS#12 file cannot be read: %s", text)
}
