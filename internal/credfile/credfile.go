// Package credfile writes into the AWS credentials file and the AWS config file, which belong to the user: of the one it
// changes the three keys of one profile, of the other a block of its own, and no other byte.
//
// It does not obtain credentials, and it does not judge what else is in the file. Writers of this package wait for each
// other; other programs do not take part in the locking, but find the file whole at every moment.
// Start with [Update] and [WriteProfile]; edit.go and block.go change the contents, config.go has the files' side of the
// config file, line.go says which line means what.
package credfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/rolecall/rolecall/internal/userfile"
)

// maxFile bounds the file, in bytes. What is larger is left alone.
const maxFile = 16 << 20

// lockTime bounds the wait for other writers.
const lockTime = time.Minute

// Path is the credentials file: AWS_SHARED_CREDENTIALS_FILE, else .aws/credentials in the home folder.
func Path(getenv func(string) string) (string, error) {
	if p := getenv("AWS_SHARED_CREDENTIALS_FILE"); p != "" {
		return p, nil
	}
	return inHome(getenv, "credentials", "AWS_SHARED_CREDENTIALS_FILE")
}

// inHome is a file in the folder .aws of the home folder, which variable could have named.
func inHome(getenv func(string) string, name, variable string) (string, error) {
	home := getenv("HOME")
	if runtime.GOOS == "windows" {
		home = getenv("USERPROFILE")
	}
	if home == "" {
		return "", &Error{"the home folder is not known", "set HOME or " + variable, nil}
	}
	return filepath.Join(home, ".aws", name), nil
}

// Update sets the credentials of profile in the file at path. A missing file is made with mode 0600, a missing folder with
// 0700; an existing file keeps its mode and owner. A symbolic link is followed and stays.
func Update(ctx context.Context, path, profile string, v *Values) error {
	return rewrite(ctx, path, userfile.Replace, func(old []byte) ([]byte, error) { return Edit(old, profile, v) })
}

// rewrite replaces the file by what edit makes of it, while no other writer of this package does. Nothing is written if
// that is the same. replace is one of the functions of userfile.
func rewrite(ctx context.Context, path string, replace func(string, []byte, fs.FileMode, fs.FileInfo) error, edit func(old []byte) ([]byte, error)) error {
	real, err := follow(path)
	if err != nil {
		return fileError(path, err)
	}
	if err := os.MkdirAll(filepath.Dir(real), 0o700); err != nil {
		return fileError(path, err)
	}
	ctx, cancel := context.WithTimeout(ctx, lockTime)
	defer cancel()
	lock, err := userfile.Acquire(ctx, real+".lock")
	if err != nil {
		return fileError(path, err)
	}
	defer lock.Release()
	mode := fs.FileMode(0o600)
	old, info, err := userfile.Read(real, maxFile)
	switch {
	case err == nil:
		mode = info.Mode()
	case !errors.Is(err, fs.ErrNotExist):
		return fileError(path, err)
	}
	data, err := edit(old)
	if err == nil && info != nil && bytes.Equal(data, old) {
		return nil
	}
	if err == nil {
		err = replace(real, data, mode, info)
	}
	if err != nil {
		return fileError(path, err)
	}
	return nil
}

// follow resolves symbolic links of the file itself, also to a file that does not exist yet.
func follow(path string) (string, error) {
	for range 40 { // as the kernel's limit
		target, err := os.Readlink(path)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.EINVAL):
			return path, nil
		case err != nil:
			if info, e := os.Lstat(path); e == nil && info.Mode()&fs.ModeSymlink == 0 {
				return path, nil // Windows has another error for what is no link
			}
			return "", err
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return "", errors.New("too many symbolic links")
}

// Error is a credentials file that cannot be written, and what to do about it.
type Error struct {
	Problem string
	Advice  string // may be empty
	Cause   error  // may be nil
}

func (e *Error) Error() string { return e.Problem }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Hint is what the user can do, or "".
func (e *Error) Hint() string { return e.Advice }

func fileError(path string, err error) error {
	cause := err
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	var pe *fs.PathError
	var le *os.LinkError
	switch {
	case errors.As(err, &pe):
		cause = pe.Err
	case errors.As(err, &le):
		cause = le.Err
	}
	advice := ""
	switch {
	case errors.Is(err, fs.ErrPermission):
		advice = "let the user who runs this write the file and its folder"
	case errors.Is(err, syscall.EBUSY):
		advice = "mount the folder instead of the file: a mounted file cannot be replaced as a whole"
	}
	return &Error{Problem: fmt.Sprintf("cannot update %s: %v", path, cause), Advice: advice, Cause: err}
}
