package credclient

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A dead, a wrong and a failing endpoint are passed over at once; the one that answered is asked first the next time.
func TestFailover(t *testing.T) {
	asked := map[string]int{}
	serve := func(name string, status int, code, body string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked[name]++
			w.Header().Set("X-Amzn-Errortype", code)
			w.WriteHeader(status)
			w.Write([]byte(body))
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	list := []string{
		dead.URL,
		serve("page", 404, "", "<html>"),
		serve("garbage", 200, "", "<html>"),
		serve("busy", 503, "ServiceUnavailableException", "{}"),
		serve("good", 201, "", answered),
	}
	c, err := New(Config{Endpoint: strings.Join(list, ",")})
	if err != nil {
		t.Fatal(err)
	}
	var pauses []time.Duration
	c.sleep = func(_ context.Context, d time.Duration) error { pauses = append(pauses, d); return nil }
	for range 2 {
		if got, err := c.CreateSession(context.Background(), identity(t), request()); err != nil || got.AccessKeyID != "A" {
			t.Fatalf("got %v, %v", got, err)
		}
	}
	for _, d := range pauses {
		if d != 0 {
			t.Errorf("pauses %v: an endpoint that has not been asked is asked at once", pauses)
		}
	}
	for _, name := range []string{"page", "garbage", "busy"} {
		if asked[name] != 1 {
			t.Errorf("%s was asked %d times", name, asked[name])
		}
	}
	if asked["good"] != 2 {
		t.Errorf("good was asked %d times", asked["good"])
	}
}

// A refusal is an answer: no other endpoint is asked.
func TestNoFailoverOnRefusal(t *testing.T) {
	n := 0
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n++
		w.Header().Set("X-Amzn-Errortype", "AccessDeniedException")
		w.WriteHeader(403)
	})
	a, b := httptest.NewServer(h), httptest.NewServer(h)
	defer a.Close()
	defer b.Close()
	c, err := New(Config{Endpoint: a.URL + "," + b.URL})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.CreateSession(context.Background(), identity(t), request())
	var e *ServiceError
	if !errors.As(err, &e) || n != 1 {
		t.Errorf("%d requests, %v", n, err)
	}
}

// With every endpoint failing for the moment, turns are taken and pauses made.
func TestFailoverTurns(t *testing.T) {
	var order []string
	h := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { order = append(order, name); w.WriteHeader(500) })
	}
	a, b := httptest.NewServer(h("a")), httptest.NewServer(h("b"))
	defer a.Close()
	defer b.Close()
	c, err := New(Config{Endpoint: a.URL + "," + b.URL, Getenv: func(k string) string { return map[string]string{"AWS_MAX_ATTEMPTS": "4"}[k] }})
	if err != nil {
		t.Fatal(err)
	}
	var pauses []time.Duration
	c.sleep = func(_ context.Context, d time.Duration) error { pauses = append(pauses, d); return nil }
	if _, err := c.CreateSession(context.Background(), identity(t), request()); err == nil {
		t.Fatal("no error")
	}
	if got := strings.Join(order, ""); got != "abab" || len(pauses) != 3 || pauses[0] != 0 || pauses[1] == 0 || pauses[2] == 0 {
		t.Errorf("order %s, pauses %v", got, pauses)
	}
}
