package revocation

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/store"
)

const (
	waitTime    = 3 * time.Second  // most that one CreateSession waits for all its sources
	failureLife = 15 * time.Second // how long a failure is remembered
	maxStatuses = 10_000           // certificates whose state is remembered
	sessionLife = 13 * time.Hour   // the longest session of a certificate and what is chained from it
	unusedLife  = time.Hour        // how long an unused state is kept fresh where sessions do not end
	maxRefresh  = 256              // states refreshed in one turn
	accountMost = maxFetches / 4   // questions of one account under way: slow sources of its CAs hold up nobody else's

	// DefaultRefresh is how old a source's answer may get before it is asked again, however long it says it is valid.
	DefaultRefresh = 10 * time.Minute
)

// Config is what a checker works with. DB is required.
type Config struct {
	DB      *store.DB
	Allow   Allow
	Refresh time.Duration    // default: DefaultRefresh
	Clock   func() time.Time // default: time.Now
	Log     *slog.Logger     // nil discards
}

// Finding is a refusal: the certificate is revoked, or its state cannot be found out.
type Finding struct {
	Revoked bool
	Detail  string
}

// Error returns the detail.
func (f *Finding) Error() string { return f.Detail }

type state int

const (
	unknown state = iota
	good
	revoked
)

// verdict is what a source said of a certificate.
type verdict struct {
	state   state
	detail  string
	updated time.Time // when the source knew it
	until   time.Time // it counts before this
}

// Checker asks CAs about certificates and remembers what they say. It is safe for concurrent use.
type Checker struct {
	cfg      Config
	fetch    *fetcher
	failures map[Source]*atomic.Int64

	ctx  context.Context // of everything in the background
	stop context.CancelFunc
	work sync.WaitGroup

	mu       sync.Mutex // guards closed, statuses, the fields of each, and asking
	closed   bool
	statuses map[statusKey]*status
	asking   map[arn.AccountID]chan struct{} // one for each question under way

	listMu    sync.Mutex // guards the rest
	lists     map[listKey]*list
	fetching  map[listKey]*fetching
	listBytes int
}

type statusKey struct {
	cert  [sha256.Size]byte
	order string // of the sources
}

// anchorKey names a trust anchor that ends sessions.
type anchorKey struct {
	account arn.AccountID
	region  arn.Region
	id      string
}

// status is what is known of a certificate.
type status struct {
	cert, issuer *x509.Certificate
	sources      []Source
	account      arn.AccountID // that asked first

	verdict   verdict
	refreshAt time.Time
	usedAt    time.Time
	anchors   map[anchorKey]time.Time // when each last made a session of it
	startedAt time.Time               // of running
	running   chan struct{}           // closed when the question under way is answered; nil for none
}

// NewChecker makes a checker. [Checker.Run] keeps its answers fresh.
func NewChecker(cfg Config) *Checker {
	if cfg.Refresh == 0 {
		cfg.Refresh = DefaultRefresh
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	c := &Checker{
		cfg: cfg, fetch: newFetcher(cfg.Allow),
		failures: map[Source]*atomic.Int64{CRL: {}, OCSP: {}},
		statuses: map[statusKey]*status{}, asking: map[arn.AccountID]chan struct{}{}, lists: map[listKey]*list{}, fetching: map[listKey]*fetching{},
	}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c
}

// Failures counts the questions that a source did not answer, since the start.
func (c *Checker) Failures(s Source) int64 { return c.failures[s].Load() }

// Check asks about every certificate of a verified path but the last, which is the trust anchor. Its error is a *[Finding],
// or the store's. A path that was asked about before costs a hash and a look-up for each certificate.
func (c *Checker) Check(ctx context.Context, anchor *store.TrustAnchor, o *Options, path []*x509.Certificate, now time.Time) error {
	deadline := time.Now().Add(waitTime)
	for i := range len(path) - 1 {
		v := c.verdict(ctx, anchor, o, path[i], path[i+1], now, deadline)
		if o.EndSessions {
			if err := c.heedOthers(ctx, anchor, path[i], path[i+1], &v); err != nil {
				return err
			}
		}
		switch v.state {
		case good:
		case revoked:
			if o.EndSessions {
				if err := c.learn(ctx, anchorKey{anchor.Account, anchor.Region, anchor.ID}, path[i], path[i+1]); err != nil {
					return err
				}
			}
			return &Finding{Revoked: true, Detail: v.detail}
		default:
			if !o.Soft {
				return &Finding{Detail: "whether the certificate with serial number " + serialHex(path[i]) + " was revoked could not be found out: " + v.detail}
			}
		}
	}
	return nil
}

func (c *Checker) verdict(ctx context.Context, anchor *store.TrustAnchor, o *Options, cert, issuer *x509.Certificate, now, deadline time.Time) verdict {
	k := statusKey{cert: sha256.Sum256(cert.Raw), order: string(o.Check[0])}
	if len(o.Check) > 1 {
		k.order += string(o.Check[1])
	}
	c.mu.Lock()
	st := c.statuses[k]
	if st == nil {
		st = &status{cert: cert, issuer: issuer, sources: o.Check, account: anchor.Account}
		c.addLocked(k, st)
	}
	st.usedAt = now
	if o.EndSessions {
		if st.anchors == nil {
			st.anchors = map[anchorKey]time.Time{}
		}
		st.anchors[anchorKey{anchor.Account, anchor.Region, anchor.ID}] = now
	}
	if now.Before(st.verdict.until) {
		v := st.verdict
		c.mu.Unlock()
		return v
	}
	running := c.askLocked(st)
	if end := st.startedAt.Add(waitTime); end.Before(deadline) {
		deadline = end // who comes later does not wait for a slow source again
	}
	c.mu.Unlock()
	timeout := time.NewTimer(time.Until(deadline))
	defer timeout.Stop()
	select {
	case <-running:
		c.mu.Lock()
		defer c.mu.Unlock()
		return st.verdict
	case <-ctx.Done():
	case <-timeout.C:
	}
	return verdict{detail: "its source took too long to answer"}
}

// addLocked remembers a status in the place of the longest unused one of a few, if there are too many.
func (c *Checker) addLocked(k statusKey, st *status) {
	if len(c.statuses) >= maxStatuses {
		var oldest statusKey
		var at time.Time
		n := 0
		for key, s := range c.statuses {
			if at.IsZero() || s.usedAt.Before(at) {
				oldest, at = key, s.usedAt
			}
			if n++; n == 16 {
				break
			}
		}
		delete(c.statuses, oldest)
	}
	c.statuses[k] = st
}

// askLocked starts the question, unless it is under way. It is nobody's: those who wait may leave.
func (c *Checker) askLocked(st *status) <-chan struct{} {
	if st.running == nil {
		st.running, st.startedAt = make(chan struct{}), time.Now()
		if c.closed {
			close(st.running) // and stays: the server is ending
		} else {
			turn := c.asking[st.account]
			if turn == nil {
				turn = make(chan struct{}, accountMost)
				c.asking[st.account] = turn
			}
			c.work.Go(func() { c.ask(st, turn) })
		}
	}
	return st.running
}

func (c *Checker) ask(st *status, turn chan struct{}) {
	ctx, cancel := context.WithTimeout(c.ctx, fetchTime)
	defer cancel()
	var v verdict
	leave, err := enter(ctx, turn)
	if err == nil {
		v, err = c.askAll(ctx, st)
		leave()
	} else {
		err = fmt.Errorf("the account has %d certificates asked about, whose sources are slow", accountMost)
	}
	now := c.cfg.Clock()
	c.mu.Lock()
	if known := &st.verdict; err == nil && known.state == revoked && v.state == good && !v.updated.After(known.updated) {
		// A source that knows less, or an answer sent again by someone in between, takes no revocation back.
		err = fmt.Errorf("it is known as revoked at %s, and what was answered now is of %s", stamp(known.updated), stamp(v.updated))
	}
	c.noteLocked(st, v, err, now)
	anchors := make([]anchorKey, 0, len(st.anchors))
	for a, used := range st.anchors {
		if now.Sub(used) > sessionLife {
			delete(st.anchors, a)
			continue
		}
		anchors = append(anchors, a)
	}
	v = st.verdict
	close(st.running)
	st.running = nil
	c.mu.Unlock()
	if err != nil {
		c.cfg.Log.Warn("the state of a certificate could not be found out", "serial", serialHex(st.cert), "error", err)
		return
	}
	for _, a := range anchors {
		if err := c.tell(ctx, a, st, &v); err != nil {
			c.cfg.Log.Error("a revocation that was learnt could not be stored", "serial", serialHex(st.cert), "error", err)
		}
	}
}

// noteLocked keeps an answer, or what a failure to get one means.
func (c *Checker) noteLocked(st *status, v verdict, err error, now time.Time) {
	if err == nil {
		st.verdict, st.refreshAt = v, c.refreshTime(now, v.until)
		return
	}
	st.refreshAt = now.Add(failureLife)
	switch known := &st.verdict; {
	case known.state == revoked: // stays so until a source says otherwise, also where failures are let through
		if known.until.Before(st.refreshAt) {
			known.until = st.refreshAt
		}
	case known.state == good && now.Before(known.until): // still counts
	default:
		*known = verdict{detail: err.Error(), until: st.refreshAt}
	}
}

// askAll asks one source after the other until one knows.
func (c *Checker) askAll(ctx context.Context, st *status) (verdict, error) {
	var failed []error
	for _, s := range st.sources {
		ask := c.askList
		if s == OCSP {
			ask = c.askOCSP
		}
		v, err := ask(ctx, st.cert, st.issuer)
		if err == nil {
			return v, nil
		}
		failed = append(failed, err)
	}
	return verdict{}, errors.Join(failed...)
}

// refreshTime is when an answer is asked for again: before it ends, and not later than the configured age.
func (c *Checker) refreshTime(now, until time.Time) time.Time {
	return now.Add(min(until.Sub(now)*4/5, c.cfg.Refresh))
}
