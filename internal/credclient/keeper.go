package credclient

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Held is a set of credentials with its times in a form that can be compared.
type Held struct {
	Credentials
	Obtained time.Time
	Expires  time.Time
}

// Hold parses the expiration of credentials that were obtained at now. What is no longer valid is an error: the server has
// just granted it, so one of the two clocks is wrong.
func Hold(c *Credentials, now time.Time) (*Held, error) {
	expires, err := time.Parse(time.RFC3339, c.Expiration)
	if err != nil {
		return nil, problemf("check that the endpoint is one of Roles Anywhere", "the expiration in the server's answer is not a time")
	}
	if !expires.After(now) {
		return nil, problemf("set the local clock", "the credentials that the server has just granted expired at %s by the local clock (it is %s)",
			expires.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return &Held{Credentials: *c, Obtained: now, Expires: expires}, nil
}

const windowLimit = 20 * time.Minute

// RefreshWindow is how long before their expiration credentials are replaced, given how long they live. The SDKs begin to
// ask for new ones a quarter of an hour before the end; what they get then must not be due already.
func RefreshWindow(lifetime time.Duration) time.Duration { return min(lifetime/3, windowLimit) }

// Jitter moves a time by up to a tenth of window in either direction, so that machines started together drift apart.
func Jitter(window time.Duration) time.Duration {
	tenth := int64(window / 10)
	if tenth <= 0 {
		return 0
	}
	return time.Duration(rand.Int64N(2*tenth+1) - tenth)
}

// RetryPause is the pause after the nth failure in a row: exponential from one second to five minutes, half of it random.
func RetryPause(n int) time.Duration {
	const limit = 5 * time.Minute
	d := min(time.Second<<min(max(n-1, 0), 16), limit)
	return d/2 + time.Duration(rand.Int64N(int64(d/2)+1))
}

const (
	leastInterval = 10 * time.Second // between two refreshes, whatever the server grants
	patience      = 2 * time.Second  // for a refresh while the present credentials are still good
	keeperPause   = 30 * time.Second // most pause between attempts while callers wait for credentials
)

// Keeper keeps one set of credentials fresh, on demand: a call that finds them due for replacement starts one refresh,
// which all concurrent calls share. While the present ones are valid a failed refresh changes nothing.
// It is safe for concurrent use.
type Keeper struct {
	life  context.Context // ends refreshes that are under way
	fetch func(context.Context) (*Credentials, error)
	log   func(error) // told of every failed refresh

	now      func() time.Time // replaced in tests
	patience time.Duration

	mu       sync.Mutex // guards all below: Get decides on them as a whole
	held     *Held      // nil: none yet
	due      time.Time
	running  chan struct{} // closed at the end of the refresh; nil: none is under way
	notUntil time.Time     // of the next refresh
	failures int
	failure  error // of the last refresh; nil: it succeeded
}

// NewKeeper makes a keeper without credentials. life bounds the refreshes, as no caller's context does.
func NewKeeper(life context.Context, fetch func(context.Context) (*Credentials, error), log func(error)) *Keeper {
	return &Keeper{life: life, fetch: fetch, log: log, now: time.Now, patience: patience}
}

// Get gives credentials that are valid now, never others. It waits for a refresh if there are none, and for a moment if the
// present ones are due. The error is that of the last refresh, or the context's.
func (k *Keeper) Get(ctx context.Context) (*Held, error) {
	k.mu.Lock()
	now := k.now()
	held, failure := k.validLocked(now), k.failure
	if held != nil && now.Before(k.due) {
		k.mu.Unlock()
		return held, nil
	}
	if k.running == nil && !now.Before(k.notUntil) {
		k.running = make(chan struct{})
		go k.refresh(k.running)
	}
	running := k.running
	k.mu.Unlock()
	if running == nil { // too soon after a failure
		if held != nil {
			return held, nil
		}
		return nil, orExpired(failure)
	}
	var enough <-chan time.Time
	if held != nil {
		t := time.NewTimer(k.patience)
		defer t.Stop()
		enough = t.C
	}
	select {
	case <-running:
	case <-enough:
	case <-ctx.Done():
		if held == nil {
			return nil, context.Cause(ctx)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if held := k.validLocked(k.now()); held != nil {
		return held, nil
	}
	return nil, orExpired(k.failure)
}

// orExpired is for credentials that expire sooner than they may be replaced.
func orExpired(failure error) error {
	if failure != nil {
		return failure
	}
	return problemf("have the server grant longer sessions", "the credentials have expired and it is too soon for others")
}

func (k *Keeper) validLocked(now time.Time) *Held {
	if k.held != nil && now.Before(k.held.Expires) {
		return k.held
	}
	return nil
}

func (k *Keeper) refresh(done chan struct{}) {
	var held *Held
	creds, err := k.fetch(k.life)
	now := k.now()
	if err == nil {
		held, err = Hold(creds, now)
	}
	if err != nil && k.life.Err() == nil {
		k.log(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	defer close(done)
	k.running = nil
	k.failure = err
	if err != nil {
		k.failures++
		k.notUntil = now.Add(min(RetryPause(k.failures), keeperPause))
		return
	}
	k.failures = 0
	window := RefreshWindow(held.Expires.Sub(now))
	k.held, k.due, k.notUntil = held, held.Expires.Add(-window+Jitter(window)), now.Add(leastInterval)
}
