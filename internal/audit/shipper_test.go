package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall/rolecall/internal/store"
)

func TestShipInOrderAndDelete(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, dir, Options{SegmentBytes: 8 << 10})
	want := ids("s", 100)
	mustAppend(t, l, want...)
	if got := l.Stats().Segments; got < 5 {
		t.Fatalf("only %d segments", got)
	}
	sink := &memorySink{}
	s := newTestFlush(t, l, sink)
	if diff := cmp.Diff(want, sink.ids()); diff != "" {
		t.Errorf("shipped (-want +got):\n%s", diff)
	}
	// The segment of the last record may be sealed after the first Flush has looked.
	waitFor(t, func() bool {
		files, _ := filepath.Glob(filepath.Join(dir, "*.log"))
		return s.Flush(t.Context()) == nil && len(files) == 1
	})
	st := s.Stats()
	if st.Shipped != 100 || st.LagBytes != 0 || st.Lag != 0 || st.Failures != 0 {
		t.Errorf("stats = %+v", st)
	}
	row := sink.events["s-0042"]
	if !json.Valid(row.Body) || row.Name != "CreateSession" || row.Account != "123456789012" {
		t.Errorf("row = %+v", row)
	}
	calls := sink.calls
	if err := s.Flush(t.Context()); err != nil || sink.calls != calls {
		t.Errorf("Flush with nothing to do called the sink: %v", err)
	}
}

func TestFailingSinkLosesAndReordersNothing(t *testing.T) {
	l := openTest(t, t.TempDir(), Options{SegmentBytes: 8 << 10})
	sink := &memorySink{err: errors.New("store is down")}
	s := newTestShipper(t, l, sink)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	var want []string
	for round := range 5 {
		batch := ids(fmt.Sprint("r", round), 30)
		mustAppend(t, l, batch...)
		want = append(want, batch...)
		time.Sleep(10 * time.Millisecond)
		sink.fail(errors.New("store is down"))
		if round%2 == 1 {
			sink.fail(nil)
		}
	}
	waitFor(t, func() bool { return s.Stats().Failures > 0 })
	sink.fail(nil)
	flush, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	if err := s.Flush(flush); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, sink.ids()); diff != "" {
		t.Errorf("shipped (-want +got):\n%s", diff)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing happened for 30 seconds")
		}
	}
}

func TestFlushEndsWithItsContext(t *testing.T) {
	l := openTest(t, t.TempDir(), Options{})
	mustAppend(t, l, "x")
	down := errors.New("store is down")
	s := newTestShipper(t, l, &memorySink{err: down})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if err := s.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, down) {
		t.Errorf("Flush = %v, want the deadline and the cause", err)
	}
	if st := s.Stats(); st.LagBytes == 0 || st.Failures == 0 {
		t.Errorf("stats = %+v, want a lag", st)
	}
}

func TestRestartGoesOnWhereItStopped(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, dir, Options{})
	mustAppend(t, l, ids("a", 20)...)
	sink := &memorySink{}
	newTestFlush(t, l, sink)
	mustAppend(t, l, ids("b", 20)...)
	l.Close()

	l = openTest(t, dir, Options{})
	newTestFlush(t, l, sink)
	if want := append(ids("a", 20), ids("b", 20)...); !slices.Equal(sink.ids(), want) || sink.repeats != 0 {
		t.Errorf("shipped %d with %d repeats", len(sink.ids()), sink.repeats)
	}
	mustAppend(t, l, ids("c", 3)...)
	l.Close()

	// Without a usable position everything that is left comes again.
	l = openTest(t, dir, Options{})
	for _, text := range []string{"", "garbage", string(positions{{segment: 99, offset: 1 << 40}}.encode())} {
		sink := &memorySink{position: map[string][]byte{l.id: []byte(text)}, events: map[string]store.Event{}}
		newTestFlush(t, l, sink)
		if !slices.Contains(sink.ids(), "c-0002") {
			t.Errorf("position %q: records lost", text)
		}
		mustAppend(t, l, ids("c", 3)...)
	}
}

// A position belongs to one file. When the folder was emptied, a new segment of the same number starts from its beginning.
func TestPositionOfAnotherFile(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, dir, Options{})
	mustAppend(t, l, ids("old", 50)...)
	sink := &memorySink{}
	newTestFlush(t, l, sink)
	l.Close()
	if err := os.Remove(filepath.Join(dir, "0000000000000001.log")); err != nil {
		t.Fatal(err)
	}
	l = openTest(t, dir, Options{})
	mustAppend(t, l, ids("new", 9)...)
	newTestFlush(t, l, sink)
	if diff := cmp.Diff(append(ids("old", 50), ids("new", 9)...), sink.ids()); diff != "" {
		t.Errorf("shipped (-want +got):\n%s", diff)
	}
}

// The answer to a commit is lost: the batch is in the store, and the position says so.
func TestLostAnswerShipsOnce(t *testing.T) {
	l := openTest(t, t.TempDir(), Options{SegmentBytes: 8 << 10})
	sink := &memorySink{err: errors.New("connection lost"), late: true}
	s := newTestShipper(t, l, sink)
	want := ids("s", 60)
	mustAppend(t, l, want...)
	done := make(chan error)
	go func() { done <- s.Flush(t.Context()) }()
	waitFor(t, func() bool { return s.Stats().Failures >= 3 })
	sink.fail(nil)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, sink.ids()); diff != "" || sink.repeats != 0 {
		t.Errorf("%d repeats; shipped (-want +got):\n%s", sink.repeats, diff)
	}
}

// Two shippers of one log, as when a killed process's transaction is still under way: the second to come changes nothing.
func TestMovedPositionIsReadAgain(t *testing.T) {
	l := openTest(t, t.TempDir(), Options{})
	mustAppend(t, l, ids("a", 10)...)
	sink := &memorySink{}
	first, second := newTestShipper(t, l, sink), newTestShipper(t, l, sink)
	if err := second.resume(t.Context()); err != nil { // it knows the position from before
		t.Fatal(err)
	}
	if err := first.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, ids("b", 10)...)
	if err := second.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(append(ids("a", 10), ids("b", 10)...), sink.ids()); diff != "" || sink.repeats != 0 || second.Stats().Failures == 0 {
		t.Errorf("%d repeats, %d failures; shipped (-want +got):\n%s", sink.repeats, second.Stats().Failures, diff)
	}
}

func TestPositions(t *testing.T) {
	var ps positions
	for i := range 6 {
		ps = ps.with(position{uint64(i), 7, 100}).with(position{uint64(i), 7, 200})
	}
	got, ok := decodePositions(ps.encode())
	if want := (positions{{2, 7, 200}, {3, 7, 200}, {4, 7, 200}, {5, 7, 200}}); !ok || !slices.Equal(got, want) {
		t.Errorf("positions = %v, %v", got, ok)
	}
	if got.offset(5, 7) != 200 || got.offset(5, 8) != 0 || got.offset(1, 7) != 0 {
		t.Error("offset finds the wrong place")
	}
	good := ps.encode()
	for i := range good {
		bad := slices.Clone(good)
		bad[i] ^= 1
		if _, ok := decodePositions(bad); ok {
			t.Errorf("byte %d changed: accepted", i)
		}
		if _, ok := decodePositions(good[:i]); ok && i > 0 {
			t.Errorf("cut to %d bytes: accepted", i)
		}
	}
}

func TestSubjectsAreFolded(t *testing.T) {
	l := openTest(t, t.TempDir(), Options{})
	for i := range 6 {
		e := testEvent(fmt.Sprint(i))
		e.CreateSession.CertDER = testDER(i % 2)
		sub := testSubject(e)
		sub.Serial = fmt.Sprint(i % 2)
		sub.SeenAt = e.EventTime.Add(time.Duration(i) * time.Second)
		sub.Failed = i == 5
		if err := l.Append(t.Context(), e, sub); err != nil {
			t.Fatal(err)
		}
	}
	// A subject without a CreateSession brings its own certificate.
	sub := testSubject(testEvent("x"))
	sub.SubjectID, sub.CertDER = "other", testDER(9)
	if err := l.Append(t.Context(), &Event{EventName: "x"}, sub); err != nil {
		t.Fatal(err)
	}
	sink := &memorySink{}
	newTestFlush(t, l, sink)
	type seen struct {
		ID, Serial string
		Second     int
		Failed     bool
		Cert       string
	}
	var got []seen
	for _, s := range sink.subjects {
		got = append(got, seen{s.SubjectID, s.Serial, s.SeenAt.Second(), s.Failed, string(s.CertDER)})
	}
	id := testSubject(testEvent("x")).SubjectID
	want := []seen{
		{id, "0", 9, false, string(testDER(0))}, {id, "1", 10, true, string(testDER(1))},
		{"other", "0a1b2c", 5, false, string(testDER(9))},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("subjects (-want +got):\n%s", diff)
	}
}

// Appending, shipping, sealing and stats all at once, for the race detector.
func TestShipWhileAppending(t *testing.T) {
	l := openTest(t, t.TempDir(), Options{SegmentBytes: 16 << 10})
	sink := &memorySink{}
	s := newTestShipper(t, l, sink)
	ctx, cancel := context.WithCancel(t.Context())
	var run, wg sync.WaitGroup
	run.Go(func() { s.Run(ctx) })
	run.Go(func() {
		for ctx.Err() == nil {
			s.Stats()
			l.Stats()
			time.Sleep(time.Millisecond)
		}
	})
	const writers, each = 8, 100
	for w := range writers {
		wg.Go(func() { mustAppendQuick(t, l, ids(fmt.Sprint("w", w), each)) })
	}
	wg.Wait()
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	cancel()
	run.Wait()
	if err := errors.Join(s.Close(t.Context()), l.Close()); err != nil {
		t.Error(err)
	}
	if got := len(sink.ids()); got != writers*each || sink.repeats != 0 {
		t.Errorf("shipped %d of %d, %d repeats", got, writers*each, sink.repeats)
	}
}

func mustAppendQuick(t *testing.T, l *Log, ids []string) {
	for _, id := range ids {
		if err := l.Append(context.Background(), testEvent(id), nil); err != nil {
			t.Error(err)
		}
	}
}

func TestNewShipperNeedsItsParts(t *testing.T) {
	if _, err := NewShipper(ShipperConfig{}); err == nil {
		t.Error("a Shipper without a Log and a Sink was made")
	}
}
