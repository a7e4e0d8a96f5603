// Package keyring holds the secret keys that every node of one deployment shares. Session tokens, access key secrets
// and CA keys are sealed under keys derived from it, so whoever holds the ring can mint any session.
//
// A ring is one small JSON file, mode 0600. Keys are added by [Ring.Rotate] and become active at a time of their
// own, so that every node has the file before the first record is sealed under the new key; older keys go on opening
// what they sealed until [Ring.Retire]. A running server follows the file with [Ring.Watch], and [Ring.Find] looks into it
// at once for a key that it does not know yet.
//
// The package does not protect the file beyond its mode, does not copy it between nodes, and does not know what was sealed: an
// operator who deletes an entry makes everything sealed under that key unreadable at once, which is what a leaked key
// calls for.
//
// Start with [Load], [Ring.Active] and [Key.Derive]; seal.go wraps stored secrets, file.go is the format.
package keyring

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rolecall/rolecall/internal/keyring/privatefile"
)

// Limits of a ring.
const (
	MaxKeys      = 1000    // keys in one ring
	MaxFileBytes = 1 << 20 // length of the file
)

var (
	// ErrMissing is wrapped when there is no ring at the path.
	ErrMissing = errors.New("the key ring is missing")
	// ErrCorrupt is wrapped when the file is not a whole, undamaged ring.
	ErrCorrupt = errors.New("the key ring is damaged")
	// ErrOtherRing is wrapped by [Ring.Reload] when the file holds a different ring than the one in use.
	ErrOtherRing = errors.New("the file holds another key ring")
)

// Ring is a set of keys, safe for concurrent use. The zero value is not usable.
type Ring struct {
	path string // "" for a ring that lives in memory
	keys atomic.Pointer[[]*Key]

	mu     sync.Mutex  // one change at a time; readers go through keys alone
	loaded fs.FileInfo // the file that keys came from; nil if none

	looks looks // for unknown keys
}

// Create makes a ring with one key, active at once, in a new file. It never replaces a file: an error that wraps
// [fs.ErrExist] means that there is one at path.
func Create(path string) (*Ring, error) {
	k, err := newKey(time.Now(), time.Now(), nil)
	if err != nil {
		return nil, err
	}
	data, err := encode([]*Key{k})
	if err != nil {
		return nil, err
	}
	if err := privatefile.Create(path, data); err != nil {
		return nil, fmt.Errorf("create key ring: %w", err)
	}
	return Load(path)
}

// Load reads the ring at path. Errors wrap [ErrMissing], [ErrCorrupt] or [privatefile.ErrModes].
func Load(path string) (*Ring, error) {
	keys, info, err := readFile(path)
	if err != nil {
		return nil, err
	}
	r := &Ring{path: path, loaded: info}
	r.keys.Store(&keys)
	return r, nil
}

// Ephemeral is a ring with one new key that is kept nowhere. Everything sealed under it ends with the process.
func Ephemeral() *Ring {
	k := &Key{ID: randomID(), Created: stamp(time.Now()), ActiveFrom: stamp(time.Now()), secret: new([secretSize]byte)}
	rand.Read(k.secret[:]) // never fails: crypto/rand documents that it ends the program instead
	r := &Ring{}
	r.keys.Store(&[]*Key{k})
	return r
}

// Path is the file of the ring, or "" for an ephemeral one.
func (r *Ring) Path() string { return r.path }

// Keys lists the keys in the order in which they become active.
func (r *Ring) Keys() []*Key { return slices.Clone(*r.keys.Load()) }

// Key finds a key by id. A key keeps its pointer for as long as it stays in the ring, across reloads.
func (r *Ring) Key(id uint32) (*Key, bool) {
	for _, k := range *r.keys.Load() {
		if k.ID == id {
			return k, true
		}
	}
	return nil, false
}

// Active is the key to seal with at the time now: the one that became active last. A clock that lies before every
// key gets the oldest one. It is never nil.
func (r *Ring) Active(now time.Time) *Key {
	keys := *r.keys.Load() // ascending by ActiveFrom, never empty
	for i := len(keys) - 1; i > 0; i-- {
		if !keys[i].ActiveFrom.After(now) {
			return keys[i]
		}
	}
	return keys[0]
}

// Rotate adds a new key that becomes active at activeFrom, writes the file, and returns the key. Give every node time
// to get the file: a node without the key refuses the sessions minted under it. It adds to what is in the file now,
// so a rotation on another node is kept, and it waits for another rotation on this host to end.
func (r *Ring) Rotate(activeFrom time.Time) (*Key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.path == "" {
		return r.addLocked(*r.keys.Load(), activeFrom, nil)
	}
	unlock, err := lockFile(r.path)
	if err != nil {
		return nil, fmt.Errorf("rotate key ring: %w", err)
	}
	defer unlock()
	if err := r.reloadLocked(); err != nil {
		return nil, fmt.Errorf("rotate key ring: %w", err)
	}
	return r.addLocked(*r.keys.Load(), activeFrom, func(data []byte) error {
		return privatefile.Write(r.path, data)
	})
}

// addLocked adds a key to keys, saves the result, and only then uses it.
func (r *Ring) addLocked(keys []*Key, activeFrom time.Time, save func([]byte) error) (*Key, error) {
	if len(keys) >= MaxKeys {
		return nil, fmt.Errorf("rotate key ring: it already holds %d keys", len(keys))
	}
	k, err := newKey(time.Now(), activeFrom, keys)
	if err != nil {
		return nil, err
	}
	next := append(slices.Clone(keys), k)
	sortKeys(next)
	if save != nil {
		data, err := encode(next)
		if err != nil {
			return nil, err
		}
		if err := save(data); err != nil {
			return nil, fmt.Errorf("rotate key ring: %w", err)
		}
	}
	// loaded stays as it was: the watcher then reads the file once more and finds the same keys.
	r.keys.Store(&next)
	return k, nil
}

// String names the ring without its secrets.
func (r *Ring) String() string {
	return fmt.Sprintf("key ring %q with %d keys", r.path, len(*r.keys.Load()))
}

// GoString keeps secrets out of %#v.
func (r *Ring) GoString() string { return r.String() }

// newKey makes a key whose id none of others has.
func newKey(created, activeFrom time.Time, others []*Key) (*Key, error) {
	k := &Key{Created: stamp(created), ActiveFrom: stamp(activeFrom), secret: new([secretSize]byte)}
	if y := k.ActiveFrom.Year(); y < 1970 || y > 9999 {
		return nil, fmt.Errorf("a key cannot become active in the year %d", y)
	}
	rand.Read(k.secret[:])
	for {
		k.ID = randomID()
		if !slices.ContainsFunc(others, func(o *Key) bool { return o.ID == k.ID }) {
			return k, nil
		}
	}
}

// randomID is not a counter, so that a record from another ring names a key that this one does not have, instead of
// failing as if it had been tampered with.
func randomID() uint32 {
	var b [4]byte
	for {
		rand.Read(b[:])
		if id := binary.BigEndian.Uint32(b[:]); id != 0 {
			return id
		}
	}
}

// stamp is the resolution of times in the file: whole milliseconds, UTC.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

func sortKeys(keys []*Key) {
	slices.SortStableFunc(keys, func(a, b *Key) int {
		if c := a.ActiveFrom.Compare(b.ActiveFrom); c != 0 {
			return c
		}
		return a.Created.Compare(b.Created)
	})
}
