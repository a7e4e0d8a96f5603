package audit

import "bytes"

const (
	arenaSize = 128 << 10
	maxArenas = 16 // pieces that are kept for the next batch: what 512 events of a CreateSession need
)

// arena is memory for many byte strings that are given up together.
type arena struct {
	pieces [][]byte // all but the current one are full
	at     int      // the current one
}

// keep copies b to memory that nothing else uses until recycle.
func (a *arena) keep(b []byte) []byte {
	if len(b) > arenaSize/8 {
		return bytes.Clone(b)
	}
	for a.at < len(a.pieces) && cap(a.pieces[a.at])-len(a.pieces[a.at]) < len(b) {
		a.at++
	}
	if a.at == len(a.pieces) {
		a.pieces = append(a.pieces, make([]byte, 0, arenaSize))
	}
	p := &a.pieces[a.at]
	start := len(*p)
	*p = append(*p, b...)
	return (*p)[start:len(*p):len(*p)]
}

// recycle makes everything that keep returned invalid.
func (a *arena) recycle() {
	clear(a.pieces[min(maxArenas, len(a.pieces)):])
	a.pieces = a.pieces[:min(maxArenas, len(a.pieces))]
	for i := range a.pieces {
		a.pieces[i] = a.pieces[i][:0]
	}
	a.at = 0
}
