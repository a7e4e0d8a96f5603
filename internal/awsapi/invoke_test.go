package awsapi_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/awsapi/model/sts"
	"github.com/rolecall/rolecall/sigv4"
)

func mutationWithoutAudit() awsapi.Binding {
	return awsapi.Bind[iam.DeleteRoleInput, iam.DeleteRoleOutput](iam.OpDeleteRole, any1[iam.DeleteRoleInput], nil, awsapi.SkipAudit())
}

func mutationWithoutTx() awsapi.Binding {
	return awsapi.Bind[iam.DeleteRoleInput, iam.DeleteRoleOutput](iam.OpDeleteRole, any1[iam.DeleteRoleInput], nil, awsapi.NoTx())
}

func presign(r *http.Request) (string, error) {
	u, err := sigv4.Presign(r, &sigv4.SignInput{AccessKeyID: goodKey, SecretAccessKey: "s", Region: "eu-central-1", Service: "sts", Time: testTime}, time.Minute)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}

// The event of a mutation is in its transaction and nowhere else.
func TestMutationEventIsInTheTransaction(t *testing.T) {
	f := newFixture(t)
	if got := f.do(request{service: "iam", ctype: form, body: createOK + "&Tags.member.1.Key=a&Tags.member.1.Value=b"}); got.status != 200 {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	bodies := f.db.bodies(t)
	if len(bodies) != 1 || len(f.audit.events) != 0 || f.db.commits != 1 {
		t.Fatalf("%d events in the store, %d in the log, %d commits, want 1, 0, 1", len(bodies), len(f.audit.events), f.db.commits)
	}
	for _, want := range []string{
		`"eventName":"CreateRole"`, `"eventSource":"iam.amazonaws.com"`, `"readOnly":false`, `"sourceIPAddress":"192.0.2.7"`, `"userAgent":"test/1"`,
		`"requestParameters":{"roleName":"web","assumeRolePolicyDocument":"{}","tags":[{"key":"a","value":"b"}]}`,
		`"responseElements":{"role":{"path":"/","roleName":"web"`, `"explanation":"allowed by statement 1"`, `"awsRegion":"eu-central-1"`, `"userName":"admin"`,
	} {
		if !strings.Contains(bodies[0], want) {
			t.Errorf("the event lacks %s:\n%s", want, bodies[0])
		}
	}
}

func TestRetriedTransactionRecordsOnce(t *testing.T) {
	f := newFixture(t)
	f.db.retry = true
	if got := f.do(request{service: "iam", ctype: form, body: createOK}); got.status != 200 {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	bodies := f.db.bodies(t)
	if f.calls != 2 || len(bodies) != 1 || strings.Contains(bodies[0], "statement 1; allowed") {
		t.Errorf("%d runs, %d events: %v, want 2 runs and 1 event with one explanation", f.calls, len(bodies), bodies)
	}
}

func TestReadsAndFailuresGoToTheLog(t *testing.T) {
	for _, tc := range []struct {
		name, code, explanation string
		q                       request
		hasInput                bool
	}{
		{"read", "", "", request{method: "GET", path: "/trustanchor/" + anchorID, service: "rolesanywhere"}, true},
		{"identity", "", "", request{service: "sts", ctype: form, body: identity}, false},
		{"denied", "AccessDenied", "no statement allows it", request{service: "iam", ctype: form, body: strings.Replace(createOK, "web", "forbidden", 1)}, true},
		{"failed", "EntityAlreadyExists", "allowed by statement 1", request{service: "iam", ctype: form, body: strings.Replace(createOK, "web", "exists", 1)}, true},
		{"invalid", "ValidationException", "", request{method: "GET", path: "/trustanchor/x", service: "rolesanywhere"}, true},
		{"malformed", "SerializationException", "", request{path: "/TagResource", service: "rolesanywhere", body: "{"}, false},
		{"known key that does not verify", "SignatureDoesNotMatch", "", request{service: "sts", key: staleKey, ctype: form, body: identity}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			f.do(tc.q)
			if len(f.audit.events) != 1 || f.db.commits != 0 {
				t.Fatalf("%d events, %d commits, want 1 and 0", len(f.audit.events), f.db.commits)
			}
			e := f.audit.events[0]
			if e.ErrorCode != tc.code || e.AdditionalEventData["explanation"] != tc.explanation || (e.RequestParameters != nil) != tc.hasInput || e.ResponseElements != nil || e.Account != testAccount {
				t.Errorf("got %+v", e)
			}
		})
	}
}

func TestUnknownCallerLeavesNoEvent(t *testing.T) {
	f := newFixture(t)
	f.do(request{service: "sts", key: badKey, ctype: form, body: identity})
	if len(f.audit.events) != 0 || f.calls != 0 {
		t.Errorf("%d events, %d calls, want none: no account is known", len(f.audit.events), f.calls)
	}
	if !strings.Contains(f.log.String(), "InvalidClientTokenId") {
		t.Errorf("the log lacks the refusal: %s", f.log.String())
	}
}

func TestSecretsStayOutOfEvents(t *testing.T) {
	f := newFixture(t)
	got := f.do(request{service: "iam", ctype: form, body: "Action=CreateAccessKey&Version=2010-05-08"})
	if !strings.Contains(got.body, "<SecretAccessKey>verysecret</SecretAccessKey>") {
		t.Fatalf("the answer lacks the secret: %s", got.body)
	}
	if bodies := f.db.bodies(t); len(bodies) != 1 || strings.Contains(bodies[0], "verysecret") || !strings.Contains(bodies[0], `"secretAccessKey":"HIDDEN_DUE_TO_SECURITY_REASONS"`) {
		t.Errorf("event: %v", bodies)
	}
	f.do(request{path: "/TagResource", service: "rolesanywhere", body: `{"resourceArn":"arn:x","tags":[{"key":"a","value":"b"}]}`})
	if b := strings.Join(f.db.bodies(t), "\n"); !strings.Contains(b, `"tags":[{"key":"HIDDEN_DUE_TO_SECURITY_REASONS","value":"HIDDEN_DUE_TO_SECURITY_REASONS"}]`) {
		t.Errorf("event: %s", b)
	}
}

func TestSTSSecretsStayOutOfEvents(t *testing.T) {
	f := newFixture(t)
	err := f.router.Register(awsapi.Bind(sts.OpGetSessionToken, nil, func(context.Context, *awsapi.Call, *sts.GetSessionTokenInput) (*sts.GetSessionTokenOutput, error) {
		return &sts.GetSessionTokenOutput{Credentials: &sts.Credentials{AccessKeyId: new("ASIAX"), SecretAccessKey: new("verysecret"), SessionToken: new("verytoken"), Expiration: new(testTime)}}, nil
	}, awsapi.NoTx()))
	if err != nil {
		t.Fatal(err)
	}
	f.do(request{service: "sts", ctype: form, body: "Action=GetSessionToken&Version=2011-06-15"})
	got := string(f.audit.events[0].ResponseElements)
	want := `{"credentials":{"accessKeyId":"ASIAX","secretAccessKey":"HIDDEN_DUE_TO_SECURITY_REASONS","sessionToken":"HIDDEN_DUE_TO_SECURITY_REASONS","expiration":"2026-05-04T03:02:01.000000Z"}}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestInternalFailures(t *testing.T) {
	const opaque = "<Type>Receiver</Type><Code>InternalFailure</Code><Message>The request processing has failed because of an unknown error, exception or failure.</Message>"
	for _, tc := range []struct {
		name, log string
		q         request
		setup     func(*fixture)
		events    int
	}{
		{"panic", "boom", request{service: "iam", ctype: form, body: strings.Replace(createOK, "web", "panic", 1)}, nil, 1},
		{"unknown error", "secret detail", request{service: "iam", ctype: form, body: strings.Replace(createOK, "web", "broken", 1)}, nil, 1},
		{"commit fails", "disk gone", request{service: "iam", ctype: form, body: createOK}, func(f *fixture) { f.db.err = errors.New("disk gone") }, 1},
		{"audit of a read fails", "log gone", request{service: "sts", ctype: form, body: identity}, func(f *fixture) { f.audit.err = errors.New("log gone") }, 2},
		{"audit of a failure fails", "log gone", request{service: "iam", ctype: form, body: strings.Replace(createOK, "web", "exists", 1)}, func(f *fixture) { f.audit.err = errors.New("log gone") }, 1},
		{"no permission named", "named none", request{service: "iam", ctype: form, body: "Action=DeleteRole&Version=2010-05-08&RoleName=x"}, nil, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			if tc.setup != nil {
				tc.setup(f)
			}
			got := f.do(tc.q)
			if got.status != 500 || !strings.Contains(got.body, opaque) {
				t.Errorf("got %d %s", got.status, got.body)
			}
			if !strings.Contains(f.log.String(), tc.log) {
				t.Errorf("the log lacks %q: %s", tc.log, f.log.String())
			}
			if len(f.db.bodies(t)) != 0 || len(f.audit.events) != tc.events {
				t.Errorf("%d events stored, %d appended, want 0 and %d", len(f.db.bodies(t)), len(f.audit.events), tc.events)
			}
		})
	}
}

func TestPanicKeepsTheConnection(t *testing.T) {
	f := newFixture(t)
	srv := httptest.NewServer(f.router)
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	for i, body := range []string{strings.Replace(createOK, "web", "panic", 1), createOK} {
		r := request{service: "iam", ctype: form, body: body}.build(t)
		r.ContentLength = int64(len(body))
		if err := r.Write(conn); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(in, r)
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
		if want := []int{500, 200}[i]; res.StatusCode != want || res.ContentLength <= 0 {
			t.Errorf("answer %d: status %d with %d bytes, want %d", i, res.StatusCode, res.ContentLength, want)
		}
	}
	if !strings.Contains(f.log.String(), "invoke_test.go") && !strings.Contains(f.log.String(), "fake_test.go") {
		t.Errorf("the log lacks the stack: %s", f.log.String())
	}
}

// Clients see head and body in one segment.
func TestOneWrite(t *testing.T) {
	f := newFixture(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	counted := &countingListener{Listener: ln, writes: make(chan int, 16)}
	srv := &http.Server{Handler: f.router, ReadHeaderTimeout: time.Minute}
	go srv.Serve(counted)
	defer srv.Close()
	r := request{service: "sts", ctype: form, body: identity}.build(t)
	r.URL.Scheme, r.URL.Host, r.RequestURI = "http", ln.Addr().String(), ""
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("got %d, %v: %s", res.StatusCode, err, body)
	}
	if got := len(counted.writes); got != 1 {
		t.Errorf("the answer took %d writes, want 1", got)
	}
}

type countingListener struct {
	net.Listener
	writes chan int
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return countingConn{c, l.writes}, err
}

type countingConn struct {
	net.Conn
	writes chan int
}

func (c countingConn) Write(b []byte) (int, error) {
	c.writes <- len(b)
	return c.Conn.Write(b)
}

type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
func (brokenBody) Close() error             { return nil }

func TestBodies(t *testing.T) {
	f := newFixture(t)
	r := request{service: "sts", ctype: form, body: identity}.build(t)
	r.Body = brokenBody{}
	if got := f.serve(r); got.status != 400 || !strings.Contains(got.body, "<Code>IncompleteBody</Code>") {
		t.Errorf("truncated: got %d %s", got.status, got.body)
	}
	r = request{service: "sts", ctype: form, body: identity}.build(t)
	r.ContentLength = -1 // chunked
	if got := f.serve(r); got.status != 200 {
		t.Errorf("chunked: got %d %s", got.status, got.body)
	}
	r = request{service: "sts", ctype: form, body: identity + strings.Repeat("&x=y", 2000)}.build(t)
	r.ContentLength = -1
	if got := f.serve(r); got.status != 413 || got.header.Get("Connection") != "close" {
		t.Errorf("chunked and too large: got %d %s", got.status, got.body)
	}
	if f.calls != 1 {
		t.Errorf("%d calls, want 1", f.calls)
	}
}

func TestRawWithoutAnswer(t *testing.T) {
	f := newFixture(t)
	if got := f.do(request{path: "/sessions", body: "nothing"}); got.status != 500 || strings.Contains(got.body, "handler") {
		t.Errorf("got %d %s", got.status, got.body)
	}
	// The scope chooses the service: this is no request for Roles Anywhere.
	if got := f.do(request{path: "/sessions", service: "cloudtrail"}); got.status != 400 {
		t.Errorf("other scope: got %d %s", got.status, got.body)
	}
}

func TestNeedsAreComplete(t *testing.T) {
	f := newFixture(t)
	f.do(request{service: "iam", ctype: form, body: createOK})
	f.do(request{method: "GET", path: "/trustanchor/" + anchorID, service: "rolesanywhere"})
	var got []string
	for _, n := range f.gate.needs {
		got = append(got, n.Action+" "+n.Resource)
	}
	if got, want := strings.Join(got, "|"), "iam:CreateRole arn:aws:iam::111122223333:role/web|rolesanywhere:GetTrustAnchor *"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCallsCannotBeForged(t *testing.T) {
	if (&awsapi.Call{}).Valid() || (*awsapi.Call)(nil).Valid() {
		t.Error("a call from outside is valid")
	}
}

func TestErrorFaces(t *testing.T) {
	cause := errors.New("private")
	e := awsapi.Errorf("Code", 409, "public %s", "text").Because(cause).Explained("why")
	if got := e.Error(); got != "Code: public text" || !errors.Is(e, cause) || e.Explain != "why" {
		t.Errorf("got %q, %v", got, e)
	}
	if got := awsapi.AsError(fmt.Errorf("wrapped: %w", e)); got != e {
		t.Errorf("got %v", got)
	}
	if got := awsapi.AsError(cause); got.Code != "InternalFailure" || strings.Contains(got.Message, "private") {
		t.Errorf("got %v", got)
	}
}

func FuzzServe(f *testing.F) {
	f.Add("POST", "/", "sts", identity, "", form)
	f.Add("POST", "/", "iam", createOK, "", form)
	f.Add("GET", "/trustanchor/"+anchorID, "rolesanywhere", "", "", "")
	f.Add("POST", "/TagResource", "rolesanywhere", `{"resourceArn":"a","tags":[{"key":"a","value":"b"}]}`, "", jsonCT)
	f.Add("POST", "/", "cloudtrail", `{"MaxResults":1}`, ctTarget+"LookupEvents", json11)
	f.Add("DELETE", "/%zz", "", "", "x.y", "")
	fx := newFixture(f)
	f.Fuzz(func(t *testing.T, method, path, service, body, target, ctype string) {
		r, err := http.NewRequest(method, "https://rolecall.example/", strings.NewReader(body))
		if err != nil {
			return
		}
		if u, err := r.URL.Parse(path); err == nil {
			r.URL = u
		}
		r.Header.Set("X-Amz-Target", target)
		r.Header.Set("Content-Type", ctype)
		if service != "" {
			if err := sigv4.Sign(r, &sigv4.SignInput{AccessKeyID: goodKey, SecretAccessKey: "s", Region: "eu-central-1", Service: service, Time: testTime}); err != nil {
				return
			}
		}
		fx.audit.events, fx.meter.got, fx.gate.needs = nil, nil, nil
		calls := fx.calls
		rec := httptest.NewRecorder()
		fx.router.ServeHTTP(rec, r)
		if rec.Code >= 500 && !strings.Contains(fx.log.String(), "boom") && !strings.Contains(fx.log.String(), "secret detail") && !strings.Contains(fx.log.String(), "named none") && !strings.Contains(fx.log.String(), "neither an answer") {
			t.Fatalf("status %d: %s\n%s", rec.Code, rec.Body, fx.log.String())
		}
		fx.log.Reset()
		if service == "" && fx.calls != calls {
			t.Fatal("an unsigned request reached a handler")
		}
	})
}
