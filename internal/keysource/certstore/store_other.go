//go:build !windows && !darwin

package certstore

import (
	"runtime"

	"github.com/rolecall/rolecall/internal/keysource"
)

func native() (system, error) {
	return nil, keysource.Errorf("pass --cert-store with a folder or a file that holds certificates and keys, or --certificate and --private-key",
		"unable to use cert store signer on %s: the system has no certificate store", runtime.GOOS)
}
