package audit

import (
	"errors"
	"os"
)

// fillChunk is how far a segment is filled with zeros ahead of its records, in bytes. Overwriting allocated blocks spares
// most syncs the file system's journal: a sync takes about two thirds of the time. A torn end then is zeros.
const fillChunk = 1 << 20

// appendFile writes a segment from its start, ahead of which the file is filled with zeros.
type appendFile struct {
	file   *os.File
	size   int64 // written
	filled int64 // length of the file
	zeros  [64 << 10]byte
}

// Write implements io.Writer.
func (f *appendFile) Write(p []byte) (int, error) {
	if need := f.size + int64(len(p)); need > f.filled {
		for end := need + fillChunk; f.filled < end; f.filled += int64(len(f.zeros)) {
			if _, err := f.file.WriteAt(f.zeros[:], f.filled); err != nil {
				return 0, err
			}
		}
	}
	n, err := f.file.WriteAt(p, f.size)
	f.size += int64(n)
	return n, err
}

// Sync makes everything written durable.
func (f *appendFile) Sync() error { return syncData(f.file) }

// Close cuts the zeros off, durably: only the last segment may have a torn end.
func (f *appendFile) Close() error {
	err := f.file.Truncate(f.size)
	return errors.Join(err, f.file.Sync(), f.file.Close())
}
