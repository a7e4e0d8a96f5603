package authority

import (
	"crypto"
	"sync"
	"time"
)

// holdTime is how long a key stays open after it was opened: opening costs more than a signature with it.
const holdTime = time.Minute

// heldKey is the Keys of one CA that issues much.
type heldKey struct {
	Keys
	opener Opener

	mu  sync.Mutex // guards key
	key crypto.Signer
}

// Use implements [Keys].
func (h *heldKey) Use(id string, ref []byte, fn func(crypto.Signer) error) error {
	key, err := h.open(id, ref)
	if err != nil {
		return err
	}
	return fn(key)
}

func (h *heldKey) open(id string, ref []byte) (crypto.Signer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.key != nil {
		return h.key, nil
	}
	key, err := h.opener.Open(id, ref)
	if err != nil {
		return nil, err
	}
	h.key = key
	time.AfterFunc(holdTime, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.key = nil
	})
	return key, nil
}
