//go:build unix

package privatefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

func TestWriteReplacesWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, want := range []string{"first", "second, longer", "3", ""} {
		if err := Write(path, []byte(want)); err != nil {
			t.Fatal(err)
		}
		got, info, err := Read(path, 100)
		if err != nil || string(got) != want {
			t.Errorf("Read = %q, %v; want %q", got, err, want)
		}
		if m := info.Mode().Perm(); m != Mode {
			t.Errorf("mode = %#o, want %#o", m, Mode)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files are left, want 1 (%v)", len(entries), err)
	}
}

// A reader never sees a part of a file or a mix of two.
func TestWriteIsAtomic(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	content := func(i int) string { return strings.Repeat(fmt.Sprint(i), 10_000) }
	if err := Write(path, []byte(content(0))); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			b, _, err := Read(path, 1<<20)
			if err != nil || len(b) != 10_000 || string(b) != strings.Repeat(string(b[:1]), 10_000) {
				t.Errorf("read %d bytes, %v", len(b), err)
				return
			}
		}
	})
	for i := range 50 {
		if err := Write(path, []byte(content(i%10))); err != nil {
			t.Error(err)
		}
	}
	close(done)
	wg.Wait()
}

func TestCreateKeepsWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			err := Create(path, fmt.Appendf(nil, "%d", i))
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, fs.ErrExist) {
				t.Errorf("Create: %v", err)
			}
		})
	}
	wg.Wait()
	if n := won.Load(); n != 1 {
		t.Errorf("%d creators won, want 1", n)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%d files are left, want 1 (%v)", len(entries), err)
	}
	if _, info, err := Read(path, 10); err != nil || info.Mode().Perm() != Mode {
		t.Errorf("Read: %v, %v", info, err)
	}
}

func TestReadRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := Write(path, []byte("12345")); err != nil {
		t.Fatal(err)
	}
	for _, m := range []fs.FileMode{0o640, 0o604, 0o660, 0o601, 0o644, 0o620} {
		if err := os.Chmod(path, m); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Read(path, 100); !errors.Is(err, ErrModes) {
			t.Errorf("mode %#o: %v, want ErrModes", m, err)
		}
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Read(path, 5); err != nil {
		t.Errorf("5 bytes of 5: %v", err)
	}
	if _, _, err := Read(path, 4); !errors.Is(err, ErrTooBig) {
		t.Errorf("4 bytes of 5: %v, want ErrTooBig", err)
	}
	if _, _, err := Read(dir, 10); !errors.Is(err, ErrNotRegular) {
		t.Errorf("folder: %v, want ErrNotRegular", err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Read(pipe, 10); !errors.Is(err, ErrNotRegular) {
		t.Errorf("pipe: %v, want ErrNotRegular", err)
	}
	if _, _, err := Read(filepath.Join(dir, "none"), 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v, want ErrNotExist", err)
	}
	link := filepath.Join(dir, "link") // as container platforms mount secrets
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if b, _, err := Read(link, 10); err != nil || string(b) != "12345" {
		t.Errorf("through a link: %q, %v", b, err)
	}
}
