package acmpca

import (
	"sync"
	"time"
)

// misses counts failures in a row, by what failed. It is this node's own: another node may try sooner.
type misses struct {
	mu sync.Mutex // guards n, which several workers and Work's callers in tests share
	n  map[string]int
}

// maxMisses bounds what is remembered; beyond it everything is tried again as if for the first time.
const maxMisses = 10_000

// wait notes a failure and returns how long to wait before the next try.
func (m *misses) wait(what string) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.n == nil || len(m.n) >= maxMisses {
		m.n = map[string]int{}
	}
	d := retryFirst << min(m.n[what], 16)
	m.n[what]++
	return min(d, retryMost)
}

func (m *misses) clear(what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.n, what)
}
