package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
)

// A password named NAME can be given as --NAME, which every user of the machine can see in the process list, and in these
// ways, of which at most one may be used.
const (
	fromFile   = "-file"
	fromEnv    = "-env"
	fromFD     = "-fd"
	fromPrompt = "-prompt"
)

// maxSecret bounds a password, in bytes.
const maxSecret = 4096

// secretNames are the flags that hold passwords.
func secretNames() []string { return []string{flagPassword, flagTPMPassword, flagPIN} }

// secretFlags are the ways to give the password that the flag name stands for.
func secretFlags(name, what string) []flag {
	return []flag{
		{name: name + fromFile, arg: "FILE", help: "file with the password of " + what + "; one newline at its end is dropped"},
		{name: name + fromEnv, arg: "VARIABLE", help: "environment variable with the password of " + what},
		{name: name + fromFD, kind: intFlag, arg: "N", help: "open file descriptor to read the password of " + what + " from"},
		{name: name + fromPrompt, kind: boolFlag, help: "ask for the password of " + what + " at the terminal"},
	}
}

// oneSecretEach refuses two ways of giving one password.
func (in *inputs) oneSecretEach() error {
	for _, name := range secretNames() {
		given := ""
		for _, how := range []string{"", fromFile, fromEnv, fromFD, fromPrompt} {
			if !in.isSet(name + how) {
				continue
			}
			if given != "" {
				return fmt.Errorf("--%s and --%s give the same password: use one of them", given, name+how)
			}
			given = name + how
		}
	}
	return nil
}

// secretReader reads passwords when they are first needed. What can be read only once is kept.
type secretReader struct {
	program *program

	mu   sync.Mutex        // guards kept, and makes one prompt of several concurrent ones
	kept map[string][]byte // by flag
}

// secret gives the reader of the password that the flag name and its variants stand for; nil: none of them is given.
// A file and a variable are read anew each time, so that a daemon sees a change.
func (in *inputs) secret(name string) func() ([]byte, error) {
	getenv := func(key string) (string, bool) { v := in.secrets.program.getenv(key); return v, v != "" }
	switch {
	case in.isSet(name):
		return func() ([]byte, error) { return []byte(in.text(name)), nil }
	case in.isSet(name + fromFile):
		return func() ([]byte, error) { return secretFile(in.text(name+fromFile), "--"+name+fromFile) }
	case in.isSet(name + fromEnv):
		return func() ([]byte, error) {
			v, ok := getenv(in.text(name + fromEnv))
			if !ok {
				return nil, &problem{fmt.Sprintf("the environment variable %s that --%s%s names is empty or not set", in.text(name+fromEnv), name, fromEnv), "set it, and export it"}
			}
			return []byte(v), nil
		}
	case in.isSet(name + fromFD):
		return in.secrets.once(name, func() ([]byte, error) { return secretFD(in.number(name+fromFD), "--"+name+fromFD) })
	case in.truth(name + fromPrompt):
		return in.secrets.once(name, func() ([]byte, error) { return askPassword("Password (" + name + "): ") })
	}
	return nil
}

func (s *secretReader) once(name string, read func() ([]byte, error)) func() ([]byte, error) {
	return func() ([]byte, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if b, ok := s.kept[name]; ok {
			return b, nil
		}
		b, err := read()
		if err != nil {
			return nil, err
		}
		if s.kept == nil {
			s.kept = map[string][]byte{}
		}
		s.kept[name] = b
		return b, nil
	}
}

func secretFile(path, flag string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &problem{fmt.Sprintf("cannot open the file of %s: %v", flag, err), "let the user who runs this read the file"}
	}
	defer f.Close()
	return readSecret(f, flag)
}

func secretFD(n int, flag string) ([]byte, error) {
	if n < 0 || n == 1 || n == 2 {
		return nil, &problem{fmt.Sprintf("%s %d is not a descriptor to read from", flag, n), "use 0 (standard input) or one from 3 on"}
	}
	f := os.NewFile(uintptr(n), "descriptor "+strconv.Itoa(n))
	if f == nil {
		return nil, &problem{fmt.Sprintf("%s %d is not open", flag, n), "open it for this program, in a shell with " + strconv.Itoa(n) + "<FILE"}
	}
	defer f.Close()
	return readSecret(f, flag)
}

func readSecret(r io.Reader, flag string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxSecret+1))
	if err != nil {
		return nil, &problem{fmt.Sprintf("cannot read the password of %s: %v", flag, err), ""}
	}
	if len(b) > maxSecret {
		return nil, &problem{fmt.Sprintf("the password of %s is longer than %d bytes", flag, maxSecret), "name something that holds the password only"}
	}
	if rest, ok := bytes.CutSuffix(b, []byte("\n")); ok {
		b = bytes.TrimSuffix(rest, []byte("\r"))
	}
	return b, nil
}
