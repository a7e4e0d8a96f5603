package credclient

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// clock is a time that tests move.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.at.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

func grant(c *clock, name string, life time.Duration) *Credentials {
	return &Credentials{AccessKeyID: name, SecretAccessKey: "s", SessionToken: "t", Expiration: c.now().Add(life).Format(time.RFC3339)}
}

func keeper(t *testing.T, c *clock, fetch func(context.Context) (*Credentials, error)) *Keeper {
	t.Helper()
	c.at.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	k := NewKeeper(t.Context(), fetch, func(error) {})
	k.now, k.patience = c.now, 50*time.Millisecond
	return k
}

func TestKeeperSharesOneRefresh(t *testing.T) {
	var c clock
	var calls atomic.Int32
	release := make(chan struct{})
	k := keeper(t, &c, func(context.Context) (*Credentials, error) {
		calls.Add(1)
		<-release
		return grant(&c, "A", time.Hour), nil
	})
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			if got, err := k.Get(t.Context()); err != nil || got.AccessKeyID != "A" {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	time.Sleep(10 * time.Millisecond)
	close(release)
	all.Wait()
	if _, err := k.Get(t.Context()); err != nil || calls.Load() != 1 {
		t.Errorf("%d calls, %v", calls.Load(), err)
	}
}

func TestKeeperKeepsTheLastGood(t *testing.T) {
	var c clock
	calls, broken := 0, false
	k := keeper(t, &c, func(context.Context) (*Credentials, error) {
		calls++
		if broken {
			return nil, errors.New("down")
		}
		return grant(&c, "A", time.Hour), nil
	})
	get := func() string {
		held, err := k.Get(t.Context())
		if err != nil {
			return err.Error()
		}
		return held.AccessKeyID
	}
	if got := get(); got != "A" {
		t.Fatal(got)
	}
	broken = true
	c.advance(37 * time.Minute)
	if got := get(); got != "A" || calls != 1 {
		t.Errorf("before the window: %s, %d calls", got, calls)
	}
	c.advance(6 * time.Minute) // 17 left: within the window, whatever the jitter
	if got := get(); got != "A" || calls != 2 {
		t.Errorf("in the window: %s, %d calls", got, calls)
	}
	for range 100 { // no time passes: no further attempt
		get()
	}
	if calls != 2 {
		t.Errorf("%d calls", calls)
	}
	c.advance(18 * time.Minute)
	if got := get(); got != "down" || calls != 3 {
		t.Errorf("expired: %s, %d calls", got, calls)
	}
	if got := get(); got != "down" || calls != 3 {
		t.Errorf("expired, at once again: %s, %d calls", got, calls)
	}
	broken = false
	c.advance(time.Minute)
	if got := get(); got != "A" || calls != 4 {
		t.Errorf("up again: %s, %d calls", got, calls)
	}
}

// A refresh that hangs holds nobody up while there is something to give.
func TestKeeperIsImpatient(t *testing.T) {
	var c clock
	hang := make(chan struct{})
	defer close(hang)
	first := true
	k := keeper(t, &c, func(ctx context.Context) (*Credentials, error) {
		if first {
			first = false
			return grant(&c, "A", time.Hour), nil
		}
		select {
		case <-hang:
		case <-ctx.Done():
		}
		return nil, errors.New("hung")
	})
	if _, err := k.Get(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.advance(50 * time.Minute)
	if got, err := k.Get(t.Context()); err != nil || got.AccessKeyID != "A" {
		t.Errorf("got %v, %v", got, err)
	}
	c.advance(time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if got, err := k.Get(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("expired: %v, %v", got, err)
	}
}

// Credentials that are short-lived by the local clock, or already over, do not make it spin.
func TestKeeperInterval(t *testing.T) {
	var c clock
	calls := 0
	life := 2 * time.Second
	k := keeper(t, &c, func(context.Context) (*Credentials, error) { calls++; return grant(&c, "A", life), nil })
	for range 40 {
		if held, err := k.Get(t.Context()); (held == nil) == (err == nil) {
			t.Fatalf("got %v, %v", held, err)
		}
		c.advance(250 * time.Millisecond)
	}
	if calls != 1 {
		t.Errorf("%d calls in ten seconds", calls)
	}
	life = -time.Minute
	c.advance(time.Hour)
	if got, err := k.Get(t.Context()); err == nil {
		t.Errorf("got %+v, which is over", got)
	}
}

func TestHold(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for text, ok := range map[string]bool{"2026-01-01T00:00:01.5Z": true, "2026-01-01T00:00:00Z": false, "": false, "x": false, "2026-01-01T02:00:00+01:00": true} {
		if _, err := Hold(&Credentials{Expiration: text}, now); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestPauses(t *testing.T) {
	for n := range 40 {
		if d := RetryPause(n); d < 500*time.Millisecond || d > 5*time.Minute {
			t.Errorf("after %d failures: %v", n, d)
		}
	}
	for _, life := range []time.Duration{0, time.Second, 15 * time.Minute, time.Hour, 12 * time.Hour} {
		w := RefreshWindow(life)
		if w > life/3 || w > 20*time.Minute {
			t.Errorf("window of %v is %v", life, w)
		}
		if j := Jitter(w); j.Abs() > w/10 {
			t.Errorf("jitter %v of %v", j, w)
		}
	}
}
