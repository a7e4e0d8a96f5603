package store

import "math/bits"

// A block's Bloom filter says which terms its events may have: one in a hundred terms that they do not have passes, none
// that they have is refused. The block itself then tells exactly.
const (
	bloomBits   = 10 // per term
	bloomProbes = 7
)

// termHash must never change: filters in the store depend on it. It takes eight bytes at a time; whoever constructs collisions
// gains nothing but blocks that are read in vain.
func termHash(prefix, value string) uint64 {
	const k0, k1 = 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93
	h := uint64(len(value))*k1 ^ k0
	for i := range len(prefix) {
		h = h<<8 ^ uint64(prefix[i]) ^ h>>56
	}
	for ; len(value) >= 8; value = value[8:] {
		v := uint64(value[0]) | uint64(value[1])<<8 | uint64(value[2])<<16 | uint64(value[3])<<24 |
			uint64(value[4])<<32 | uint64(value[5])<<40 | uint64(value[6])<<48 | uint64(value[7])<<56
		hi, lo := bits.Mul64(h^v, k0)
		h = hi ^ lo + k1
	}
	var tail uint64
	for i := range len(value) {
		tail = tail<<8 | uint64(value[i])
	}
	hi, lo := bits.Mul64(h^tail^k1, k0)
	h = hi ^ lo
	hi, lo = bits.Mul64(h^k0, k1)
	return hi ^ lo
}

// termSet collects distinct hashes: open addressing, half full at most.
type termSet struct {
	slots []uint64 // 0 is empty; a hash of 0 counts as 1
	count int
}

func (s *termSet) reset() {
	clear(s.slots)
	s.count = 0
}

func (s *termSet) add(hash uint64) {
	if hash == 0 {
		hash = 1
	}
	if 2*s.count >= len(s.slots) {
		s.grow()
	}
	mask := uint64(len(s.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		switch s.slots[i] {
		case hash:
			return
		case 0:
			s.slots[i] = hash
			s.count++
			return
		}
	}
}

func (s *termSet) grow() {
	old := s.slots
	s.slots, s.count = make([]uint64, max(256, 4*len(old))), 0
	for _, h := range old {
		if h != 0 {
			s.add(h)
		}
	}
}

// filter is the Bloom filter of the set, a multiple of eight bytes.
func (s *termSet) filter() []byte {
	f := make([]byte, 8*max(1, (s.count*bloomBits+63)/64))
	for _, h := range s.slots {
		if h != 0 {
			bloomEach(f, h, func(at uint64) bool { f[at/8] |= 1 << (at % 8); return true })
		}
	}
	return f
}

// bloomHas reports whether the set that made the filter may hold the hash. A filter of an impossible size refuses nothing.
func bloomHas(f []byte, hash uint64) bool {
	if len(f) == 0 || len(f)%8 != 0 {
		return true
	}
	if hash == 0 {
		hash = 1
	}
	return bloomEach(f, hash, func(at uint64) bool { return f[at/8]>>(at%8)&1 != 0 })
}

func bloomEach(f []byte, hash uint64, visit func(at uint64) bool) bool {
	size := uint64(8 * len(f))
	step := bits.RotateLeft64(hash, 32)*0x9e3779b97f4a7c15 | 1
	for range bloomProbes {
		at, _ := bits.Mul64(hash, size) // scales the hash to 0…size-1
		if !visit(at) {
			return false
		}
		hash += step
	}
	return true
}
