// Package testserver runs a whole server in a test, on the memory store and a loopback port, and speaks to it as clients
// do: signed requests over HTTP. Start with [Start].
package testserver

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/server"
	"github.com/rolecall/rolecall/sigv4"
)

// Region is where the tests live.
const Region = "eu-central-1"

// Keys are credentials to sign with.
type Keys struct{ AccessKeyID, SecretAccessKey, SessionToken string }

// Server is a running server and its root key.
type Server struct {
	*server.Server
	URL  string
	Root Keys
}

// Response is an answer with its body read.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Start runs a server until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	return StartWith(t, func(*server.Config) {})
}

// StartWith is [Start] with a changed configuration.
func StartWith(t testing.TB, change func(*server.Config)) *Server {
	t.Helper()
	root := Keys{AccessKeyID: "AKIATESTROOTKEY00001", SecretAccessKey: "test-root-secret-key-of-forty-characters"}
	cfg := server.Config{
		Store: "memory", Listen: []string{"http://127.0.0.1:0"}, MetricsListen: "off",
		AccountID: "123456789012", RootAccessKeyID: root.AccessKeyID, RootSecretAccessKey: root.SecretAccessKey,
	}
	change(&cfg)
	srv, err := server.Start(t.Context(), cfg, server.Output{Log: testLog{t}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Shutdown(); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return &Server{Server: srv, URL: srv.Endpoint(), Root: root}
}

// testLog sends the server's log to the test's.
type testLog struct{ t testing.TB }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Log(string(bytes.TrimRight(p, "\n")))
	return len(p), nil
}

// Do signs r for service with k and sends it. The body must be the one r was made with.
func (s *Server) Do(t testing.TB, k Keys, service string, r *http.Request, body []byte) *Response {
	t.Helper()
	return s.doIn(t, Region, k, service, r, body)
}

func (s *Server) doIn(t testing.TB, region string, k Keys, service string, r *http.Request, body []byte) *Response {
	t.Helper()
	sum := sha256.Sum256(body)
	err := sigv4.Sign(r, &sigv4.SignInput{
		AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey, SessionToken: k.SessionToken,
		Region: region, Service: service, Time: time.Now(), BodySHA256: hex.EncodeToString(sum[:]),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s.Send(t, r)
}

// Send sends r as it is.
func (s *Server) Send(t testing.TB, r *http.Request) *Response {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &Response{Status: resp.StatusCode, Header: resp.Header, Body: body}
}

// REST makes one REST-JSON call. A nil in sends an empty body.
func (s *Server) REST(t testing.TB, k Keys, service, method, path string, in any) *Response {
	t.Helper()
	var body []byte
	if in != nil {
		body = mustJSON(t, in)
	}
	return s.Do(t, k, service, s.request(t, method, path, "application/json", body), body)
}

// JSON11 makes one JSON 1.1 call.
func (s *Server) JSON11(t testing.TB, k Keys, service, target string, in any) *Response {
	t.Helper()
	return s.JSON11In(t, Region, k, service, target, in)
}

// JSON11In is JSON11 in another region.
func (s *Server) JSON11In(t testing.TB, region string, k Keys, service, target string, in any) *Response {
	t.Helper()
	body := mustJSON(t, in)
	r := s.request(t, http.MethodPost, "/", "application/x-amz-json-1.1", body)
	r.Header.Set("X-Amz-Target", target)
	return s.doIn(t, region, k, service, r, body)
}

// Query makes one call of the query protocol: version 2010-05-08 for iam, 2011-06-15 for sts. Parameters come as
// name, value, name, value.
func (s *Server) Query(t testing.TB, k Keys, service, action string, params ...string) *Response {
	t.Helper()
	version := "2011-06-15"
	if service == "iam" {
		version = "2010-05-08"
	}
	form := url.Values{"Action": {action}, "Version": {version}}
	for i := 0; i+1 < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	body := []byte(form.Encode())
	return s.Do(t, k, service, s.request(t, http.MethodPost, "/", "application/x-www-form-urlencoded; charset=utf-8", body), body)
}

func (s *Server) request(t testing.TB, method, path, contentType string, body []byte) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	return r
}

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
