package certstore

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"runtime"
	"sync"

	"github.com/rolecall/rolecall/internal/keysource"
)

// nativeKey is a private key of the system. sign gives PKCS #1 v1.5 for RSA and ASN.1 DER (r, s) for elliptic curves, over
// a digest of hash. It is not called concurrently.
type nativeKey interface {
	sign(digest []byte, hash crypto.Hash) ([]byte, error)
	close()
}

// signer is a crypto.Signer whose key stays in the store.
type signer struct {
	public crypto.PublicKey

	mu  sync.Mutex // guards key: smart cards answer one caller at a time
	key nativeKey
}

// newSigner takes k over: it is closed when the signer is not used any more.
func newSigner(k nativeKey, leaf *x509.Certificate) *signer {
	s := &signer{public: leaf.PublicKey, key: k}
	runtime.AddCleanup(s, func(k nativeKey) { k.close() }, k)
	return s
}

func (s *signer) Public() crypto.PublicKey { return s.public }

// Sign checks what it gives: a store's link from certificate to key can be stale, and a server would only say that the
// signature is invalid.
func (s *signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	hash := opts.HashFunc()
	if _, pss := opts.(*rsa.PSSOptions); pss {
		return nil, errors.New("the system's store is asked for PKCS #1 v1.5 signatures only")
	}
	switch hash {
	case crypto.SHA256, crypto.SHA384, crypto.SHA512:
	default:
		return nil, fmt.Errorf("the hash %v is not supported with the system's store", hash)
	}
	if len(digest) != hash.Size() {
		return nil, fmt.Errorf("a digest of %d bytes is not one of %v", len(digest), hash)
	}
	s.mu.Lock()
	sig, err := s.key.sign(digest, hash)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if !verify(s.public, digest, hash, sig) {
		return nil, keysource.Errorf("import the certificate again together with its key", "the private key that the store has for the certificate is not the one it was issued for")
	}
	return sig, nil
}

func verify(pub crypto.PublicKey, digest []byte, hash crypto.Hash, sig []byte) bool {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(k, hash, digest, sig) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, digest, sig)
	}
	return false
}

// encodeECDSA turns r ‖ s, as CNG gives it (IEEE P1363), into ASN.1.
func encodeECDSA(raw []byte) ([]byte, error) {
	if len(raw) == 0 || len(raw)%2 != 0 || len(raw) > 2*66 { // P-521 has 66 bytes
		return nil, fmt.Errorf("the store gave a signature of %d bytes", len(raw))
	}
	half := len(raw) / 2
	return asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:half]), new(big.Int).SetBytes(raw[half:])})
}
