package gate

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/sigv4"
)

const (
	account = arn.AccountID("123456789012")
	trust   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"}]}`
)

type rig struct {
	*Gate
	t      *testing.T
	db     *store.DB
	sealer *sessiontoken.Sealer
}

func newRig(t *testing.T) *rig {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{Source: "memory"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	ring := keyring.Ephemeral()
	sealer := sessiontoken.New(ring)
	return &rig{Gate: New(Config{View: db.View(), Ring: ring, Sealer: sealer}), t: t, db: db, sealer: sealer}
}

func (r *rig) put(fn func(tx *store.Tx) error) {
	r.t.Helper()
	if err := r.db.Update(r.t.Context(), fn); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) role(name, id string, tags ...store.Tag) {
	r.put(func(tx *store.Tx) error {
		return tx.PutRole(&store.Role{Account: account, Name: name, Path: "/", ID: id, TrustPolicy: trust, MaxSession: 3600, Tags: tags, CreatedAt: tx.Now})
	})
}

func (r *rig) allow(role, document string) {
	r.put(func(tx *store.Tx) error {
		return tx.PutInlinePolicy(&store.InlinePolicy{Account: account, Owner: store.OwnerRole, OwnerName: role, Name: "p", Document: document})
	})
}

// session mints a session of the role and signs a request with it.
func (r *rig) session(name, id string, change func(*sessiontoken.Session)) *http.Request {
	r.t.Helper()
	now := time.Now()
	sess := &sessiontoken.Session{Type: sessiontoken.AssumedRole, Account: account, Partition: "aws", RoleID: id, RoleName: name, RolePath: "/", SessionName: "s1", IssuedAt: now, ExpiresAt: now.Add(time.Hour)}
	if change != nil {
		change(sess)
	}
	c, _, err := r.sealer.Mint(now, sess)
	if err != nil {
		r.t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodPost, "https://h/", nil)
	err = sigv4.Sign(req, &sigv4.SignInput{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken, Region: "eu-central-1", Service: "sts", Time: now})
	if err != nil {
		r.t.Fatal(err)
	}
	return req
}

func (r *rig) authenticate(req *http.Request) *awsapi.Principal {
	r.t.Helper()
	p, err := r.Gate.Authenticate(req, parsed(req), nil, "sts", time.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

// parsed is what the router hands to the gate.
func parsed(r *http.Request) *sigv4.Claims {
	claims, err := sigv4.Parse(r)
	if err != nil {
		return nil
	}
	return claims
}

func code(err error) string {
	var e *awsapi.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func call() *awsapi.Call {
	return &awsapi.Call{Now: time.Now(), Region: "eu-central-1", SourceIP: "192.0.2.1"}
}

func TestSessionOfARoleThatWasMadeAgain(t *testing.T) {
	r := newRig(t)
	r.role("worker", "AROAFIRST0000000000AA")
	req := r.session("worker", "AROAFIRST0000000000AA", nil)
	r.authenticate(req)
	r.put(func(tx *store.Tx) error { return tx.DeleteRole(account, "worker") })
	if _, err := r.Gate.Authenticate(req, parsed(req), nil, "sts", time.Now()); code(err) != "InvalidClientTokenId" {
		t.Errorf("session of a deleted role: %v", err)
	}
	r.role("worker", "AROASECOND000000000AA")
	if _, err := r.Gate.Authenticate(req, parsed(req), nil, "sts", time.Now()); code(err) != "InvalidClientTokenId" {
		t.Errorf("session of a role of the same name: %v", err)
	}
}

func TestRoleTagsFollowTheRole(t *testing.T) {
	r := newRig(t)
	r.role("worker", "AROAFIRST0000000000AA", store.Tag{Key: "team", Value: "blue"}, store.Tag{Key: "Env", Value: "prod"})
	req := r.session("worker", "AROAFIRST0000000000AA", func(s *sessiontoken.Session) {
		s.Tags = []sessiontoken.Tag{{Key: "env", Value: "test"}}
	})
	tags := func() string {
		var b strings.Builder
		for _, tag := range r.authenticate(req).Tags {
			b.WriteString(tag.Key + "=" + tag.Value + " ")
		}
		return b.String()
	}
	if got, want := tags(), "env=test team=blue "; got != want {
		t.Errorf("tags %q, want %q: a session tag wins over the role's, whatever its case", got, want)
	}
	r.role("worker", "AROAFIRST0000000000AA", store.Tag{Key: "team", Value: "red"})
	if got, want := tags(), "env=test team=red "; got != want {
		t.Errorf("after the role's tags changed: %q, want %q", got, want)
	}
}

func TestAuthorizeSession(t *testing.T) {
	r := newRig(t)
	r.role("worker", "AROAFIRST0000000000AA")
	need := awsapi.Need{Action: "rolesanywhere:GetProfile", Resource: "arn:aws:rolesanywhere:eu-central-1:123456789012:profile/x"}
	p := r.authenticate(r.session("worker", "AROAFIRST0000000000AA", nil))
	err := r.Authorize(t.Context(), p, call(), need)
	want := "User: arn:aws:sts::123456789012:assumed-role/worker/s1 is not authorized to perform: rolesanywhere:GetProfile on resource: " + need.Resource + " because no identity-based policy allows the rolesanywhere:GetProfile action"
	if code(err) != "AccessDenied" || !strings.Contains(err.Error(), want) {
		t.Errorf("no policy: %v", err)
	}
	r.allow("worker", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"rolesanywhere:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/x509Subject/OU":"Backup","aws:RequestedRegion":"eu-central-1"}}}]}`)
	if err := r.Authorize(t.Context(), p, call(), need); code(err) != "AccessDenied" {
		t.Errorf("a condition on a tag the session lacks: %v", err)
	}
	p = r.authenticate(r.session("worker", "AROAFIRST0000000000AA", func(s *sessiontoken.Session) {
		s.Tags = []sessiontoken.Tag{{Key: "x509Subject/OU", Value: "Backup"}}
	}))
	if err := r.Authorize(t.Context(), p, call(), need); err != nil {
		t.Errorf("allowed by tag: %v", err)
	}
}

func TestWhatCannotBeReadDenies(t *testing.T) {
	need := awsapi.Need{Action: "rolesanywhere:GetProfile"}
	everything := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	for name, change := range map[string]func(*rig, *sessiontoken.Session){
		"managed session policy that is gone": func(_ *rig, s *sessiontoken.Session) {
			s.PolicyARNs = []string{"arn:aws:iam::123456789012:policy/gone"}
		},
		"boundary that is gone": func(r *rig, _ *sessiontoken.Session) {
			r.put(func(tx *store.Tx) error {
				role, err := tx.GetRole(account, "worker")
				if err != nil {
					return err
				}
				role.Boundary = "arn:aws:iam::123456789012:policy/gone"
				return tx.PutRole(role)
			})
		},
		"attached policy that is gone": func(r *rig, _ *sessiontoken.Session) {
			r.put(func(tx *store.Tx) error {
				return tx.PutAttachment(&store.Attachment{Account: account, Owner: store.OwnerRole, OwnerName: "worker", PolicyARN: "arn:aws:iam::123456789012:policy/gone"})
			})
		},
		"inline policy that does not parse": func(r *rig, _ *sessiontoken.Session) { r.allow("worker", `{"Version":`) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.role("worker", "AROAFIRST0000000000AA")
			r.allow("worker", everything)
			p := r.authenticate(r.session("worker", "AROAFIRST0000000000AA", nil))
			if err := r.Authorize(t.Context(), p, call(), need); err != nil {
				t.Fatalf("before the change: %v", err)
			}
			req := r.session("worker", "AROAFIRST0000000000AA", func(s *sessiontoken.Session) { change(r, s) })
			p, err := r.Gate.Authenticate(req, parsed(req), nil, "sts", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Authorize(t.Context(), p, call(), need); err == nil {
				t.Error("allowed")
			}
		})
	}
}

func TestRootStaysInItsAccount(t *testing.T) {
	r := newRig(t)
	root := &awsapi.Principal{Type: awsapi.Root, Account: account, ARN: "arn:aws:iam::123456789012:root"}
	for resource, allowed := range map[string]bool{"*": true, "arn:aws:iam::123456789012:role/x": true, "arn:aws:iam::210987654321:role/x": false, "arn:aws:s3:::bucket": true} {
		err := r.Authorize(t.Context(), root, call(), awsapi.Need{Action: "iam:GetRole", Resource: resource})
		if (err == nil) != allowed {
			t.Errorf("%s: %v", resource, err)
		}
	}
}

func TestDenialBelongsToItsAccount(t *testing.T) {
	r := newRig(t)
	p := &awsapi.Principal{Type: awsapi.User, Account: account, ARN: "arn:aws:iam::123456789012:user/a", UserID: "AIDA"}
	c := iampolicy.NewContext(1)
	c.Set("aws:SourceIp", "192.0.2.1")
	encoded := r.encodeDenial(account, newDenial(p, "iam:GetRole", "*", c))
	if text, err := r.DecodeDenial(account, encoded); err != nil || !strings.Contains(text, "192.0.2.1") {
		t.Errorf("own account: %q, %v", text, err)
	}
	if _, err := r.DecodeDenial("210987654321", encoded); err == nil {
		t.Error("another account opened the message")
	}
}

func TestScopeIsChecked(t *testing.T) {
	r := newRig(t)
	r.role("worker", "AROAFIRST0000000000AA")
	req := r.session("worker", "AROAFIRST0000000000AA", nil)
	if _, err := r.Gate.Authenticate(req, parsed(req), nil, "iam", time.Now()); code(err) != "SignatureDoesNotMatch" {
		t.Errorf("signed for sts, served as iam: %v", err)
	}
	if _, err := r.Gate.Authenticate(req, parsed(req), []byte("x"), "sts", time.Now()); code(err) != "SignatureDoesNotMatch" {
		t.Errorf("another body: %v", err)
	}
	if _, err := r.Gate.Authenticate(req, parsed(req), nil, "sts", time.Now().Add(6*time.Minute)); code(err) != "SignatureDoesNotMatch" || !strings.Contains(err.Error(), "expired") {
		t.Errorf("six minutes later: %v", err)
	}
	if _, err := r.Gate.Authenticate(httptest.NewRequest(http.MethodGet, "https://h/", nil), parsed(httptest.NewRequest(http.MethodGet, "https://h/", nil)), nil, "sts", time.Now()); code(err) != "MissingAuthenticationToken" {
		t.Errorf("unsigned: %v", err)
	}
}

// A remembered signing key serves its own scope only.
func TestSigningKeyFollowsTheScope(t *testing.T) {
	r := newRig(t)
	r.role("worker", "AROAFIRST0000000000AA")
	p := r.authenticate(r.session("worker", "AROAFIRST0000000000AA", nil))
	for _, c := range []sigv4.Claims{
		{Date: "20200101", Region: "eu-central-1", Service: "sts"},
		{Date: "20200101", Region: "eu-central-1", Service: "sts"},
		{Date: "20200102", Region: "eu-central-1", Service: "sts"},
		{Date: "20200102", Region: "eu-west-1", Service: "sts"},
		{Date: "20200102", Region: "eu-west-1", Service: "iam"},
	} {
		if got, want := signingKey(p, "secret", &c), sigv4.DeriveKey("secret", c.Date, c.Region, c.Service); got != want {
			t.Errorf("%s/%s/%s: not the key of the scope", c.Date, c.Region, c.Service)
		}
	}
}

// Every decision knows whose the resource is: the caller's, unless the need says otherwise.
func TestResourceAccount(t *testing.T) {
	r := newRig(t)
	r.role("worker", "AROAFIRST0000000000AA")
	r.allow("worker", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringNotEquals":{"aws:ResourceAccount":"${aws:PrincipalAccount}"}}}]}`)
	p := r.authenticate(r.session("worker", "AROAFIRST0000000000AA", nil))
	if err := r.Authorize(t.Context(), p, call(), awsapi.Need{Action: "a:Go"}); err != nil {
		t.Errorf("its own account: %v", err)
	}
	sentence, _ := r.decoded(r.Authorize(t.Context(), p, call(), awsapi.Need{Action: "a:Go", Owner: "210987654321"}))
	if !strings.Contains(sentence, "with an explicit deny in an identity-based policy") {
		t.Errorf("another account: %s", sentence)
	}
}
