package certchain

import (
	"bytes"
	"hash/maphash"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// serialIndex finds CRL entries by serial number: an open-addressing table of offsets into the
// list's own bytes, so that a large list costs 8 to 16 bytes per entry. The seed keeps whoever
// chooses serial numbers from making lookups slow.
type serialIndex struct {
	entries []byte   // the content of revokedCertificates
	table   []uint32 // offset + 1 of an entry, 0 for empty; the length is a power of two
	seed    maphash.Seed
	len     int
}

func newSerialIndex(entries []byte, n int) serialIndex {
	if n == 0 {
		return serialIndex{}
	}
	size := 8
	for size < 2*n {
		size *= 2
	}
	return serialIndex{entries: entries, table: make([]uint32, size), seed: maphash.MakeSeed(), len: n}
}

// add records the entry at offset; a serial that is listed twice keeps its first entry.
func (x *serialIndex) add(serial []byte, offset int) {
	slot := x.slot(serial)
	for x.table[slot] != 0 {
		if bytes.Equal(entrySerial(x.entries[x.table[slot]-1:]), serial) {
			return
		}
		slot = (slot + 1) & (len(x.table) - 1)
	}
	x.table[slot] = uint32(offset) + 1
}

// find returns the bytes that start with the serial's entry, or nil.
func (x *serialIndex) find(serial []byte) []byte {
	if x.len == 0 {
		return nil
	}
	for slot := x.slot(serial); x.table[slot] != 0; slot = (slot + 1) & (len(x.table) - 1) {
		entry := x.entries[x.table[slot]-1:]
		if bytes.Equal(entrySerial(entry), serial) {
			return entry
		}
	}
	return nil
}

func (x *serialIndex) slot(serial []byte) int {
	return int(maphash.Bytes(x.seed, serial) & uint64(len(x.table)-1))
}

// entrySerial returns the content of the first INTEGER of the entry that input starts with.
func entrySerial(input []byte) []byte {
	s := cryptobyte.String(input)
	var entry, serial cryptobyte.String
	if !s.ReadASN1(&entry, cbasn1.SEQUENCE) || !entry.ReadASN1(&serial, cbasn1.INTEGER) {
		return nil
	}
	return serial
}

// serialContent returns the content of the DER INTEGER of a non-negative number.
func serialContent(n *big.Int) []byte {
	b := n.Bytes()
	if len(b) == 0 || b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	return b
}
