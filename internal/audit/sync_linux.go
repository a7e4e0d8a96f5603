package audit

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncData makes a file's contents and size durable, without its times (fdatasync(2)).
func syncData(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if err != unix.EINTR {
			return err
		}
	}
}
