package keyring

import (
	"sync"
	"time"
)

// Find is [Ring.Key], but that a key that another process has added to the file is found before the watcher's next look.
// It is for the ids in stored values and tokens, whose key may be newer than that look. A key that is nowhere costs its
// caller up to two pauses of 10 ms; all callers together cost one look at the file per pause.
func (r *Ring) Find(id uint32) (*Key, bool) {
	if k, ok := r.Key(id); ok || r.path == "" {
		return k, ok
	}
	r.looks.since(time.Now(), func() {
		r.poll() //nolint:errcheck // the watcher sees the same problem, and reports it
	})
	return r.Key(id)
}

// lookPause is the shortest time between two looks at the file that unknown keys cause: anybody can name a key.
const lookPause = 10 * time.Millisecond

// looks paces what many callers cause.
type looks struct {
	mu   sync.Mutex // guards last; held during a look, so that those who wait share it
	last time.Time  // when the last look began
}

// since returns after a look that began after the time asked.
func (l *looks) since(asked time.Time, look func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last.After(asked) {
		return
	}
	time.Sleep(lookPause - time.Since(l.last))
	l.last = time.Now()
	look()
}
