package store

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// Records of one block resemble each other: the same members in the same order, and a few values that differ. appendPacked
// replaces what has occurred before by its distance and length (LZ77 with one candidate per place). It finds less than deflate
// does and takes a tenth of its time, which is what counts here: packing must cost less than the writing it saves.
//
// The format is the raw length, then runs of: length of literals, the literals, length of a copy, its distance. The last run may
// end after its literals. All numbers are uvarints.
const (
	packMinMatch = 8 // below, a copy saves nothing worth its time
	packHashBits = 13
)

// maxUnpacked bounds what a damaged length can make unpack allocate.
const maxUnpacked = 64 << 20

var errPacked = errors.New("store: packed bytes are damaged")

// packer holds the table of places between calls.
type packer struct{ table [1 << packHashBits]uint32 }

func packHash(v uint64) uint64 { return v * 0x9e3779b97f4a7c15 >> (64 - packHashBits) }

// appendPacked appends src, packed. src is shorter than maxUnpacked.
func (p *packer) appendPacked(dst, src []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(src)))
	clear(p.table[:])
	done, at := 0, 0
	for at+packMinMatch <= len(src) {
		v := binary.LittleEndian.Uint64(src[at:])
		slot := &p.table[packHash(v)]
		candidate := int(*slot) - 1 // 0 is empty
		*slot = uint32(at + 1)
		if candidate < 0 || binary.LittleEndian.Uint64(src[candidate:]) != v {
			at += 1 + (at-done)>>6 // what does not repeat, such as certificates, is passed over ever faster
			continue
		}
		n := packMinMatch + common(src[candidate+packMinMatch:], src[at+packMinMatch:])
		for at > done && candidate > 0 && src[at-1] == src[candidate-1] {
			at, candidate, n = at-1, candidate-1, n+1
		}
		dst = binary.AppendUvarint(dst, uint64(at-done))
		dst = append(dst, src[done:at]...)
		dst = binary.AppendUvarint(dst, uint64(n))
		dst = binary.AppendUvarint(dst, uint64(at-candidate))
		at += n
		done = at
		if at+packMinMatch <= len(src) { // the place where the next record's values begin to differ
			p.table[packHash(binary.LittleEndian.Uint64(src[at-2:]))] = uint32(at - 1)
		}
	}
	if done < len(src) {
		dst = binary.AppendUvarint(dst, uint64(len(src)-done))
		dst = append(dst, src[done:]...)
	}
	return dst
}

// common is the length of the common beginning of a and b; b is the shorter one.
func common(a, b []byte) int {
	n := 0
	for n+8 <= len(b) {
		if x := binary.LittleEndian.Uint64(a[n:]) ^ binary.LittleEndian.Uint64(b[n:]); x != 0 {
			return n + bits.TrailingZeros64(x)/8
		}
		n += 8
	}
	for n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// unpack undoes appendPacked.
func unpack(src []byte) ([]byte, error) {
	in := blockReader{rest: src}
	size := in.number(maxUnpacked)
	// Every byte of input can stand for many of output, so the length is a claim: room grows as the output does.
	out := make([]byte, 0, min(size, 64*len(src)+64))
	for len(out) < size && !in.failed {
		literals := in.bytes(in.number(uint64(size - len(out))))
		out = append(out, literals...)
		if len(out) == size {
			break
		}
		n, distance := in.number(uint64(size-len(out))), in.number(uint64(len(out)))
		if in.failed || n == 0 || distance == 0 {
			return nil, errPacked
		}
		for from := len(out) - distance; n > 0; { // a copy may overlap itself
			run := min(n, len(out)-from)
			out = append(out, out[from:from+run]...)
			n -= run
		}
	}
	if in.failed || len(in.rest) != 0 {
		return nil, errPacked
	}
	return out, nil
}
