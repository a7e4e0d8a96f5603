package worker

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestRun counts looks at work on a clock of its own: at once, each five seconds, and closely for a second after a nudge.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := New()
		var looks, failures atomic.Int32
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.Run(ctx, 100*time.Millisecond, func(context.Context) error { looks.Add(1); return errors.New("busy") }, func(error) { failures.Add(1) })
		}()
		want := func(after time.Duration, n int32) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			if looks.Load() != n || failures.Load() != n {
				t.Errorf("%d looks, %d failures, want %d", looks.Load(), failures.Load(), n)
			}
		}
		want(0, 1)
		want(4*time.Second, 1)
		want(1500*time.Millisecond, 2)
		w.Nudge()
		want(50*time.Millisecond, 3)
		want(3*time.Second, 13)
		cancel()
		<-done
	})
}
