// Command rolecall-ad enrolls Linux machines and their users for certificates as Windows does: by the enrollment policies of an
// Active Directory domain, with Kerberos. It is a program of its own so that the credential client stays free of Kerberos.
//
// Started under the name cepces-submit it is a helper of certmonger, the one that Samba's group policy client looks for.
// What it does is the business of internal/adclient. Start with rootCommand.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"unicode"

	"github.com/spf13/cobra"
)

// version is set at link time.
var version = "devel"

// helperName is what samba-gpupdate calls a certmonger helper for AD.
const helperName = "cepces-submit"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	args := os.Args[min(1, len(os.Args)):]
	if len(os.Args) > 0 && filepath.Base(os.Args[0]) == helperName {
		args = append([]string{"certmonger"}, args...)
	}
	code := run(ctx, args, os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// hintError is an error that knows what to do about it.
type hintError struct {
	err  error
	hint string
}

func (e *hintError) Error() string { return e.err.Error() }
func (e *hintError) Unwrap() error { return e.err }

// exitError ends the program with a code of its own; the error has been told.
type exitError struct{ code int }

func (e *exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// run is the whole program: tests call it with their own arguments and environment.
func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := rootCommand(getenv)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var exit *exitError
	if errors.As(err, &exit) {
		return exit.code
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(stderr, "rolecall-ad: %s\n", printable(line))
	}
	var h *hintError
	if errors.As(err, &h) {
		fmt.Fprintf(stderr, "hint: %s\n", h.hint)
	}
	return 1
}

// printable keeps a server from controlling the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, s)
}

func rootCommand(getenv func(string) string) *cobra.Command {
	root := &cobra.Command{
		Use:   "rolecall-ad",
		Short: "Certificates of an Active Directory domain for Linux machines and users",
		Long: `rolecall-ad enrolls for certificates as Windows does: it asks the enrollment policy server of an Active Directory
domain what this machine or user may have, makes keys, has certificates issued and renews them in time.

A user:     rolecall-ad enroll --server ca.corp.example.com
A machine:  rolecall-ad enroll --server ca.corp.example.com --machine`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(enrollCommand(getenv), policyCommand(getenv), certmongerCommand(getenv), versionCommand())
	return root
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), version)
			return err
		},
	}
}
