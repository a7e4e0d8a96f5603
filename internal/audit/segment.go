package audit

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"
)

// segmentHeaderLen is the size of a segment's header:
//
//	magic   8 bytes, the last one is the version of the format
//	number  uint64: the segment's place in the order
//	nonce   uint64: random, ties positions and batch frames to this very file
//	created int64: microseconds since 1970
//	CRC-32C uint32 of all of the above
const segmentHeaderLen = 36

const segmentMagic = "RCAUDIT\x01"

var (
	errShortHeader = errors.New("segment header is incomplete")
	errBadHeader   = errors.New("segment header is damaged or of an unknown version")
)

type segmentHeader struct {
	number  uint64
	nonce   uint64
	created time.Time
}

func newSegmentHeader(number uint64, now time.Time) segmentHeader {
	var b [8]byte
	rand.Read(b[:]) // crypto/rand: never returns an error
	return segmentHeader{number: number, nonce: binary.LittleEndian.Uint64(b[:]), created: now}
}

func (h segmentHeader) encode() []byte {
	b := make([]byte, 0, segmentHeaderLen)
	b = append(b, segmentMagic...)
	b = binary.LittleEndian.AppendUint64(b, h.number)
	b = binary.LittleEndian.AppendUint64(b, h.nonce)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.created.UnixMicro()))
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// readSegmentHeader reads the header of a segment of size bytes that is stored under number.
func readSegmentHeader(r io.ReaderAt, size int64, number uint64) (segmentHeader, error) {
	if size < segmentHeaderLen {
		return segmentHeader{}, errShortHeader
	}
	var b [segmentHeaderLen]byte
	if _, err := r.ReadAt(b[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return segmentHeader{}, fmt.Errorf("reading segment header: %w", err)
	}
	sum := binary.LittleEndian.Uint32(b[segmentHeaderLen-4:])
	h := segmentHeader{
		number:  binary.LittleEndian.Uint64(b[8:]),
		nonce:   binary.LittleEndian.Uint64(b[16:]),
		created: fromMicros(int64(binary.LittleEndian.Uint64(b[24:]))),
	}
	if string(b[:8]) != segmentMagic || sum != crc32.Checksum(b[:segmentHeaderLen-4], castagnoli) || h.number != number {
		return segmentHeader{}, errBadHeader
	}
	return h, nil
}

// segmentFile is the open end of a segment.
type segmentFile interface {
	io.Writer
	// Sync returns nil only when everything written is durable.
	Sync() error
	io.Closer
}

// segmentSource reads a segment.
type segmentSource interface {
	io.ReaderAt
	io.Closer
	Size() (int64, error)
}

// folder keeps segments. The disk is one, memory another; tests add one that fails.
type folder interface {
	// List returns the numbers of all segments in ascending order.
	List() ([]uint64, error)
	// Create makes a segment that holds header; its existence and its header are durable on return.
	Create(number uint64, header []byte) (segmentFile, error)
	Open(number uint64) (segmentSource, error)
	// Truncate cuts a segment to size and makes it durable; Sync makes it durable as it is.
	Truncate(number uint64, size int64) error
	// Remove is durable when it returns: a segment that came back would be shipped again.
	Remove(number uint64) error
	// SetAside keeps a damaged segment out of List for an operator to look at, and returns its new name.
	SetAside(number uint64) (string, error)
	// ID names the folder among all logs: random, made once, durable before it is returned.
	ID() (string, error)
	Close() error
}
