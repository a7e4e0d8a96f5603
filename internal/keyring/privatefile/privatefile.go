// Package privatefile reads and writes the small files that hold keys. A file is written whole under a temporary
// name with mode 0600, synced, and only then given its name, so that a crash leaves either the old file or the new
// one. It does not encrypt, and it does not watch for changes.
//
// Start with [Write], [Create] and [Read].
package privatefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Mode is the mode of every private file.
const Mode fs.FileMode = 0o600

var (
	// ErrModes is wrapped when group or others have any access to a private file.
	ErrModes = errors.New("other users have access to the file")
	// ErrTooBig is wrapped when a file is longer than its reader allows.
	ErrTooBig = errors.New("the file is too big")
	// ErrNotRegular is wrapped when the path is a folder, a pipe or a device.
	ErrNotRegular = errors.New("not a regular file")
)

// Write gives path the content data, replacing what is there in one step. The mode is [Mode].
func Write(path string, data []byte) error { return WriteMode(path, data, Mode) }

// WriteMode is [Write] with another mode, for files without a secret in them.
func WriteMode(path string, data []byte, mode fs.FileMode) error {
	return install(path, data, mode, os.Rename)
}

// Create is [Write] for a path that must not exist yet. It returns an error that wraps [fs.ErrExist] if it does, and
// leaves the existing file alone. Of several creators of one path, one wins.
func Create(path string, data []byte) error {
	return install(path, data, Mode, os.Link) // link(2), unlike rename(2), refuses an existing name
}

// install writes a temporary file beside path and gives it its name with move.
func install(path string, data []byte, mode fs.FileMode, move func(from, to string) error) (err error) {
	dir, base := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	f, err := os.CreateTemp(dir, "."+base+".tmp-")
	if err != nil {
		return err
	}
	tmp := f.Name()
	defer os.Remove(tmp) // already gone after a rename
	if _, err = f.Write(data); err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err = move(tmp, path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes the new name itself durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("sync folder %s: %w", dir, err)
	}
	return nil
}

// Read returns the content of a private file of at most limit bytes, and what the file was when it was read. It
// refuses a file that anybody but its owner can use, and everything that is not a regular file.
func Read(path string, limit int64) ([]byte, fs.FileInfo, error) {
	// Ask before opening: opening a named pipe would wait for a writer.
	if info, err := os.Stat(path); err != nil {
		return nil, nil, err
	} else if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s: %w", path, ErrNotRegular)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat() // of what was opened: the name may have moved on since
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s: %w", path, ErrNotRegular)
	}
	if m := info.Mode().Perm(); m&0o077 != 0 {
		return nil, nil, fmt.Errorf("%s: %w: mode is %#o, want %#o (chmod 600)", path, ErrModes, m, Mode)
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", path, err)
	}
	if int64(len(data)) > limit {
		return nil, nil, fmt.Errorf("%s: %w: more than %d bytes", path, ErrTooBig, limit)
	}
	return data, info, nil
}
