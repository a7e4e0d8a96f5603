package awsapi_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/audit"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/awsapi/model/cloudtrail"
	"github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/awsapi/model/rolesanywhere"
	"github.com/rolecall/rolecall/internal/awsapi/model/sts"
	"github.com/rolecall/rolecall/sigv4"
)

const (
	testAccount = "111122223333"
	goodKey     = "AKIAIOSFODNN7EXAMPLE"
	badKey      = "AKIABADBADBADBADBAD1"
	staleKey    = "AKIASTALESTALESTALE1" // known, but the request does not verify
)

var testTime = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

// fakeGate stands in for the gate: it believes every signature of the good key.
type fakeGate struct{ needs []awsapi.Need }

func (g *fakeGate) Authenticate(r *http.Request, _ *sigv4.Claims, body []byte, service string, now time.Time) (*awsapi.Principal, error) {
	c, err := sigv4.Parse(r)
	if errors.Is(err, sigv4.ErrNotSigned) {
		return nil, awsapi.Errorf("MissingAuthenticationToken", 403, "Request is missing Authentication Token")
	}
	if err != nil {
		return nil, awsapi.Errorf("IncompleteSignature", 400, "malformed").Because(err)
	}
	p := &awsapi.Principal{Type: awsapi.User, Account: testAccount, ARN: "arn:aws:iam::" + testAccount + ":user/admin", UserID: "AIDAEXAMPLE", UserName: "admin", AccessKeyID: c.KeyID}
	switch {
	case c.Service != service:
		return nil, awsapi.Errorf("SignatureDoesNotMatch", 403, "scope")
	case c.KeyID == staleKey:
		return p, awsapi.Errorf("SignatureDoesNotMatch", 403, "Signature expired")
	case c.KeyID != goodKey:
		return nil, awsapi.Errorf("InvalidClientTokenId", 403, "The security token included in the request is invalid.")
	}
	return p, nil
}

func (g *fakeGate) Authorize(_ context.Context, p *awsapi.Principal, c *awsapi.Call, n awsapi.Need) error {
	if !c.Valid() {
		return errors.New("not a real call")
	}
	g.needs = append(g.needs, n)
	if strings.Contains(n.Resource, "forbidden") {
		return awsapi.AccessDenied("User: %s is not authorized to perform: %s on resource: %s", p.ARN, n.Action, n.Resource).Explained("no statement allows it")
	}
	return nil
}

// fakeAudit remembers events.
type fakeAudit struct {
	mu     sync.Mutex // guards events
	events []*audit.Event
	err    error
}

func (a *fakeAudit) Note(ctx context.Context, e *audit.Event) error { return a.Append(ctx, e, nil) }

func (a *fakeAudit) Append(ctx context.Context, e *audit.Event, _ *audit.SubjectSeen) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events = append(a.events, e)
	return a.err
}

// fakeMeter remembers labels.
type fakeMeter struct{ got []string }

func (m *fakeMeter) Request(service, operation, code string, _ time.Duration) {
	m.got = append(m.got, service+" "+operation+" "+code)
}

type fixture struct {
	t      testing.TB
	router *awsapi.Router
	gate   *fakeGate
	audit  *fakeAudit
	meter  *fakeMeter
	db     *testDB
	calls  int
	log    strings.Builder
}

// newFixture serves a few operations of every protocol.
func newFixture(t testing.TB) *fixture {
	f := &fixture{t: t, gate: &fakeGate{}, audit: &fakeAudit{}, meter: &fakeMeter{}, db: newTestDB(t)}
	f.router = awsapi.NewRouter(awsapi.Config{
		Gate: f.gate, DB: f.db, Audit: f.audit, Metrics: f.meter, Clock: func() time.Time { return testTime },
		MaxBody: 4096, Log: newLogger(&f.log),
	})
	if err := f.router.Register(f.bindings()...); err != nil {
		t.Fatal(err)
	}
	f.router.HandleRaw("rolesanywhere", "POST", "/sessions", func(_ context.Context, r *awsapi.Raw) (*awsapi.Reply, error) {
		r.Operation = "CreateSession"
		if string(r.Body) == "deny" {
			return nil, awsapi.AccessDenied("Untrusted signing certificate")
		}
		if string(r.Body) == "nothing" {
			return nil, nil
		}
		return &awsapi.Reply{Status: 201, Body: []byte(`{"region":"` + string(r.Region) + `","body":"` + string(r.Body) + `"}`)}, nil
	})
	return f
}

func (f *fixture) bindings() []awsapi.Binding {
	role := func(name string) string { return "arn:aws:iam::" + testAccount + ":role/" + name }
	return []awsapi.Binding{
		awsapi.Bind(sts.OpGetCallerIdentity, nil, func(_ context.Context, c *awsapi.Call, _ *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
			f.calls++
			return &sts.GetCallerIdentityOutput{Account: new(string(c.Account)), Arn: &c.Principal.ARN, UserId: &c.Principal.UserID}, nil
		}, awsapi.NoTx()),
		awsapi.Bind(iam.OpCreateRole, func(_ context.Context, c *awsapi.Call, in *iam.CreateRoleInput) ([]awsapi.Need, error) {
			return []awsapi.Need{{Resource: role(*in.RoleName)}}, nil
		}, func(_ context.Context, c *awsapi.Call, in *iam.CreateRoleInput) (*iam.CreateRoleOutput, error) {
			f.calls++
			c.Explain("allowed by statement 1")
			switch *in.RoleName {
			case "panic":
				panic("boom")
			case "exists":
				return nil, iam.EntityAlreadyExistsException("Role with name %s already exists.", *in.RoleName)
			case "broken":
				return nil, errors.New("secret detail of the database")
			}
			if c.Tx == nil || !c.Now.Equal(c.Tx.Now) {
				return nil, errors.New("no transaction")
			}
			return &iam.CreateRoleOutput{Role: &iam.Role{RoleName: in.RoleName, Arn: new(role(*in.RoleName)), Path: new("/"), RoleId: new("AROAEXAMPLE"), CreateDate: new(testTime), Tags: in.Tags}}, nil
		}, awsapi.Record(func(in *iam.CreateRoleInput, out *iam.CreateRoleOutput) []awsapi.Resource {
			return []awsapi.Resource{{Type: "AWS::IAM::Role", Name: *in.RoleName, ARN: role(*in.RoleName)}}
		})),
		awsapi.Bind(iam.OpDeleteRole, func(context.Context, *awsapi.Call, *iam.DeleteRoleInput) ([]awsapi.Need, error) {
			return nil, nil // names no permission: refused
		}, func(context.Context, *awsapi.Call, *iam.DeleteRoleInput) (*iam.DeleteRoleOutput, error) {
			f.calls++
			return &iam.DeleteRoleOutput{}, nil
		}),
		awsapi.Bind(iam.OpCreateAccessKey, any1[iam.CreateAccessKeyInput], func(context.Context, *awsapi.Call, *iam.CreateAccessKeyInput) (*iam.CreateAccessKeyOutput, error) {
			return &iam.CreateAccessKeyOutput{AccessKey: &iam.AccessKey{AccessKeyId: new("AKIANEW"), SecretAccessKey: new("verysecret")}}, nil
		}),
		awsapi.Bind(rolesanywhere.OpGetTrustAnchor, any1[rolesanywhere.GetTrustAnchorInput], func(_ context.Context, c *awsapi.Call, in *rolesanywhere.GetTrustAnchorInput) (*rolesanywhere.GetTrustAnchorOutput, error) {
			f.calls++
			return &rolesanywhere.GetTrustAnchorOutput{TrustAnchor: &rolesanywhere.TrustAnchorDetail{TrustAnchorId: in.TrustAnchorId, Enabled: new(true), CreatedAt: new(testTime)}}, nil
		}),
		awsapi.Bind(rolesanywhere.OpTagResource, any1[rolesanywhere.TagResourceInput], func(_ context.Context, c *awsapi.Call, in *rolesanywhere.TagResourceInput) (*rolesanywhere.TagResourceOutput, error) {
			f.calls++
			return &rolesanywhere.TagResourceOutput{}, nil
		}),
		awsapi.Bind(rolesanywhere.OpCreateTrustAnchor, any1[rolesanywhere.CreateTrustAnchorInput], func(_ context.Context, c *awsapi.Call, in *rolesanywhere.CreateTrustAnchorInput) (*rolesanywhere.CreateTrustAnchorOutput, error) {
			f.calls++
			return nil, rolesanywhere.ValidationException("Incorrect basic constraints for CA certificate")
		}),
		awsapi.Bind(rolesanywhere.OpListCrls, any1[rolesanywhere.ListCrlsInput], func(_ context.Context, c *awsapi.Call, in *rolesanywhere.ListCrlsInput) (*rolesanywhere.ListCrlsOutput, error) {
			f.calls++
			return nil, awsapi.AccessDenied("User: x is not authorized to perform: rolesanywhere:ListCrls")
		}),
		awsapi.Bind(cloudtrail.OpLookupEvents, any1[cloudtrail.LookupEventsInput], func(_ context.Context, c *awsapi.Call, in *cloudtrail.LookupEventsInput) (*cloudtrail.LookupEventsOutput, error) {
			f.calls++
			return &cloudtrail.LookupEventsOutput{Events: []cloudtrail.Event{{EventName: new("X"), EventTime: new(testTime)}}}, nil
		}),
	}
}

// any1 needs the operation's own action on everything.
func any1[In any](context.Context, *awsapi.Call, *In) ([]awsapi.Need, error) {
	return []awsapi.Need{{}}, nil
}

// request is one row of a table test.
type request struct {
	method, path string
	service      string // signs for it; empty leaves the request unsigned
	key          string // "" is the good one
	target       string
	ctype        string
	body         string
}

func (q request) build(t testing.TB) *http.Request {
	t.Helper()
	if q.method == "" {
		q.method = "POST"
	}
	if q.path == "" {
		q.path = "/"
	}
	r := httptest.NewRequest(q.method, "https://rolecall.example"+q.path, strings.NewReader(q.body))
	if q.body == "" {
		r.Body = http.NoBody
	}
	r.RemoteAddr = "192.0.2.7:4711"
	r.Header.Set("User-Agent", "test/1")
	if q.ctype != "" {
		r.Header.Set("Content-Type", q.ctype)
	}
	if q.target != "" {
		r.Header.Set("X-Amz-Target", q.target)
	}
	if q.service == "" {
		return r
	}
	key := q.key
	if key == "" {
		key = goodKey
	}
	sum := sha256.Sum256([]byte(q.body))
	err := sigv4.Sign(r, &sigv4.SignInput{AccessKeyID: key, SecretAccessKey: "s", Region: "eu-central-1", Service: q.service, Time: testTime, BodySHA256: hex.EncodeToString(sum[:])})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

type response struct {
	status int
	header http.Header
	body   string
}

const form = "application/x-www-form-urlencoded; charset=utf-8"

func (f *fixture) do(q request) response {
	f.t.Helper()
	return f.serve(q.build(f.t))
}

func (f *fixture) serve(r *http.Request) response {
	f.t.Helper()
	rec := httptest.NewRecorder()
	f.router.ServeHTTP(rec, r)
	res := rec.Result()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	id := res.Header.Get("x-amzn-RequestId")
	if len(id) != 36 {
		f.t.Errorf("request id is %q", id)
	}
	return response{res.StatusCode, res.Header, strings.ReplaceAll(string(body), id, "REQUEST-ID")}
}
