package blockedkeys

import (
	"bufio"
	"crypto/elliptic"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
)

// million writes a list of a million entries, in no order.
func million(b *testing.B, digits int) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "list")
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriter(file)
	r := rand.New(rand.NewPCG(1, 2))
	for range 1_000_000 {
		fmt.Fprintln(w, fmt.Sprintf("%016x%016x%016x%016x", r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64())[:digits])
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := file.Close(); err != nil {
		b.Fatal(err)
	}
	return path
}

// BenchmarkOpen reads a million entries, and shows what each of them costs in memory.
func BenchmarkOpen(b *testing.B) {
	for _, digits := range []int{64, 20} {
		b.Run(strconv.Itoa(digits), func(b *testing.B) {
			path := million(b, digits)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			var l *List
			for b.Loop() {
				var err error
				if l, err = Open([]string{path}); err != nil {
					b.Fatal(err)
				}
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			entries, _ := l.Size()
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(entries), "B/entry")
			runtime.KeepAlive(l)
		})
	}
}

func BenchmarkContains(b *testing.B) {
	l, err := Open([]string{million(b, 64), write(b, filepath.Join(b.TempDir(), "short"), entry20)})
	if err != nil {
		b.Fatal(err)
	}
	key, point := rsaKey(b), ecKey(b, elliptic.P256())
	b.Run("RSA", func(b *testing.B) {
		for b.Loop() {
			l.Contains(key)
		}
	})
	b.Run("P-256", func(b *testing.B) {
		for b.Loop() {
			l.Contains(point)
		}
	})
}
