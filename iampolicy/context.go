package iampolicy

import (
	"unicode"
	"unicode/utf8"
)

// Context holds the condition keys of one request. Key names, tag keys in them included,
// are compared without regard to case. The zero value is ready to use. A Context may be
// read by several goroutines, and changed by one.
type Context struct {
	hashes  []uint32 // of entries, side by side so that a lookup scans few cache lines
	entries []contextEntry
	values  []string
}

type contextEntry struct {
	key   string
	from  int
	count int
	multi bool // set as a multivalued key
}

// NewContext returns a Context with room for n keys.
func NewContext(n int) *Context {
	n = max(n, 0)
	return &Context{
		hashes:  make([]uint32, 0, n),
		entries: make([]contextEntry, 0, n),
		values:  make([]string, 0, n),
	}
}

// Set gives a single-valued key its value, replacing an earlier one. With no value it
// removes the key; with several it acts as SetMulti, since a single-valued key cannot
// hold them.
func (c *Context) Set(key string, values ...string) {
	c.put(key, values, len(values) > 1, len(values) > 0)
}

// SetMulti gives a multivalued key its values, replacing earlier ones. The key is present
// even when there are none.
func (c *Context) SetMulti(key string, values ...string) { c.put(key, values, true, true) }

func (c *Context) put(key string, values []string, multi, present bool) {
	h := hashKey(key)
	i := c.index(h, key)
	if !present {
		if i >= 0 {
			last := len(c.entries) - 1
			c.entries[i], c.hashes[i] = c.entries[last], c.hashes[last]
			c.entries, c.hashes = c.entries[:last], c.hashes[:last]
		}
		return
	}
	if i < 0 {
		i = len(c.entries)
		c.entries = append(c.entries, contextEntry{})
		c.hashes = append(c.hashes, h)
	}
	from := len(c.values)
	c.values = append(c.values, values...)
	c.entries[i] = contextEntry{key: key, from: from, count: len(values), multi: multi}
}

// Get returns a key's values, and whether the key is present. The slice must not be changed.
func (c *Context) Get(key string) ([]string, bool) {
	if c == nil {
		return nil, false
	}
	i := c.index(hashKey(key), key)
	if i < 0 {
		return nil, false
	}
	e := &c.entries[i]
	return c.values[e.from : e.from+e.count : e.from+e.count], true
}

// Len is the number of keys present.
func (c *Context) Len() int { return len(c.entries) }

// Each calls fn for every key in the order in which the keys were first set.
func (c *Context) Each(fn func(key string, multi bool, values []string)) {
	for i := range c.entries {
		e := &c.entries[i]
		fn(e.key, e.multi, c.values[e.from:e.from+e.count:e.from+e.count])
	}
}

// CopyFrom makes c hold the keys of other, which stays as it is, and no others.
func (c *Context) CopyFrom(other *Context) {
	c.hashes = append(c.hashes[:0], other.hashes...)
	c.entries = append(c.entries[:0], other.entries...)
	c.values = append(c.values[:0], other.values...)
}

// Reset removes all keys and keeps the memory, for pooling. Slices that Get returned are
// no longer valid.
func (c *Context) Reset() {
	clear(c.entries)
	clear(c.values)
	c.hashes, c.entries, c.values = c.hashes[:0], c.entries[:0], c.values[:0]
}

func (c *Context) index(h uint32, key string) int {
	for i, other := range c.hashes {
		if other == h && equalKey(c.entries[i].key, key) {
			return i
		}
	}
	return -1
}

// contextKey is a key name with its hash, computed when a policy is compiled.
type contextKey struct {
	name string
	hash uint32
}

func newContextKey(name string) contextKey { return contextKey{name, hashKey(name)} }

func (c *Context) find(k *contextKey) *contextEntry {
	if c == nil {
		return nil
	}
	for i, other := range c.hashes {
		if other == k.hash && equalKey(c.entries[i].key, k.name) {
			return &c.entries[i]
		}
	}
	return nil
}

// hashKey hashes a name without regard to case, eight ASCII bytes at a time. Names with
// other characters are hashed rune by rune: their cases differ in length.
func hashKey(s string) uint32 {
	const (
		prime   = 0x9e3779b97f4a7c15
		high    = 0x8080808080808080
		caseBit = 0x2020202020202020 // set in every byte: equal letters stay equal
	)
	h := uint64(len(s))
	i := 0
	for ; i+8 <= len(s); i += 8 {
		w := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		if w&high != 0 {
			return hashRunes(s)
		}
		h = (h ^ (w | caseBit)) * prime
		h ^= h >> 32
	}
	w := uint64(0)
	for ; i < len(s); i++ {
		w = w<<8 | uint64(s[i])
	}
	if w&high != 0 {
		return hashRunes(s)
	}
	h = (h ^ (w | caseBit)) * prime
	return uint32(h >> 32)
}

// hashRunes is FNV-1a over folded runes.
func hashRunes(s string) uint32 {
	h := uint32(2166136261)
	for _, r := range s {
		h = (h ^ uint32(foldRune(r))) * 16777619
	}
	return h
}

// equalKey compares key names without regard to case.
func equalKey(a, b string) bool {
	if a == b {
		return true
	}
	rest, ok := trimPrefixFold(a, b)
	return ok && rest == ""
}

// trimPrefixFold removes prefix from s without regard to case.
func trimPrefixFold(s, prefix string) (string, bool) {
	i, j := 0, 0
	for j < len(prefix) {
		if i >= len(s) {
			return "", false
		}
		a, b := s[i], prefix[j]
		if a < utf8.RuneSelf && b < utf8.RuneSelf {
			if lowerASCII(a) != lowerASCII(b) {
				return "", false
			}
			i, j = i+1, j+1
			continue
		}
		ra, na := utf8.DecodeRuneInString(s[i:])
		rb, nb := utf8.DecodeRuneInString(prefix[j:])
		if foldRune(ra) != foldRune(rb) {
			return "", false
		}
		i, j = i+na, j+nb
	}
	return s[i:], true
}

// foldRune maps the cases of a letter to one rune. The few characters whose other case is
// an ASCII letter (the Kelvin sign, the long s) stand for themselves.
func foldRune(r rune) rune {
	f := unicode.ToLower(unicode.ToUpper(r))
	if r >= utf8.RuneSelf && f < utf8.RuneSelf {
		return r
	}
	return f
}

// lowerASCII maps A-Z to a-z and every other byte to itself.
func lowerASCII(b byte) byte {
	if b-'A' < 26 {
		return b | 0x20
	}
	return b
}
