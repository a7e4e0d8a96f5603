package keyring

import (
	"context"
	"crypto/subtle"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/rolecall/rolecall/internal/follow"
)

// Reload takes over the file as it is now. On any error the ring stays as it was. A file that gives a known key id
// another secret, or that shares no key with the ring in use, is refused ([ErrOtherRing]); restart to change to
// another ring on purpose. Keys that are no longer in the file are dropped. An ephemeral ring has nothing to reload.
func (r *Ring) Reload() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reloadLocked()
}

func (r *Ring) reloadLocked() error {
	if r.path == "" {
		return nil
	}
	fresh, info, err := readFile(r.path)
	if err != nil {
		return err
	}
	shared := 0
	for i, k := range fresh {
		old, ok := r.Key(k.ID)
		if !ok {
			continue
		}
		if subtle.ConstantTimeCompare(old.secret[:], k.secret[:]) != 1 {
			return fmt.Errorf("%w: %s: key %08x has another secret than the one in use", ErrOtherRing, r.path, k.ID)
		}
		shared++
		if old.ActiveFrom.Equal(k.ActiveFrom) && old.Created.Equal(k.Created) {
			fresh[i] = old // keep the pointer: what hangs on it stays valid
		}
	}
	if shared == 0 {
		return fmt.Errorf("%w: %s: none of its keys is in use here", ErrOtherRing, r.path)
	}
	r.loaded = info
	if !slices.Equal(fresh, *r.keys.Load()) {
		r.keys.Store(&fresh)
	}
	return nil
}

// Watch follows the file until ctx ends, looking at it once per interval (a second, if not positive). It calls report
// with nil after the ring changed, and with the error when a changed file could not be used; the ring then stays as
// it was and the file is tried again at each look, but one problem is reported once. An ephemeral ring has no file:
// Watch waits for ctx. report may be nil and is never called concurrently.
func (r *Ring) Watch(ctx context.Context, interval time.Duration, report func(error)) {
	if r.path == "" {
		<-ctx.Done()
		return
	}
	if interval <= 0 {
		interval = time.Second
	}
	follow.Run(ctx, interval, r.poll, report)
}

// poll reloads if the file is not the one that was loaded.
func (r *Ring) poll() (changed bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if info, err := os.Stat(r.path); err == nil && sameFile(info, r.loaded) {
		return false, nil
	}
	before := r.keys.Load()
	if err := r.reloadLocked(); err != nil {
		return false, err
	}
	return r.keys.Load() != before, nil
}

func sameFile(a, b fs.FileInfo) bool {
	return b != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && a.Mode() == b.Mode()
}
