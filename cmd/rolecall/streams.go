package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
)

// Names that --certificate, --private-key and --intermediates take in place of a file's. A file of such a name is ./-,
// ./fd:3 or ./env:X.
const (
	stdinName = "-"
	fdPrefix  = "fd:"
	envPrefix = "env:"
)

// streamReader keeps what can be read only once.
type streamReader struct {
	mu   sync.Mutex // guards kept
	kept map[string][]byte
}

// stream gives the contents of standard input, a descriptor or an environment variable; false: name is that of a file.
func (in *inputs) stream(name string, limit int) (data []byte, ok bool, err error) {
	variable, isEnv := strings.CutPrefix(name, envPrefix)
	number, isFD := strings.CutPrefix(name, fdPrefix)
	switch {
	case isEnv:
		text := in.secrets.program.getenv(variable)
		if text == "" {
			return nil, true, fmt.Errorf("the environment variable is empty or not set")
		}
		if len(text) > limit {
			return nil, true, fmt.Errorf("it is longer than %d bytes", limit)
		}
		return []byte(text), true, nil
	case name != stdinName && !isFD:
		return nil, false, nil
	}
	in.streams.mu.Lock()
	defer in.streams.mu.Unlock()
	if data, ok := in.streams.kept[name]; ok {
		return data, true, nil
	}
	r := in.secrets.program.stdin
	if isFD {
		n, err := strconv.Atoi(number)
		if err != nil || n < 3 {
			return nil, true, fmt.Errorf("%q is not the number of a descriptor from 3 on", number)
		}
		f := os.NewFile(uintptr(n), name)
		defer f.Close()
		r = f
	}
	data, err = io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, true, err
	}
	if len(data) > limit {
		return nil, true, fmt.Errorf("it is longer than %d bytes", limit)
	}
	if in.streams.kept == nil {
		in.streams.kept = map[string][]byte{}
	}
	in.streams.kept[name] = data
	return data, true, nil
}
