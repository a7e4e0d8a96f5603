package metrics

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// checkTimeout bounds all checks of one readiness request together.
const checkTimeout = 2 * time.Second

// Check says whether one part of the server can do its work. It should return within a second and honour ctx.
type Check func(ctx context.Context) error

// Health is the server's state for orchestrators. Live means that the process runs and answers; ready means that it should be sent
// requests. The zero value is live and not ready.
type Health struct {
	// Logger hears why a check fails: the answer names only the check, because errors may name hosts and paths. Default: slog.Default.
	Logger *slog.Logger

	mu       sync.Mutex // guards all below
	started  bool
	draining bool
	checks   []namedCheck
	failing  map[string]bool // for logging changes, not every probe
}

type namedCheck struct {
	name  string
	check Check
}

// Add adds a readiness check. Names are shown to whoever may ask; add checks before Started.
func (h *Health) Add(name string, check Check) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks = append(h.checks, namedCheck{name, check})
}

// Started makes the server ready as soon as all checks pass.
func (h *Health) Started() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.started = true
}

// Drain makes the server not ready for good, so that it gets no new requests while it finishes the ones it has.
func (h *Health) Drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.draining = true
}

// Ready runs the checks and returns nil when the server should be sent requests. The error names failed checks, not their reasons.
func (h *Health) Ready(ctx context.Context) error {
	h.mu.Lock()
	started, draining, checks := h.started, h.draining, slices.Clone(h.checks)
	h.mu.Unlock()
	switch {
	case draining:
		return fmt.Errorf("draining")
	case !started:
		return fmt.Errorf("starting")
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	results := make([]chan error, len(checks))
	for i, c := range checks {
		results[i] = make(chan error, 1) // a check that ignores ctx ends on its own, without blocking
		go func() { results[i] <- c.check(ctx) }()
	}
	var failed []string
	for i, c := range checks {
		var err error
		select {
		case err = <-results[i]:
		case <-ctx.Done():
			err = ctx.Err()
		}
		h.note(c.name, err)
		if err != nil {
			failed = append(failed, c.name)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("not ready: %s", strings.Join(failed, ", "))
	}
	return nil
}

// note logs when a check begins or ceases to fail.
func (h *Health) note(name string, err error) {
	h.mu.Lock()
	changed := h.failing[name] != (err != nil)
	if h.failing == nil {
		h.failing = map[string]bool{}
	}
	h.failing[name] = err != nil
	log := h.Logger
	h.mu.Unlock()
	if !changed {
		return
	}
	if log == nil {
		log = slog.Default()
	}
	if err != nil {
		log.Warn("readiness check fails", slog.String("check", name), slog.Any("error", err))
		return
	}
	log.Info("readiness check passes again", slog.String("check", name))
}

// LiveHandler answers 200 as long as the process can answer at all.
func (h *Health) LiveHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") })
}

// ReadyHandler answers 200 when Ready passes, else 503 with the names of the failed checks.
func (h *Health) ReadyHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h.Ready(r.Context()); err != nil {
			answer(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		answer(w, http.StatusOK, "ok")
	})
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprintln(w, text)
}
