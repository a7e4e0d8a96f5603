package enrollclient

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Daemon keeps a certificate renewed.
type Daemon struct {
	Client *Client
	// Done hears of every look that ended well, Failed of every other one that will be repeated.
	Done   func(ctx context.Context, changed bool, next time.Time)
	Failed func(error)

	clock clock
}

// clock is the time, which tests make their own.
type clock interface {
	now() time.Time
	sleep(ctx context.Context, d time.Duration) error
}

type realClock struct{}

func (realClock) now() time.Time { return time.Now() }

func (realClock) sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// The daemon's waits: what is due is tried again after a while that doubles.
const (
	firstRetry = 10 * time.Second
	lastRetry  = 30 * time.Minute
	shortNap   = time.Minute // no certificate is renewed more often
	longestNap = time.Hour   // the clock may be set in between
)

// Run renews until ctx ends, which is no error. What cannot get better by itself is returned.
func (d *Daemon) Run(ctx context.Context) error {
	if d.clock == nil {
		d.clock = realClock{}
	}
	retry := firstRetry
	for {
		changed, next, err := d.Client.Run(ctx, d.clock.now())
		if ctx.Err() != nil {
			return nil //nolint:nilerr // stopped
		}
		var wait time.Duration
		var e *Error
		switch {
		case errors.As(err, &e) && e.Permanent:
			return err
		case err != nil:
			d.Failed(err)
			wait = d.patience(retry)
			retry = min(2*retry, lastRetry)
		default:
			d.Done(ctx, changed, next)
			retry, wait = firstRetry, min(max(next.Sub(d.clock.now()), shortNap), longestNap)
		}
		// Machines that were started together do not come back together.
		if d.clock.sleep(ctx, wait+rand.N(wait/10+1)) != nil {
			return nil
		}
	}
}

// patience is retry, but not more than an eighth of what is left of the certificate: one that lives for hours is tried often
// enough to outlive a server that comes back in time.
func (d *Daemon) patience(retry time.Duration) time.Duration {
	pair, err := d.Client.Folder.Load()
	if err != nil {
		return retry
	}
	if left := pair.Leaf.NotAfter.Sub(d.clock.now()); left > 0 {
		return max(min(retry, left/8), firstRetry)
	}
	return retry
}
