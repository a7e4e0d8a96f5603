//go:build cgo && !unix

package main

import "os"

// takeStdout gives the standard output. Modules for Windows do not print there.
func takeStdout() (*os.File, error) { return os.Stdout, nil }
