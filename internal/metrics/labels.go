package metrics

import "sync"

// Other stands for every label value beyond the bounds.
const Other = "other"

const (
	maxAnchors    = 1000
	maxErrorTypes = 64
	maxLabel      = 128
)

// identifier returns s when it looks like the name of a service, an operation or an error code, else Other.
func identifier(s string) string {
	if s == "" || len(s) > maxLabel {
		return Other
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '-', c == '_', c == ':', c == '/':
		default:
			return Other
		}
	}
	return s
}

// labelSet admits the first limit distinct values, so that what callers do cannot grow the number of series without end.
type labelSet struct {
	limit int

	mu   sync.RWMutex // guards seen; nearly every call only reads
	seen map[string]struct{}
}

func (l *labelSet) bound(v string) string {
	if identifier(v) != v {
		return Other
	}
	l.mu.RLock()
	_, ok := l.seen[v]
	full := len(l.seen) >= l.limit
	l.mu.RUnlock()
	switch {
	case ok:
		return v
	case full:
		return Other
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.seen[v]; ok {
		return v
	}
	if len(l.seen) >= l.limit {
		return Other
	}
	if l.seen == nil {
		l.seen = map[string]struct{}{}
	}
	l.seen[v] = struct{}{}
	return v
}
