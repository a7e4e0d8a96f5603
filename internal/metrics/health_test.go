package metrics

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func probe(h http.Handler) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	return w.Code, strings.TrimSpace(w.Body.String())
}

func TestHealth(t *testing.T) {
	var text bytes.Buffer
	h := &Health{Logger: slog.New(slog.NewTextHandler(&text, nil))}
	var broken error
	h.Add("store", func(context.Context) error { return broken })
	h.Add("audit", func(context.Context) error { return nil })
	want := func(step string, status int, body string) {
		t.Helper()
		if gotStatus, gotBody := probe(h.ReadyHandler()); gotStatus != status || gotBody != body {
			t.Errorf("%s: %d %q, want %d %q", step, gotStatus, gotBody, status, body)
		}
		if status, body := probe(h.LiveHandler()); status != 200 || body != "ok" {
			t.Errorf("%s: live = %d %q", step, status, body)
		}
	}
	want("before the start", 503, "starting")
	h.Started()
	want("started", 200, "ok")
	broken = errors.New("postgres://user:hunter2@db is away")
	want("store away", 503, "not ready: store")
	want("still away", 503, "not ready: store")
	broken = nil
	want("store back", 200, "ok")
	if got := strings.Count(text.String(), "\n"); got != 2 {
		t.Errorf("%d log lines, want one per change:\n%s", got, &text)
	}
	h.Drain()
	want("draining", 503, "draining")
	h.Started()
	want("draining is for good", 503, "draining")
}

func TestHangingCheckDoesNotHangReadiness(t *testing.T) {
	h := &Health{Logger: slog.New(slog.DiscardHandler)}
	release := make(chan struct{})
	defer close(release)
	h.Add("stuck", func(context.Context) error { <-release; return nil })
	h.Started()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := h.Ready(ctx); err == nil || err.Error() != "not ready: stuck" {
		t.Errorf("Ready = %v", err)
	}
}
