package server

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// releaseProgram gives back the pages of the program itself that were read from its file: most of them served the start or
// a load. What is needed again comes back from the page cache, at a microsecond for 64 KiB.
func releaseProgram() error {
	f, err := os.Open("/proc/self/smaps")
	if errors.Is(err, fs.ErrNotExist) { // no procfs, or a kernel without it
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	maps, err := programMappings(f, exe)
	if err != nil {
		return err
	}
	for _, m := range maps {
		// Nothing in Go points to these addresses: they are the system's, as it reported them.
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.start, m.end-m.start, unix.MADV_DONTNEED); errno != 0 {
			return errno
		}
	}
	return nil
}

// mapping is a range of addresses.
type mapping struct{ start, end uintptr }

// programMappings reads proc_pid_smaps(5) and returns the mappings of the file exe that nothing can have written to: what
// is dropped of them is in the file. A read-only mapping with pages of its own, such as a relocated table, is left alone.
func programMappings(smaps io.Reader, exe string) ([]mapping, error) {
	var out []mapping
	var m mapping
	var own bool // m is a candidate, and the lines are about it
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		key, rest, ok := bytes.Cut(lines.Bytes(), []byte(" "))
		switch {
		case !ok:
		case !bytes.HasSuffix(key, []byte(":")):
			m, own = programMapping(key, rest, exe)
		case own && string(key) == "Anonymous:":
			kib, err := strconv.ParseUint(string(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte(" kB"))), 10, 32)
			if err != nil {
				return nil, errors.New("smaps: " + lines.Text())
			}
			if kib == 0 {
				out = append(out, m)
			}
		}
	}
	return out, lines.Err()
}

// programMapping reads the first line of a mapping, and reports whether it is a read-only one of exe.
func programMapping(addresses, rest []byte, exe string) (m mapping, ok bool) {
	if len(rest) < 4 || rest[1] == 'w' || rest[3] != 'p' || !bytes.HasSuffix(rest, []byte(" "+exe)) { // rest is "r-xp …"
		return m, false
	}
	from, to, _ := bytes.Cut(addresses, []byte("-"))
	start, err1 := strconv.ParseUint(string(from), 16, 64)
	end, err2 := strconv.ParseUint(string(to), 16, 64)
	return mapping{start: uintptr(start), end: uintptr(end)}, err1 == nil && err2 == nil && start < end
}
