package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
)

// logIDLen is the length of a UUID.
const logIDLen = 36

const (
	segmentSuffix = ".log"
	asideSuffix   = ".damaged"
	lockName      = "lock"
	idName        = "id"
)

// ErrLocked means that another process has the folder open.
var ErrLocked = errors.New("audit: the log folder is in use by another process")

// disk is the folder on a file system.
type disk struct {
	path string
	lock *os.File
}

func openDisk(path string) (*disk, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("audit: creating the log folder: %w", err)
	}
	// Records name people and machines: nobody else reads them, whatever the mode was before.
	if err := os.Chmod(path, 0o700); err != nil {
		return nil, fmt.Errorf("audit: restricting the log folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("audit: opening the lock file: %w", err)
	}
	if err := lockFile(lock); err != nil {
		lock.Close()
		if errors.Is(err, ErrLocked) {
			return nil, fmt.Errorf("%w: %s", ErrLocked, path)
		}
		return nil, fmt.Errorf("audit: locking %s: %w", lock.Name(), err)
	}
	return &disk{path: path, lock: lock}, nil
}

// Close releases the lock.
func (d *disk) Close() error { return d.lock.Close() }

func (d *disk) name(number uint64) string {
	return filepath.Join(d.path, fmt.Sprintf("%016d%s", number, segmentSuffix))
}

func (d *disk) List() ([]uint64, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, fmt.Errorf("audit: listing segments: %w", err)
	}
	var numbers []uint64
	for _, e := range entries {
		base, ok := strings.CutSuffix(e.Name(), segmentSuffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(base, 10, 64)
		if err != nil || d.name(n) != filepath.Join(d.path, e.Name()) {
			return nil, fmt.Errorf("audit: %s in the log folder is not a segment", e.Name())
		}
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	return numbers, nil
}

func (d *disk) Create(number uint64, header []byte) (segmentFile, error) {
	file, err := os.OpenFile(d.name(number), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, describe("creating a segment", err)
	}
	// Nothing is filled yet: a segment that was never begun must be told by its length.
	if _, err := file.Write(header); err != nil {
		file.Close()
		return nil, describe("creating a segment", err)
	}
	if err := errors.Join(file.Sync(), d.syncDir()); err != nil {
		file.Close()
		return nil, describe("creating a segment", err)
	}
	return &appendFile{file: file, size: int64(len(header)), filled: int64(len(header))}, nil
}

func (d *disk) Open(number uint64) (segmentSource, error) {
	f, err := os.Open(d.name(number))
	if err != nil {
		return nil, fmt.Errorf("audit: opening a segment: %w", err)
	}
	return diskFile{f}, nil
}

func (d *disk) Truncate(number uint64, size int64) error {
	f, err := os.OpenFile(d.name(number), os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("audit: opening a segment: %w", err)
	}
	// A killed process leaves records in the page cache that were never synced, so this syncs even when nothing is cut.
	err = errors.Join(f.Truncate(size), f.Sync(), f.Close())
	if err != nil {
		return describe("recovering a segment", err)
	}
	return nil
}

func (d *disk) Remove(number uint64) error {
	if err := os.Remove(d.name(number)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("audit: removing a segment: %w", err)
	}
	if err := d.syncDir(); err != nil {
		return fmt.Errorf("audit: removing a segment: %w", err)
	}
	return nil
}

func (d *disk) SetAside(number uint64) (string, error) {
	to := strings.TrimSuffix(d.name(number), segmentSuffix) + asideSuffix
	if err := os.Rename(d.name(number), to); err != nil {
		return "", fmt.Errorf("audit: setting a damaged segment aside: %w", err)
	}
	return to, d.syncDir()
}

func (d *disk) ID() (string, error) {
	name := filepath.Join(d.path, idName)
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return d.newID(name)
	}
	if err != nil {
		return "", fmt.Errorf("audit: reading the log's id: %w", err)
	}
	if len(b) != logIDLen {
		return "", fmt.Errorf("audit: %s does not hold a log's id", name)
	}
	return string(b), nil
}

func (d *disk) newID(name string) (string, error) {
	id := arn.NewUUID()
	f, err := os.OpenFile(name+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", describe("writing the log's id", err)
	}
	_, err = f.WriteString(id)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = errors.Join(os.Rename(name+".tmp", name), d.syncDir())
	}
	if err != nil {
		return "", describe("writing the log's id", err)
	}
	return id, nil
}

func (d *disk) syncDir() error {
	dir, err := os.Open(d.path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// diskFile adds to *os.File what reading a segment needs.
type diskFile struct{ *os.File }

func (f diskFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
