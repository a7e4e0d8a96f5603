package rolesanywhere

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/audit"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/sigv4"
)

// BenchmarkCreateSessionRouted is warm requests on their way through the router, with an RSA certificate: everything that
// the server does for them but TLS and net/http's own part. Like those of make bench they differ in their durations. With
// TMPDIR in memory it leaves the disk out.
func BenchmarkCreateSessionRouted(b *testing.B) {
	pki := newBenchRSA(b)
	s, template := benchSession(b, pki)
	var err error
	if s.cfg.Audit, err = audit.OpenLog(b.TempDir(), audit.Options{}); err != nil { // which nothing ships meanwhile
		b.Fatal(err)
	}
	b.Cleanup(func() { s.cfg.Audit.Close() })
	router := awsapi.NewRouter(awsapi.Config{Metrics: s.cfg.Metrics})
	router.HandleRaw("rolesanywhere", http.MethodPost, "/sessions", s.CreateSession)

	requests, bodies := make([]*http.Request, 64), make([][]byte, 64)
	reader := bytes.NewReader(nil)
	for i := range requests {
		r := template.Clone(b.Context())
		bodies[i] = fmt.Appendf(nil, `{"durationSeconds":%d}`, 900+i)
		r.Header.Del("Authorization")
		r.Header.Set("User-Agent", "CredHelper/1.7.1 (linux; amd64)")
		if err := sigv4.SignX509(r, &sigv4.SignX509Input{Signer: pki.leafKey, Leaf: pki.leaf, Region: "eu-central-1", Time: time.Now(), Body: bodies[i]}); err != nil {
			b.Fatal(err)
		}
		r.Body, r.ContentLength = io.NopCloser(reader), int64(len(bodies[i]))
		requests[i] = r
	}
	w := &benchAnswer{head: http.Header{}}
	next := 0
	serve := func() {
		reader.Reset(bodies[next])
		clear(w.head)
		router.ServeHTTP(w, requests[next])
		if w.status != http.StatusCreated {
			b.Fatal(w.status)
		}
		next = (next + 1) % len(requests)
	}
	for range 128 { // the path and the requests are remembered, the key is prepared
		serve()
	}
	b.ReportAllocs()
	for b.Loop() {
		serve()
	}
}

type benchAnswer struct {
	head   http.Header
	status int
}

func (a *benchAnswer) Header() http.Header         { return a.head }
func (a *benchAnswer) WriteHeader(status int)      { a.status = status }
func (a *benchAnswer) Write(p []byte) (int, error) { return len(p), nil }
