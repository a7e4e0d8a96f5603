package awsapi_test

import (
	"bytes"
	"context"
	"github.com/rolecall/rolecall/sigv4"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/audit"
	"github.com/rolecall/rolecall/internal/awsapi"
)

// freeGate costs nothing, so that the benchmarks show what the request path costs.
type freeGate struct{ p *awsapi.Principal }

func (g freeGate) Authenticate(*http.Request, *sigv4.Claims, []byte, string, time.Time) (*awsapi.Principal, error) {
	return g.p, nil
}
func (freeGate) Authorize(context.Context, *awsapi.Principal, *awsapi.Call, awsapi.Need) error {
	return nil
}

type nullWriter struct{ h http.Header }

func (w nullWriter) Header() http.Header         { return w.h }
func (w nullWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w nullWriter) WriteHeader(int)             {}

func benchmark(b *testing.B, q request) {
	f := newFixture(b)
	rt := awsapi.NewRouter(awsapi.Config{
		Gate: freeGate{&awsapi.Principal{Type: awsapi.User, Account: testAccount, ARN: "arn:aws:iam::111122223333:user/admin", UserID: "AIDAEXAMPLE", UserName: "admin", AccessKeyID: goodKey}},
		DB:   f.db, Audit: nullAudit{},
	})
	if err := rt.Register(f.bindings()...); err != nil {
		b.Fatal(err)
	}
	r := q.build(b)
	body := bytes.NewReader([]byte(q.body))
	r.Body = io.NopCloser(body)
	r.ContentLength = int64(len(q.body))
	w := nullWriter{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		body.Reset([]byte(q.body))
		clear(w.h)
		rt.ServeHTTP(w, r)
	}
}

func BenchmarkGetCallerIdentity(b *testing.B) {
	benchmark(b, request{service: "sts", ctype: form, body: identity})
}

func BenchmarkGetTrustAnchor(b *testing.B) {
	benchmark(b, request{method: "GET", path: "/trustanchor/" + anchorID, service: "rolesanywhere"})
}

func BenchmarkTagResource(b *testing.B) {
	benchmark(b, request{path: "/TagResource", service: "rolesanywhere", ctype: jsonCT, body: `{"resourceArn":"arn:aws:rolesanywhere:x","tags":[{"key":"a","value":"b"},{"key":"c","value":"d"}]}`})
}

type nullAudit struct{}

func (nullAudit) Note(context.Context, *audit.Event) error                       { return nil }
func (nullAudit) Append(context.Context, *audit.Event, *audit.SubjectSeen) error { return nil }
