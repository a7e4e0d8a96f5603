package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"time"
	"unicode"
)

const (
	ownName      = "rolecall"
	officialName = "aws_signing_helper"
)

// program is what a command may touch of the world.
type program struct {
	name           string // shown in help and errors
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
}

// programName is the name the program was started under, if it is one of its two.
func programName(args []string) string {
	if len(args) > 0 {
		base := filepath.Base(args[0])
		if runtime.GOOS == "windows" {
			base = strings.TrimSuffix(strings.ToLower(base), ".exe")
		}
		if base == officialName {
			return officialName
		}
	}
	return ownName
}

// run carries out one command line, without the program's name.
func (p *program) run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return p.overview()
	}
	switch args[0] {
	case "help":
		if len(args) == 1 {
			return p.overview()
		}
		cmd, err := p.find(args[1])
		if err != nil {
			return err
		}
		return p.usage(cmd)
	case "-h", "--help":
		return p.overview()
	case "--version":
		args = []string{"version"}
	}
	if rest, ok := adArguments(args); ok {
		return p.enrollAD(ctx, rest)
	}
	if strings.HasPrefix(args[0], "-") {
		return &usageError{problem: "flag " + args[0] + " comes before the command", command: ""}
	}
	cmd, err := p.find(args[0])
	if err != nil {
		return err
	}
	in, err := parseFlags(cmd.flags, args[1:])
	if errors.Is(err, errHelp) {
		return p.usage(cmd)
	}
	if err == nil {
		if err = in.exclusions(cmd.groups); err == nil {
			err = in.oneSecretEach()
		}
	}
	if err != nil {
		return &usageError{problem: err.Error(), command: cmd.name}
	}
	in.secrets.program = p
	return cmd.run(ctx, p, in)
}

func (p *program) find(name string) (*command, error) {
	for _, c := range commandTable() {
		if c.name == name {
			cmd := c.make()
			return &cmd, nil
		}
	}
	return nil, &usageError{problem: fmt.Sprintf("unknown command %q for %q", name, p.name)}
}

// usageError is a command line that cannot be carried out.
type usageError struct {
	problem string
	command string // whose help tells more; empty: the program's
}

func (e *usageError) Error() string { return e.problem }

// problem is an error with advice, for commands that have no better type.
type problem struct{ text, hint string }

func (e *problem) Error() string { return e.text }
func (e *problem) Hint() string  { return e.hint }

// report writes an error and what to do about it to stderr.
func (p *program) report(err error) {
	fmt.Fprintf(p.stderr, "%s: %s\n", p.name, printable(err.Error()))
	var detailed interface{ Details() []string }
	if errors.As(err, &detailed) {
		for _, line := range detailed.Details() {
			fmt.Fprintf(p.stderr, "  %s\n", printable(line))
		}
	}
	hint := ""
	var usage *usageError
	var hinted interface{ Hint() string }
	if errors.As(err, &usage) {
		hint = strings.TrimSpace(p.name+" "+usage.command) + " --help shows what is possible"
	} else if errors.As(err, &hinted) {
		hint = hinted.Hint()
	}
	if hint != "" {
		fmt.Fprintf(p.stderr, "hint: %s\n", printable(hint))
	}
}

func (p *program) warn(text string) {
	fmt.Fprintf(p.stderr, "%s: warning: %s\n", p.name, printable(text))
}

// log writes a line with the time, as a daemon's log wants it.
func (p *program) log(text string) {
	fmt.Fprintf(p.stderr, "%s %s\n", time.Now().Format("2006/01/02 15:04:05"), printable(text))
}

// printable keeps a server or a certificate from controlling the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, s)
}
