//go:build cgo && unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// takeStdout keeps the standard output for the protocol and sends what a module prints to the standard error.
func takeStdout() (*os.File, error) {
	fd, err := unix.Dup(1)
	if err != nil {
		return nil, err
	}
	unix.CloseOnExec(fd)
	if err := unix.Dup2(2, 1); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "protocol"), nil
}
