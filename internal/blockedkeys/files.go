package blockedkeys

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// stamp is a file as it was at one time.
type stamp struct {
	path string
	info os.FileInfo
}

// equal reports whether a file is still what it was: not replaced, not written to.
func (s stamp) equal(t stamp) bool {
	return s.path == t.path && os.SameFile(s.info, t.info) && s.info.Size() == t.info.Size() && s.info.ModTime().Equal(t.info.ModTime())
}

// find lists the files to read, in order.
func find(paths []string) ([]stamp, error) {
	var found []stamp
	total := int64(0)
	add := func(path string, info os.FileInfo) error {
		total += info.Size()
		switch {
		case !info.Mode().IsRegular(): // opening a pipe would wait for its writer
			return fmt.Errorf("blocked keys: %s is not a regular file", path)
		case len(found) == maxFiles:
			return fmt.Errorf("blocked keys: there are more than %d files", maxFiles)
		case total > maxTotal:
			return fmt.Errorf("blocked keys: the files have more than %d bytes", maxTotal)
		}
		found = append(found, stamp{path, info})
		return nil
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("blocked keys: %w", err)
		}
		if !info.IsDir() {
			if err := add(path, info); err != nil {
				return nil, err
			}
			continue
		}
		if err := inFolder(path, add); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// inFolder calls add for the files of a folder. Links are followed to files: that is how mounted configuration looks.
func inFolder(folder string, add func(string, os.FileInfo) error) error {
	entries, err := os.ReadDir(folder) // sorted
	if err != nil {
		return fmt.Errorf("blocked keys: %w", err)
	}
	none := true
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		path := filepath.Join(folder, e.Name())
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("blocked keys: %w", err)
		}
		if info.IsDir() {
			continue
		}
		if err := add(path, info); err != nil {
			return err
		}
		none = false
	}
	if none {
		return fmt.Errorf("blocked keys: there is no file in the folder %s", folder)
	}
	return nil
}

// unchanged makes sure that what was read is what is there: a file that is being written may end anywhere.
func unchanged(paths []string, found []stamp) error {
	again, err := find(paths)
	if err == nil && !slices.EqualFunc(found, again, stamp.equal) {
		err = errors.New("blocked keys: a file changed while it was read")
	}
	return err
}
