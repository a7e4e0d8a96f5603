package s3iam

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall/rolecall/internal/audit"
	"github.com/rolecall/rolecall/internal/gate"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/sigv4"
)

const allowAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

// decide asks about actions on resources for c.
func (r *rig) decide(c *sessiontoken.Credentials, condition map[string][]string, actions []string, resources ...string) *evaluateResponse {
	r.t.Helper()
	out := &evaluateResponse{}
	in := evaluateRequest{AccessKeyID: c.AccessKeyID, SessionToken: c.SessionToken, Actions: actions, Resources: resources, Condition: condition, Region: "us-east-1"}
	if status, code := r.call("/private/evaluate-policy", in, out); status != 200 {
		r.t.Fatalf("evaluate: %d %s", status, code)
	}
	return out
}

func TestSigningKey(t *testing.T) {
	r := newRig(t, "", nil)
	r.role("worker", allowAll)
	c := r.session("worker", nil)
	ask := func(change func(*signingKeyRequest)) (*signingKeyResponse, string) {
		in := signingKeyRequest{AccessKeyID: c.AccessKeyID, SessionToken: c.SessionToken, Date: "20260501", Region: "eu-west-1", Service: "s3"}
		if change != nil {
			change(&in)
		}
		out := &signingKeyResponse{}
		_, code := r.call("/private/derive-signing-key", in, out)
		return out, code
	}
	got, code := ask(nil)
	want := sigv4.DeriveKey(c.SecretAccessKey, "20260501", "eu-west-1", "s3")
	if code != "" || !bytes.Equal(got.DerivedKey, want[:]) || got.PrincipalARN != "arn:aws:sts::123456789012:assumed-role/worker/s1" || got.RoleARN != "arn:aws:iam::123456789012:role/worker" {
		t.Errorf("%+v %s", got, code)
	}
	expired := r.session("worker", func(s *sessiontoken.Session) {
		s.IssuedAt, s.ExpiresAt = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	})
	foreign := r.session("worker", func(s *sessiontoken.Session) { s.Account = "210987654321" })
	for name, tc := range map[string]struct {
		want   string
		change func(*signingKeyRequest)
	}{
		"for another service":  {codeBadRequest, func(q *signingKeyRequest) { q.Service = "iam" }},
		"for no service":       {codeBadRequest, func(q *signingKeyRequest) { q.Service = "" }},
		"no token":             {codeInvalidToken, func(q *signingKeyRequest) { q.SessionToken = "" }},
		"token changed":        {codeInvalidToken, func(q *signingKeyRequest) { q.SessionToken = "x" + q.SessionToken }},
		"expired":              {codeInvalidToken, func(q *signingKeyRequest) { q.AccessKeyID, q.SessionToken = expired.AccessKeyID, expired.SessionToken }},
		"another account":      {codeInvalidToken, func(q *signingKeyRequest) { q.AccessKeyID, q.SessionToken = foreign.AccessKeyID, foreign.SessionToken }},
		"unknown key":          {codeNoSuchIdentity, func(q *signingKeyRequest) { q.AccessKeyID, q.SessionToken = "AKIANOBODY0000000001", "" }},
		"unknown kind of key":  {codeNoSuchIdentity, func(q *signingKeyRequest) { q.AccessKeyID, q.SessionToken = "", "" }},
		"unknown key, a token": {codeInvalidToken, func(q *signingKeyRequest) { q.AccessKeyID = "AKIANOBODY0000000001" }},
	} {
		if got, code := ask(tc.change); code != tc.want || got.DerivedKey != nil {
			t.Errorf("%s: %s, want %s", name, code, tc.want)
		}
	}
	r.put(func(tx *store.Tx) error { return tx.DeleteRole(account, "worker") })
	if _, code := ask(nil); code != codeInvalidToken {
		t.Errorf("deleted role: %s", code)
	}
}

// Identity policies and what bounds them are told apart, and a Deny from a mere absence.
func TestDecisions(t *testing.T) {
	r := newRig(t, "", nil)
	r.role("worker", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"arn:aws:s3:::b/secret/*"}]}`)
	actions := []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject"}
	resources := []string{"arn:aws:s3:::b/k", "arn:aws:s3:::b/secret/k"}
	got := r.decide(r.session("worker", nil), nil, actions, resources...)
	want := &evaluateResponse{PrincipalARN: "arn:aws:sts::123456789012:assumed-role/worker/s1", Decisions: [][]string{{allow, allow, noMatch}, {deny, deny, deny}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("without bounds (-want +got):\n%s", diff)
	}
	got = r.decide(r.session("worker", func(s *sessiontoken.Session) {
		s.SessionPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject","s3:DeleteObject"],"Resource":"*"},{"Effect":"Deny","Action":"s3:PutObject","Resource":"*"}]}`
	}), nil, actions, resources...)
	want.HasSessionPolicy, want.SessionDecisions = true, [][]string{{allow, deny, allow}, {allow, deny, allow}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("with a session policy (-want +got):\n%s", diff)
	}
	r.put(func(tx *store.Tx) error {
		role, err := tx.GetRole(account, "worker")
		if err == nil {
			role.Boundary = "arn:aws:iam::123456789012:policy/gone"
			err = tx.PutRole(role)
		}
		return err
	})
	got = r.decide(r.session("worker", nil), nil, actions[:1], resources[0])
	if !got.HasSessionPolicy || got.SessionDecisions[0][0] != noMatch || got.Decisions[0][0] != allow {
		t.Errorf("with a boundary that is gone: %+v", got)
	}
}

// The gateway can say what it observes, never who the caller is.
func TestConditionKeys(t *testing.T) {
	r := newRig(t, "", nil)
	for name, tc := range map[string]struct {
		condition string
		sent      map[string][]string
		want      string
	}{
		"observed":                {`{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`, map[string][]string{"AWS:sourceip": {"192.0.2.1"}}, allow},
		"a tag is not observed":   {`{"StringEquals":{"aws:PrincipalTag/team":"blue"}}`, map[string][]string{"aws:PrincipalTag/team": {"blue"}}, noMatch},
		"nor who the caller is":   {`{"StringEquals":{"aws:userid":"x"}}`, map[string][]string{"aws:userid": {"x"}}, noMatch},
		"nor MFA":                 {`{"Bool":{"aws:MultiFactorAuthPresent":"true"}}`, map[string][]string{"aws:MultiFactorAuthPresent": {"true"}}, noMatch},
		"nor the time of issue":   {`{"DateLessThan":{"aws:TokenIssueTime":"2000-01-01T00:00:00Z"}}`, map[string][]string{"aws:TokenIssueTime": {"1990-01-01T00:00:00Z"}}, noMatch},
		"nor the time":            {`{"DateLessThan":{"aws:CurrentTime":"2000-01-01T00:00:00Z"}}`, map[string][]string{"aws:CurrentTime": {"1990-01-01T00:00:00Z"}}, noMatch},
		"nor an unknown key":      {`{"StringEquals":{"s3:ExistingObjectTag/a":"b"}}`, map[string][]string{"s3:ExistingObjectTag/a": {"b"}}, noMatch},
		"two addresses are none":  {`{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`, map[string][]string{"aws:SourceIp": {"192.0.2.1", "192.0.2.2"}}, noMatch},
		"no prefix: the empty":    {`{"StringEquals":{"s3:prefix":""}}`, nil, allow},
		"a prefix":                {`{"StringEquals":{"s3:prefix":""}}`, map[string][]string{"s3:prefix": {"a"}}, noMatch},
		"not over TLS":            {`{"Bool":{"aws:SecureTransport":"true"}}`, map[string][]string{"aws:SecureTransport": {"false"}}, noMatch},
		"over TLS":                {`{"Bool":{"aws:SecureTransport":"true"}}`, map[string][]string{"aws:SecureTransport": {"true"}}, allow},
		"the gateway's own owner": {`{"StringEquals":{"aws:ResourceAccount":"123456789012"}}`, nil, allow},
	} {
		r.role("worker", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":`+tc.condition+`}]}`)
		got := r.decide(r.session("worker", nil), tc.sent, []string{"s3:ListBucket"}, "arn:aws:s3:::b")
		if got.Decisions[0][0] != tc.want {
			t.Errorf("%s: %s, want %s", name, got.Decisions[0][0], tc.want)
		}
	}
	// The empty prefix belongs to listings alone.
	r.role("worker", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Null":{"s3:prefix":"true"}}}]}`)
	got := r.decide(r.session("worker", nil), nil, []string{"s3:ListBucket", "s3:GetObject"}, "arn:aws:s3:::b")
	if got.Decisions[0][0] != noMatch || got.Decisions[0][1] != allow {
		t.Errorf("empty prefix: %v", got.Decisions)
	}
}

// Policies of another partition are written for its ARNs; the gateway knows only one.
func TestPartition(t *testing.T) {
	r := newRig(t, "aws-cn", nil)
	r.role("worker", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws-cn:s3:::b/*"}]}`)
	got := r.decide(r.session("worker", nil), nil, []string{"s3:GetObject"}, "arn:aws:s3:::b/k", "arn:aws:s3:::c/k")
	if got.Decisions[0][0] != allow || got.Decisions[1][0] != noMatch {
		t.Errorf("%v", got.Decisions)
	}
}

func TestEvents(t *testing.T) {
	for _, all := range []bool{false, true} {
		r := newRig(t, "", func(c *Config) { c.AllDecisions = all })
		r.role("worker", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::b/mine/*"}]}`)
		c := r.session("worker", nil)
		remove := []string{"s3:DeleteObject"}
		r.decide(c, nil, remove, "arn:aws:s3:::b/mine/k")
		if got := len(r.events); (got == 1) != all {
			t.Errorf("all=%v: %d events for an allowed request", all, got)
		}
		r.events = nil
		keys := []string{"arn:aws:s3:::b/mine/k"}
		for range 100 {
			keys = append(keys, "arn:aws:s3:::b/other")
		}
		r.decide(c, map[string][]string{"aws:SourceIp": {"192.0.2.1"}, "aws:UserAgent": {"client/1"}}, remove, keys...)
		if len(r.events) != 1 {
			t.Fatalf("%d events, want one for a batch", len(r.events))
		}
		e := r.events[0]
		if e.EventSource != "s3.amazonaws.com" || e.EventName != "DeleteObject" || e.ErrorCode != "AccessDenied" || e.ReadOnly || e.SourceIP != "192.0.2.1" || e.UserAgent != "client/1" ||
			e.UserIdentity.ARN != "arn:aws:sts::123456789012:assumed-role/worker/s1" || e.UserIdentity.Session.IssuerName != "worker" {
			t.Errorf("event %+v", e)
		}
		if len(e.Resources) != 32 || e.Resources[0] != (audit.Resource{Type: "AWS::S3::Object", Name: "b/other", ARN: "arn:aws:s3:::b/other"}) || e.AdditionalEventData["resourceCount"] != "100" {
			t.Errorf("resources %d %+v %v", len(e.Resources), e.Resources[0], e.AdditionalEventData)
		}
		if !strings.Contains(e.ErrorMessage, "because no identity-based policy allows the s3:DeleteObject action") {
			t.Errorf("message %s", e.ErrorMessage)
		}
		if strings.Contains(e.ErrorMessage, c.SessionToken) {
			t.Error("a token in an event")
		}
	}
}

func TestIdentitiesAndPrincipals(t *testing.T) {
	r := newRig(t, "", nil)
	r.role("worker", allowAll)
	secret := func(id string) []byte { return r.ring.Seal(gate.SecretLabel, []byte(id), []byte("secret")) }
	r.put(func(tx *store.Tx) error {
		for _, k := range []store.AccessKey{
			{ID: "AKIAUSER000000000001", Account: account, UserName: "alice", Active: true},
			{ID: "AKIAUSER000000000002", Account: account, UserName: "alice"},
			{ID: "AKIAROOT000000000001", Account: account, Active: true},
			{ID: "AKIAROOT000000000002", Account: "210987654321", Active: true},
		} {
			k.Secret, k.CreatedAt = secret(k.ID), tx.Now
			if err := tx.CreateAccessKey(&k); err != nil {
				return err
			}
		}
		return tx.PutUser(&store.User{Account: account, Name: "alice", Path: "/team/", ID: "AIDAALICE", CreatedAt: tx.Now})
	})
	var ids identitiesResponse
	in := identitiesRequest{[]string{"AKIAUSER000000000001", "AKIAUSER000000000002", "AKIAROOT000000000001", "AKIAROOT000000000002", "AKIANOBODY0000000001", r.session("worker", nil).AccessKeyID, ""}}
	if status, code := r.call("/private/resolve-identity", in, &ids); status != 200 {
		t.Fatalf("%d %s", status, code)
	}
	want := []foundIdentity{{true, kindUser, "arn:aws:iam::123456789012:user/team/alice"}, {}, {true, kindUser, "arn:aws:iam::123456789012:root"}, {}, {}, {}, {}}
	if diff := cmp.Diff(want, ids.Identities); diff != "" {
		t.Errorf("identities (-want +got):\n%s", diff)
	}
	good := []string{"123456789012", "arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:role/worker", "arn:aws:iam::123456789012:user/team/alice", "arn:aws:sts::123456789012:assumed-role/worker/any@host"}
	bad := []string{
		"", "*", "210987654321", "arn:aws:iam::210987654321:root", "arn:aws:iam::123456789012:user/alice", "arn:aws:iam::123456789012:role/WORKER", "arn:aws:iam::123456789012:role/",
		"arn:aws:iam::123456789012:policy/worker", "arn:aws:sts::123456789012:assumed-role/worker/*", "arn:aws:sts::123456789012:assumed-role/worker", "arn:aws:sts::123456789012:assumed-role/WORKER/any",
		"arn:aws:s3::123456789012:role/worker", "arn:aws-cn:iam::123456789012:root",
	}
	var out principalsResponse
	if status, code := r.call("/private/resolve-principals", principalsRequest{append(good, bad...)}, &out); status != 200 {
		t.Fatalf("%d %s", status, code)
	}
	if diff := cmp.Diff(bad, out.Invalid); diff != "" {
		t.Errorf("invalid principals (-want +got):\n%s", diff)
	}
}
