package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAppendAndReopen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	l := openTest(t, dir, Options{})
	want := ids("a", 20)
	mustAppend(t, l, want...)
	if diff := cmp.Diff(want, readAll(t, l)); diff != "" {
		t.Errorf("before reopening (-want +got):\n%s", diff)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), testEvent("late"), nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Append after Close = %v, want ErrClosed", err)
	}
	for range 3 { // starting again and again must not pile up segments
		l = openTest(t, dir, Options{})
		if diff := cmp.Diff(want, readAll(t, l)); diff != "" {
			t.Errorf("after reopening (-want +got):\n%s", diff)
		}
		if got := l.Stats().Segments; got != 2 {
			t.Errorf("%d segments, want the old one and the active one", got)
		}
		l.Close()
	}
}

func TestFolderIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	l := openTest(t, dir, Options{})
	mustAppend(t, l, "x")
	newTestFlush(t, l, &memorySink{})
	if info, _ := os.Stat(dir); info.Mode().Perm() != 0o700 {
		t.Errorf("folder mode %v, want 0700", info.Mode().Perm())
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 3 {
		t.Errorf("%d files, want lock, id and segment", len(entries))
	}
	for _, e := range entries {
		if info, _ := e.Info(); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", e.Name(), info.Mode().Perm())
		}
	}
}

func newTestFlush(t testing.TB, l *Log, sink Sink) *Shipper {
	t.Helper()
	s := newTestShipper(t, l, sink)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, dir, Options{})
	if _, err := OpenLog(dir, Options{Logger: quiet()}); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("second OpenLog = %v, want ErrLocked with the folder", err)
	}
	l.Close()
	openTest(t, dir, Options{})
}

func TestForeignFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "7.log"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := OpenLog(dir, Options{Logger: quiet()}); err == nil {
		l.Close()
		t.Error("a file that is no segment was accepted")
	}
}

func TestConcurrentAppendAcrossSegments(t *testing.T) {
	l := openTest(t, t.TempDir(), Options{SegmentBytes: 20 << 10})
	const writers, each = 16, 60
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				e := testEvent(fmt.Sprintf("w%02d-%03d", w, i))
				e.CreateSession.CertDER = testDER((w + i) % 5)
				if err := l.Append(t.Context(), e, testSubject(e)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got := readAll(t, l)
	if len(got) != writers*each {
		t.Fatalf("%d records, want %d", len(got), writers*each)
	}
	last := map[string]string{}
	for _, id := range got {
		w, _, _ := strings.Cut(id, "-")
		if id <= last[w] {
			t.Fatalf("%s came after %s", id, last[w])
		}
		last[w] = id
	}
	st := l.Stats()
	if st.Segments < 10 || st.Records != writers*each || st.Failed {
		t.Errorf("stats = %+v", st)
	}
	// The certificates are what they were, in every segment.
	sink := &memorySink{}
	newTestFlush(t, l, sink)
	for w := range writers {
		for i := range each {
			e := testEvent(fmt.Sprintf("w%02d-%03d", w, i))
			e.CreateSession.CertDER = testDER((w + i) % 5)
			want := e.Row()
			if diff := cmp.Diff(want, sink.events[e.EventID]); diff != "" {
				t.Fatalf("row (-want +got):\n%s", diff)
			}
		}
	}
	for _, s := range sink.subjects {
		if len(s.CertDER) != 900 || s.DN != "CN=workload" {
			t.Fatalf("subject = %+v", s)
		}
	}
}

func TestCertificateIsWrittenOncePerSegment(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, dir, Options{})
	der := testDER(1)
	for _, id := range ids("c", 50) {
		e := testEvent(id)
		e.CreateSession.CertDER = der
		if err := l.Append(t.Context(), e, testSubject(e)); err != nil {
			t.Fatal(err)
		}
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.log"))
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if got := bytes.Count(data, der); got != 1 {
		t.Errorf("the certificate is in the segment %d times, want 1", got)
	}
	e := testEvent("wrong")
	e.CreateSession.CertDER, e.CreateSession.Fingerprint = testDER(2), [32]byte{1}
	if err := l.Append(t.Context(), e, nil); err == nil {
		t.Error("a fingerprint of another certificate was accepted")
	}
}

func TestSegmentAge(t *testing.T) {
	l := openTest(t, t.TempDir(), Options{SegmentAge: 10 * time.Millisecond})
	mustAppend(t, l, "x")
	deadline := time.Now().Add(10 * time.Second)
	for l.Stats().Segments < 2 {
		if time.Now().After(deadline) {
			t.Fatal("an old segment is never sealed")
		}
		time.Sleep(time.Millisecond)
	}
	mustAppend(t, l, "y")
	if got := readAll(t, l); !slices.Equal(got, []string{"x", "y"}) {
		t.Errorf("records = %v", got)
	}
}

func TestErrorPoisons(t *testing.T) {
	eio := errors.New("input/output error")
	for name, tt := range map[string]struct {
		breaks func(*faulty)
		want   error
	}{
		"sync":      {func(f *faulty) { f.syncErr = eio }, eio},
		"write":     {func(f *faulty) { f.writeErr = eio }, eio},
		"disk full": {func(f *faulty) { f.writeErr, f.partial = syscall.ENOSPC, 100 }, ErrDiskFull},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFaulty()
			var text bytes.Buffer
			l, err := newLog(f, Options{Logger: slog.New(slog.NewTextHandler(&text, nil))})
			if err != nil {
				t.Fatal(err)
			}
			mustAppend(t, l, "good")
			f.set(tt.breaks)
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() {
					if err := l.Append(context.Background(), testEvent(fmt.Sprint("bad", i)), nil); !errors.Is(err, ErrFailed) {
						t.Errorf("Append = %v, want ErrFailed", err)
					}
				})
			}
			wg.Wait()
			f.set(func(f *faulty) { f.syncErr, f.writeErr = nil, nil })
			// The disk works again, but what it holds is unknown.
			err = l.Append(t.Context(), testEvent("later"), nil)
			if !errors.Is(err, ErrFailed) || !errors.Is(err, tt.want) {
				t.Errorf("Append after the error = %v, want ErrFailed and %v", err, tt.want)
			}
			if l.Err() == nil || !l.Stats().Failed {
				t.Error("the log does not report its failure")
			}
			sink := &memorySink{}
			newTestFlush(t, l, sink)
			if !slices.Equal(sink.ids(), []string{"good"}) {
				t.Errorf("shipped %v, want only what was acknowledged", sink.ids())
			}
			l.Close()
			if !strings.Contains(text.String(), "audit log failed") {
				t.Errorf("log text: %s", text.String())
			}
			l, err = newLog(f.memory, Options{Logger: quiet()})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if got := readAll(t, l); !slices.Contains(got, "good") {
				t.Errorf("after restart: %v", got)
			}
			mustAppend(t, l, "again")
		})
	}
}

func TestDiskFullWhenSegmentBegins(t *testing.T) {
	f := newFaulty()
	f.writeErr = syscall.ENOSPC
	if _, err := newLog(f, Options{Logger: quiet()}); !errors.Is(err, ErrDiskFull) {
		t.Errorf("newLog = %v, want ErrDiskFull", err)
	}
	f.writeErr = nil
	l, err := newLog(f, Options{Logger: quiet(), SegmentBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.folder.(*faulty).set(func(f *faulty) { f.hold = make(chan struct{}) })
	done := make(chan error)
	go func() { done <- l.Append(context.Background(), testEvent("x"), nil) }()
	for { // the record is written, its sync waits
		if n, _ := f.segments[1].Size(); n > segmentHeaderLen {
			break
		}
		time.Sleep(time.Millisecond)
	}
	hold := f.hold
	f.set(func(f *faulty) { f.writeErr, f.hold = syscall.ENOSPC, nil })
	close(hold)
	if err := <-done; err != nil {
		t.Errorf("a synced record was refused: %v", err)
	}
	for l.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	if err := l.Append(t.Context(), testEvent("y"), nil); !errors.Is(err, ErrDiskFull) {
		t.Errorf("Append = %v, want ErrDiskFull", err)
	}
}

func TestCancelWhileWaiting(t *testing.T) {
	f := newFaulty()
	f.hold = make(chan struct{})
	l, err := newLog(f, Options{Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- l.Append(ctx, testEvent("waits"), nil) }()
	for {
		f.memory.mu.Lock()
		n, _ := f.segments[1].Size()
		f.memory.mu.Unlock()
		if n > segmentHeaderLen {
			break
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Append = %v, want context.Canceled", err)
	}
	if err := l.Append(ctx, testEvent("never"), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Append with a dead context = %v", err)
	}
	close(f.hold)
	l.Close()
	if got := readAll(t, l); !slices.Equal(got, []string{"waits"}) {
		t.Errorf("records = %v", got)
	}
}

func TestBacklogAndMemory(t *testing.T) {
	l, err := NewMemoryLog(Options{SegmentBytes: 4 << 10, MaxBacklog: 32 << 10, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var n int
	for {
		if err = l.Append(t.Context(), testEvent(fmt.Sprint(n)), nil); err != nil {
			break
		}
		n++
	}
	if !errors.Is(err, ErrBacklog) || n < 10 {
		t.Fatalf("after %d records: %v, want ErrBacklog", n, err)
	}
	sink := &memorySink{}
	newTestFlush(t, l, sink)
	if len(sink.order) != n {
		t.Errorf("shipped %d, want %d", len(sink.order), n)
	}
	mustAppend(t, l, "goes on")
}

func TestPowerLoss(t *testing.T) {
	for seed := range uint64(60) {
		r := newRand(seed)
		f := newFaulty()
		l, err := newLog(f, Options{Logger: quiet(), SegmentBytes: 8 << 10})
		if err != nil {
			t.Fatal(err)
		}
		acked := ids("acked", 1+r.IntN(20))
		mustAppend(t, l, acked...)
		hold := make(chan struct{})
		f.set(func(f *faulty) { f.hold = hold })
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() { l.Append(ctx, testEvent(fmt.Sprint("open", i)), nil) })
		}
		time.Sleep(2 * time.Millisecond)
		after := f.afterPowerLoss(r)
		cancel()
		wg.Wait()
		close(hold)
		l.Close()
		l2, err := newLog(after, Options{Logger: quiet()})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		got := readAll(t, l2)
		if len(got) < len(acked) || !slices.Equal(got[:len(acked)], acked) {
			t.Errorf("seed %d: got %v, want it to begin with %d acknowledged records", seed, got, len(acked))
		}
		l2.Close()
	}
}
