package credclient

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/keysource"
)

func identity(t testing.TB) *keysource.Identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(5), NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	id, err := keysource.New(key, leaf, nil)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func request() *Request {
	return &Request{
		RoleARN:         "arn:aws:iam::111122223333:role/r",
		ProfileARN:      "arn:aws:rolesanywhere:eu-west-1:111122223333:profile/p",
		TrustAnchorARN:  "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/a",
		DurationSeconds: 900,
	}
}

// start runs a server and gives a client for it that waits for nothing but writes the pauses down.
func start(t *testing.T, h http.HandlerFunc, cfg Config) (*Client, *[]time.Duration) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	cfg.Endpoint = s.URL
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	pauses := &[]time.Duration{}
	c.sleep = func(ctx context.Context, d time.Duration) error {
		*pauses = append(*pauses, d)
		return ctx.Err()
	}
	return c, pauses
}

const answered = `{"credentialSet":[{"credentials":{"accessKeyId":"A","secretAccessKey":"S","sessionToken":"T","expiration":"E"}}]}`

func TestRetries(t *testing.T) {
	tests := []struct {
		name     string
		status   int
		code     string
		attempts int32
	}{
		{"denied", 403, "AccessDeniedException", 1},
		{"invalid", 400, "ValidationException", 1},
		{"throttled by code", 400, "ThrottlingException", 3},
		{"throttled by status", 429, "", 3},
		{"internal", 500, "InternalServerException", 3},
		{"gateway", 502, "", 3},
		{"redirect", 302, "", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var n atomic.Int32
			var dates []string
			clock := time.Now()
			c, pauses := start(t, func(w http.ResponseWriter, r *http.Request) {
				n.Add(1)
				dates = append(dates, r.Header.Get("X-Amz-Date")+r.Header.Get("Amz-Sdk-Request"))
				w.Header().Set("X-Amzn-Errortype", tt.code)
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tt.status)
			}, Config{Now: func() time.Time { clock = clock.Add(time.Second); return clock }})
			_, err := c.CreateSession(context.Background(), identity(t), request())
			var e *ServiceError
			if !errors.As(err, &e) || e.Status != tt.status {
				t.Fatalf("got %v", err)
			}
			if got := n.Load(); got != tt.attempts || len(*pauses) != int(tt.attempts)-1 {
				t.Errorf("%d attempts with pauses %v, want %d", got, *pauses, tt.attempts)
			}
			if slices.Sort(dates); len(slices.Compact(dates)) != int(tt.attempts) {
				t.Errorf("attempts are not signed anew: %q", dates)
			}
		})
	}
}

func TestRetryAfterIsObeyed(t *testing.T) {
	c, pauses := start(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
	}, Config{})
	if _, err := c.CreateSession(context.Background(), identity(t), request()); err == nil {
		t.Fatal("no error")
	}
	if !slices.Equal(*pauses, []time.Duration{7 * time.Second, 7 * time.Second}) {
		t.Errorf("pauses %v, want 7s twice", *pauses)
	}
	for text, want := range map[string]time.Duration{"": 0, "-1": 0, "x": 0, "3": 3 * time.Second, "9999999999": backoffCap, "100": backoffCap} {
		if got := retryAfter(text); got != want {
			t.Errorf("Retry-After %q: %v, want %v", text, got, want)
		}
	}
}

func TestBackoff(t *testing.T) {
	least, most := func(int64) int64 { return 0 }, func(n int64) int64 { return n - 1 }
	for n, want := range map[int]time.Duration{1: backoffBase, 2: 2 * backoffBase, 3: 4 * backoffBase, 50: backoffCap} {
		if lo, hi := backoff(n, least), backoff(n, most); lo != want/2 || hi != want {
			t.Errorf("after attempt %d: %v to %v, want %v to %v", n, lo, hi, want/2, want)
		}
	}
}

// The time-out covers everything: a server that never ends its answer does not hold the caller.
func TestTimeout(t *testing.T) {
	release := make(chan struct{})
	c, _ := start(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("{"))
		w.(http.Flusher).Flush()
		<-release
	}, Config{Timeout: 50 * time.Millisecond})
	defer close(release)
	_, err := c.CreateSession(context.Background(), identity(t), request())
	if err == nil || !strings.Contains(err.Error(), "within 50ms") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.CreateSession(ctx, identity(t), request()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestPlainServerBehindHTTPS(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	c, err := New(Config{Endpoint: strings.Replace(s.URL, "http:", "https:", 1)})
	if err != nil {
		t.Fatal(err)
	}
	c.sleep = func(context.Context, time.Duration) error { t.Error("another attempt"); return nil }
	_, err = c.CreateSession(context.Background(), identity(t), request())
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(e.Hint(), "does not speak TLS") {
		t.Errorf("got %v with %q", err, e.Hint())
	}
}

// A Client is shared by everything that serves credentials from one process.
func TestConcurrent(t *testing.T) {
	c, _ := start(t, func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(answered)) }, Config{})
	id := identity(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			got, err := c.CreateSession(context.Background(), id, request())
			if err != nil || *got != (Credentials{AccessKeyID: "A", SecretAccessKey: "S", SessionToken: "T", Expiration: "E"}) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	all.Wait()
}

func TestMaxAttempts(t *testing.T) {
	for text, want := range map[string]int{"": 3, "1": 1, "5": 5, "1000": 10, "0": 0, "-1": 0, "x": 0} {
		got, err := maxAttempts(text)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
}
