//go:build cgo

// Command rolecall-pkcs11 signs with a key on a PKCS#11 token for rolecall, which starts it and cannot load modules itself
// because it is built without cgo. It is of no use by hand: it speaks the protocol of internal/keysource/pkcs11/wire on
// its standard input and output, and ends when the input does.
package main

import (
	"fmt"
	"os"

	"github.com/rolecall/rolecall/internal/keysource/pkcs11/token"
)

// version is set by the linker.
var version = "unknown"

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println(version)
		return
	}
	if len(os.Args) > 1 {
		fmt.Fprintln(os.Stderr, "rolecall-pkcs11: it takes no arguments\nhint: rolecall starts it when a pkcs11: URI names the key")
		os.Exit(1)
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "rolecall-pkcs11: "+err.Error())
		os.Exit(1)
	}
}

func run() error {
	out, err := takeStdout()
	if err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	s := &token.Server{}
	return s.Serve(os.Stdin, out)
}
