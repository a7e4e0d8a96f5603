package revocation

import (
	"context"
	"encoding/binary"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// nameServer answers each question for an IPv4 address with what the test says, and has none for IPv6.
type nameServer struct {
	mu      sync.Mutex // guards current
	current []string
}

func newNameServer(t *testing.T) (*nameServer, *net.Resolver) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s := &nameServer{}
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			conn.WriteTo(s.reply(buf[:n]), from)
		}
	}()
	return s, &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func (s *nameServer) set(addresses ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = addresses
}

// reply makes an answer of a question (RFC 1035 §4): its header and question again, and A records with a life of 0.
func (s *nameServer) reply(q []byte) []byte {
	end := 12
	for q[end] != 0 {
		end += int(q[end]) + 1
	}
	end += 5
	out := append([]byte{}, q[:end]...)
	out[2], out[3] = 0x84, 0x00 // an authoritative answer without an error
	clear(out[6:12])
	if binary.BigEndian.Uint16(q[end-4:]) != 1 {
		return out
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	binary.BigEndian.PutUint16(out[6:], uint16(len(s.current)))
	for _, a := range s.current {
		ip := netip.MustParseAddr(a).As4()
		out = append(append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4), ip[:]...)
	}
	return out
}

// listenAt is a web server at an address of the loopback network; it counts who comes.
func listenAt(t *testing.T, address string, handler http.Handler) (port string, came *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	came = &atomic.Int64{}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute, ConnState: func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			came.Add(1)
		}
	}}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port, came
}

func testFetcher(t *testing.T, allow ...string) *fetcher {
	t.Helper()
	a, err := ParseAllow(allow)
	if err != nil {
		t.Fatal(err)
	}
	return newFetcher(a)
}

// A name that meant an allowed address and now means a forbidden one leads nowhere: the address of each connection is judged.
func TestRebinding(t *testing.T) {
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("list")) })
	port, allowed := listenAt(t, "127.0.0.2:0", ok)
	_, forbidden := listenAt(t, "127.0.0.1:"+port, ok)
	names, resolver := newNameServer(t)
	f := testFetcher(t, "127.0.0.2:"+port)
	f.resolver = resolver
	address := "http://pki.example.test:" + port + "/ca.crl"
	for _, step := range []struct {
		means string
		want  string // "" for an answer
	}{
		{"127.0.0.2", ""},
		{"127.0.0.1", "connections to 127.0.0.1:" + port + " are not allowed"},
		{"127.0.0.2", ""},
		{"127.0.0.1 127.0.0.2", ""}, // the other one is not tried
		{"169.254.169.254", "connections to 169.254.169.254:" + port + " are not allowed"},
		{"10.0.0.1 192.168.0.1", "are not allowed"},
	} {
		names.set(strings.Fields(step.means)...)
		a, err := f.get(t.Context(), address, validators{})
		switch {
		case step.want == "" && (err != nil || string(a.body) != "list"):
			t.Errorf("%s: %v", step.means, err)
		case step.want != "" && (err == nil || !strings.Contains(err.Error(), step.want)):
			t.Errorf("%s: got %v, want %q", step.means, err, step.want)
		}
		if _, err := f.post(t.Context(), address, []byte("question")); (err == nil) != (step.want == "") {
			t.Errorf("%s: OCSP %v", step.means, err)
		}
	}
	if allowed.Load() == 0 || forbidden.Load() != 0 {
		t.Errorf("%d connections to where it may, %d to where it may not", allowed.Load(), forbidden.Load())
	}
}

// No spelling of an address leads where its plain form does not, and a name is what it is resolved to.
func TestSpellings(t *testing.T) {
	port, came := listenAt(t, "127.0.0.1:0", http.NotFoundHandler())
	names, resolver := newNameServer(t)
	names.set("127.0.0.1")
	f := testFetcher(t, "public:"+port)
	f.resolver = resolver
	for _, host := range []string{
		"127.0.0.1", "localhost", "LOCALHOST.", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1.", "0", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
		"[::127.0.0.1]", "[64:ff9b::7f00:1]", "[fe80::1%25lo]", "127.0.0.1%2f", "pki.example.test", "169.254.169.254", "metadata.google.internal",
	} {
		a, err := f.get(t.Context(), "http://"+host+":"+port+"/latest/meta-data/", validators{})
		if err == nil {
			t.Errorf("%s: %d bytes", host, len(a.body))
		}
	}
	if came.Load() != 0 {
		t.Errorf("%d connections", came.Load())
	}
}

// HTTPS is checked: a server that nobody vouches for answers nothing.
func TestUntrustedHTTPS(t *testing.T) {
	src := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("list")) }))
	src.Config.ErrorLog = log.New(io.Discard, "", 0)
	src.StartTLS()
	defer src.Close()
	f := testFetcher(t, strings.TrimPrefix(src.URL, "https://"))
	if _, err := f.get(t.Context(), src.URL+"/ca.crl", validators{}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v", err)
	}
}

// A redirect is not followed, wherever it leads, and other schemes are no addresses.
func TestRedirectsAndSchemes(t *testing.T) {
	_, target := listenAt(t, "127.0.0.1:0", http.NotFoundHandler())
	for _, code := range []int{301, 302, 303, 307, 308} {
		src := newSource(t, nil)
		f := testFetcher(t, "127.0.0.0/8:1", src.host())
		for _, to := range []string{"http://169.254.169.254/latest/meta-data/", src.URL + "/again", "file:///etc/passwd", "//127.0.0.1:1/"} {
			src.set(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Location", to); w.WriteHeader(code) })
			before := src.count()
			if a, err := f.get(t.Context(), src.URL+"/ca.crl", validators{}); err == nil || !strings.Contains(err.Error(), "redirects are not followed") {
				t.Errorf("%d to %s: %v %v", code, to, a, err)
			}
			if _, err := f.post(t.Context(), src.URL+"/ocsp", []byte("q")); err == nil || !strings.Contains(err.Error(), "redirects are not followed") {
				t.Errorf("%d to %s: OCSP %v", code, to, err)
			}
			if n := src.count() - before; n != 2 {
				t.Errorf("%d to %s: %d requests", code, to, n)
			}
		}
	}
	f := testFetcher(t, "127.0.0.0/8")
	for _, address := range []string{"ldap://127.0.0.1/cn=x", "file:///etc/passwd", "ftp://127.0.0.1/x", "HTTP//127.0.0.1", "unix:///x", "http:127.0.0.1", "data:,x"} {
		if _, err := f.get(t.Context(), address, validators{}); err == nil || !strings.Contains(err.Error(), "no http or https URL") {
			t.Errorf("%s: %v", address, err)
		}
		if _, err := f.post(t.Context(), address, nil); err == nil || !strings.Contains(err.Error(), "no http or https URL") {
			t.Errorf("%s: OCSP %v", address, err)
		}
	}
	if target.Load() != 0 {
		t.Error("somebody came")
	}
}

// The environment's proxy is not used: it would resolve names itself. (net/http reads the environment once, and never
// for loopback addresses, so that a proxy here would prove nothing.)
func TestNoProxy(t *testing.T) {
	if testFetcher(t).client.Transport.(*http.Transport).Proxy != nil {
		t.Error("there is a proxy")
	}
}

// drip sends one byte after the other until the client has enough.
func drip(w http.ResponseWriter, r *http.Request) {
	for {
		select {
		case <-r.Context().Done():
			return
		case <-time.After(10 * time.Millisecond):
		}
		if _, err := w.Write([]byte{0}); err != nil {
			return
		}
		http.NewResponseController(w).Flush()
	}
}

// Answers are bounded: in size, announced or not, in time, and nothing that was cut off passes for an answer.
func TestBoundedAnswers(t *testing.T) {
	src := newSource(t, nil)
	f := testFetcher(t, src.host())
	chunk := make([]byte, 1<<20)
	endless := func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"announced": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(maxListBytes+1))
			w.WriteHeader(200)
		}, "larger than"},
		"endless": {endless, "larger than"},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("30"))
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, "unexpected EOF"},
		"cut off without a length": {func(w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte("30"))
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, "unexpected EOF"},
		"compressed": {func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept-Encoding") != "" {
				t.Errorf("accepts %s", r.Header.Get("Accept-Encoding"))
			}
			w.WriteHeader(406)
		}, "status 406"},
		"headers": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", 64<<10))
		}, "header"},
	} {
		src.set(c.answer)
		if a, err := f.get(t.Context(), src.URL+"/x", validators{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v %v, want %q", name, a != nil, err, c.want)
		}
	}
	src.set(endless)
	if _, err := f.post(t.Context(), src.URL+"/x", nil); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("OCSP: %v", err)
	}
	src.set(drip)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := f.get(ctx, src.URL+"/x", validators{}); err == nil || time.Since(began) > 3*time.Second {
		t.Errorf("a slow source: %v after %s", err, time.Since(began))
	}
	if f.client.Timeout != fetchTime {
		t.Error("fetches have no bound of their own")
	}
	if n := len(f.slots) + len(f.large); n != 0 {
		t.Errorf("%d slots are still taken", n)
	}
}

// Large answers in memory are few; small ones do not wait for them.
func TestLargeAnswersTakeTurns(t *testing.T) {
	src := newSource(t, sends(make([]byte, 2*largeList)))
	f := testFetcher(t, src.host())
	var held []*answer
	for range maxLargeLists {
		a, err := f.get(t.Context(), src.URL+"/large", validators{})
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, a)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := f.get(ctx, src.URL+"/large", validators{}); err == nil {
		t.Error("one more large answer is in memory")
	}
	src.set(sends([]byte("small")))
	if _, err := f.get(t.Context(), src.URL+"/small", validators{}); err != nil {
		t.Error(err)
	}
	held[0].release()
	src.set(sends(make([]byte, 2*largeList)))
	a, err := f.get(t.Context(), src.URL+"/large", validators{})
	if err != nil {
		t.Fatal(err)
	}
	a.release()
}
