package credfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestUpdate(t *testing.T) {
	home := t.TempDir()
	path, err := Path(func(k string) string { return map[string]string{"HOME": home}[k] })
	if err != nil || path != filepath.Join(home, ".aws", "credentials") {
		t.Fatalf("%s, %v", path, err)
	}
	mode := func(path string, want fs.FileMode) {
		t.Helper()
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
	if err := Update(context.Background(), path, "default", fresh()); err != nil {
		t.Fatal(err)
	}
	mode(filepath.Dir(path), 0o700)
	mode(path, 0o600)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := Update(context.Background(), path, "other", fresh()); err != nil {
		t.Fatal(err)
	}
	mode(path, 0o640)
	if b, err := os.ReadFile(path); err != nil || string(b) != "[default]\n"+block+"\n[other]\n"+block {
		t.Errorf("%q, %v", b, err)
	}
}

func TestSymlink(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "real"), 0o700); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{"a": "b", "b": filepath.Join(dir, "real", "c"), "loop": "loop"} {
		if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // into nothing, then into a file
		if err := Update(context.Background(), filepath.Join(dir, "a"), "p", fresh()); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(dir, "real", "c")); err != nil || string(b) != "[p]\n"+block {
			t.Errorf("%q, %v", b, err)
		}
		if to, err := os.Readlink(filepath.Join(dir, "a")); err != nil || to != "b" {
			t.Errorf("the link is %q, %v", to, err)
		}
	}
	if err := Update(context.Background(), filepath.Join(dir, "loop"), "p", fresh()); err == nil {
		t.Error("a loop")
	}
}

// Writers of different profiles lose nothing, and a reader never sees a piece.
func TestParallel(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			if err := Update(context.Background(), path, fmt.Sprintf("p%d", i), fresh()); err != nil {
				t.Error(err)
			}
			if b, err := os.ReadFile(path); err != nil || !strings.HasSuffix(string(b), "aws_session_token = TOK==\n") {
				t.Errorf("a reader saw %q, %v", b, err)
			}
		})
	}
	all.Wait()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 64 {
		if n := strings.Count(string(b), fmt.Sprintf("[p%d]\n", i)+block); n != 1 {
			t.Errorf("profile p%d is there %d times", i, n)
		}
	}
}

func TestUpdateRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Join(dir, "file", "x")} {
		err := Update(context.Background(), path, "p", fresh())
		var e *Error
		if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), "cannot update "+path+": ") {
			t.Errorf("%s: %v", path, err)
		}
	}
	big := filepath.Join(dir, "big")
	if err := os.WriteFile(big, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(big, maxFile+1); err != nil {
		t.Fatal(err)
	}
	if err := Update(context.Background(), big, "p", fresh()); err == nil {
		t.Error("a file beyond the limit was changed")
	}
	if info, err := os.Stat(big); err != nil || info.Size() != maxFile+1 {
		t.Errorf("%v, %v", info.Size(), err)
	}
	if _, err := Path(func(string) string { return "" }); err == nil {
		t.Error("a path without a home")
	}
}
