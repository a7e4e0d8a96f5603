package keyring

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	secretSize = 32
	// checkLabel derives the public fingerprint. Every label does one job.
	checkLabel = "rolecall/keyring/check/v1"
	// maxMemo bounds what a key remembers; labels are a handful of constants.
	maxMemo = 64
	// maxDerive is HKDF-SHA256's own limit. RFC 5869 §2.3
	maxDerive = 255 * sha256.Size
)

// Key is one secret of a ring. Only keys derived from it are ever used.
type Key struct {
	ID         uint32    // random, never 0, unique in its ring
	Created    time.Time // UTC
	ActiveFrom time.Time // UTC; records are sealed under this key from then until the next key's time

	// secret is a pointer so that no formatting verb reaches the bytes.
	secret *[secretSize]byte
	memo   sync.Map // memoKey → []byte
	count  sync.Mutex
	held   int // entries of memo, under count
}

type memoKey struct {
	label string
	n     int
}

// Derive is n bytes for one purpose: HKDF-SHA256 of the secret with the label as info (RFC 5869). Distinct labels
// give unrelated keys. The result is the caller's own. It panics if n is not within 1..8160, which only a constant
// in the program can be.
func (k *Key) Derive(label string, n int) []byte {
	mk := memoKey{label, n}
	if v, ok := k.memo.Load(mk); ok {
		return slices.Clone(v.([]byte))
	}
	if n < 1 || n > maxDerive {
		panic(fmt.Sprintf("keyring: derive %d bytes", n))
	}
	out, err := hkdf.Key(sha256.New, k.secret[:], nil, label, n)
	if err != nil {
		panic("keyring: " + err.Error()) // only for an n that is refused above
	}
	k.count.Lock()
	defer k.count.Unlock()
	if k.held < maxMemo {
		k.held++
		k.memo.Store(mk, slices.Clone(out))
	}
	return out
}

// Fingerprint is 16 hex digits that tell two keys apart and reveal neither: compare it between nodes.
func (k *Key) Fingerprint() string { return hex.EncodeToString(k.Derive(checkLabel, 8)) }

// String names the key without its secret.
func (k *Key) String() string {
	return fmt.Sprintf("key %08x (fingerprint %s, active from %s)", k.ID, k.Fingerprint(), k.ActiveFrom.Format(time.RFC3339))
}

// GoString keeps the secret out of %#v.
func (k *Key) GoString() string { return k.String() }
