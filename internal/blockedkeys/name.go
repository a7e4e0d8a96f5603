package blockedkeys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/md5" //nolint:gosec // what the lists are made with: a name, not a protection
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // the same
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"slices"
)

// An entry keeps so many bytes of its hash. 120 bits are enough for SHA-256 of any length that lists have: who finds a key
// that collides with a blocked one has found a key that is refused.
const (
	longBytes  = 15
	shortBytes = 10
)

// longNames are what entries of 64 and 30 digits may have of a key.
func longNames(pub crypto.PublicKey, spki []byte) [][longBytes]byte {
	var names [][longBytes]byte
	add := func(value []byte) {
		sum := sha256.Sum256(value)
		names = append(names, [longBytes]byte(sum[:longBytes]))
	}
	add(spki)
	switch key := pub.(type) {
	case *rsa.PublicKey:
		add(key.N.Bytes())
	case *ecdsa.PublicKey:
		if point, err := key.Bytes(); err == nil { // SEC 1 §2.3.3: 4, x, y
			x := point[1 : 1+len(point)/2]
			add(new(big.Int).SetBytes(x).Bytes())
		}
	}
	return names
}

// shortNames are what entries of 20 digits may have of a key. Those lists have RSA keys alone, and DSA keys.
func shortNames(pub crypto.PublicKey) [][shortBytes]byte {
	key, ok := pub.(*rsa.PublicKey)
	if !ok {
		return nil
	}
	// BN_print of OpenSSL writes upper-case digits without leading zeros.
	digits := bytes.TrimLeft(bytes.ToUpper(hex.AppendEncode(nil, key.N.Bytes())), "0")
	modulus := sha1.Sum(slices.Concat([]byte("Modulus="), digits, []byte("\n"))) //nolint:gosec // see the import
	fingerprint := md5.Sum(sshKey(key))                                          //nolint:gosec // see the import
	return [][shortBytes]byte{
		[shortBytes]byte(modulus[sha1.Size-shortBytes:]), [shortBytes]byte(fingerprint[md5.Size-shortBytes:]),
	}
}

// sshKey is the key as SSH sends it (RFC 4253 §6.6).
func sshKey(key *rsa.PublicKey) []byte {
	var b []byte
	for _, value := range [][]byte{[]byte("ssh-rsa"), mpint(big.NewInt(int64(key.E))), mpint(key.N)} {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(value))), value...)
	}
	return b
}

// mpint is a positive number as SSH writes it (RFC 4251 §5): the highest bit is a sign.
func mpint(n *big.Int) []byte { return n.FillBytes(make([]byte, n.BitLen()/8+1)) }
