package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// openMemory opens a database that ends with the process: a WAL database in a private temporary folder (in /dev/shm where
// that has room), never synced, removed by close, and by the next openMemory if the process was killed.
//
// SQLite's own in-memory databases would lock readers out while a write transaction is open; rolecall authorizes from the
// view inside write transactions, which would then wait for themselves.
func openMemory() (*engine, error) {
	parent := memoryParent()
	sweepMemory(parent)
	dir, unlock, err := newMemoryFolder(parent)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	e, err := openSQLite(kindMemory, filepath.Join(dir, "rolecall.db"), "OFF")
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir), unlock())
	}
	e.after = func() error { return errors.Join(os.RemoveAll(dir), unlock()) }
	return e, nil
}

const memoryPrefix = "rolecall-memory-"

// newMemoryFolder tries a few times: another process's sweep may take a folder in the instant before it is locked.
func newMemoryFolder(parent string) (dir string, unlock func() error, err error) {
	for range 5 {
		if dir, err = os.MkdirTemp(parent, memoryPrefix); err != nil {
			return "", nil, err
		}
		if unlock, err = lockMemory(dir); err == nil {
			return dir, unlock, nil
		}
		os.RemoveAll(dir)
	}
	return "", nil, err
}
