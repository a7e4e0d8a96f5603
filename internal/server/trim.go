package server

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	trimInterval = 10 * time.Second
	idleBytes    = 1 << 20 // allocated in an interval by a server that has little to do
	trimBytes    = 2 << 20 // not worth a collection below
)

// trim gives memory back to the system when a load has ended: the runtime by itself keeps what the busiest moment needed,
// and takes minutes to let go of it.
func trim(ctx context.Context, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}}
	var allocated, kept uint64
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
		if idle && (free > trimBytes || objects > kept+trimBytes) {
			debug.FreeOSMemory()
			metrics.Read(samples)
			kept = samples[2].Value.Uint64()
		}
	}
}
