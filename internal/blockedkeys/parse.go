package blockedkeys

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// Limits of all files together.
const (
	MaxEntries = 10_000_000
	maxFiles   = 1000
	maxTotal   = 1 << 30 // bytes
	maxLine    = 1000    // bytes
)

// read reads the files that were found.
func read(found []stamp) (*set, error) {
	s := &set{files: len(found)}
	for _, f := range found {
		if err := s.readFile(f); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(s.long, compareLong)
	slices.SortFunc(s.short, compareShort)
	// Growing has left room behind the entries: it is not kept.
	s.long = slices.Clone(slices.Compact(s.long))
	s.short = slices.Clone(slices.Compact(s.short))
	return s, nil
}

func (s *set) readFile(f stamp) error {
	file, err := os.Open(f.path)
	if err != nil {
		return fmt.Errorf("blocked keys: %w", err)
	}
	defer file.Close()
	before := s.entries
	if line, err := s.parse(io.LimitReader(file, f.info.Size())); err != nil {
		return fmt.Errorf("blocked keys: %s, line %d: %w", f.path, line, err)
	}
	if s.entries == before { // what a download that failed leaves behind
		return fmt.Errorf("blocked keys: %s has no entries", f.path)
	}
	return nil
}

// parse adds the entries of one file. With an error comes the number of the line at fault. The line itself is not repeated:
// whoever names the wrong file may have named a secret.
func (s *set) parse(r io.Reader) (line int, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), 64<<10)
	for lines.Scan() {
		line++
		if len(lines.Bytes()) > maxLine {
			return line, fmt.Errorf("it is longer than %d bytes", maxLine)
		}
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 || text[0] == '#' {
			continue
		}
		if s.entries++; s.entries > MaxEntries {
			return line, fmt.Errorf("there are more than %d entries", MaxEntries)
		}
		if err := s.add(text); err != nil {
			return line, err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return line + 1, fmt.Errorf("it is longer than %d bytes", maxLine)
	}
	return line + 1, lines.Err()
}

// errEntry says what an entry looks like.
var errEntry = errors.New("an entry is 64, 30 or 20 hex digits and nothing else")

// add reads one entry.
func (s *set) add(text []byte) error {
	var hash [32]byte
	if len(text) != 64 && len(text) != 2*longBytes && len(text) != 2*shortBytes {
		return errEntry
	}
	if _, err := hex.Decode(hash[:], text); err != nil {
		return errEntry
	}
	if len(text) == 2*shortBytes {
		s.short = append(s.short, [shortBytes]byte(hash[:]))
	} else {
		s.long = append(s.long, [longBytes]byte(hash[:]))
	}
	return nil
}
