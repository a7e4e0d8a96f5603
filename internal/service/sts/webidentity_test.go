package sts_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/rolecall/rolecall/internal/server"
	"github.com/rolecall/rolecall/internal/testserver"
)

// web is a server that federates with a provider on loopback.
type web struct {
	*fixture
	key      *ecdsa.PrivateKey
	url, arn string
}

func newWeb(t *testing.T) *web {
	t.Helper()
	w := &web{}
	var err error
	if w.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	idp := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/keys") {
			json.NewEncoder(rw).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: w.key.Public(), KeyID: "k1"}}}) //nolint:errcheck // a test's client
			return
		}
		fmt.Fprintf(rw, `{"issuer":"https://%s","jwks_uri":"https://%s/keys"}`, w.url, w.url)
	}))
	t.Cleanup(idp.Close)
	w.url = strings.TrimPrefix(idp.URL, "https://") + "/realms/x"
	roots := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: idp.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	w.fixture = newFixture(t, func(c *server.Config) { c.OIDCAllow, c.OIDCRoots = []string{"127.0.0.0/8"}, roots })
	w.arn = "arn:aws:iam::" + account + ":oidc-provider/" + w.url
	w.iam("CreateOpenIDConnectProvider", "Url", "https://"+w.url, "ClientIDList.member.1", "sts.amazonaws.com")
	return w
}

// trust makes a role that trusts the provider, under conditions that may be empty.
func (w *web) trust(name, condition string, actions ...string) string {
	w.t.Helper()
	if len(actions) == 0 {
		actions = []string{"sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"}
	}
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	w.iam("CreateRole", "RoleName", name, "AssumeRolePolicyDocument",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"`+w.arn+`"},"Action":["`+strings.Join(actions, `","`)+`"]`+condition+`}]}`)
	return "arn:aws:iam::" + account + ":role/" + name
}

func (w *web) token(changes map[string]any) string {
	w.t.Helper()
	now := time.Now().Unix()
	c := map[string]any{"iss": "https://" + w.url, "sub": "repo:acme/app", "aud": "sts.amazonaws.com", "iat": now, "exp": now + 300}
	for k, v := range changes {
		c[k] = v
	}
	payload, err := json.Marshal(c)
	if err != nil {
		w.t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: w.key, KeyID: "k1"}}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// call makes an unsigned AssumeRoleWithWebIdentity.
func (w *web) call(role, token string, params ...string) *testserver.Response {
	w.t.Helper()
	form := url.Values{"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {role}, "RoleSessionName": {"sess"}, "WebIdentityToken": {token}}
	for i := 0; i+1 < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.URL+"/", strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return w.Send(w.t, r)
}

type webSession struct {
	ID       string `xml:"AssumeRoleWithWebIdentityResult>Credentials>AccessKeyId"`
	Secret   string `xml:"AssumeRoleWithWebIdentityResult>Credentials>SecretAccessKey"`
	Token    string `xml:"AssumeRoleWithWebIdentityResult>Credentials>SessionToken"`
	Arn      string `xml:"AssumeRoleWithWebIdentityResult>AssumedRoleUser>Arn"`
	Subject  string `xml:"AssumeRoleWithWebIdentityResult>SubjectFromWebIdentityToken"`
	Audience string `xml:"AssumeRoleWithWebIdentityResult>Audience"`
	Provider string `xml:"AssumeRoleWithWebIdentityResult>Provider"`
	Source   string `xml:"AssumeRoleWithWebIdentityResult>SourceIdentity"`
	Packed   string `xml:"AssumeRoleWithWebIdentityResult>PackedPolicySize"`
}

func (w *web) login(role, token string, params ...string) (*webSession, testserver.Keys) {
	w.t.Helper()
	r := w.call(role, token, params...)
	if r.Status != 200 {
		w.t.Fatalf("AssumeRoleWithWebIdentity: %d %s", r.Status, r.Body)
	}
	var s webSession
	w.decode(r.Body, &s)
	return &s, testserver.Keys{AccessKeyID: s.ID, SecretAccessKey: s.Secret, SessionToken: s.Token}
}

func (w *web) rejected(status int, code, want, role, token string, params ...string) {
	w.t.Helper()
	r := w.call(role, token, params...)
	var e struct {
		Code    string `xml:"Error>Code"`
		Message string `xml:"Error>Message"`
	}
	w.decode(r.Body, &e)
	if r.Status != status || e.Code != code || !strings.Contains(e.Message, want) {
		w.t.Errorf("got %d %s %q, want %d %s with %q", r.Status, e.Code, e.Message, status, code, want)
	}
}

func TestAssumeRoleWithWebIdentity(t *testing.T) {
	w := newWeb(t)
	role := w.trust("ci", `{"StringEquals":{"`+w.url+`:aud":"sts.amazonaws.com","aws:RequestTag/team":"blue"},"StringLike":{"`+w.url+`:sub":"repo:acme/*"},"ForAnyValue:StringEquals":{"`+w.url+`:amr":"mfa"}}`)
	token := w.token(map[string]any{
		"amr": []string{"pwd", "mfa"}, "https://aws.amazon.com/source_identity": "carol",
		"https://aws.amazon.com/tags": map[string]any{"principal_tags": map[string]any{"team": []string{"blue"}}, "transitive_tag_keys": []string{"team"}},
	})
	s, k := w.login(role, token)
	want := webSession{ID: s.ID, Secret: s.Secret, Token: s.Token, Arn: "arn:aws:sts::" + account + ":assumed-role/ci/sess", Subject: "repo:acme/app", Audience: "sts.amazonaws.com", Provider: w.arn, Source: "carol", Packed: s.Packed}
	if *s != want || s.Packed == "" || w.whoAmI(k) != want.Arn {
		t.Errorf("got %+v", s)
	}
	w.login(role, token) // until it expires a token may be shown again

	// The session carries its provider, its tags and its source identity into what it does next.
	next := w.role("next", "arn:aws:iam::"+account+":role/ci", `{"StringEquals":{"aws:FederatedProvider":"`+w.arn+`","aws:PrincipalTag/team":"blue","sts:SourceIdentity":"carol"}}`)
	w.iam("PutRolePolicy", "RoleName", "ci", "PolicyName", "p", "PolicyDocument", allowAll(`"sts:*"`))
	w.assume(k, next)
}

func TestWebIdentityRefusals(t *testing.T) {
	w := newWeb(t)
	role := w.trust("ci", `{"StringEquals":{"`+w.url+`:sub":"repo:acme/app"}}`)
	plain := w.trust("plain", "", "sts:AssumeRoleWithWebIdentity")
	good := w.token(nil)
	now := time.Now().Unix()
	const denied = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
	w.rejected(403, "AccessDenied", denied, role, w.token(map[string]any{"sub": "repo:acme/application"}))
	w.rejected(403, "AccessDenied", denied, "arn:aws:iam::"+account+":role/nobody", good)
	w.rejected(403, "AccessDenied", denied, w.role("users", "arn:aws:iam::"+account+":root", ""), good)
	w.rejected(403, "AccessDenied", "Not authorized to perform sts:SetSourceIdentity", plain, w.token(map[string]any{"https://aws.amazon.com/source_identity": "carol"}))
	w.rejected(403, "AccessDenied", "Not authorized to perform sts:TagSession", plain, w.token(map[string]any{"https://aws.amazon.com/tags/principal_tags/a": "b"}))
	w.rejected(400, "InvalidIdentityToken", "No OpenIDConnect provider found in your account for https://else.example", role, w.token(map[string]any{"iss": "https://else.example"}))
	w.rejected(400, "InvalidIdentityToken", "No OpenIDConnect provider found", "arn:aws:iam::999999999999:role/ci", good)
	w.rejected(400, "InvalidIdentityToken", "Incorrect token audience", role, w.token(map[string]any{"aud": "other"}))
	w.rejected(400, "InvalidIdentityToken", "not a valid JWT", role, good[:len(good)-4]+"AAAA")
	w.rejected(400, "InvalidIdentityToken", "not a valid JWT", role, "opaque")
	w.rejected(400, "InvalidIdentityToken", "source identity", role, w.token(map[string]any{"https://aws.amazon.com/source_identity": "aws:x"}))
	w.rejected(400, "InvalidIdentityToken", "tag", role, w.token(map[string]any{"https://aws.amazon.com/tags/principal_tags/a": "<"}))
	w.rejected(400, "InvalidParameterValue", "reserved", role, w.token(map[string]any{"https://aws.amazon.com/tags/principal_tags/aws:x": "b"}))
	w.rejected(400, "ExpiredTokenException", "Token expired: current date/time", role, w.token(map[string]any{"exp": now - 60}))
	w.rejected(400, "ValidationError", "MaxSessionDuration", role, good, "DurationSeconds", "7200")
	w.rejected(400, "ValidationError", "durationSeconds", role, good, "DurationSeconds", "899")
	w.rejected(400, "ValidationError", "ProviderId", role, good, "ProviderId", "www.amazon.com")
	w.rejected(400, "ValidationError", "is invalid", "arn:aws:iam::"+account+":user/alice", good)
	w.rejected(400, "MalformedPolicyDocument", "", role, good, "Policy", "{}")
	w.login(role, good)
	w.iam("RemoveClientIDFromOpenIDConnectProvider", "OpenIDConnectProviderArn", w.arn, "ClientID", "sts.amazonaws.com")
	w.rejected(400, "InvalidIdentityToken", "Incorrect token audience", role, good)
	w.iam("DeleteOpenIDConnectProvider", "OpenIDConnectProviderArn", w.arn)
	w.rejected(400, "InvalidIdentityToken", "No OpenIDConnect provider found", role, good)
}

// What a token made is in the account's trail as CloudTrail has it; the token itself is nowhere.
func TestWebIdentityIsRecorded(t *testing.T) {
	w := newWeb(t)
	role := w.trust("ci", "")
	token := w.token(nil)
	w.login(role, token)
	w.rejected(403, "AccessDenied", "", "arn:aws:iam::"+account+":role/none", token)
	w.rejected(400, "InvalidIdentityToken", "", role, "stranger") // proves nobody: not in the trail
	var events string
	for range 100 {
		resp := w.JSON11In(t, "us-east-1", w.Root, "cloudtrail", "CloudTrail_20131101.LookupEvents", map[string]any{"LookupAttributes": []map[string]string{{"AttributeKey": "EventName", "AttributeValue": "AssumeRoleWithWebIdentity"}}})
		if events = string(resp.Body); strings.Count(events, "EventId") == 2 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if n := strings.Count(events, "EventId"); n != 2 {
		t.Fatalf("%d events: %s", n, events)
	}
	for _, want := range []string{`\"type\":\"WebIdentityUser\"`, `\"userName\":\"repo:acme/app\"`, `\"identityProvider\":\"` + w.arn, `no such role`} {
		if !strings.Contains(events, want) {
			t.Errorf("the events lack %s: %s", want, events)
		}
	}
	if strings.Contains(events, token) {
		t.Error("the token is in the trail")
	}
}
