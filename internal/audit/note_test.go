package audit

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A note is durable with the next Append, before it in order.
func TestNoteGoesWithTheNextAppend(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, dir, Options{})
	if err := l.Note(t.Context(), testEvent("looked")); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, "changed")
	if diff := cmp.Diff([]string{"looked", "changed"}, readAll(t, l)); diff != "" {
		t.Errorf("durable records (-want +got):\n%s", diff)
	}
	if got := l.Stats().Batches; got != 1 {
		t.Errorf("%d syncs, want 1", got)
	}
}

// A note that nobody follows becomes durable by itself.
func TestNoteAloneIsWritten(t *testing.T) {
	l := openTest(t, t.TempDir(), Options{})
	if err := l.Note(t.Context(), testEvent("looked")); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); l.Stats().Records == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the note was never written")
		}
	}
}

func TestNoteFailsWithTheLog(t *testing.T) {
	l := openTest(t, t.TempDir(), Options{})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Note(t.Context(), testEvent("looked")); err == nil {
		t.Error("a closed log took a note")
	}
}

// The zeros ahead of the records are no damage: not after a crash, and a closed segment has none.
func TestZerosAheadOfTheRecords(t *testing.T) {
	dir, crashed := t.TempDir(), filepath.Join(t.TempDir(), "crashed")
	l := openTest(t, dir, Options{})
	mustAppend(t, l, "a", "b")
	name := filepath.Join(dir, "0000000000000001.log")
	open, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if len(open) < fillChunk {
		t.Fatalf("the open segment has %d bytes: not filled ahead", len(open))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || info.Size() > fillChunk/2 {
		t.Errorf("the closed segment has %d bytes, %v", info.Size(), err)
	}
	if err := os.Mkdir(crashed, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(crashed, filepath.Base(name)), open, 0o600); err != nil {
		t.Fatal(err)
	}
	again := openTest(t, crashed, Options{})
	if diff := cmp.Diff([]string{"a", "b"}, readAll(t, again)); diff != "" {
		t.Errorf("records after a crash (-want +got):\n%s", diff)
	}
	if n := again.Stats().Truncated; n != 0 {
		t.Errorf("%d bytes were taken for a torn tail", n)
	}
}
