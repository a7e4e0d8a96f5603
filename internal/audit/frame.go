package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A segment is a header followed by frames. A frame is
//
//	length   uint32, little endian: bytes of the payload
//	checksum uint32, little endian: CRC-32C of the length's four bytes and the payload
//	payload  its first byte is the kind
const (
	frameHeader = 8
	// MaxRecord is the largest payload of one record, in bytes. Every event fits: its fields have limits that add up to less.
	MaxRecord = 2 << 20
)

type recordKind byte

const (
	kindEvent recordKind = 1 // an event, perhaps with a subject
	kindCert  recordKind = 2 // a certificate that later records of the segment name by fingerprint
	kindBatch recordKind = 3 // the start of one write; proves that everything before it was synced
)

// castagnoli is read-only after initialisation.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errFrame = errors.New("damaged frame")

// openFrame reserves the frame header at the end of b; closeFrame fills it.
func openFrame(b []byte, kind recordKind) []byte {
	return append(b, 0, 0, 0, 0, 0, 0, 0, 0, byte(kind))
}

func closeFrame(b []byte, start int) {
	payload := b[start+frameHeader:]
	binary.LittleEndian.PutUint32(b[start:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(b[start+4:], frameSum(b[start:start+4], payload))
}

func frameSum(length, payload []byte) uint32 {
	return crc32.Update(crc32.Update(0, castagnoli, length), castagnoli, payload)
}

// frameLength reads and bounds the length field of a frame header.
func frameLength(header []byte) (int, error) {
	n := binary.LittleEndian.Uint32(header)
	if n == 0 || n > MaxRecord {
		return 0, fmt.Errorf("%w: length %d", errFrame, n)
	}
	return int(n), nil
}

// checkFrame compares the checksum of a whole frame.
func checkFrame(header, payload []byte) error {
	if binary.LittleEndian.Uint32(header[4:]) != frameSum(header[:4], payload) {
		return fmt.Errorf("%w: checksum", errFrame)
	}
	return nil
}

// batchFrameLen is the size of a batch's first frame: kind, the segment's nonce, the frame's own offset.
const batchFrameLen = frameHeader + 1 + 8 + 8

// putBatchFrame writes the frame that starts a batch at offset into b[:batchFrameLen].
func putBatchFrame(b []byte, nonce uint64, offset int64) {
	b[frameHeader] = byte(kindBatch)
	binary.LittleEndian.PutUint64(b[frameHeader+1:], nonce)
	binary.LittleEndian.PutUint64(b[frameHeader+9:], uint64(offset))
	closeFrame(b[:batchFrameLen], 0)
}

// isBatchFrame reports whether b begins with the batch frame of this segment and offset. The nonce is random and never leaves
// the folder, so bytes that a caller put into a record cannot pass for a batch frame.
func isBatchFrame(b []byte, nonce uint64, offset int64) bool {
	if len(b) < batchFrameLen {
		return false
	}
	var want [batchFrameLen]byte
	putBatchFrame(want[:], nonce, offset)
	return string(b[:batchFrameLen]) == string(want[:])
}
