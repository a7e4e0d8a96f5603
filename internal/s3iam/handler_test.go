package s3iam

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/audit"
	"github.com/rolecall/rolecall/internal/gate"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/sigv4"
)

const (
	account = arn.AccountID("123456789012")
	trust   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"}]}`
)

var gatewayKey = Key{ID: "AKIAGATEWAY000000001", Secret: "the gateway's secret"}

// rig is a handler on a store of its own.
type rig struct {
	*Handler
	t      testing.TB
	db     *store.DB
	ring   *keyring.Ring
	sealer *sessiontoken.Sealer
	events []*audit.Event
	stale  error
	broken error // of the audit log
}

func (r *rig) Append(_ context.Context, e *audit.Event, _ *audit.SubjectSeen) error {
	r.events = append(r.events, e)
	return r.broken
}

func (r *rig) Note(ctx context.Context, e *audit.Event) error { return r.Append(ctx, e, nil) }

func newRig(t testing.TB, partition string, change func(*Config)) *rig {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{Source: "memory"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	ring := keyring.Ephemeral()
	r := &rig{t: t, db: db, ring: ring, sealer: sessiontoken.New(ring)}
	cfg := Config{
		Gate: gate.New(gate.Config{View: db.View(), Ring: ring, Sealer: r.sealer, Partition: partition}),
		View: db.View(), Audit: r, Fresh: func(time.Time) error { return r.stale }, Account: account, Key: gatewayKey, Version: "v1",
	}
	if change != nil {
		change(&cfg)
	}
	r.Handler = New(cfg)
	return r
}

func (r *rig) put(fn func(tx *store.Tx) error) {
	r.t.Helper()
	if err := r.db.Update(r.t.Context(), fn); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) role(name, document string) {
	r.put(func(tx *store.Tx) error {
		if err := tx.PutRole(&store.Role{Account: account, Name: name, Path: "/", ID: "AROA" + name, TrustPolicy: trust, MaxSession: 3600, CreatedAt: tx.Now}); err != nil {
			return err
		}
		return tx.PutInlinePolicy(&store.InlinePolicy{Account: account, Owner: store.OwnerRole, OwnerName: name, Name: "p", Document: document})
	})
}

// session mints credentials of a role.
func (r *rig) session(name string, change func(*sessiontoken.Session)) *sessiontoken.Credentials {
	r.t.Helper()
	now := time.Now()
	s := &sessiontoken.Session{Type: sessiontoken.AssumedRole, Account: account, Partition: r.cfg.Gate.Partition(), RoleID: "AROA" + name, RoleName: name, RolePath: "/", SessionName: "s1", IssuedAt: now, ExpiresAt: now.Add(time.Hour)}
	if change != nil {
		change(s)
	}
	c, _, err := r.sealer.Mint(s.IssuedAt, s)
	if err != nil {
		r.t.Fatal(err)
	}
	return &c
}

// request is a call of the gateway, signed.
func request(t testing.TB, path string, key Key, in any) *http.Request {
	t.Helper()
	return requestOf(t, "1", path, key, in)
}

// requestOf is a request of a gateway that speaks another version.
func requestOf(t testing.TB, version, path string, key Key, in any) *http.Request {
	t.Helper()
	body, ok := in.([]byte)
	if !ok {
		var err error
		if body, err = json.Marshal(in); err != nil {
			t.Fatal(err)
		}
	}
	r := httptest.NewRequest(http.MethodPost, "http://unix"+path, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(protocolHeader, version)
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	r.Header.Set("X-Amz-Content-Sha256", hash)
	if err := sigv4.Sign(r, &sigv4.SignInput{AccessKeyID: key.ID, SecretAccessKey: key.Secret, Region: "us-east-1", Service: "iam", Time: time.Now(), BodySHA256: hash}); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) send(req *http.Request, out any) (int, string) {
	r.t.Helper()
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	if w.Header().Get(protocolHeader) != "1" {
		r.t.Error("an answer without the protocol's version")
	}
	var e struct{ Code string }
	if w.Code != http.StatusOK {
		out = &e
	}
	if out != nil {
		if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
			r.t.Fatalf("%s: %v", w.Body, err)
		}
	}
	return w.Code, e.Code
}

func (r *rig) call(path string, in, out any) (int, string) {
	r.t.Helper()
	return r.send(request(r.t, path, gatewayKey, in), out)
}

// Only the gateway is answered.
func TestCallerIsTheGateway(t *testing.T) {
	r := newRig(t, "", nil)
	r.role("worker", allowAll)
	c := r.session("worker", nil)
	version := func(change func(*http.Request)) (int, string) {
		req := request(t, "/private/version", gatewayKey, struct{}{})
		change(req)
		return r.send(req, nil)
	}
	if status, _ := version(func(*http.Request) {}); status != 200 {
		t.Fatalf("the gateway: %d", status)
	}
	for name, change := range map[string]func(*http.Request){
		"unsigned":           func(req *http.Request) { req.Header.Del("Authorization") },
		"another body":       func(req *http.Request) { req.Body = http.NoBody },
		"another path":       func(req *http.Request) { req.URL.Path = "/private/resolve-identity" },
		"an unsigned header": func(req *http.Request) { req.Header.Set("X-Amz-Meta", "x") },
	} {
		if status, code := version(change); status != 403 || code != codeNotTheGateway {
			t.Errorf("%s: %d %s", name, status, code)
		}
	}
	for name, key := range map[string]Key{
		"another key":    {ID: "AKIAOTHER00000000001", Secret: gatewayKey.Secret},
		"another secret": {ID: gatewayKey.ID, Secret: "guess"},
		"a session":      {ID: c.AccessKeyID, Secret: c.SecretAccessKey},
	} {
		if status, code := r.send(request(t, "/private/version", key, struct{}{}), nil); status != 403 || code != codeNotTheGateway {
			t.Errorf("%s: %d %s", name, status, code)
		}
	}
	for _, path := range []string{"/", "/private/", "/private/version/", "/private/Version", "/private/other"} {
		if status, _ := r.call(path, struct{}{}, nil); status != 404 {
			t.Errorf("%s: %d", path, status)
		}
	}
}

func TestProtocolVersion(t *testing.T) {
	r := newRig(t, "", nil)
	var v versionResponse
	if status, _ := r.send(requestOf(t, "9", "/private/version", gatewayKey, struct{}{}), &v); status != 200 || v != (versionResponse{1, 1, "rolecalld v1", string(account)}) {
		t.Errorf("version: %d %+v", status, v)
	}
	for _, version := range []string{"", "0", "2", "x", "01x"} {
		if status, code := r.send(requestOf(t, version, "/private/resolve-identity", gatewayKey, identitiesRequest{}), nil); status != 400 || code != codeProtocol {
			t.Errorf("%q: %d %s", version, status, code)
		}
	}
}

// A node that does not know what was revoked, or cannot record a denial, decides nothing.
func TestFailsClosed(t *testing.T) {
	r := newRig(t, "", nil)
	r.role("worker", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`)
	c := r.session("worker", nil)
	ask := func(action string) (int, string) {
		return r.call("/private/evaluate-policy", evaluateRequest{AccessKeyID: c.AccessKeyID, SessionToken: c.SessionToken, Actions: []string{action}, Resources: []string{"arn:aws:s3:::b/k"}}, nil)
	}
	r.broken = errors.New("disk full")
	if status, _ := ask("s3:GetObject"); status != 200 {
		t.Errorf("allowed, not recorded: %d", status)
	}
	if status, code := ask("s3:PutObject"); status != 500 || code != codeInternal {
		t.Errorf("a denial that cannot be recorded: %d %s", status, code)
	}
	r.broken, r.stale = nil, errors.New("no contact")
	for _, path := range []string{"/private/evaluate-policy", "/private/derive-signing-key", "/private/resolve-identity", "/private/resolve-principals"} {
		if status, code := r.call(path, struct{}{}, nil); status != 500 || code != codeInternal {
			t.Errorf("%s on a stale node: %d %s", path, status, code)
		}
	}
}

func TestLimits(t *testing.T) {
	r := newRig(t, "", nil)
	one := []string{"x"}
	long := strings.Repeat("x", maxResource+1)
	for name, in := range map[string]any{
		"not JSON":         []byte("{"),
		"no action":        evaluateRequest{Resources: one},
		"no resource":      evaluateRequest{Actions: one},
		"many actions":     evaluateRequest{Actions: make([]string, maxActions+1), Resources: one},
		"many resources":   evaluateRequest{Actions: one, Resources: make([]string, maxResources+1)},
		"long resource":    evaluateRequest{Actions: one, Resources: []string{long}},
		"many values":      evaluateRequest{Actions: one, Resources: one, Condition: map[string][]string{"k": make([]string, maxValues+1)}},
		"long token":       evaluateRequest{Actions: one, Resources: one, SessionToken: strings.Repeat("x", maxToken+1)},
		"more than a body": []byte(`{"x":"` + strings.Repeat("x", maxBody) + `"}`),
	} {
		if status, code := r.call("/private/evaluate-policy", in, nil); status != 400 || code != codeBadRequest {
			t.Errorf("%s: %d %s", name, status, code)
		}
	}
	for path, in := range map[string]any{
		"/private/resolve-identity":   identitiesRequest{make([]string, maxPrincipals+1)},
		"/private/resolve-principals": principalsRequest{make([]string, maxPrincipals+1)},
	} {
		if status, code := r.call(path, in, nil); status != 400 || code != codeBadRequest {
			t.Errorf("%s: %d %s", path, status, code)
		}
	}
}

// Whatever the gateway sends, the handler answers, and never with an allowed request for nobody.
func FuzzHandler(f *testing.F) {
	paths := []string{"/private/evaluate-policy", "/private/derive-signing-key", "/private/resolve-identity", "/private/resolve-principals", "/private/version"}
	f.Add(0, []byte(`{"accessKeyId":"ASIAX","sessionToken":"x","actions":["s3:GetObject"],"resources":["arn:aws:s3:::b/k"],"condition":{"s3:prefix":["a"]}}`))
	f.Add(1, []byte(`{"accessKeyId":"AKIAX","date":"20260101","region":"us-east-1","service":"s3"}`))
	f.Add(2, []byte(`{"accessKeyIds":["AKIAX","ASIAX",""]}`))
	f.Add(3, []byte(`{"principals":["arn:aws:iam::123456789012:role/worker","arn:aws:sts::123456789012:assumed-role/worker/x","*"]}`))
	f.Add(4, []byte(`null`))
	r := newRig(f, "", nil)
	f.Fuzz(func(t *testing.T, path int, body []byte) {
		if path < 0 || path >= len(paths) {
			return
		}
		w := httptest.NewRecorder()
		r.ServeHTTP(w, request(t, paths[path], gatewayKey, body))
		if path < 2 && w.Code == http.StatusOK {
			t.Errorf("%s answered %s to %s", paths[path], w.Body, body)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s is not JSON", w.Body)
		}
	})
}
