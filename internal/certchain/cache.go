package certchain

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// maxPathsPerLeaf bounds the chains remembered for one leaf: its holder cannot fill the cache by
// shuffling the chain header.
const maxPathsPerLeaf = 4

// entriesPerShard keeps the copy made by an insertion small.
const entriesPerShard = 64

// pathCache maps leaves to their valid paths. Readers take no lock: each shard is an immutable map
// behind a pointer, replaced by the rare insertion.
type pathCache struct {
	shards []cacheShard
	cap    int // entries per shard
}

type cacheShard struct {
	current atomic.Pointer[map[[32]byte]*cacheEntry]
	mu      sync.Mutex // serialises insertions into current
	_       [40]byte   // keeps neighbouring shards off one cache line
}

// cacheEntry is immutable but for the eviction mark.
type cacheEntry struct {
	leaf  *Leaf
	paths []cachedPath // oldest first
	used  atomic.Bool  // read since the last eviction round
}

type cachedPath struct {
	key      pathKey
	verified *Verified
}

type pathKey struct {
	anchors [32]byte
	chain   [32]byte
	blocked uint64 // generation of the list of blocked keys
}

// newPathCache returns a cache of at most max leaves in total.
func newPathCache(max int) *pathCache {
	if max <= 0 {
		return &pathCache{}
	}
	n := 1
	for n*entriesPerShard < max && n < 1<<12 {
		n *= 2
	}
	for n > max {
		n /= 2
	}
	c := &pathCache{shards: make([]cacheShard, n), cap: max / n}
	for i := range c.shards {
		c.shards[i].current.Store(&map[[32]byte]*cacheEntry{})
	}
	return c
}

func (c *pathCache) shard(leaf [32]byte) *cacheShard {
	return &c.shards[(int(leaf[0])|int(leaf[1])<<8)&(len(c.shards)-1)]
}

// get returns the entry of a leaf, or nil.
func (c *pathCache) get(leaf [32]byte) *cacheEntry {
	if len(c.shards) == 0 {
		return nil
	}
	e := (*c.shard(leaf).current.Load())[leaf]
	if e != nil && !e.used.Load() { // a plain read first: no write to a shared line when warm
		e.used.Store(true)
	}
	return e
}

// find returns the remembered path, if it is valid at now.
func (c *pathCache) find(leaf [32]byte, key pathKey, now time.Time) *Verified {
	e := c.get(leaf)
	if e == nil {
		return nil
	}
	for i := range e.paths {
		p := &e.paths[i]
		if p.key == key && !now.Before(p.verified.notBefore) && !now.After(p.verified.notAfter) {
			return p.verified
		}
	}
	return nil
}

// put remembers a valid path.
func (c *pathCache) put(leaf *Leaf, key pathKey, verified *Verified) {
	if len(c.shards) == 0 {
		return
	}
	s := c.shard(leaf.fingerprint)
	s.mu.Lock()
	defer s.mu.Unlock()
	old := *s.current.Load()
	entry := &cacheEntry{leaf: leaf}
	next := maps.Clone(old)
	if have := old[leaf.fingerprint]; have != nil {
		entry.leaf = have.leaf
		for _, p := range have.paths {
			if p.key != key {
				entry.paths = append(entry.paths, p)
			}
		}
		if len(entry.paths) >= maxPathsPerLeaf {
			entry.paths = entry.paths[len(entry.paths)-maxPathsPerLeaf+1:]
		}
	} else if len(next) >= c.cap {
		evict(next)
	}
	entry.paths = append(entry.paths, cachedPath{key, verified})
	next[leaf.fingerprint] = entry
	s.current.Store(&next)
}

// evict removes one entry that was not read since the last round; if all were, it starts a new
// round and removes any one of them.
func evict(m map[[32]byte]*cacheEntry) {
	for k, e := range m {
		if !e.used.Load() {
			delete(m, k)
			return
		}
	}
	victim, chosen := [32]byte{}, false
	for k, e := range m {
		if !chosen {
			victim, chosen = k, true
		}
		e.used.Store(false)
	}
	delete(m, victim)
}
