package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// maxSecretFile bounds what is read as a secret, in bytes.
const maxSecretFile = 1 << 20

// noDescriptor is the descriptor of a secret that comes from none.
const noDescriptor = -1

// secretFrom is where a password comes from, the first that is given. It is never on the command line, which everybody on a
// machine sees.
type secretFrom struct {
	file   string // its first line
	fd     int    // a descriptor's first line; noDescriptor for none
	env    string // name of a variable, which need not be set
	prompt string // at the terminal; "" does not ask
}

// given reads the password if it was given, other than at the terminal; false if it was not.
func (s *secretFrom) given(getenv func(string) string) (secret string, ok bool, err error) {
	switch {
	case s.file != "" && s.fd != noDescriptor:
		return "", false, errors.New("the password comes from a file or from a descriptor, not from both")
	case s.file != "":
		b, err := readSmall(s.file)
		if err != nil {
			return "", false, err
		}
		secret, err = firstLine(b, s.file)
		return secret, err == nil, err
	case s.fd != noDescriptor:
		name := fmt.Sprintf("descriptor %d", s.fd)
		if s.fd < 0 || s.fd == 1 || s.fd == 2 {
			return "", false, &hintError{fmt.Errorf("%s is not one to read from", name), "use 0 (standard input) or one from 3 on"}
		}
		f := os.NewFile(uintptr(s.fd), name)
		defer f.Close()
		b, err := readBounded(f, name)
		if err != nil {
			return "", false, err
		}
		secret, err = firstLine(b, name)
		return secret, err == nil, err
	}
	secret = getenv(s.env)
	return secret, secret != "", nil
}

// read is the password, or "" if it was not given and is not to be asked for.
func (s *secretFrom) read(ctx context.Context, getenv func(string) string) (string, error) {
	if secret, ok, err := s.given(getenv); ok || err != nil || s.prompt == "" {
		return secret, err
	}
	return s.ask(ctx)
}

// ask asks at the terminal, which is not one of the standard streams, without echo.
func (s *secretFrom) ask(ctx context.Context) (string, error) {
	hint := &hintError{errors.New("no password given, and no terminal to ask for it"), "give it in a file or in " + s.env}
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return "", hint
	}
	defer tty.Close()
	fd := int(tty.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return "", hint
	}
	fmt.Fprint(tty, s.prompt)
	type line struct {
		text []byte
		err  error
	}
	typed := make(chan line, 1)
	go func() {
		b, err := term.ReadPassword(fd)
		typed <- line{b, err}
	}()
	select {
	case <-ctx.Done(): // an interrupt must not leave the terminal without echo
		return "", errors.Join(errors.New("interrupted"), term.Restore(fd, state))
	case l := <-typed:
		fmt.Fprintln(tty)
		if l.err != nil || len(l.text) == 0 {
			return "", &hintError{errors.New("no password was typed"), hint.hint}
		}
		return string(l.text), nil
	}
}

func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBounded(f, path)
}

func readBounded(r io.Reader, name string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxSecretFile+1))
	if err == nil && len(b) > maxSecretFile {
		err = fmt.Errorf("%s has more than %d bytes", name, maxSecretFile)
	}
	return b, err
}

func firstLine(b []byte, name string) (string, error) {
	line, _, _ := strings.Cut(string(b), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", fmt.Errorf("%s has no password in its first line", name)
	}
	return line, nil
}
