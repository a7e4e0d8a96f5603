package audit

import (
	"encoding/binary"
	"hash/crc32"
)

// position is how far one segment has been shipped: every event that ends at or before offset is in the store.
type position struct {
	segment uint64
	nonce   uint64 // of that segment; a position never applies to another file
	offset  int64
}

// positions are those of the segments shipped last, in the order of shipping. The store keeps them, in the same transaction as the
// events: nothing is shipped twice or left out, whenever the process dies. A segment that is not among them has not been shipped,
// or has been removed, durably, before the next was begun.
type positions []position

const (
	positionLen  = 24
	maxPositions = 4
)

// with returns the positions with p in place of an older one of the same segment.
func (ps positions) with(p position) positions {
	var out positions
	for _, old := range ps {
		if old.segment != p.segment || old.nonce != p.nonce {
			out = append(out, old)
		}
	}
	out = append(out, p)
	return out[max(0, len(out)-maxPositions):]
}

// offset returns how far a segment has been shipped: 0 for an unknown one.
func (ps positions) offset(segment, nonce uint64) int64 {
	for _, p := range ps {
		if p.segment == segment && p.nonce == nonce {
			return p.offset
		}
	}
	return 0
}

func (ps positions) encode() []byte {
	b := make([]byte, 0, positionLen*len(ps)+4)
	for _, p := range ps {
		b = binary.LittleEndian.AppendUint64(b, p.segment)
		b = binary.LittleEndian.AppendUint64(b, p.nonce)
		b = binary.LittleEndian.AppendUint64(b, uint64(p.offset))
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// decodePositions reads what encode wrote. Nothing at all decodes to no positions.
func decodePositions(b []byte) (positions, bool) {
	if len(b) == 0 {
		return nil, true
	}
	n := len(b) - 4
	if n < 0 || n%positionLen != 0 || n > maxPositions*positionLen || binary.LittleEndian.Uint32(b[n:]) != crc32.Checksum(b[:n], castagnoli) {
		return nil, false
	}
	var ps positions
	for ; len(b) > 4; b = b[positionLen:] {
		ps = append(ps, position{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]), int64(binary.LittleEndian.Uint64(b[16:]))})
	}
	return ps, true
}
