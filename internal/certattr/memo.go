package certattr

import (
	"strings"
	"sync/atomic"
)

// maxMemo bounds the rule sets remembered for one certificate: a certificate is rarely used with
// more profiles than this at a time.
const maxMemo = 8

// memo holds the attributes of one certificate by rule set. Readers take no lock: the list is
// immutable and replaced as a whole.
type memo struct {
	list atomic.Pointer[[]memoEntry]
}

type memoEntry struct {
	key        string
	attributes *Attributes
}

func (m *memo) get(key string) *Attributes {
	list := m.list.Load()
	if list == nil {
		return nil
	}
	for i := range *list {
		if e := &(*list)[i]; e.key == key {
			return e.attributes
		}
	}
	return nil
}

// put adds attributes unless another goroutine was faster, and returns what is remembered.
func (m *memo) put(key string, a *Attributes) *Attributes {
	for {
		old := m.list.Load()
		if have := m.get(key); have != nil {
			return have
		}
		var next []memoEntry
		if old != nil {
			keep := *old
			if len(keep) >= maxMemo {
				keep = keep[len(keep)-maxMemo+1:]
			}
			next = append(next, keep...)
		}
		next = append(next, memoEntry{key, a})
		if m.list.CompareAndSwap(old, &next) {
			return a
		}
	}
}

func join(values []string) string { return strings.Join(values, "/") }
