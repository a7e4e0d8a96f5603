package sessiontoken

import (
	"crypto/sha256"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rolecall/rolecall/internal/keyring"
)

// cacheShards spreads the lock of the cache. A power of two.
const cacheShards = 16

// cacheKey is SHA-256 of access key id ‖ token. Only what was authenticated is ever put in.
type cacheKey [sha256.Size]byte

func cacheSum(accessKeyID, token string) cacheKey {
	var stack [2048]byte
	b := append(append(stack[:0], accessKeyID...), token...) // the id has a fixed length
	return sha256.Sum256(b)
}

// entry is one opened token. It does not change.
type entry struct {
	key     *keyring.Key
	session *Session
	secret  string
}

// cache remembers a bounded number of opened tokens. Room is made by the clock algorithm: a hand goes round the slots
// and takes the first one that was not used since it last came by, or that has expired.
type cache struct {
	shards [cacheShards]shard
}

type shard struct {
	mu    sync.RWMutex     // over everything below
	index map[cacheKey]int // to slots
	slots []slot
	free  []int // slots that hold nothing
	limit int   // most slots
	hand  int
}

type slot struct {
	sum  cacheKey
	e    *entry // nil if free
	used atomic.Bool
}

func newCache(entries int) *cache {
	c := &cache{}
	for i := range c.shards {
		c.shards[i].index = make(map[cacheKey]int)
		c.shards[i].limit = (entries + cacheShards - 1) / cacheShards
		c.shards[i].slots = make([]slot, 0, c.shards[i].limit) // never grown: slots hold atomics
	}
	return c
}

func (c *cache) shard(k *cacheKey) *shard { return &c.shards[k[0]%cacheShards] }

func (c *cache) len() (n int) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.RLock()
		n += len(s.index)
		s.mu.RUnlock()
	}
	return n
}

func (c *cache) get(k *cacheKey) *entry {
	s := c.shard(k)
	s.mu.RLock()
	defer s.mu.RUnlock()
	i, ok := s.index[*k]
	if !ok {
		return nil
	}
	if u := &s.slots[i].used; !u.Load() { // read first: a shared line stays shared
		u.Store(true)
	}
	return s.slots[i].e
}

func (c *cache) drop(k *cacheKey) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, ok := s.index[*k]; ok {
		s.freeLocked(i)
	}
}

// put remembers e and returns what is remembered, which is an earlier entry if another request was faster.
func (c *cache) put(now time.Time, k *cacheKey, e *entry) *entry {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, ok := s.index[*k]; ok {
		return s.slots[i].e
	}
	i := s.roomLocked(now)
	s.slots[i].sum, s.slots[i].e = *k, e
	s.slots[i].used.Store(false)
	s.index[*k] = i
	return e
}

// roomLocked is the index of a free slot.
func (s *shard) roomLocked(now time.Time) int {
	// Each newcomer looks at two old slots, so that what has expired goes even where nothing is short.
	for range min(2, len(s.slots)) {
		if sl := s.nextLocked(); sl.e != nil && !now.Before(sl.e.session.ExpiresAt) {
			s.freeLocked(s.index[sl.sum])
		}
	}
	if n := len(s.free); n > 0 {
		i := s.free[n-1]
		s.free = s.free[:n-1]
		return i
	}
	if n := len(s.slots); n < s.limit {
		s.slots = s.slots[:n+1]
		return n
	}
	for { // ends within two rounds: the first takes the marks away
		sl := s.nextLocked()
		if now.Before(sl.e.session.ExpiresAt) && sl.used.Swap(false) {
			continue
		}
		i := s.index[sl.sum]
		s.freeLocked(i)
		s.free = s.free[:len(s.free)-1]
		return i
	}
}

func (s *shard) nextLocked() *slot {
	sl := &s.slots[s.hand%len(s.slots)]
	s.hand = (s.hand + 1) % len(s.slots)
	return sl
}

func (s *shard) freeLocked(i int) {
	delete(s.index, s.slots[i].sum)
	s.slots[i].e = nil
	s.free = append(s.free, i)
}
