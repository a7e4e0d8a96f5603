package blockedkeys

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	entry64 = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	entry30 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	entry20 = "bbbbbbbbbbbbbbbbbbbb"
)

// A line that is no entry makes the file unusable, whatever else is in it.
func TestBadLines(t *testing.T) {
	for what, bad := range map[string]string{
		"too short": entry64[1:], "too long": entry64 + "0", "no hex": strings.Repeat("g", 64), "not quite hex": entry20[1:] + "g", "two": entry20 + " " + entry20,
		"a comment behind": entry20 + " # leaked", "sha256sum": entry64 + "  -", "quoted": `"` + entry64 + `"`, "CSV": entry64 + ",", "a full SHA-1": entry20 + entry20,
		"a PEM file": "-----BEGIN PRIVATE KEY-----", "byte order mark": "\ufeff# a list", "NUL": "\x00", "a space inside": entry64[:32] + " " + entry64[33:],
	} {
		path := write(t, filepath.Join(t.TempDir(), "list"), entry64, "# fine", bad, entry64)
		_, err := Open([]string{path})
		if want := "blocked keys: " + path + ", line 3: an entry is 64, 30 or 20 hex digits and nothing else"; err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", what, err, want)
		}
	}
	for what, line := range map[string]string{"comment": "#" + strings.Repeat("x", maxLine), "blanks": strings.Repeat(" ", 2*maxLine), "buffer": strings.Repeat("x", 70<<10), "buffers": strings.Repeat("#", 1<<20)} {
		_, err := Open([]string{write(t, filepath.Join(t.TempDir(), "list"), entry64, line)})
		if err == nil || !strings.HasSuffix(err.Error(), fmt.Sprintf("line 2: it is longer than %d bytes", maxLine)) {
			t.Errorf("a long line, %s: %v", what, err)
		}
	}
	l := listOf(t, entry64, "#"+strings.Repeat("x", maxLine-1), entry30+"\r", "\t"+entry20, entry20)
	if entries, files := l.Size(); entries != 4 || files != 1 {
		t.Errorf("%d entries in %d files", entries, files)
	}
}

func TestLimitOfEntries(t *testing.T) {
	s := &set{entries: MaxEntries - 1}
	if line, err := s.parse(strings.NewReader(entry20 + "\n\n" + entry20)); err == nil || line != 3 || !strings.Contains(err.Error(), "10000000 entries") {
		t.Errorf("line %d: %v", line, err)
	}
}

// What is a file, and what a folder's files are.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, sub := range []string{"lists", "lists/.git", "lists/more", "none", "hidden", "dangling", "pipes", "many"} {
		if err := os.Mkdir(in(sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, in("lists/a.csv"), entry64)
	write(t, in("lists/b"), entry30)
	write(t, in("lists/.swap"), "no list")
	write(t, in("lists/.git/config"), "no list")
	write(t, in("lists/more/c"), "no list")
	write(t, in("hidden/.list"), entry64)
	write(t, in("comments"), "# nothing yet", "")
	write(t, in("empty"))
	for i := range maxFiles + 1 {
		write(t, in(fmt.Sprintf("many/%d", i)), entry64)
	}
	for link, target := range map[string]string{"lists/link": "../single", "dangling/link": "nowhere"} {
		if err := os.Symlink(target, in(link)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, in("single"), entry20)
	if err := syscall.Mkfifo(in("pipes/pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Open([]string{in("lists"), in("single")})
	if err != nil {
		t.Fatal(err)
	}
	if entries, files := l.Size(); entries != 4 || files != 4 {
		t.Errorf("%d entries in %d files, want 4 in 4", entries, files)
	}
	for path, want := range map[string]string{
		"missing": "no such file", "none": "there is no file in the folder", "hidden": "there is no file in the folder", "empty": "has no entries", "comments": "has no entries",
		"dangling": "no such file", "pipes": "is not a regular file", "pipes/pipe": "is not a regular file", "many": "more than 1000 files",
	} {
		if _, err := Open([]string{in("single"), in(path)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
	large, err := os.Create(in("large"))
	if err != nil {
		t.Fatal(err)
	}
	defer large.Close()
	if err := large.Truncate(maxTotal); err != nil { // a file with a hole: it takes no room
		t.Fatal(err)
	}
	if _, err := Open([]string{in("single"), in("large")}); err == nil || !strings.Contains(err.Error(), "more than 1073741824 bytes") {
		t.Errorf("large: %v", err)
	}
}

// A list in use changes when its files do, and only if they can be read in full.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	key := rsaKey(t)
	entry := digest(t, "sha256", spkiDER(t, key))
	path := write(t, filepath.Join(dir, "list"), entry64)
	l, err := Open([]string{dir})
	if err != nil {
		t.Fatal(err)
	}
	look := func(when string, changed, blocked bool, generation uint64, problem string) {
		t.Helper()
		got, err := l.Reload()
		if got != changed || (err == nil) != (problem == "") || err != nil && !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: changed %v, %v; want %v, %q", when, got, err, changed, problem)
		}
		if l.Contains(key) != blocked || l.Generation() != generation {
			t.Errorf("%s: blocked %v in generation %d", when, l.Contains(key), l.Generation())
		}
	}
	replace := func(lines ...string) {
		t.Helper()
		if err := os.Rename(write(t, filepath.Join(t.TempDir(), "new"), lines...), path); err != nil {
			t.Fatal(err)
		}
	}
	look("at first", false, false, 1, "")
	replace(entry64, entry)
	look("an entry more", true, true, 2, "")
	look("nothing new", false, true, 2, "")
	replace("# cut short", entry[:40])
	look("a bad line", false, true, 2, "line 2")
	look("still bad", false, true, 2, "line 2")
	replace(entry64)
	look("an entry less", true, false, 3, "")
	write(t, filepath.Join(dir, "second"), entry)
	look("a second file", true, true, 4, "")
	if err := os.Remove(filepath.Join(dir, "second")); err != nil {
		t.Fatal(err)
	}
	look("gone again", true, false, 5, "")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	look("nothing left", false, false, 5, "no file in the folder")
	write(t, path, entry64)
	look("there again", true, false, 6, "")
	// In place and of the same size: the time tells.
	write(t, path, entry)
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	look("written over", true, true, 7, "")
}

// A file that changes while it is read may have been read in part.
func TestChangeWhileReading(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a"), entry64)
	found, err := find([]string{dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := unchanged([]string{dir}, found); err != nil {
		t.Error(err)
	}
	write(t, filepath.Join(dir, "a"), entry64, entry64)
	if err := unchanged([]string{dir}, found); err == nil || !strings.Contains(err.Error(), "changed while it was read") {
		t.Errorf("got %v", err)
	}
}

// Keys are looked up while the list is replaced, and one that is on every version of it is always found.
func TestLookupsDuringReload(t *testing.T) {
	key := rsaKey(t)
	entry := digest(t, "sha256", spkiDER(t, key))
	path := write(t, filepath.Join(t.TempDir(), "list"), entry)
	l, err := Open([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var lookups sync.WaitGroup
	for range 2 {
		lookups.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					if !l.Contains(key) {
						t.Error("the key was not found")
						return
					}
				}
			}
		})
	}
	for i := range 20 {
		if err := os.Rename(write(t, path+".new", append([]string{entry}, slices.Repeat([]string{entry64, entry20}, i+1)...)...), path); err != nil {
			t.Error(err)
		}
		if changed, err := l.Reload(); err != nil || !changed {
			t.Error(changed, err)
		}
	}
	close(done)
	lookups.Wait()
	if l.Generation() != 21 {
		t.Errorf("generation %d", l.Generation())
	}
}
