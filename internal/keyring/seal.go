package keyring

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

// Sealed blobs: version(1) ‖ key id(4, big endian) ‖ nonce(24) ‖ XChaCha20-Poly1305 ciphertext and tag.
// The first two are authenticated with the caller's data, so a blob cannot be moved to another key or version.
const (
	sealVersion   = 1
	sealHeader    = 1 + 4
	sealOverhead  = sealHeader + chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead
	sealKeyPrefix = "rolecall/keyring/seal/v1/" // apart from every label that is given to Derive directly
)

var (
	// ErrUnknownKey is wrapped by [Ring.Open] when the blob's key is not in this ring: it is another deployment's
	// ring, or an old copy.
	ErrUnknownKey = errors.New("sealed under a key that is not in the key ring")
	// ErrOpen is wrapped by [Ring.Open] when the blob is damaged, altered, or was sealed for another label or other
	// associated data. The cases cannot be told apart.
	ErrOpen = errors.New("the sealed value does not open")
)

// Seal encrypts plaintext for storage under the active key. label names the job and aad the place (a row's key), and
// [Ring.Open] needs both again. Sealing the same value twice gives different blobs.
func (r *Ring) Seal(label string, aad, plaintext []byte) []byte {
	k := r.Active(time.Now())
	out := make([]byte, sealHeader+chacha20poly1305.NonceSizeX, sealOverhead+len(plaintext))
	out[0] = sealVersion
	binary.BigEndian.PutUint32(out[1:], k.ID)
	nonce := out[sealHeader:]
	rand.Read(nonce) // 192 random bits: no counter is needed
	return k.sealer(label).Seal(out, nonce, plaintext, sealData(out[:sealHeader], aad))
}

// Open returns what [Ring.Seal] was given. Errors wrap [ErrUnknownKey] or [ErrOpen].
func (r *Ring) Open(label string, aad, blob []byte) ([]byte, error) {
	if len(blob) < sealOverhead {
		return nil, fmt.Errorf("%w: it is too short", ErrOpen)
	}
	if blob[0] != sealVersion {
		return nil, fmt.Errorf("%w: its version is not known", ErrOpen)
	}
	id := binary.BigEndian.Uint32(blob[1:])
	k, ok := r.Find(id)
	if !ok {
		return nil, fmt.Errorf("%w: key %08x", ErrUnknownKey, id)
	}
	nonce := blob[sealHeader : sealHeader+chacha20poly1305.NonceSizeX]
	box := blob[sealHeader+chacha20poly1305.NonceSizeX:]
	plain, err := k.sealer(label).Open(nil, nonce, box, sealData(blob[:sealHeader], aad))
	if err != nil {
		return nil, fmt.Errorf("%w: damaged, altered or sealed for another purpose (key %08x)", ErrOpen, id)
	}
	return plain, nil
}

// SealedUnder is the id of the key that sealed blob, to find what must be sealed anew before a key can go.
func SealedUnder(blob []byte) (id uint32, ok bool) {
	if len(blob) < sealOverhead || blob[0] != sealVersion {
		return 0, false
	}
	return binary.BigEndian.Uint32(blob[1:]), true
}

func (k *Key) sealer(label string) cipher.AEAD {
	a, err := chacha20poly1305.NewX(k.Derive(sealKeyPrefix+label, chacha20poly1305.KeySize))
	if err != nil {
		panic("keyring: " + err.Error()) // only for another key length
	}
	return a
}

func sealData(header, aad []byte) []byte {
	return append(append(make([]byte, 0, len(header)+len(aad)), header...), aad...)
}
