package audit

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// benchDir is on the disk of the working copy: a temporary folder may be in memory, where a sync costs nothing.
func benchDir(b *testing.B) string {
	dir, err := os.MkdirTemp(".", "bench-*")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// benchRecord is the size of a typical record without its certificate.
func benchRecord(b *testing.B) int {
	e := testEvent("1a7c2f1e-8c0b-4d4a-9a43-1d5f0e0fa7c1")
	e.CreateSession.CertDER = testDER(1)
	frame, _, err := appendRecord(nil, e, testSubject(e))
	if err != nil {
		b.Fatal(err)
	}
	return len(frame)
}

// BenchmarkRawSync is the floor: one write of a batch of so many records and one fdatasync. records/s is what a perfect group
// commit of that many writers would reach.
func BenchmarkRawSync(b *testing.B) {
	for _, records := range []int{1, 16, 64} {
		b.Run(strconv.Itoa(records), func(b *testing.B) {
			f, err := os.OpenFile(filepath.Join(benchDir(b), "raw"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			buf := make([]byte, records*benchRecord(b))
			b.ResetTimer()
			for range b.N {
				if _, err := f.Write(buf); err != nil {
					b.Fatal(err)
				}
				if err := syncData(f); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*records)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 16, 64} {
		b.Run(strconv.Itoa(writers), func(b *testing.B) {
			l, err := OpenLog(filepath.Join(benchDir(b), "log"), Options{Logger: quiet()})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			appendMany(b, l, writers)
			st := l.Stats()
			b.ReportMetric(float64(st.Records)/float64(st.Batches), "records/sync")
		})
	}
}

// BenchmarkAppendMemory is everything but the disk.
func BenchmarkAppendMemory(b *testing.B) {
	for _, writers := range []int{1, 16} {
		b.Run(strconv.Itoa(writers), func(b *testing.B) {
			l, err := NewMemoryLog(Options{Logger: quiet(), MaxBacklog: 1 << 40})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			go func() { // keep the memory bounded
				for ; ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
					for _, s := range l.durable() {
						if s.sealed {
							l.folder.Remove(s.number)
							l.forget(s.number)
						}
					}
				}
			}()
			appendMany(b, l, writers)
		})
	}
}

func appendMany(b *testing.B, l *Log, writers int) {
	der := testDER(1)
	sum := sha256.Sum256(der)
	var left atomic.Int64
	left.Store(int64(b.N))
	done := make(chan error, writers)
	b.ReportAllocs()
	b.ResetTimer()
	for w := range writers {
		go func() {
			e := testEvent("")
			e.CreateSession.CertDER, e.CreateSession.Fingerprint = der, sum
			s := testSubject(e)
			for i := 0; left.Add(-1) >= 0; i++ {
				e.EventID = "1a7c2f1e-8c0b-4d4a-9a43-1d5f0e0fa7c1"
				if err := l.Append(context.Background(), e, s); err != nil {
					done <- fmt.Errorf("writer %d: %w", w, err)
					return
				}
			}
			done <- nil
		}()
	}
	for range writers {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkEncode(b *testing.B) {
	e := testEvent("1a7c2f1e-8c0b-4d4a-9a43-1d5f0e0fa7c1")
	e.CreateSession.CertDER = testDER(1)
	e.CreateSession.Fingerprint = sha256.Sum256(e.CreateSession.CertDER)
	s := testSubject(e)
	b.Run("json", func(b *testing.B) {
		buf := make([]byte, 0, 8<<10)
		b.ReportAllocs()
		for b.Loop() {
			buf = e.AppendJSON(buf[:0])
		}
	})
	b.Run("record", func(b *testing.B) {
		buf := make([]byte, 0, 8<<10)
		b.ReportAllocs()
		for b.Loop() {
			buf, _, _ = appendRecord(buf[:0], e, s)
		}
	})
}

func BenchmarkShip(b *testing.B) {
	l, err := NewMemoryLog(Options{Logger: quiet(), MaxBacklog: 1 << 40})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	appendMany(b, l, 64)
	s, err := NewShipper(ShipperConfig{Log: l, Sink: discardSink{}, Logger: quiet()})
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	if err := s.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
}

type discardSink struct{}

func (discardSink) Position(context.Context, string) ([]byte, error) { return nil, nil }
func (discardSink) Ship(context.Context, *Batch) error               { return nil }
