package metrics

import (
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func scrape(t *testing.T, r *Registry) string {
	t.Helper()
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	body, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func wantLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+text, "\n"+line+"\n") {
			t.Errorf("no line %q in:\n%s", line, excerpt(text))
		}
	}
}

// excerpt is the part of the metrics that this package defines.
func excerpt(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, namespace) {
			b.WriteString(line)
		}
	}
	return b.String()
}

func TestScrape(t *testing.T) {
	r := New()
	r.Request("sts", "GetCallerIdentity", CodeOK, 3*time.Millisecond)
	r.Request("sts", "GetCallerIdentity", CodeOK, time.Minute)
	r.Request("sts", "GetCallerIdentity", "AccessDenied", time.Microsecond)
	r.SessionCreated("arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/1")
	r.SessionRefused("AccessDeniedException")
	r.SetDaysToExpiry(map[string]int{"arn:a": 30, "arn:b": -2})
	lag := 1.5
	if err := r.Gauge(SubsystemAudit, "lag_seconds", "Lag.", func() float64 { return lag }); err != nil {
		t.Fatal(err)
	}
	if err := r.Counter(SubsystemCache, "hits_total", "Hits.", func() float64 { return 7 }); err != nil {
		t.Fatal(err)
	}
	text := scrape(t, r)
	wantLines(t, text,
		`rolecall_requests_total{code="OK",operation="GetCallerIdentity",service="sts"} 2`,
		`rolecall_requests_total{code="AccessDenied",operation="GetCallerIdentity",service="sts"} 1`,
		`rolecall_request_duration_seconds_count{operation="GetCallerIdentity",service="sts"} 3`,
		`rolecall_request_duration_seconds_bucket{operation="GetCallerIdentity",service="sts",le="0.005"} 2`,
		`rolecall_sessions_success_total{operation="CreateSession",trust_anchor_arn="arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/1"} 1`,
		`rolecall_sessions_failure_total{error_type="AccessDeniedException",operation="CreateSession"} 1`,
		`rolecall_trust_anchor_days_to_expiry{trust_anchor_arn="arn:a"} 30`,
		`rolecall_trust_anchor_days_to_expiry{trust_anchor_arn="arn:b"} -2`,
		`rolecall_audit_lag_seconds 1.5`,
		`rolecall_cache_hits_total 7`,
	)
	r.SetDaysToExpiry(map[string]int{"arn:b": 5})
	text = scrape(t, r)
	if wantLines(t, text, `rolecall_trust_anchor_days_to_expiry{trust_anchor_arn="arn:b"} 5`); strings.Contains(text, `"arn:a"`) {
		t.Error("a deleted anchor is still shown")
	}
}

func TestTakenAndWrongNames(t *testing.T) {
	r := New()
	zero := func() float64 { return 0 }
	if err := r.Gauge(SubsystemStore, "x", "X.", zero); err != nil {
		t.Fatal(err)
	}
	if err := r.Gauge(SubsystemStore, "x", "X.", zero); err == nil {
		t.Error("a name was taken twice")
	}
	if err := r.Gauge(SubsystemStore, "no name", "X.", zero); err == nil {
		t.Error("a name with a space was accepted")
	}
	if err := New().Gauge(SubsystemStore, "x", "X.", zero); err != nil {
		t.Errorf("registries share names: %v", err)
	}
}

// Whatever is thrown at it, the number of series stays bounded and strange values are not shown.
func TestLabelsAreBounded(t *testing.T) {
	r := New()
	days := map[string]int{}
	for i := range 3 * maxSeries {
		r.Request("svc", "Op", fmt.Sprint("Code", i), time.Millisecond)
		r.Request("svc", fmt.Sprint("secret value ", i), "x", time.Millisecond)
		r.Request(strings.Repeat("s", 200), "o", "c", 0)
		r.SessionCreated(fmt.Sprint("arn:aws:x:trust-anchor/", i))
		r.SessionCreated(fmt.Sprint("not an arn\n", i))
		r.SessionRefused(fmt.Sprint("Error", i))
		days[fmt.Sprint("arn:", i)] = i
	}
	r.SetDaysToExpiry(days)
	text := excerpt(scrape(t, r))
	for name, limit := range map[string]int{
		"rolecall_requests_total{":              maxSeries + 1,
		"rolecall_request_duration_seconds_sum": 2,
		"rolecall_sessions_success_total{":      maxAnchors + 1,
		"rolecall_sessions_failure_total{":      maxErrorTypes + 1,
		"rolecall_trust_anchor_days_to_expiry{": maxAnchors,
	} {
		if got := strings.Count(text, "\n"+name); got > limit || got < limit-1 {
			t.Errorf("%d lines of %s, want about %d", got, name, limit)
		}
	}
	if strings.Contains(text, "secret") || strings.Contains(text, "ssss") || strings.Contains(text, "not an arn") {
		t.Error("a strange label value is shown")
	}
	wantLines(t, text, `rolecall_trust_anchor_days_to_expiry{trust_anchor_arn="arn:0"} 0`)
}

func TestConcurrentUse(t *testing.T) {
	r := New()
	var wg sync.WaitGroup
	const each = 500
	for w := range 8 {
		wg.Go(func() {
			for i := range each {
				r.Request("svc", "Op", fmt.Sprint("C", i%9), time.Millisecond)
				r.SessionCreated(fmt.Sprint("arn:", i%9))
				r.SessionRefused("E")
				if i%100 == w {
					r.SetDaysToExpiry(map[string]int{"arn:x": i})
					scrape(t, r)
				}
			}
		})
	}
	wg.Wait()
	wantLines(t, scrape(t, r), `rolecall_request_duration_seconds_count{operation="Op",service="svc"} 4000`,
		`rolecall_sessions_failure_total{error_type="E",operation="CreateSession"} 4000`)
}

func BenchmarkRequest(b *testing.B) {
	r := New()
	b.ReportAllocs()
	for b.Loop() {
		r.Request("rolesanywhere", "CreateSession", CodeOK, time.Millisecond)
	}
}
