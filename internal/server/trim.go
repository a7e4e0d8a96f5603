package server

import (
	"context"
	"log/slog"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	trimInterval = 10 * time.Second
	idleBytes    = 1 << 20 // allocated in an interval by a server that has little to do
	trimBytes    = 2 << 20 // not worth a collection below
)

// trimmer gives memory back to the system when a load has ended: the runtime by itself keeps what the busiest moment
// needed, and takes minutes to let go of it, the store keeps what it read, and the system what it mapped of the program.
type trimmer struct {
	store func(context.Context) error // gives back what the store keeps
	log   *slog.Logger
}

func (s *Server) trimmer() trimmer { return trimmer{store: s.db.Trim, log: s.log} }

// run looks every interval until ctx ends.
func (t trimmer) run(ctx context.Context, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}}
	var allocated, kept uint64
	busy := false // the start has been trimmed after
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		metrics.Read(samples)
		now, free, objects := samples[0].Value.Uint64(), samples[1].Value.Uint64(), samples[2].Value.Uint64()
		idle := now-allocated < idleBytes
		allocated = now
		if idle && (busy || free > trimBytes || objects > kept+trimBytes) {
			t.trim(ctx)
			metrics.Read(samples)
			kept = samples[2].Value.Uint64()
		}
		busy = !idle
	}
}

// trim gives back what it can. That costs the next requests a few milliseconds; a failure costs nothing but memory.
func (t trimmer) trim(ctx context.Context) {
	if err := t.store(ctx); err != nil && ctx.Err() == nil {
		t.log.Warn("the store keeps memory that it does not need", slog.Any("error", err))
	}
	debug.FreeOSMemory()
	if err := releaseProgram(); err != nil {
		t.log.Warn("the program stays in memory as a whole", slog.Any("error", err))
	}
}
