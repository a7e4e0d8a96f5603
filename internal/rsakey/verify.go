package rsakey

import (
	"bytes"
	"crypto/fips140"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"sync"

	"filippo.io/bigmod"
)

const (
	minBits  = 2048
	maxBits  = 8192
	exponent = 65537
)

// hashPrefix is the DER of a DigestInfo up to the SHA-256 digest: RFC 8017 §9.2 note 1.
var hashPrefix = []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}

// Key is a public key whose modulus is ready for use. It is safe for concurrent use.
type Key struct {
	public  *rsa.PublicKey
	modulus *bigmod.Modulus
	prefix  []byte    // of every encoded message: all of it but the digest
	scratch sync.Pool // of *numbers
}

// numbers are those of one verification, kept for the next.
type numbers struct{ signature, message *bigmod.Nat }

var (
	errKey  = errors.New("rsakey: only odd moduli of 2048 to 8192 bits with the exponent 65537 are prepared")
	errFIPS = errors.New("rsakey: in FIPS 140 mode signatures are verified by crypto/rsa alone")
)

// New prepares for a key that will verify often. It refuses unusual keys, and all keys where the program runs in FIPS 140 mode.
func New(public *rsa.PublicKey) (*Key, error) {
	if fips140.Enabled() {
		return nil, errFIPS
	}
	if public == nil || public.N == nil || public.E != exponent || public.N.Sign() <= 0 || public.N.Bit(0) == 0 ||
		public.N.BitLen() < minBits || public.N.BitLen() > maxBits {
		return nil, errKey
	}
	modulus, err := bigmod.NewModulus(public.N.Bytes())
	if err != nil {
		return nil, err
	}
	k := &Key{public: public, modulus: modulus, prefix: encodedPrefix(public.Size())}
	k.scratch.New = func() any { return &numbers{signature: bigmod.NewNat(), message: bigmod.NewNat()} }
	return k, nil
}

// encodedPrefix is 00 01 FF … FF 00 and the hash's prefix: RFC 8017 §9.2 step 5, without the digest.
func encodedPrefix(size int) []byte {
	em := bytes.Repeat([]byte{0xff}, size-sha256.Size)
	em[0], em[1] = 0, 1
	em[len(em)-len(hashPrefix)-1] = 0
	copy(em[len(em)-len(hashPrefix):], hashPrefix)
	return em
}

// Is reports that the key was prepared for public itself, not for a copy of it.
func (k *Key) Is(public *rsa.PublicKey) bool { return k.public == public }

// Verify reports whether sig is the key's RSASSA-PKCS1-v1_5 signature of a SHA-256 digest: RFC 8017 §8.2.2. It takes the same
// signatures as rsa.VerifyPKCS1v15 with crypto.SHA256.
func (k *Key) Verify(digest, sig []byte) bool {
	if len(digest) != sha256.Size || len(sig) != k.public.Size() {
		return false
	}
	n := k.scratch.Get().(*numbers)
	defer k.scratch.Put(n)
	if _, err := n.signature.SetBytes(sig, k.modulus); err != nil { // not below the modulus
		return false
	}
	em := n.message.ExpShortVarTime(n.signature, exponent, k.modulus).Bytes(k.modulus)
	return bytes.Equal(em[:len(k.prefix)], k.prefix) && bytes.Equal(em[len(k.prefix):], digest)
}
