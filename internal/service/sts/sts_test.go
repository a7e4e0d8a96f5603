package sts_test

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/rolecall/rolecall/internal/server"
	"github.com/rolecall/rolecall/internal/testserver"
)

const account = "123456789012"

// fixture is a server with the user "alice" and roles that she may or may not assume.
type fixture struct {
	*testserver.Server
	t     *testing.T
	alice testserver.Keys
}

func newFixture(t *testing.T, change ...func(*server.Config)) *fixture {
	f := &fixture{t: t, Server: testserver.StartWith(t, func(c *server.Config) {
		for _, fn := range change {
			fn(c)
		}
	})}
	f.iam("CreateUser", "UserName", "alice")
	f.iam("PutUserPolicy", "UserName", "alice", "PolicyName", "assume", "PolicyDocument",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity","sts:DecodeAuthorizationMessage"],"Resource":"*"}]}`)
	var key struct {
		ID     string `xml:"CreateAccessKeyResult>AccessKey>AccessKeyId"`
		Secret string `xml:"CreateAccessKeyResult>AccessKey>SecretAccessKey"`
	}
	f.decode(f.iam("CreateAccessKey", "UserName", "alice"), &key)
	f.alice = testserver.Keys{AccessKeyID: key.ID, SecretAccessKey: key.Secret}
	return f
}

// iam makes one IAM call as root, which must succeed.
func (f *fixture) iam(action string, params ...string) []byte {
	f.t.Helper()
	r := f.Query(f.t, f.Root, "iam", action, params...)
	if r.Status != 200 {
		f.t.Fatalf("%s: %d %s", action, r.Status, r.Body)
	}
	return r.Body
}

func (f *fixture) decode(body []byte, v any) {
	f.t.Helper()
	if err := xml.Unmarshal(body, v); err != nil {
		f.t.Fatalf("%v in %s", err, body)
	}
}

// role makes a role that trusts the principal for the three actions, under a condition block that may be empty.
func (f *fixture) role(name, principal, condition string) string {
	f.t.Helper()
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	f.iam("CreateRole", "RoleName", name, "AssumeRolePolicyDocument",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+principal+`"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]`+condition+`}]}`)
	return "arn:aws:iam::" + account + ":role/" + name
}

type assumed struct {
	ID       string `xml:"AssumeRoleResult>Credentials>AccessKeyId"`
	Secret   string `xml:"AssumeRoleResult>Credentials>SecretAccessKey"`
	Token    string `xml:"AssumeRoleResult>Credentials>SessionToken"`
	Arn      string `xml:"AssumeRoleResult>AssumedRoleUser>Arn"`
	Identity string `xml:"AssumeRoleResult>SourceIdentity"`
	Packed   string `xml:"AssumeRoleResult>PackedPolicySize"`
}

func (a *assumed) keys() testserver.Keys {
	return testserver.Keys{AccessKeyID: a.ID, SecretAccessKey: a.Secret, SessionToken: a.Token}
}

func (f *fixture) assume(k testserver.Keys, role string, params ...string) *assumed {
	f.t.Helper()
	r := f.Query(f.t, k, "sts", "AssumeRole", append([]string{"RoleArn", role, "RoleSessionName", "sess"}, params...)...)
	if r.Status != 200 {
		f.t.Fatalf("AssumeRole %s: %d %s", role, r.Status, r.Body)
	}
	var a assumed
	f.decode(r.Body, &a)
	return &a
}

// refused makes one STS call that must fail with the code and a text that holds want.
func (f *fixture) refused(k testserver.Keys, status int, code, want, action string, params ...string) string {
	f.t.Helper()
	r := f.Query(f.t, k, "sts", action, params...)
	var e struct {
		Code    string `xml:"Error>Code"`
		Message string `xml:"Error>Message"`
	}
	f.decode(r.Body, &e)
	if r.Status != status || e.Code != code || !strings.Contains(e.Message, want) {
		f.t.Errorf("%s %v: got %d %s %q, want %d %s with %q", action, params, r.Status, e.Code, e.Message, status, code, want)
	}
	return e.Message
}

func (f *fixture) whoAmI(k testserver.Keys) string {
	f.t.Helper()
	var who struct {
		Arn string `xml:"GetCallerIdentityResult>Arn"`
	}
	f.decode(f.Query(f.t, k, "sts", "GetCallerIdentity").Body, &who)
	return who.Arn
}

func TestAssumeRoleByUser(t *testing.T) {
	f := newFixture(t)
	role := f.role("worker", "arn:aws:iam::"+account+":user/alice", "")
	a := f.assume(f.alice, role, "SourceIdentity", "alice", "Tags.member.1.Key", "team", "Tags.member.1.Value", "blue")
	if want := "arn:aws:sts::" + account + ":assumed-role/worker/sess"; a.Arn != want || f.whoAmI(a.keys()) != want {
		t.Errorf("became %s and %s, want %s", a.Arn, f.whoAmI(a.keys()), want)
	}
	if a.Identity != "alice" || a.Packed == "" {
		t.Errorf("source identity %q, packed size %q", a.Identity, a.Packed)
	}
}

func TestAssumeRoleRefusals(t *testing.T) {
	f := newFixture(t)
	role := f.role("worker", "arn:aws:iam::"+account+":user/alice", `{"StringEquals":{"sts:ExternalId":"xyz"}}`)
	call := func(params ...string) []string {
		return append([]string{"RoleArn", role, "RoleSessionName", "sess"}, params...)
	}
	const notAuthorized = "is not authorized to perform: sts:AssumeRole on resource: "
	f.refused(f.Root, 403, "AccessDenied", "Roles may not be assumed by root accounts.", "AssumeRole", call()...)
	f.refused(f.alice, 403, "AccessDenied", notAuthorized+role, "AssumeRole", call()...)
	f.refused(f.alice, 403, "AccessDenied", notAuthorized, "AssumeRole", call("ExternalId", "other")...)
	f.refused(f.alice, 403, "AccessDenied", notAuthorized, "AssumeRole", "RoleArn", "arn:aws:iam::"+account+":role/nobody", "RoleSessionName", "sess")
	f.refused(f.alice, 403, "AccessDenied", notAuthorized, "AssumeRole", "RoleArn", "arn:aws:iam::"+account+":role/other/path/worker", "RoleSessionName", "sess", "ExternalId", "xyz")
	ok := call("ExternalId", "xyz")
	f.refused(f.alice, 400, "ValidationError", "exceeds the MaxSessionDuration", "AssumeRole", append(ok, "DurationSeconds", "7200")...)
	f.refused(f.alice, 400, "ValidationError", "durationSeconds", "AssumeRole", append(ok, "DurationSeconds", "60")...)
	f.refused(f.alice, 400, "MalformedPolicyDocument", "", "AssumeRole", append(ok, "Policy", `{"Version":"2012-10-17"`)...)
	f.refused(f.alice, 400, "PackedPolicyTooLarge", "", "AssumeRole", append(ok, "Policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::`+strings.Repeat("x", 2048)+`"}]}`)...)
	f.refused(f.alice, 400, "ValidationError", "does not exist", "AssumeRole", append(ok, "PolicyArns.member.1.arn", "arn:aws:iam::"+account+":policy/none")...)
	f.refused(f.alice, 400, "InvalidParameterValue", "Duplicate tag keys", "AssumeRole", append(ok, "Tags.member.1.Key", "a", "Tags.member.1.Value", "1", "Tags.member.2.Key", "A", "Tags.member.2.Value", "2")...)
	f.refused(f.alice, 400, "InvalidParameterValue", "transitive tag key", "AssumeRole", append(ok, "TransitiveTagKeys.member.1", "a")...)
	f.refused(f.alice, 403, "AccessDenied", "MFA", "AssumeRole", append(ok, "SerialNumber", "arn:aws:iam::"+account+":mfa/alice", "TokenCode", "123456")...)
	f.assume(f.alice, role, "ExternalId", "xyz")
}

func TestRoleChaining(t *testing.T) {
	f := newFixture(t)
	first := f.role("first", "arn:aws:iam::"+account+":user/alice", "")
	second := f.role("second", "arn:aws:iam::"+account+":role/first", `{"StringEquals":{"aws:PrincipalTag/team":"blue","sts:SourceIdentity":"alice"}}`)
	f.iam("UpdateRole", "RoleName", "second", "MaxSessionDuration", "43200")
	a := f.assume(f.alice, first, "SourceIdentity", "alice", "Tags.member.1.Key", "team", "Tags.member.1.Value", "blue", "TransitiveTagKeys.member.1", "team")
	b := f.assume(a.keys(), second)
	if b.Identity != "alice" {
		t.Errorf("the source identity did not stay: %q", b.Identity)
	}
	chain := []string{"RoleArn", second, "RoleSessionName", "sess"}
	f.refused(a.keys(), 400, "ValidationError", "role chaining", "AssumeRole", append(chain, "DurationSeconds", "3601")...)
	f.refused(a.keys(), 400, "InvalidParameterValue", "conflicts with a transitive tag key", "AssumeRole", append(chain, "Tags.member.1.Key", "Team", "Tags.member.1.Value", "red")...)
	f.refused(a.keys(), 403, "AccessDenied", "source identity", "AssumeRole", append(chain, "SourceIdentity", "mallory")...)
	untagged := f.assume(f.alice, first)
	f.refused(untagged.keys(), 403, "AccessDenied", "not authorized", "AssumeRole", chain...)
}

func TestSessionPolicyNarrows(t *testing.T) {
	f := newFixture(t)
	role := f.role("wide", "arn:aws:iam::"+account+":user/alice", "")
	f.iam("PutRolePolicy", "RoleName", "wide", "PolicyName", "all", "PolicyDocument", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:*","Resource":"*"}]}`)
	full := f.assume(f.alice, role).keys()
	narrow := f.assume(f.alice, role, "Policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:GetRole","Resource":"*"}]}`).keys()
	for _, tc := range []struct {
		keys   testserver.Keys
		action string
		want   int
	}{{full, "ListRoles", 200}, {full, "GetRole", 200}, {narrow, "GetRole", 200}, {narrow, "ListRoles", 403}} {
		r := f.Query(t, tc.keys, "iam", tc.action, "RoleName", "wide")
		if r.Status != tc.want {
			t.Errorf("%s: %d %s, want %d", tc.action, r.Status, r.Body, tc.want)
		}
		if tc.want == 403 && !strings.Contains(string(r.Body), "because no session policy allows the iam:ListRoles action") {
			t.Errorf("denial does not name the session policy: %s", r.Body)
		}
	}
}

func TestDeniedMessageDecodes(t *testing.T) {
	f := newFixture(t)
	r := f.Query(t, f.alice, "iam", "DeleteUser", "UserName", "alice")
	_, encoded, ok := strings.Cut(string(r.Body), "Encoded authorization failure message: ")
	encoded, _, _ = strings.Cut(encoded, "<")
	if !ok || r.Status != 403 {
		t.Fatalf("denial without an encoded message: %d %s", r.Status, r.Body)
	}
	var out struct {
		Text string `xml:"DecodeAuthorizationMessageResult>DecodedMessage"`
	}
	f.decode(f.Query(t, f.alice, "sts", "DecodeAuthorizationMessage", "EncodedMessage", encoded).Body, &out)
	for _, want := range []string{`"allowed":false`, `"iam:DeleteUser"`, `user/alice`} {
		if !strings.Contains(out.Text, want) {
			t.Errorf("decoded message lacks %s: %s", want, out.Text)
		}
	}
	f.refused(f.alice, 400, "InvalidAuthorizationMessageException", "", "DecodeAuthorizationMessage", "EncodedMessage", encoded[:len(encoded)-2]+"AA")
}

func TestGetSessionToken(t *testing.T) {
	f := newFixture(t)
	f.iam("PutUserPolicy", "UserName", "alice", "PolicyName", "more", "PolicyDocument", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["rolesanywhere:*","iam:*"],"Resource":"*"}]}`)
	token := func(k testserver.Keys) testserver.Keys {
		t.Helper()
		var c struct {
			ID     string `xml:"GetSessionTokenResult>Credentials>AccessKeyId"`
			Secret string `xml:"GetSessionTokenResult>Credentials>SecretAccessKey"`
			Token  string `xml:"GetSessionTokenResult>Credentials>SessionToken"`
		}
		f.decode(f.Query(t, k, "sts", "GetSessionToken").Body, &c)
		return testserver.Keys{AccessKeyID: c.ID, SecretAccessKey: c.Secret, SessionToken: c.Token}
	}
	for who, k := range map[string]testserver.Keys{"arn:aws:iam::" + account + ":user/alice": f.alice, "arn:aws:iam::" + account + ":root": f.Root} {
		temp := token(k)
		if got := f.whoAmI(temp); got != who {
			t.Errorf("session token of %s is %s", who, got)
		}
		if r := f.REST(t, temp, "rolesanywhere", "GET", "/profiles", nil); r.Status != 200 {
			t.Errorf("%s: ListProfiles: %d %s", who, r.Status, r.Body)
		}
		if r := f.Query(t, temp, "iam", "ListRoles"); r.Status != 403 || !strings.Contains(string(r.Body), "<Code>InvalidClientTokenId</Code>") {
			t.Errorf("%s: an IAM call without MFA: %d %s", who, r.Status, r.Body)
		}
		f.refused(temp, 403, "AccessDenied", "session credentials", "GetSessionToken")
	}
	temp := token(f.alice)
	noToken, otherToken := temp, temp
	noToken.SessionToken = ""
	otherToken.SessionToken = token(f.alice).SessionToken
	f.refused(noToken, 403, "InvalidClientTokenId", "security token included in the request is invalid", "GetCallerIdentity")
	f.refused(otherToken, 403, "InvalidClientTokenId", "", "GetCallerIdentity")
	f.iam("DeleteUserPolicy", "UserName", "alice", "PolicyName", "more")
	if r := f.REST(t, temp, "rolesanywhere", "GET", "/profiles", nil); r.Status != 403 {
		t.Errorf("a permission that was taken away still counts: %d", r.Status)
	}
}

func TestGetAccessKeyInfo(t *testing.T) {
	f := newFixture(t)
	var out struct {
		Account string `xml:"GetAccessKeyInfoResult>Account"`
	}
	f.decode(f.Query(t, f.Root, "sts", "GetAccessKeyInfo", "AccessKeyId", f.alice.AccessKeyID).Body, &out)
	if out.Account != account {
		t.Errorf("account %q", out.Account)
	}
	f.refused(f.Root, 400, "ValidationError", "", "GetAccessKeyInfo", "AccessKeyId", "AKIAIOSFODNN7EXAMPLE")
	f.refused(f.alice, 403, "AccessDenied", "sts:GetAccessKeyInfo", "GetAccessKeyInfo", "AccessKeyId", f.alice.AccessKeyID)
}

// A key that was deactivated, deleted or signed wrongly names nobody.
func TestKeysThatNameNobody(t *testing.T) {
	f := newFixture(t)
	wrong := f.alice
	wrong.SecretAccessKey += "x"
	f.refused(wrong, 403, "SignatureDoesNotMatch", "signature we calculated does not match", "GetCallerIdentity")
	f.refused(testserver.Keys{AccessKeyID: "AKIAAAAAAAAAAAAAAAAA", SecretAccessKey: "x"}, 403, "InvalidClientTokenId", "", "GetCallerIdentity")
	withToken := f.alice
	withToken.SessionToken = "left over from another profile"
	f.refused(withToken, 403, "InvalidClientTokenId", "", "GetCallerIdentity")
	f.iam("UpdateAccessKey", "UserName", "alice", "AccessKeyId", f.alice.AccessKeyID, "Status", "Inactive")
	f.refused(f.alice, 403, "InvalidClientTokenId", "", "GetCallerIdentity")
}

func TestUnsupportedOperation(t *testing.T) {
	f := newFixture(t)
	for _, action := range []string{"GetDelegatedAccessToken", "AssumeRoot", "AssumeRoleWithSAML"} {
		f.refused(f.Root, 400, "UnsupportedOperation", "is not supported by this server", action)
	}
}
