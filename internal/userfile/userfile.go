// Package userfile changes files that belong to a user and that several processes write: it locks them between processes
// and replaces them as a whole, so that a reader sees the old contents or the new ones and never a piece.
//
// It knows nothing of what is in the files. Locks are advisory: they hold off only others that ask for them.
// Start with [Acquire] and [Replace].
package userfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Lock is a held lock. It ends with [Lock.Release] and, at the latest, with the process.
type Lock struct{ f *os.File }

var errHeld = errors.New("the lock is held by another process")

// TryAcquire takes the exclusive lock on the file at path, which it creates with mode 0600 if need be.
// ok is false if another process (or another Lock of this one) holds it.
func TryAcquire(path string) (lock *Lock, ok bool, err error) {
	f, err := openLock(path)
	if err != nil {
		return nil, false, err
	}
	if err := lockFile(f); err != nil {
		f.Close()
		if errors.Is(err, errHeld) {
			return nil, false, nil
		}
		return nil, false, &fs.PathError{Op: "lock", Path: path, Err: err}
	}
	return &Lock{f}, true, nil
}

// Acquire waits for the lock until ctx ends. It asks again every few milliseconds, as a blocking call of the system could
// not be given up.
func Acquire(ctx context.Context, path string) (*Lock, error) {
	for pause := time.Millisecond; ; pause = min(pause*2, 20*time.Millisecond) {
		lock, ok, err := TryAcquire(path)
		if err != nil || ok {
			return lock, err
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil, fmt.Errorf("waiting for the lock %s: %w", path, context.Cause(ctx))
		case <-t.C:
		}
	}
}

// Release gives the lock up. The file stays: to remove it would let two processes lock two files of one name.
func (l *Lock) Release() { l.f.Close() }

// ErrTooLarge is the cause when a file exceeds the limit of [Read].
var ErrTooLarge = errors.New("the file is too large")

// Open opens a file for reading. It waits for what is a named pipe, as os.Open does, but keeps away from the poller that os
// files have: setting that up costs a short-lived program more than the reading.
func Open(path string) (*os.File, error) { return open(path) }

// Read reads a regular file of at most limit bytes, with its state as of the same opening.
func Read(path string, limit int64) ([]byte, fs.FileInfo, error) {
	f, err := openRead(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("it is not a regular file")}
	}
	if info.Size() > limit {
		return nil, nil, &fs.PathError{Op: "read", Path: path, Err: ErrTooLarge}
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, nil, err
	}
	if int64(len(data)) > limit {
		return nil, nil, &fs.PathError{Op: "read", Path: path, Err: ErrTooLarge}
	}
	return data, info, nil
}

// Replace puts data in the place of the file at path: written to a new file in the same folder, synced, renamed.
// The new file gets mode and, where old is not nil and the system has owners, the owner and group of old; if that is not
// possible nothing is changed, as the owner could be locked out. path must not be a symbolic link, or the link is replaced.
func Replace(path string, data []byte, mode fs.FileMode, old fs.FileInfo) error {
	if err := replace(path, data, mode, old, true); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// Swap is Replace for a file that may be lost in a crash of the machine, such as a cache: it waits for no disk.
func Swap(path string, data []byte) error { return replace(path, data, 0o600, nil, false) }

func replace(path string, data []byte, mode fs.FileMode, old fs.FileInfo, durable bool) error {
	return replaceAs(path, data, mode, old, durable, func(string) error { return nil })
}

// replaceAs lets guard change the access to the new file before anything is in it.
func replaceAs(path string, data []byte, mode fs.FileMode, old fs.FileInfo, durable bool, guard func(path string) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := guard(f.Name()); err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := keepOwner(f, old); err != nil {
		return err
	}
	if err := setMode(f, mode); err != nil {
		return err
	}
	if durable {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Link makes path a symbolic link to target in one step, durably, in the place of another link if there is one. The caller
// holds a lock on the folder: a link that an earlier, broken run had begun is removed.
func Link(target, path string) error {
	begun := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	if err := os.Remove(begun); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(target, begun); err != nil {
		return err
	}
	if err := os.Rename(begun, path); err != nil {
		return errors.Join(err, os.Remove(begun))
	}
	return syncFolder(filepath.Dir(path))
}

// ReplaceOwnerOnly is [Replace] for a file that nobody but its owner may use, whatever mode says of others: on Windows the
// access list of the new file names the user, the system and the administrators only, and inherits nothing.
func ReplaceOwnerOnly(path string, data []byte, mode fs.FileMode, old fs.FileInfo) error {
	if err := replaceAs(path, data, mode&0o700, old, true, closeToOthers); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}
