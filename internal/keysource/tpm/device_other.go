//go:build !unix

package tpm

import (
	"errors"
	"os"
)

// openDevice refuses: Windows has no device file for its TPM; keys there are used through its certificate store.
func openDevice(string) (*os.File, error) {
	return nil, errors.New("TPM devices are not supported on this system; use --cert-selector")
}
