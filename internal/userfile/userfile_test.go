package userfile

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

func TestLockExcludes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, ok, err := TryAcquire(path)
	if err != nil || !ok {
		t.Fatalf("first: %v, %v", ok, err)
	}
	if _, ok, err := TryAcquire(path); ok || err != nil {
		t.Fatalf("second while the first is held: %v, %v", ok, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	if _, err := Acquire(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("waiting: %v", err)
	}
	first.Release()
	second, err := Acquire(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	second.Release()
	if _, _, err := TryAcquire(filepath.Join(path, "x")); err == nil {
		t.Error("a lock below a file")
	}
}

// Many writers that read, add one and replace lose no addition.
func TestNothingLost(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "n")
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			lock, err := Acquire(context.Background(), path+".lock")
			if err != nil {
				t.Error(err)
				return
			}
			defer lock.Release()
			data, _, err := Read(path, 100)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Error(err)
			}
			n, _ := strconv.Atoi(string(data)) // 0 if there is no file yet
			if err := Replace(path, []byte(strconv.Itoa(n+1)), 0o600, nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got, _ := os.ReadFile(path); string(got) != "16" {
		t.Errorf("got %s", got)
	}
	left, _ := filepath.Glob(filepath.Join(dir, ".*"))
	if len(left) > 0 {
		t.Errorf("temporary files left: %v", left)
	}
}

func TestReplaceMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	for _, mode := range []os.FileMode{0o600, 0o644, 0o440} {
		if err := Replace(path, []byte("x"), mode, nil); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("got %v, %v, want %v", info.Mode(), err, mode)
		}
	}
	if err := Replace(filepath.Join(path, "x"), nil, 0o600, nil); err == nil {
		t.Error("replaced below a file")
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, info, err := Read(path, 5); err != nil || !bytes.Equal(data, []byte("12345")) || !Private(info) {
		t.Errorf("got %q, %v, %v", data, info, err)
	}
	if _, _, err := Read(path, 4); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	if _, _, err := Read(dir, 4); err == nil {
		t.Error("read a folder")
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, info, err := Read(path, 5); err != nil || Private(info) {
		t.Errorf("mode 0640 is not private: %v", err)
	}
}

func TestLink(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "current")
	if err := os.Symlink("left by a run that broke off", filepath.Join(dir, ".current.new")); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"one", "two", "two"} {
		if err := Link(target, path); err != nil {
			t.Fatal(err)
		}
		if got, err := os.Readlink(path); got != target || err != nil {
			t.Errorf("leads to %q, %v; want %q", got, err, target)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "folder", "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if Link("one", filepath.Join(dir, "folder")) == nil {
		t.Error("a folder was replaced")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
