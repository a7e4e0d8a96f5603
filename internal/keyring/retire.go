package keyring

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rolecall/rolecall/internal/keyring/privatefile"
)

// Head is how everything begins that was sealed under the key.
func (k *Key) Head() [sealHeader]byte {
	h := [sealHeader]byte{sealVersion}
	binary.BigEndian.PutUint32(h[1:], k.ID)
	return h
}

// HeadKey is the id of the key that a head belongs to.
func HeadKey(head [sealHeader]byte) (id uint32, ok bool) {
	return binary.BigEndian.Uint32(head[1:]), head[0] == sealVersion
}

// ErrActive means that a key is in use, or will be.
var ErrActive = errors.New("the key is active, or becomes active later")

// Retire removes a key that seals nothing any more. What it sealed can never be read again: the caller makes sure that
// there is nothing. It refuses the active key and later ones with [ErrActive].
func (r *Ring) Retire(id uint32, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.path == "" {
		return errors.New("a ring in memory keeps its keys")
	}
	unlock, err := lockFile(r.path)
	if err != nil {
		return fmt.Errorf("retire key: %w", err)
	}
	defer unlock()
	if err := r.reloadLocked(); err != nil {
		return fmt.Errorf("retire key: %w", err)
	}
	k, ok := r.Key(id)
	switch {
	case !ok:
		return fmt.Errorf("key %08x is not in the key ring", id)
	case k == r.Active(now) || k.ActiveFrom.After(now):
		return fmt.Errorf("key %08x: %w", id, ErrActive)
	}
	next := slices.DeleteFunc(r.Keys(), func(o *Key) bool { return o.ID == id })
	data, err := encode(next)
	if err != nil {
		return err
	}
	if err := privatefile.Write(r.path, data); err != nil {
		return fmt.Errorf("retire key: %w", err)
	}
	r.keys.Store(&next)
	return nil
}
