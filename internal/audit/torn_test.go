package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// sample is a segment with three batches of one record each; ends holds each record's end.
func sample(t testing.TB) (data []byte, names []string, ends []int) {
	t.Helper()
	m := newMemory()
	l, err := newLog(m, Options{Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	names = []string{"one", "two", "three"}
	for i, id := range names {
		e := testEvent(id)
		e.CreateSession.CertDER = testDER(i % 2)[:40]
		if err := l.Append(t.Context(), e, testSubject(e)); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, len(m.segments[1].data))
	}
	return bytes.Clone(m.segments[1].data), names, ends
}

func memoryWith(data []byte) *memory {
	m := newMemory()
	m.segments[1] = &memorySegment{data: data}
	return m
}

// A write that stops at any byte leaves exactly the records before it, and the log goes on.
func TestTornAtEveryOffset(t *testing.T) {
	data, names, ends := sample(t)
	for cut := range len(data) + 1 {
		for _, fill := range []string{"", "\x00\x00\x00\x00\x00\x00\x00\x00\x00", "\xff\xff\xff\xff garbage"} {
			m := memoryWith(append(bytes.Clone(data[:cut]), fill...))
			l, err := newLog(m, Options{Logger: quiet()})
			if err != nil {
				t.Fatalf("cut %d: %v", cut, err)
			}
			var want []string
			for i, end := range ends {
				if cut >= end {
					want = append(want, names[i])
				}
			}
			if got := readAll(t, l); !slices.Equal(got, want) {
				t.Fatalf("cut at %d, then %q: records %v, want %v", cut, fill, got, want)
			}
			mustAppend(t, l, "next")
			if got := readAll(t, l); !slices.Equal(got, append(want, "next")) {
				t.Fatalf("cut at %d: records %v", cut, got)
			}
			l.Close()
		}
	}
}

func TestTornTailIsCountedAndCutOnDisk(t *testing.T) {
	dir := t.TempDir()
	data, _, ends := sample(t)
	name := filepath.Join(dir, fmt.Sprintf("%016d.log", 1))
	if err := os.WriteFile(name, data[:ends[1]+30], 0o600); err != nil {
		t.Fatal(err)
	}
	l := openTest(t, dir, Options{})
	if got := l.Stats().Truncated; got != 30-batchFrameLen {
		// The batch's own frame is whole and stays; what follows it is cut.
		t.Errorf("Truncated = %d, want %d", got, 30-batchFrameLen)
	}
	if info, err := os.Stat(name); err != nil || info.Size() != int64(ends[1]+batchFrameLen) {
		t.Errorf("size %v, %v", info.Size(), err)
	}
}

// A flipped byte anywhere: what was acknowledged before and in later batches is shipped, and the file is kept for the operator.
func TestDamageAtEveryOffset(t *testing.T) {
	data, names, ends := sample(t)
	for at := range data {
		bad := bytes.Clone(data)
		bad[at] ^= 0x40
		m := memoryWith(bad)
		aside := &asideFolder{memory: m}
		l, err := newLog(aside, Options{Logger: quiet()})
		if err != nil {
			t.Fatalf("damage at %d: %v", at, err)
		}
		sink := &memorySink{}
		s := newTestFlush(t, l, sink)
		var want []string
		begin := segmentHeaderLen
		for i, end := range ends {
			if at < begin || at >= end {
				want = append(want, names[i])
			}
			begin = end
		}
		last := at >= ends[1] // indistinguishable from a torn write
		if at < segmentHeaderLen {
			want = nil
		}
		got := sink.ids()
		if !last && !cmp.Equal(got, want) && !(at >= segmentHeaderLen && len(got) > len(want)) {
			t.Fatalf("damage at %d: shipped %v, want %v", at, got, want)
		}
		if last && !slices.Equal(got, names[:2]) {
			t.Fatalf("damage at %d: shipped %v, want %v", at, got, names[:2])
		}
		if len(aside.names) == 0 != last {
			t.Fatalf("damage at %d: set aside %v", at, aside.names)
		}
		if at >= segmentHeaderLen && !last && s.Stats().Damaged == 0 {
			t.Fatalf("damage at %d is not counted", at)
		}
		l.Close()
	}
}

type asideFolder struct {
	*memory
	names []uint64
}

func (a *asideFolder) SetAside(n uint64) (string, error) {
	a.names = append(a.names, n)
	return a.memory.SetAside(n)
}

// Bytes that a caller chose cannot pass for a batch frame, because they cannot know the nonce.
func TestResyncNeedsTheNonce(t *testing.T) {
	data, _, ends := sample(t)
	forged := make([]byte, batchFrameLen)
	putBatchFrame(forged, 12345, int64(ends[2]))
	data = append(data, forged...)
	data[ends[1]+40] ^= 1
	r, err := openSegment(memoryWith(data), 1)
	if err != nil {
		t.Fatal(err)
	}
	r.offset = int64(ends[1])
	if found, err := r.resync(int64(len(data))); found || err != nil {
		t.Errorf("resync = %v, %v at %d, want nothing", found, err, r.offset)
	}
	r.offset = segmentHeaderLen
	if found, err := r.resync(int64(len(data))); !found || err != nil || r.offset != int64(ends[0]) {
		t.Errorf("resync = %v, %v at %d, want %d", found, err, r.offset, ends[0])
	}
}

func TestDamageInTheActiveSegment(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, dir, Options{})
	mustAppend(t, l, "a", "b", "c")
	f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("%016d.log", 1)), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteAt([]byte{0xee}, segmentHeaderLen+batchFrameLen+20)
	f.Close()
	sink := &memorySink{}
	s := newTestShipper(t, l, sink)
	ctx := t.Context()
	for l.Stats().Segments != 1 || len(sink.ids()) < 2 || asideCount(dir) == 0 {
		if err := s.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if got := sink.ids(); !slices.Equal(got, []string{"b", "c"}) {
		t.Errorf("shipped %v, want b and c", got)
	}
	mustAppend(t, l, "d")
	if err := s.Flush(ctx); err != nil || !slices.Equal(sink.ids(), []string{"b", "c", "d"}) {
		t.Errorf("shipped %v, %v", sink.ids(), err)
	}
	if got := s.Stats(); got.Damaged != 1 {
		t.Errorf("stats = %+v", got)
	}
}

func asideCount(dir string) int {
	names, _ := filepath.Glob(filepath.Join(dir, "*"+asideSuffix))
	return len(names)
}

func FuzzSegment(f *testing.F) {
	data, _, ends := sample(f)
	f.Add(data)
	f.Add(data[:ends[0]])
	f.Add(data[:segmentHeaderLen])
	f.Add([]byte(segmentMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		// With a header of its own, so that the fuzzer gets past the header's checksum.
		for _, whole := range [][]byte{data, append(segmentHeader{number: 1, nonce: 7}.encode(), data...)} {
			// No goroutines here: the fuzzer needs coverage that repeats.
			l := &Log{folder: memoryWith(whole), opts: Options{Logger: quiet()}}
			if _, err := l.recover(); err != nil {
				t.Fatal(err)
			}
			for _, seg := range l.segments {
				readDamaged(t, l.folder, seg)
			}
		}
	})
}

// readDamaged reads a segment as the Shipper does, and checks that every step gets ahead and stays inside.
func readDamaged(t *testing.T, f folder, seg segmentState) {
	r, err := openSegment(f, seg.number)
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(-1); ; {
		_, err := r.next(seg.size, nil)
		if errors.Is(err, io.EOF) {
			return
		}
		var bad *damage
		if errors.As(err, &bad) {
			if bad.offset < at || bad.offset > seg.size {
				t.Fatalf("damage at %d, after %d, in a segment of %d", bad.offset, at, seg.size)
			}
			found, err := r.resync(seg.size)
			if err != nil {
				t.Fatal(err)
			}
			if !found {
				return
			}
		} else if err != nil {
			t.Fatal(err)
		}
		if r.offset <= at || r.offset > seg.size {
			t.Fatalf("at %d, after %d, in a segment of %d", r.offset, at, seg.size)
		}
		at = r.offset
	}
}

func FuzzDecodeRecord(f *testing.F) {
	e := testEvent("seed")
	e.CreateSession.CertDER = testDER(1)
	b, _, err := appendRecord(nil, e, testSubject(e))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b[frameHeader+1:])
	b, _, err = appendRecord(nil, &Event{EventID: "x"}, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b[frameHeader+1:])
	f.Fuzz(func(t *testing.T, p []byte) {
		var rec record
		err := rec.decode(p)
		if err != nil {
			if !errors.Is(err, errFrame) {
				t.Errorf("error %v is not errFrame", err)
			}
			return
		}
		if rec.row.ID == "" || rec.hole > len(rec.row.Body) || len(rec.row.Resources) > maxResources {
			t.Errorf("inconsistent record accepted: %+v", rec)
		}
	})
}
