package imds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/credclient"
)

func role(t *testing.T, text string, err error) Role {
	t.Helper()
	a, perr := arn.Parse(text)
	if perr != nil {
		t.Fatal(perr)
	}
	name, _ := a.RoleName()
	return Role{ARN: a, Get: func(context.Context) (*credclient.Held, error) {
		if err != nil {
			return nil, err
		}
		return &credclient.Held{
			Credentials: credclient.Credentials{AccessKeyID: "ASIA" + name, SecretAccessKey: "secret", SessionToken: "session"},
			Obtained:    time.Date(2030, 1, 2, 3, 4, 5, 6e8, time.UTC), Expires: time.Date(2030, 1, 2, 4, 4, 5, 6e8, time.UTC),
		}, nil
	}}
}

const authorization = "0123456789abcdefXYZ"

// running is a server on a loopback port.
type running struct {
	t    *testing.T
	base string
	now  atomic.Int64
	logs chan string
}

func start(t *testing.T, change func(*Config)) *running {
	t.Helper()
	r := &running{t: t, logs: make(chan string, 100)}
	r.now.Store(time.Now().Unix())
	cfg := Config{
		Roles: []Role{
			role(t, "arn:aws:iam::111122223333:role/app/first", nil),
			role(t, "arn:aws:iam::111122223333:role/second=+,.@-x", nil),
			role(t, "arn:aws:iam::111122223333:role/broken", errors.New("with a secret inside")),
		},
		Region: "eu-central-1", HopLimit: 3,
		ContainerToken: func() (string, error) { return authorization, nil },
		Hosts:          []string{"Metadata.Example"},
		Now:            func() time.Time { return time.Unix(r.now.Load(), 0) },
		Log:            func(s string) { r.logs <- s },
	}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Listen(t.Context(), "127.0.0.1:0", 0)
	if err != nil {
		t.Fatal(err)
	}
	r.base = "http://" + l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return r
}

// do sends a request; headers are "Name: value", Host included.
func (r *running) do(method, path string, headers ...string) (status int, body string, h http.Header) {
	r.t.Helper()
	req, err := http.NewRequest(method, r.base+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Host" {
			req.Host = value
		} else {
			req.Header.Add(name, value)
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

func (r *running) token(ttl string) string {
	r.t.Helper()
	status, token, h := r.do("PUT", "/latest/api/token", headerTTL+": "+ttl)
	if status != 200 || h.Get(headerTTL) != ttl {
		r.t.Fatalf("token: %d %s", status, token)
	}
	return headerToken + ": " + token
}

func TestMetadata(t *testing.T) {
	r := start(t, nil)
	token := r.token("60")
	const first = `{"AccessKeyId":"ASIAfirst","SecretAccessKey":"secret","Token":"session","Code":"Success","Type":"AWS-HMAC",` +
		`"Expiration":"2030-01-02T04:04:05Z","LastUpdated":"2030-01-02T03:04:05Z"}` + "\n"
	for _, tt := range []struct {
		method, path string
		headers      []string
		status       int
		body         string // "": not compared
	}{
		{"GET", "/latest/meta-data/iam/security-credentials", []string{token}, 200, "first"},
		{"GET", "/latest/meta-data/iam/security-credentials/", []string{token}, 200, "first"},
		{"GET", "/latest/meta-data/iam/security-credentials/first", []string{token}, 200, first},
		{"GET", "/latest/meta-data/iam/security-credentials/first/", []string{token}, 200, first},
		{"GET", "/latest/meta-data/iam/security-credentials/second=+,.@-x", []string{token}, 200, strings.Replace(first, "ASIAfirst", "ASIAsecond=+,.@-x", 1)},
		{"GET", "/latest/meta-data/iam/security-credentials/other", []string{token}, 404, ""},
		{"GET", "/latest/meta-data/iam/security-credentials/first/x", []string{token}, 404, ""},
		{"GET", "/latest/meta-data/iam/security-credentials/broken", []string{token}, 503, "no valid credentials at the moment; the server's log has the reason\n"},
		{"GET", "/latest/meta-data/iam/security-credentials-extended/", []string{token}, 404, ""},
		{"GET", "/latest/meta-data/placement/region", []string{token}, 200, "eu-central-1"},
		{"GET", "/latest/meta-data/placement/availability-zone", []string{token}, 200, "eu-central-1a"},
		{"GET", "/latest/dynamic/instance-identity/document", []string{token}, 200, `{"accountId":"111122223333","region":"eu-central-1"}` + "\n"},
		{"GET", "/latest/meta-data/instance-id", []string{token}, 404, ""},
		{"GET", "/", nil, 404, ""},
		{"GET", "/latest/meta-data/iam/security-credentials/", nil, 401, "no token provided\n"},
		{"GET", "/latest/meta-data/iam/security-credentials/first", []string{headerToken + ": x"}, 401, "invalid token provided\n"},
		{"HEAD", "/latest/meta-data/iam/security-credentials/first", []string{token}, 405, ""},
		{"GET", "/latest/api/token", nil, 405, ""},
		{"PUT", "/latest/api/token", nil, 200, ""},
		{"PUT", "/latest/api/token", []string{headerTTL + ": 0"}, 400, "invalid token TTL\n"},
		{"PUT", "/latest/api/token", []string{headerTTL + ": 21601"}, 400, "invalid token TTL\n"},
		{"PUT", "/latest/api/token", []string{headerTTL + ": x"}, 400, "invalid token TTL\n"},
		{"PUT", "/latest/api/token", []string{headerTTL + ": 1", headerTTL + ": 2"}, 400, "invalid token TTL\n"},
		{"PUT", "/latest/api/token", []string{"X-Forwarded-For: 10.0.0.1"}, 400, "unable to process requests with X-Forwarded-For header\n"},
		{"GET", "/latest/meta-data/iam/security-credentials/first", []string{token, "X-Forwarded-For: "}, 400, ""},
		{"GET", "/latest/meta-data/iam/security-credentials/first", []string{token, "Forwarded: for=x"}, 400, ""},
	} {
		status, body, h := r.do(tt.method, tt.path, tt.headers...)
		if status != tt.status || tt.body != "" && body != tt.body {
			t.Errorf("%s %s %v: %d %q, want %d %q", tt.method, tt.path, tt.headers, status, body, tt.status, tt.body)
		}
		if status != 200 && strings.Contains(body, "ASIA") || strings.Contains(body, "secret inside") {
			t.Errorf("%s %s: says too much: %s", tt.method, tt.path, body)
		}
		if status == 200 && tt.method == "GET" && h.Get(headerTTL) != "60" {
			t.Errorf("%s: TTL %q", tt.path, h.Get(headerTTL))
		}
	}
}

func TestTokenEnds(t *testing.T) {
	r := start(t, nil)
	token := r.token("10")
	const path = "/latest/meta-data/placement/region"
	r.now.Add(9)
	if status, _, h := r.do("GET", path, token); status != 200 || h.Get(headerTTL) != "1" {
		t.Errorf("with a second left: %d, TTL %s", status, h.Get(headerTTL))
	}
	r.now.Add(1)
	if status, _, _ := r.do("GET", path, token); status != 401 {
		t.Errorf("at its end: %d", status)
	}
	if status, _, _ := start(t, nil).do("GET", path, r.token("10")); status != 401 {
		t.Errorf("token of another server: %d", status)
	}
}

// DNS rebinding makes a web page's own name mean this machine: only names that nobody else can own are accepted.
func TestHosts(t *testing.T) {
	r := start(t, nil)
	token := r.token("60")
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:80": 200, "127.0.0.1": 200, "127.0.0.1:9911": 200, "[::1]:9911": 200, "127.9.9.9": 200,
		"169.254.169.254": 200, "169.254.170.2": 200, "[fd00:ec2::254]": 200, "metadata.example": 200, "metadata.example:1": 200,
		"evil.example": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403, "10.1.2.3": 403, "metadata.example.": 403,
		"[::ffff:127.0.0.1]": 200, "x:y:z": 403,
	} {
		if status, body, _ := r.do("GET", "/latest/meta-data/placement/region", token, "Host: "+host); status != want {
			t.Errorf("%s: %d %s, want %d", host, status, body, want)
		}
	}
	if status, _, _ := r.do("PUT", "/latest/api/token", "Host: evil.example"); status != 403 {
		t.Errorf("token for evil.example: %d", status)
	}
}

func TestContainer(t *testing.T) {
	r := start(t, nil)
	const good = "Authorization: " + authorization
	for _, tt := range []struct {
		method, path string
		headers      []string
		status       int
		code         string
	}{
		{"GET", PathContainer, nil, 401, "AccessDenied"},
		{"GET", PathContainer, []string{good + "x"}, 401, "AccessDenied"},
		{"GET", PathContainer, []string{"Authorization: "}, 401, "AccessDenied"},
		{"GET", PathContainer, []string{good, good}, 401, "AccessDenied"},
		{"GET", PathContainer + "/first", nil, 401, "AccessDenied"},
		{"GET", PathContainer + "/other", []string{good}, 404, "ResourceNotFound"},
		{"GET", PathContainer + "/broken", []string{good}, 503, "InternalError"},
		{"POST", PathContainer, []string{good}, 405, "MethodNotAllowed"},
	} {
		status, body, h := r.do(tt.method, tt.path, tt.headers...)
		var e struct{ Code, Message string }
		if err := json.Unmarshal([]byte(body), &e); err != nil || status != tt.status || e.Code != tt.code || e.Message == "" || h.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %v: %d %s", tt.method, tt.path, tt.headers, status, body)
		}
	}
	const want = `{"RoleArn":"arn:aws:iam::111122223333:role/app/first","AccessKeyId":"ASIAfirst","SecretAccessKey":"secret","Token":"session","Expiration":"2030-01-02T04:04:05Z"}` + "\n"
	for _, path := range []string{PathContainer, PathContainer + "/", PathContainer + "/first"} {
		if status, body, _ := r.do("GET", path, good); status != 200 || body != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, _, _ := r.do("GET", PathContainer, good, "X-Forwarded-For: 1.2.3.4"); status != 400 {
		t.Errorf("forwarded: %d", status)
	}
	if status, _, _ := r.do("GET", PathContainer, good, "Host: evil.example"); status != 403 {
		t.Errorf("rebound: %d", status)
	}
	for name, token := range map[string]func() (string, error){
		"empty": func() (string, error) { return "", nil },
		"short": func() (string, error) { return "short", nil },
		"gone":  func() (string, error) { return authorization, errors.New("gone") },
	} {
		r := start(t, func(c *Config) { c.ContainerToken = token })
		for _, header := range []string{"Authorization: ", "Authorization: short", good} {
			if status, _, _ := r.do("GET", PathContainer, header); status != 500 {
				t.Errorf("%s token, %s: %d", name, header, status)
			}
		}
	}
	off := start(t, func(c *Config) { c.ContainerToken = nil })
	if status, _, _ := off.do("GET", PathContainer, good); status != 404 {
		t.Errorf("without a token: %d", status)
	}
}

func TestAdmitted(t *testing.T) {
	s := &Server{cfg: Config{Networks: []netip.Prefix{netip.MustParsePrefix("172.17.0.0/16"), netip.MustParsePrefix("fd00::/8")}}}
	for text, want := range map[string]bool{
		"127.0.0.1": true, "127.8.8.8": true, "::1": true, "::ffff:127.0.0.1": true, "172.17.255.1": true, "::ffff:172.17.0.9": true, "fd00::1%eth0": true,
		"172.18.0.1": false, "10.0.0.1": false, "::": false, "0.0.0.0": false, "fe80::1": false,
	} {
		if got := s.admitted(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestConfigRefused(t *testing.T) {
	ok := role(t, "arn:aws:iam::111122223333:role/r", nil)
	for name, cfg := range map[string]Config{
		"no role":      {},
		"same name":    {Roles: []Role{ok, role(t, "arn:aws:iam::111122224444:role/x/r", nil)}},
		"not a role":   {Roles: []Role{{ARN: arn.ARN{Partition: "aws", Service: "iam", Resource: "user/u"}, Get: ok.Get}}},
		"hops":         {Roles: []Role{ok}, HopLimit: 256},
		"hops below 0": {Roles: []Role{ok}, HopLimit: -1},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestListenRefused(t *testing.T) {
	s, err := New(Config{Roles: []Role{role(t, "arn:aws:iam::111122223333:role/r", nil)}})
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]string{
		"0.0.0.0:0": "no client network", "[::]:0": "no client network", "192.0.2.1:0": "no client network",
		"9911": "is not an address with a port", "127.0.0.1:": "not within", "127.0.0.1:http": "not within", "127.0.0.1:65536": "not within",
		"example.com:80": "is not an IP address", "unix:": "no path",
	} {
		if _, err := s.Listen(t.Context(), addr, 0o600); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", addr, err, want)
		}
	}
	for _, addr := range []string{":0", "localhost:0", "[::1]:0"} {
		l, err := s.Listen(t.Context(), addr, 0)
		if err != nil {
			t.Errorf("%s: %v", addr, err)
			continue
		}
		if tcp := l.Addr().(*net.TCPAddr); !tcp.IP.IsLoopback() {
			t.Errorf("%s listens on %s", addr, tcp)
		}
		l.Close()
	}
}

// What is being answered when the end comes is answered; nothing new begins.
func TestDrain(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	r := role(t, "arn:aws:iam::111122223333:role/r", nil)
	get := r.Get
	r.Get = func(ctx context.Context) (*credclient.Held, error) { close(entered); <-release; return get(ctx) }
	s, err := New(Config{Roles: []Role{r}, ContainerToken: func() (string, error) { return authorization, nil }})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "s")
	l, err := s.Listen(t.Context(), "unix:"+path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	answer := make(chan string, 1)
	go func() {
		req, _ := http.NewRequest("GET", "http://anything.example"+PathContainer, nil)
		req.Header.Set("Authorization", authorization)
		resp, err := client.Do(req)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		answer <- fmt.Sprint(resp.StatusCode)
	}()
	<-entered
	cancel()
	select {
	case err := <-ended:
		t.Fatalf("ended before its request: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	if got := <-answer; got != "200" {
		t.Errorf("answer: %s", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
}
