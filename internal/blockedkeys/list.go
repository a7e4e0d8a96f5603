package blockedkeys

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"slices"
	"sync"
	"sync/atomic"
)

// Reason is what callers are told about a key that is on the list. It names no file: those are the operator's business.
const Reason = "the key is on the server's list of blocked keys"

// List answers whether a key is blocked. A nil List blocks nothing. It is safe for concurrent use.
type List struct {
	paths   []string
	current atomic.Pointer[set]

	mu      sync.Mutex // one reading at a time; guards what follows
	seen    []stamp    // the files as they were when they were last read, or found to be unreadable
	problem error      // what was wrong with them
}

// set is what one complete reading found. Immutable.
type set struct {
	generation uint64
	entries    int // with duplicates
	files      int
	long       [][longBytes]byte  // sorted
	short      [][shortBytes]byte // sorted
}

// Open reads the lists of files and folders; of a folder, every file whose name does not begin with a dot, and nothing
// below it. The error names file, line and reason: a list that cannot be read in full is none. Without paths it returns nil.
func Open(paths []string) (*List, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	l := &List{paths: slices.Clone(paths)}
	if _, err := l.Reload(); err != nil {
		return nil, err
	}
	return l, nil
}

// Reload looks at the files, and reads all of them again if any has changed. On an error the list in use stays. Files that
// could not be used are not read again before they change.
func (l *List) Reload() (changed bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	found, err := find(l.paths)
	if err != nil {
		l.seen = nil
		return false, err
	}
	if l.seen != nil && slices.EqualFunc(l.seen, found, stamp.equal) {
		return false, l.problem
	}
	next, err := read(found)
	if err == nil {
		err = unchanged(l.paths, found)
	}
	l.seen, l.problem = found, err
	if err != nil {
		return false, err
	}
	next.generation = l.Generation() + 1
	l.current.Store(next)
	return true, nil
}

// Generation changes whenever the list does: what was decided under another one has to be decided again. Ask for it before
// what is to be remembered under it.
func (l *List) Generation() uint64 {
	if l == nil {
		return 0
	}
	s := l.current.Load()
	if s == nil {
		return 0
	}
	return s.generation
}

// Size is the number of entries, duplicates included, and of files.
func (l *List) Size() (entries, files int) {
	if l == nil {
		return 0, 0
	}
	s := l.current.Load()
	return s.entries, s.files
}

// Contains reports whether the key is on the list. So is a key that crypto/x509 cannot encode: there is no telling.
func (l *List) Contains(pub crypto.PublicKey) bool {
	if l == nil {
		return false
	}
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return true
	}
	s := l.current.Load()
	if len(s.long) > 0 && slices.ContainsFunc(longNames(pub, spki), s.hasLong) {
		return true
	}
	return len(s.short) > 0 && slices.ContainsFunc(shortNames(pub), s.hasShort)
}

func (s *set) hasLong(name [longBytes]byte) bool {
	_, found := slices.BinarySearchFunc(s.long, name, compareLong)
	return found
}

func (s *set) hasShort(name [shortBytes]byte) bool {
	_, found := slices.BinarySearchFunc(s.short, name, compareShort)
	return found
}

func compareLong(a, b [longBytes]byte) int   { return bytes.Compare(a[:], b[:]) }
func compareShort(a, b [shortBytes]byte) int { return bytes.Compare(a[:], b[:]) }
