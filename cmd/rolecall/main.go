// Command rolecall is the client: it obtains temporary credentials with an X.509 certificate from IAM Roles Anywhere,
// AWS's or rolecall's own server, and hands them to the AWS CLI and the SDKs.
//
// It is a drop-in for the official credential helper: the same subcommands, flags, output and exit codes, also when it is
// started under the name aws_signing_helper. It signs and prints; keys are the business of internal/keysource, the
// exchange with the server that of internal/credclient.
// Start with commands in command.go; each command has a file of its own.
package main

import (
	"context"
	"errors"
	"os"
)

func main() {
	p := &program{
		name:   programName(os.Args),
		getenv: os.Getenv,
		stdin:  os.Stdin,
		stdout: os.Stdout,
		stderr: os.Stderr,
	}
	if err := p.run(context.Background(), os.Args[min(1, len(os.Args)):]); err != nil {
		if ended, ok := errors.AsType[*exitCode](err); ok {
			os.Exit(max(1, ended.code))
		}
		p.report(err)
		os.Exit(1)
	}
}
