//go:build unix

package keyring

import (
	"os"

	"golang.org/x/sys/unix"
)

// lockFile waits for the right to replace the ring at path. The lock is on a file of its own: the ring's is replaced
// by each rotation, and a lock on it would be on the one that is gone.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, &os.PathError{Op: "flock", Path: f.Name(), Err: err}
	}
	return func() { f.Close() }, nil // closing ends the lock
}
