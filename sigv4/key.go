package sigv4

import (
	"crypto/sha256"
)

// Key is a SigV4 signing key: good for one secret on one day in one region for one service.
type Key [32]byte

// terminator ends every credential scope and the key derivation.
const terminator = "aws4_request"

// DeriveKey computes the signing key of a secret access key for a scope; date is YYYYMMDD.
func DeriveKey(secret, date, region, service string) Key {
	var small [64]byte
	k := append(append(small[:0], "AWS4"...), secret...)
	sum := hmacSHA256(k, date)
	sum = hmacSHA256(sum[:], region)
	sum = hmacSHA256(sum[:], service)
	return hmacSHA256(sum[:], terminator)
}

// hmacSHA256 is RFC 2104 over one message held whole in memory. crypto/hmac allocates two digest states per key, and
// every request here has its own key; a test holds this against crypto/hmac.
func hmacSHA256[T string | []byte](key []byte, msg T) [32]byte {
	const block = sha256.BlockSize
	var pad [block]byte
	if len(key) > block {
		sum := sha256.Sum256(key)
		copy(pad[:], sum[:])
	} else {
		copy(pad[:], key)
	}
	for i := range pad {
		pad[i] ^= 0x36
	}
	var stack [768]byte // a string to sign has some 150 bytes
	in := append(append(stack[:0], pad[:]...), msg...)
	inner := sha256.Sum256(in)
	for i := range pad {
		pad[i] ^= 0x36 ^ 0x5c
	}
	out := append(append(stack[:0], pad[:]...), inner[:]...)
	return sha256.Sum256(out)
}
