package userfile

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

func openLock(path string) (*os.File, error) { return os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) }

func openRead(path string) (*os.File, error) { return open(path) }

func open(path string) (*os.File, error) { return os.Open(path) }

func lockFile(f *os.File) error {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, &windows.Overlapped{})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return errHeld
	}
	return err
}

// A new file inherits the access list of its folder, as the old one did.
func keepOwner(*os.File, fs.FileInfo) error { return nil }

func setMode(*os.File, fs.FileMode) error { return nil }

func syncFolder(string) error { return nil }

// Private is always true: the folders of a user's profile are closed to other users by their access lists, which a file's
// mode does not show.
func Private(fs.FileInfo) bool { return true }

func closeToOthers(path string) error { return protectFor(ntfs{}, path) }

// ntfs are the access lists of this system.
type ntfs struct{}

func (ntfs) currentUser() (string, error) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return "", err
	}
	return user.User.Sid.String(), nil
}

func (ntfs) protect(path, text string) error {
	sd, err := windows.SecurityDescriptorFromString(text)
	if err != nil {
		return err
	}
	dacl, _, err := sd.DACL()
	if err != nil {
		return err
	}
	return windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, dacl, nil)
}
