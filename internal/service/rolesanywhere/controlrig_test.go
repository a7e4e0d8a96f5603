package rolesanywhere

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/audit"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/gate"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/metrics"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/sigv4"
)

const (
	rigAccount = arn.AccountID("123456789012")
	rigOther   = arn.AccountID("210987654321")
	rigRegion  = "eu-central-1"
	noID       = "00000000-0000-4000-8000-000000000000"
	roleA      = "arn:aws:iam::123456789012:role/app/reader"
	roleB      = "arn:aws:iam::123456789012:role/writer"
)

// controlRig is the control plane behind a real HTTP server, on a memory store.
type controlRig struct {
	t    testing.TB
	db   *store.DB
	ring *keyring.Ring
	svc  *Service
	reg  *metrics.Registry
	srv  *httptest.Server
	root rigKey
}

// rigKey is who signs a request, and for which region.
type rigKey struct{ id, secret, region string }

func (k rigKey) in(region string) rigKey { k.region = region; return k }

func newControlRig(t testing.TB, quotas Quotas) *controlRig {
	t.Helper()
	return newControlRigOn(t, "memory", quotas)
}

// newControlRigOn is newControlRig on another store.
func newControlRigOn(t testing.TB, source string, quotas Quotas) *controlRig {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := context.Background()
	db, err := store.Open(ctx, store.Config{Source: source})
	must(err)
	t.Cleanup(func() { must(db.Close()) })
	log, err := audit.NewMemoryLog(audit.Options{})
	must(err)
	t.Cleanup(func() { must(log.Close()) })
	ring := keyring.Ephemeral()
	sealer := sessiontoken.New(ring)
	guard := gate.New(gate.Config{View: db.View(), Ring: ring, Sealer: sealer})
	reg := metrics.New()
	svc := New(Config{DB: db, Gate: guard, Sealer: sealer, Audit: log, Metrics: reg, Quotas: quotas})
	router := awsapi.NewRouter(awsapi.Config{Gate: guard, DB: db, Audit: log, Metrics: reg})
	must(router.Register(svc.Bindings()...))
	srv := httptest.NewServer(router)
	t.Cleanup(srv.Close)
	rig := &controlRig{t: t, db: db, ring: ring, svc: svc, reg: reg, srv: srv}
	rig.update(func(tx *store.Tx) error {
		return tx.CreateAccount(&store.Account{ID: rigAccount, Name: "one", CreatedAt: tx.Now})
	})
	rig.root = rig.key(rigAccount, "")
	return rig
}

func (r *controlRig) update(fn func(*store.Tx) error) {
	r.t.Helper()
	if err := r.db.Update(context.Background(), fn); err != nil {
		r.t.Fatal(err)
	}
}

// key adds an access key; "" is the account's root.
func (r *controlRig) key(account arn.AccountID, user string) rigKey {
	r.t.Helper()
	id, secret := sessiontoken.NewAccessKeyID(sessiontoken.LongTerm, account), sessiontoken.NewSecret()
	r.update(func(tx *store.Tx) error {
		return tx.CreateAccessKey(&store.AccessKey{ID: id, Account: account, UserName: user, Secret: r.ring.Seal(gate.SecretLabel, []byte(id), []byte(secret)), Active: true, CreatedAt: tx.Now})
	})
	return rigKey{id, secret, rigRegion}
}

// user adds a user with one inline policy, given as its statements.
func (r *controlRig) user(name string, statements ...string) rigKey {
	r.t.Helper()
	r.update(func(tx *store.Tx) error {
		u := &store.User{Account: rigAccount, Name: name, Path: "/", ID: sessiontoken.NewID("AIDA"), CreatedAt: tx.Now}
		if err := tx.CreateUser(u); err != nil {
			return err
		}
		return tx.PutInlinePolicy(&store.InlinePolicy{Account: rigAccount, Owner: store.OwnerUser, OwnerName: name, Name: "inline",
			Document: `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`})
	})
	return r.key(rigAccount, name)
}

// rigAnswer is an HTTP answer.
type rigAnswer struct {
	t      testing.TB
	status int
	code   string // of an error
	text   string // of an error
	body   map[string]any
}

// object is JSON to send.
type object = map[string]any

// send signs and sends one request. A nil body is no body.
func (r *controlRig) send(k rigKey, method, path string, body any) *rigAnswer {
	r.t.Helper()
	a, err := r.try(k, method, path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

// try is send for goroutines other than the test's.
func (r *controlRig) try(k rigKey, method, path string, body any) (*rigAnswer, error) {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequest(method, r.srv.URL+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	sum := sha256.Sum256(text)
	err = sigv4.Sign(req, &sigv4.SignInput{AccessKeyID: k.id, SecretAccessKey: k.secret, Region: k.region, Service: "rolesanywhere", Time: time.Now(), BodySHA256: hex.EncodeToString(sum[:])})
	if err != nil {
		return nil, err
	}
	res, err := r.srv.Client().Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	a := &rigAnswer{t: r.t, status: res.StatusCode, code: res.Header.Get("X-Amzn-Errortype")}
	if err := json.Unmarshal(raw, &a.body); err != nil {
		return nil, fmt.Errorf("%s %s: %d %q: %w", method, path, res.StatusCode, raw, err)
	}
	if a.code != "" {
		a.text, _ = a.body["message"].(string)
	}
	return a, nil
}

// ok requires a status and returns the member that every answer wraps its content in ("" for the whole).
func (a *rigAnswer) ok(status int, member string) object {
	a.t.Helper()
	if a.status != status || a.code != "" {
		a.t.Fatalf("got %d %s %q, want %d", a.status, a.code, a.text, status)
	}
	if member == "" {
		return a.body
	}
	o, ok := a.body[member].(object)
	if !ok {
		a.t.Fatalf("got %v, want a member %s", a.body, member)
	}
	return o
}

// fails requires an error with this code whose text holds every part.
func (a *rigAnswer) fails(status int, code string, parts ...string) {
	a.t.Helper()
	if a.status != status || a.code != code {
		a.t.Errorf("got %d %s %q %v, want %d %s", a.status, a.code, a.text, a.body, status, code)
		return
	}
	for _, p := range parts {
		if !strings.Contains(a.text, p) {
			a.t.Errorf("got message %q, want it to hold %q", a.text, p)
		}
	}
}

func (a *rigAnswer) invalid(parts ...string) {
	a.t.Helper()
	a.fails(400, "ValidationException", parts...)
}

func (a *rigAnswer) missing() {
	a.t.Helper()
	a.fails(404, "ResourceNotFoundException", "not found")
}

func (a *rigAnswer) denied(parts ...string) {
	a.t.Helper()
	a.fails(403, "AccessDeniedException", parts...)
}

// anchor makes a trust anchor and returns its detail.
func (r *controlRig) anchor(bundle string, more object) object {
	r.t.Helper()
	body := object{"name": "anchor", "source": bundleSource(bundle)}
	for k, v := range more {
		body[k] = v
	}
	return r.send(r.root, "POST", "/trustanchors", body).ok(201, "trustAnchor")
}

// profile makes a profile and returns its detail.
func (r *controlRig) profile(more object) object {
	r.t.Helper()
	body := object{"name": "profile", "roleArns": []string{roleA}}
	for k, v := range more {
		body[k] = v
	}
	return r.send(r.root, "POST", "/profiles", body).ok(201, "profile")
}

func bundleSource(bundle string) object {
	return object{"sourceType": "CERTIFICATE_BUNDLE", "sourceData": object{"x509CertificateData": bundle}}
}

func tagObjects(pairs ...string) []object {
	out := []object{}
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, object{"key": pairs[i], "value": pairs[i+1]})
	}
	return out
}

// events are the successful mutations' audit events of one operation, newest first.
func (r *controlRig) events(name string) []store.Event {
	r.t.Helper()
	var out []store.Event
	err := r.db.Read(context.Background(), func(tx *store.Tx) (err error) {
		out, _, err = tx.LookupEvents(&store.EventFilter{Account: rigAccount, Region: rigRegion, Name: name}, 0, "")
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}
