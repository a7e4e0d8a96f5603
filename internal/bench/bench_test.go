package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall/rolecall/internal/enroll/adtest"
	"github.com/rolecall/rolecall/internal/enroll/soap"
)

// loadOn sends ten requests of p to h over TLS, as the program does.
func loadOn(t *testing.T, h http.Handler, p *pool) (load, error) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.StartTLS()
	t.Cleanup(s.Close)
	requests, err := p.fresh()
	if err != nil {
		t.Fatal(err)
	}
	c, err := dial(t.Context(), s.Listener.Addr().String(), 3)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c.run(t.Context(), requests, p.status, time.Minute, 10)
}

func sessionRequests(t *testing.T, kind keyKind) (*pki, *pool) {
	t.Helper()
	p, err := newPKI(kind)
	if err != nil {
		t.Fatal(err)
	}
	target := &target{server: &child{address: "127.0.0.1:1"}, ids: map[keyKind]resources{kind: {"anchor", "profile", "role"}}}
	return p, target.sessionPool(p, []*x509.Certificate{p.leaf})
}

func TestFloorVerifiesEverySignature(t *testing.T) {
	for _, kind := range []keyKind{p256, rsa2048} {
		p, requests := sessionRequests(t, kind)
		got, err := loadOn(t, floorHandler(p.key.Public(), http.StatusCreated, 1500), requests)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if got.requests != 10 {
			t.Errorf("%s: %d requests, want 10", kind, got.requests)
		}
		other, err := newKey(kind)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := loadOn(t, floorHandler(other.Public(), http.StatusCreated, 1500), requests); err == nil || !strings.Contains(err.Error(), "status 403") {
			t.Errorf("%s: another key's signature gave %v, want an error that names status 403", kind, err)
		}
	}
}

func TestOneFailureEndsTheRun(t *testing.T) {
	var n atomic.Int64
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1) == 7 {
			http.Error(w, "the seventh", http.StatusTeapot)
			return
		}
		w.WriteHeader(http.StatusCreated)
	})
	_, requests := sessionRequests(t, p256)
	if _, err := loadOn(t, h, requests); err == nil || !strings.Contains(err.Error(), "the seventh") {
		t.Errorf("error %v, want the answer's text", err)
	}
}

func TestRequestsAreUsedInTurn(t *testing.T) {
	seen := make(chan string, 10)
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen <- string(body)
	})
	_, requests := sessionRequests(t, p256)
	requests.status = http.StatusOK
	if _, err := loadOn(t, h, requests); err != nil {
		t.Fatal(err)
	}
	distinct := map[string]bool{}
	for range 10 {
		distinct[<-seen] = true
	}
	if len(distinct) != 10 {
		t.Errorf("%d different requests of 10, want 10", len(distinct))
	}
}

func TestOldRequestsAreSignedAnew(t *testing.T) {
	times := 0
	p := &pool{sign: func(time.Time) ([][]byte, error) { times++; return [][]byte{{}}, nil }}
	for range 2 {
		if _, err := p.fresh(); err != nil {
			t.Fatal(err)
		}
	}
	p.made = p.made.Add(-requestLife)
	if _, err := p.fresh(); err != nil {
		t.Fatal(err)
	}
	if times != 2 {
		t.Errorf("signed %d times, want 2", times)
	}
}

func TestColdCertificates(t *testing.T) {
	p, err := newPKI(p256)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.issueMany(130); err != nil {
		t.Fatal(err)
	}
	serials := map[string]bool{}
	for _, c := range p.leaves {
		serials[c.SerialNumber.String()] = true
		if err := c.CheckSignatureFrom(p.ca); err != nil {
			t.Fatal(err)
		}
	}
	if len(serials) != 130 {
		t.Errorf("%d serial numbers, want 130", len(serials))
	}
}

func TestParseBenchmarks(t *testing.T) {
	const out = `goos: linux
BenchmarkRaw/P-256-2    	     373	     62474 ns/op	     576 B/op	      10 allocs/op
BenchmarkProcess/hello-2	10	1244734 ns/op	2.367 MiB	0.98 x-hello-wall
BenchmarkNoise: something went by
PASS
`
	want := []result{
		{name: "Raw/P-256", nanos: 62474, bytes: "576", allocs: "10"},
		{name: "Process/hello", nanos: 1244734, figures: []figure{{2.367, "MiB"}, {0.98, "x-hello-wall"}}},
	}
	if diff := cmp.Diff(want, parseBenchmarks([]byte(out)), cmp.AllowUnexported(result{}, figure{})); diff != "" {
		t.Errorf("results differ (-want +got):\n%s", diff)
	}
}

func TestOptions(t *testing.T) {
	for _, args := range [][]string{{"-only", "warmer"}, {"-scale", "10,5"}, {"-scale", "ten"}, {"-time", "1ms"}, {"-conns", "0"}, {"stray"}} {
		if _, err := parseOptions(args, io.Discard); err == nil {
			t.Errorf("%q went through", args)
		}
	}
	o, err := parseOptions([]string{"-million"}, io.Discard)
	if err != nil || o.sessions != 1_000_000 {
		t.Errorf("-million: %+v, %v", o, err)
	}
}

func TestVerdicts(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{atMost("%.1f", 2.9, 3), "2.9 (goal ≤ 3.0) meets"},
		{atMost("%.1f", 3.1, 3), "3.1 (goal ≤ 3.0) misses"},
		{atLeast("%.2f", 0.7, 0.7), "0.70 (goal ≥ 0.70) meets"},
		{atLeast("%.2f", 0.6, 0.7), "0.60 (goal ≥ 0.70) misses"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestFloorEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- runFloor(ctx, []string{"-size", "3"}, make(neverEnds), w) }()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if !readyLine.MatchString(line) {
		t.Fatalf("printed %q, which is not a ready line", line)
	}
	address := readyLine.FindStringSubmatch(line)[1]
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// neverEnds is the stdin of a floor whose parent lives on.
type neverEnds chan struct{}

func (n neverEnds) Read([]byte) (int, error) { <-n; return 0, io.EOF }

func FuzzReadHead(f *testing.F) {
	f.Add([]byte("HTTP/1.1 201 Created\r\nContent-Length: 12\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 201 Created\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 403 Forbidden\r\ncontent-length:-1\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 xyz\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\n" + strings.Repeat("a: b\r\n", 200) + "Content-Length: 1\r\n\r\n"))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, head []byte) {
		c := &clientConn{in: bufio.NewReader(bytes.NewReader(head))}
		_, length, err := c.readHead()
		if err == nil && (length < 0 || length > maxAnswer) {
			t.Errorf("length %d went through", length)
		}
	})
}

func TestReadHead(t *testing.T) {
	n := rand.IntN(maxAnswer)
	c := &clientConn{in: bufio.NewReader(strings.NewReader(fmt.Sprintf("HTTP/1.1 201 Created\r\nDate: x\r\ncontent-length: %d\r\n\r\nbody", n)))}
	status, length, err := c.readHead()
	if err != nil || status != 201 || length != n {
		t.Errorf("got %d, %d, %v; want 201, %d", status, length, err, n)
	}
	for _, head := range []string{
		"HTTP/1.1 201 Created\r\n\r\n", "HTTP/1.0 201 Created\r\nContent-Length: 1\r\n\r\n",
		"HTTP/1.1 201 Created\r\nContent-Length: 99999999\r\n\r\n", "HTTP/1.1 201 Created\r\nContent-Length: 1\r\n",
		"HTTP/1.1 201 Created\r\n" + strings.Repeat("A: b\r\n", maxHeaderLines) + "Content-Length: 1\r\n\r\n",
	} {
		c := &clientConn{in: bufio.NewReader(strings.NewReader(head))}
		if _, _, err := c.readHead(); err == nil {
			t.Errorf("%.60q went through", head)
		}
	}
}

// TestRush: 10,000 times 3.6 ms are 36 s, half a percent of two CPUs' hour.
func TestRush(t *testing.T) {
	if got, want := rush("a P-256", 3600*time.Microsecond), "10000 users who renew within 1h0m0s at a P-256 CA: 36.0 s of CPU time, 0.50 % of 2 CPUs"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestEnrollmentRequests: every token is sent once, and the messages are what the server reads.
func TestEnrollmentRequests(t *testing.T) {
	d, err := adtest.New()
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := d.Ticket(&adtest.Account{RID: 2000, Name: "user00000"}, adtest.TicketOptions{})
	if err != nil {
		t.Fatal(err)
	}
	e := &enrollWorld{tickets: []*adtest.Ticket{ticket}}
	seen := map[string]bool{}
	for range 3 {
		raw, err := e.post(0, policyPath, soapMessage(policyMessage))
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := soap.Read(body); err != nil || r.Host != adtest.Host || r.URL.Path != policyPath {
			t.Errorf("%s %s: %v", r.Host, r.URL.Path, err)
		}
		seen[r.Header.Get("Authorization")] = true
	}
	if len(seen) != 3 {
		t.Errorf("%d different tokens of 3", len(seen))
	}
}
