//go:build unix

package store

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// memoryParent is where a database that keeps nothing lives: RAM if 256 MiB of it are free for files.
func memoryParent() string {
	const shm, room = "/dev/shm", 256 << 20
	var st unix.Statfs_t
	if unix.Access(shm, unix.W_OK) != nil || unix.Statfs(shm, &st) != nil || uint64(st.Bavail)*uint64(st.Bsize) < room {
		return os.TempDir()
	}
	return shm
}

// lockMemory marks dir as in use for as long as the process lives.
func lockMemory(dir string) (unlock func() error, err error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f.Close, nil
}

// sweepMemory removes the folders of killed processes: those whose lock is free. A folder without a lock file may be
// just coming up and stays.
func sweepMemory(parent string) {
	dirs, err := filepath.Glob(filepath.Join(parent, memoryPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|unix.O_NOFOLLOW, 0)
		if err != nil {
			continue // another user's, or not locked yet
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			os.RemoveAll(dir) // best effort: the next start tries again
		}
		f.Close()
	}
}
