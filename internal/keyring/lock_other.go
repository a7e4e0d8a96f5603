//go:build !unix

package keyring

import (
	"errors"
	"fmt"
)

// lockFile has no counterpart here; rather than risk losing a key to a concurrent rotation, it refuses.
func lockFile(path string) (unlock func(), err error) {
	return nil, fmt.Errorf("lock %s: %w on this system", path, errors.ErrUnsupported)
}
