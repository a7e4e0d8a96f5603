package sts_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// claimsOf verifies a token with the keys that the account publishes, as a stranger would.
func (f *fixture) claimsOf(token string) map[string]any {
	f.t.Helper()
	resp, err := http.Get(f.URL + "/oidc/" + account + "/.well-known/jwks.json")
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(body, &set); err != nil {
		f.t.Fatalf("%v in %s", err, body)
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES384})
	if err != nil {
		f.t.Fatal(err)
	}
	keys := set.Key(jws.Signatures[0].Protected.KeyID)
	if len(keys) != 1 {
		f.t.Fatalf("the token's key is not among %s", body)
	}
	payload, err := jws.Verify(keys[0].Key)
	if err != nil {
		f.t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		f.t.Fatal(err)
	}
	return claims
}

type webToken struct {
	Token   string    `xml:"GetWebIdentityTokenResult>WebIdentityToken"`
	Expires time.Time `xml:"GetWebIdentityTokenResult>Expiration"`
}

func TestGetWebIdentityToken(t *testing.T) {
	f := newFixture(t)
	ask := []string{"Audience.member.1", "https://api.example", "SigningAlgorithm", "ES384"}
	f.refused(f.alice, 403, "AccessDenied", "is not authorized to perform: sts:GetWebIdentityToken on resource: *", "GetWebIdentityToken", ask...)
	f.iam("PutUserPolicy", "UserName", "alice", "PolicyName", "web", "PolicyDocument",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:GetWebIdentityToken","Resource":"*","Condition":{"ForAllValues:StringEquals":{"sts:IdentityTokenAudience":["https://api.example","b"]},"NumericLessThanEquals":{"sts:DurationSeconds":"600"},"StringEquals":{"sts:SigningAlgorithm":["ES384","RS256"]}}},
		{"Effect":"Allow","Action":"sts:TagGetWebIdentityToken","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/job":"1"}}}]}`)
	f.refused(f.alice, 403, "OutboundWebIdentityFederationDisabledException", "not enabled", "GetWebIdentityToken", ask...)
	f.iam("EnableOutboundWebIdentityFederation")
	f.iam("TagUser", "UserName", "alice", "Tags.member.1.Key", "team", "Tags.member.1.Value", "blue")

	var out webToken
	r := f.Query(t, f.alice, "sts", "GetWebIdentityToken", append(ask, "Tags.member.1.Key", "job", "Tags.member.1.Value", "1")...)
	f.decode(r.Body, &out)
	if r.Status != 200 || time.Until(out.Expires) > 5*time.Minute || time.Until(out.Expires) < 4*time.Minute {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	c := f.claimsOf(out.Token)
	own, _ := c["https://sts.amazonaws.com/"].(map[string]any)
	user := "arn:aws:iam::" + account + ":user/alice"
	if c["iss"] != f.URL+"/oidc/"+account || c["sub"] != user || c["aud"] != "https://api.example" || c["jti"] == "" || c["exp"].(float64)-c["iat"].(float64) != 300 ||
		own["aws_account"] != account || own["principal_id"] != user || own["source_region"] != "eu-central-1" || own["principal_tags"].(map[string]any)["team"] != "blue" || own["request_tags"].(map[string]any)["job"] != "1" {
		t.Errorf("claims %v", c)
	}
	r = f.Query(t, f.alice, "sts", "GetWebIdentityToken", "Audience.member.1", "https://api.example", "Audience.member.2", "b", "SigningAlgorithm", "RS256", "DurationSeconds", "60")
	f.decode(r.Body, &out)
	if aud, _ := f.claimsOf(out.Token)["aud"].([]any); len(aud) != 2 {
		t.Errorf("audience %v", aud)
	}
	f.refused(f.alice, 403, "AccessDenied", "sts:GetWebIdentityToken", "GetWebIdentityToken", append(ask, "DurationSeconds", "601")...)
	f.refused(f.alice, 403, "AccessDenied", "sts:GetWebIdentityToken", "GetWebIdentityToken", append(ask, "Audience.member.2", "https://evil.example")...)
	f.refused(f.alice, 403, "AccessDenied", "sts:TagGetWebIdentityToken", "GetWebIdentityToken", append(ask, "Tags.member.1.Key", "job", "Tags.member.1.Value", "2")...)
	f.refused(f.alice, 400, "ValidationError", "audience", "GetWebIdentityToken", "SigningAlgorithm", "ES384")
	f.refused(f.alice, 400, "ValidationError", "durationSeconds", "GetWebIdentityToken", append(ask, "DurationSeconds", "3601")...)
	f.refused(f.Root, 403, "AccessDenied", "root", "GetWebIdentityToken", ask...)
	f.iam("DisableOutboundWebIdentityFederation")
	f.refused(f.alice, 403, "OutboundWebIdentityFederationDisabledException", "", "GetWebIdentityToken", ask...)
	f.claimsOf(out.Token) // what is out stays good
}

// A session's token names the role, does not outlive the session, and carries the session's tags and source identity.
func TestGetWebIdentityTokenOfASession(t *testing.T) {
	f := newFixture(t)
	f.iam("EnableOutboundWebIdentityFederation")
	role := f.role("worker", "arn:aws:iam::"+account+":user/alice", "")
	f.iam("PutRolePolicy", "RoleName", "worker", "PolicyName", "p", "PolicyDocument", allowAll(`"sts:*"`))
	k := f.assume(f.alice, role, "SourceIdentity", "alice", "DurationSeconds", "900", "Tags.member.1.Key", "team", "Tags.member.1.Value", "blue").keys()
	ask := []string{"Audience.member.1", "x", "SigningAlgorithm", "ES384"}
	f.refused(k, 403, "SessionDurationEscalationException", "", "GetWebIdentityToken", append(ask, "DurationSeconds", "1200")...)
	f.refused(k, 400, "ValidationError", "signingAlgorithm", "GetWebIdentityToken", "Audience.member.1", "x", "SigningAlgorithm", "HS256")
	var out webToken
	f.decode(f.Query(t, k, "sts", "GetWebIdentityToken", ask...).Body, &out)
	c := f.claimsOf(out.Token)
	own, _ := c["https://sts.amazonaws.com/"].(map[string]any)
	if c["sub"] != role || own["source_identity"] != "alice" || own["original_session_exp"] == nil || own["principal_tags"].(map[string]any)["team"] != "blue" {
		t.Errorf("claims %v", c)
	}
}
