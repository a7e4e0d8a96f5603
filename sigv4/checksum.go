package sigv4

import (
	"crypto/sha1"
	"crypto/sha256"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"strings"
)

// nvmePolynomial is CRC-64/NVME, reversed as hash/crc64 wants it.
const nvmePolynomial = 0x9a6c9329ac4bc9b5

// newChecksum is the hash behind an x-amz-checksum-* trailer, or nil if it is not one of S3's five. SHA-1 serves as a
// checksum here, as the sender chose.
func newChecksum(trailer string) hash.Hash {
	name, ok := strings.CutPrefix(trailer, "x-amz-checksum-")
	if !ok {
		return nil
	}
	switch name {
	case "crc32":
		return crc32.NewIEEE()
	case "crc32c":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "crc64nvme":
		return crc64.New(crc64.MakeTable(nvmePolynomial))
	case "sha1":
		return sha1.New()
	case "sha256":
		return sha256.New()
	}
	return nil
}
