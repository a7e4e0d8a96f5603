package audit

import (
	"encoding/binary"
	"hash/crc32"
)

// position is how far the Shipper has come: every event that ends at or before offset in the segment is in the store.
type position struct {
	segment uint64
	nonce   uint64 // of that segment; a position never applies to another file
	offset  int64
}

const positionLen = 28

func (p position) encode() []byte {
	b := make([]byte, 0, positionLen)
	b = binary.LittleEndian.AppendUint64(b, p.segment)
	b = binary.LittleEndian.AppendUint64(b, p.nonce)
	b = binary.LittleEndian.AppendUint64(b, uint64(p.offset))
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func decodePosition(b []byte) (position, bool) {
	if len(b) != positionLen || binary.LittleEndian.Uint32(b[positionLen-4:]) != crc32.Checksum(b[:positionLen-4], castagnoli) {
		return position{}, false
	}
	return position{
		segment: binary.LittleEndian.Uint64(b),
		nonce:   binary.LittleEndian.Uint64(b[8:]),
		offset:  int64(binary.LittleEndian.Uint64(b[16:])),
	}, true
}

// loadPosition reads the kept position. Without a usable one, shipping starts over, which only repeats idempotent work.
func loadPosition(f folder) (position, bool) {
	b, err := f.LoadPosition()
	if err != nil {
		return position{}, false
	}
	return decodePosition(b)
}
