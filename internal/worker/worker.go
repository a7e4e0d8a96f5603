// Package worker runs what a service does in the background: it looks for work from time to time, and closely for a moment
// after somebody said that there may be some. It does not know what the work is. Start with [New].
package worker

import (
	"context"
	"time"
)

const (
	idleInterval = 5 * time.Second // between looks for work that other nodes left or that has fallen due
	busyTime     = time.Second     // how long to look closely after a nudge: its transaction may commit a little later
)

// Worker looks for work. It is safe for concurrent use.
type Worker struct{ wake chan struct{} }

// New makes a worker that nobody has nudged yet.
func New() *Worker { return &Worker{make(chan struct{}, 1)} }

// Nudge makes Run look for work soon. The caller's transaction need not have ended.
func (w *Worker) Nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run calls work every five seconds, and every busy for a second after a nudge. What work fails with is handed to failed,
// and it is called again. Run returns when ctx ends.
func (w *Worker) Run(ctx context.Context, busy time.Duration, work func(context.Context) error, failed func(error)) {
	var busyUntil time.Time
	for {
		if err := work(ctx); err != nil && ctx.Err() == nil {
			failed(err)
		}
		wait := idleInterval
		if time.Now().Before(busyUntil) {
			wait = busy
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-w.wake:
			timer.Stop()
			busyUntil = time.Now().Add(busyTime)
		case <-timer.C:
		}
	}
}
