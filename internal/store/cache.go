package store

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/rolecall/rolecall/internal/arn"
)

const shardCount = 64 // a power of two

// cache is the view's memory: sharded, each shard a map with two CLOCK rings, one for rows and one for answers of "not
// found", so that guessed names cannot push rows out.
type cache struct {
	seed   maphash.Seed
	shards [shardCount]shard
}

type shard struct {
	mu       sync.RWMutex // guards all fields but entries' ref
	entries  map[change]*entry
	inflight map[change]*call
	rows     ring
	absent   ring
	_        [64]byte // shards do not share a cache line
}

// entry is one answer. row is a *Cached[T], nil for "not found".
type entry struct {
	key  change
	row  any
	slot int         // in its ring
	ref  atomic.Bool // used since the hand last passed
}

// call is one load under way. Its place in shard.inflight is its right to be remembered: an invalidation takes it away, so
// that a load which may have read the old row is handed to those who wait for it already and to nobody later.
type call struct {
	done chan struct{} // closed when row and err are set
	row  any
	err  error
}

// ring is the CLOCK: a new entry takes the place of the first one, from the hand on, that was not used since last time.
type ring struct {
	slots []*entry
	limit int
	hand  int
}

func newCache(rows int) *cache {
	c := &cache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		s := &c.shards[i]
		s.entries = make(map[change]*entry)
		s.inflight = make(map[change]*call)
		s.rows.limit = max(1, rows/shardCount)
		s.absent.limit = max(1, rows/shardCount/4)
	}
	return c
}

func (c *cache) shard(account arn.AccountID, id string) *shard {
	h := maphash.String(c.seed, id) + 31*maphash.String(c.seed, string(account))
	return &c.shards[h%shardCount]
}

// get is the hot path: no allocation, one shared lock.
func (c *cache) get(key change) *entry {
	s := c.shard(key.account, key.id)
	s.mu.RLock()
	e := s.entries[key]
	s.mu.RUnlock()
	if e != nil && !e.ref.Load() {
		e.ref.Store(true)
	}
	return e
}

// start returns what is there by now, or the load to wait for and whether the caller has to run it.
func (c *cache) start(key change) (e *entry, l *call, mine bool) {
	s := c.shard(key.account, key.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[key]; e != nil {
		return e, nil, false
	}
	if l := s.inflight[key]; l != nil {
		return nil, l, false
	}
	l = &call{done: make(chan struct{})}
	s.inflight[key] = l
	return nil, l, true
}

// finish ends a load: keep says whether its answer may be remembered, if nothing invalidated the key meanwhile.
func (c *cache) finish(key change, l *call, keep bool) {
	s := c.shard(key.account, key.id)
	s.mu.Lock()
	if s.inflight[key] == l {
		delete(s.inflight, key)
		if keep {
			s.addLocked(&entry{key: key, row: l.row})
		}
	}
	s.mu.Unlock()
	close(l.done)
}

func (s *shard) addLocked(e *entry) {
	r := s.ring(e)
	if len(r.slots) < r.limit {
		e.slot = len(r.slots)
		r.slots = append(r.slots, e)
	} else {
		for range r.slots { // one turn: readers may set a mark again behind the hand
			if !r.slots[r.hand].ref.Swap(false) {
				break
			}
			r.hand = (r.hand + 1) % len(r.slots)
		}
		delete(s.entries, r.slots[r.hand].key)
		e.slot = r.hand
		r.slots[r.hand] = e
		r.hand = (r.hand + 1) % len(r.slots)
	}
	s.entries[e.key] = e
}

func (s *shard) ring(e *entry) *ring {
	if e.row == nil {
		return &s.absent
	}
	return &s.rows
}

// drop forgets the key and whatever load of it is under way.
func (c *cache) drop(key change) {
	s := c.shard(key.account, key.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.inflight, key)
	e := s.entries[key]
	if e == nil {
		return
	}
	delete(s.entries, key)
	r := s.ring(e)
	last := len(r.slots) - 1
	r.slots[e.slot] = r.slots[last]
	r.slots[e.slot].slot = e.slot
	r.slots[last] = nil
	r.slots = r.slots[:last]
	if r.hand >= last {
		r.hand = 0
	}
}

// dropAll forgets everything.
func (c *cache) dropAll() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		clear(s.entries)
		clear(s.inflight)
		for _, r := range []*ring{&s.rows, &s.absent} {
			clear(r.slots)
			r.slots, r.hand = r.slots[:0], 0
		}
		s.mu.Unlock()
	}
}

// size counts rows and "not found" answers.
func (c *cache) size() (rows, absent int) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.RLock()
		rows += len(s.rows.slots)
		absent += len(s.absent.slots)
		s.mu.RUnlock()
	}
	return rows, absent
}

// getFolded is get by a name that is folded into buf first.
func (c *cache) getFolded(k kind, account arn.AccountID, name string, buf []byte) *entry {
	upper := false
	for i := range len(name) {
		if b := name[i]; 'A' <= b && b <= 'Z' || b >= 0x80 {
			upper = true
			break
		}
	}
	if !upper {
		return c.get(change{k, account, "", name})
	}
	if len(name) > cap(buf) {
		return c.get(change{k, account, "", nameKey(name)})
	}
	for i := range len(name) {
		b := name[i]
		if b >= 0x80 { // not an IAM name
			return c.get(change{k, account, "", nameKey(name)})
		}
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		buf = append(buf, b)
	}
	h := maphash.Bytes(c.seed, buf) + 31*maphash.String(c.seed, string(account))
	s := &c.shards[h%shardCount]
	s.mu.RLock()
	e := s.entries[change{k, account, "", string(buf)}] // the compiler makes no string for this
	s.mu.RUnlock()
	if e != nil && !e.ref.Load() {
		e.ref.Store(true)
	}
	return e
}
