package server

import (
	"context"
	"errors"
	"log/slog"
	"runtime/metrics"
	"sync/atomic"
	"testing"
	"time"
)

// TestTrimGivesMemoryBack fills the heap as a load does and expects the memory to leave the process once it is quiet.
func TestTrimGivesMemoryBack(t *testing.T) {
	const load = 64 << 20
	released := func() uint64 {
		s := []metrics.Sample{{Name: "/memory/classes/heap/released:bytes"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	heap := make([][]byte, 0, load>>10)
	for range load >> 10 {
		heap = append(heap, make([]byte, 1<<10))
	}
	before := released()
	heap[0][0] = 1
	heap = nil //nolint:ineffassign // lets go of it
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var asked atomic.Int64
	go trimmer{store: func(context.Context) error { asked.Add(1); return errors.New("has none") }, log: slog.New(slog.DiscardHandler)}.run(ctx, 20*time.Millisecond)
	for deadline := time.Now().Add(20 * time.Second); released() < before+load/2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes were released, before the load %d", released(), before)
		}
	}
	if asked.Load() == 0 {
		t.Error("the store was not asked")
	}
}
