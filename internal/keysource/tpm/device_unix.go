//go:build unix

package tpm

import (
	"io/fs"
	"os"
	"syscall"
)

// openDevice opens a device for blocking reads. In the other mode, which os.OpenFile chooses for what can be polled, the
// kernel's TPM driver answers a read before the command is done with nothing, which looks like the end of the file.
func openDevice(path string) (*os.File, error) {
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}
