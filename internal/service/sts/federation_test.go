package sts_test

import (
	"strings"
	"testing"

	"github.com/rolecall/rolecall/internal/testserver"
)

type federated struct {
	ID     string `xml:"GetFederationTokenResult>Credentials>AccessKeyId"`
	Secret string `xml:"GetFederationTokenResult>Credentials>SecretAccessKey"`
	Token  string `xml:"GetFederationTokenResult>Credentials>SessionToken"`
	Arn    string `xml:"GetFederationTokenResult>FederatedUser>Arn"`
	User   string `xml:"GetFederationTokenResult>FederatedUser>FederatedUserId"`
	Packed string `xml:"GetFederationTokenResult>PackedPolicySize"`
}

func (f *fixture) federate(k testserver.Keys, params ...string) (testserver.Keys, *federated) {
	f.t.Helper()
	r := f.Query(f.t, k, "sts", "GetFederationToken", append([]string{"Name", "bob"}, params...)...)
	if r.Status != 200 {
		f.t.Fatalf("GetFederationToken: %d %s", r.Status, r.Body)
	}
	var out federated
	f.decode(r.Body, &out)
	return testserver.Keys{AccessKeyID: out.ID, SecretAccessKey: out.Secret, SessionToken: out.Token}, &out
}

func allowAll(actions string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":` + actions + `,"Resource":"*"}]}`
}

func TestGetFederationToken(t *testing.T) {
	f := newFixture(t)
	f.refused(f.alice, 403, "AccessDenied", "is not authorized to perform: sts:GetFederationToken on resource: arn:aws:sts::"+account+":federated-user/bob", "GetFederationToken", "Name", "bob")
	f.iam("PutUserPolicy", "UserName", "alice", "PolicyName", "more", "PolicyDocument", allowAll(`["sts:*","rolesanywhere:ListProfiles","rolesanywhere:ListCrls","iam:*"]`))
	arn := "arn:aws:sts::" + account + ":federated-user/bob"
	list := func(k testserver.Keys, path string) int {
		return f.REST(t, k, "rolesanywhere", "GET", path, nil).Status
	}

	bare, out := f.federate(f.alice)
	if out.Arn != arn || out.User != account+":bob" || out.Packed != "" || f.whoAmI(bare) != arn {
		t.Errorf("federated user %+v is %s", out, f.whoAmI(bare))
	}
	if got := list(bare, "/profiles"); got != 403 {
		t.Errorf("without a session policy: %d", got)
	}
	k, out := f.federate(f.alice, "Policy", allowAll(`["rolesanywhere:ListProfiles","rolesanywhere:ListSubjects","iam:*","sts:*"]`), "Tags.member.1.Key", "team", "Tags.member.1.Value", "blue")
	if out.Packed == "" {
		t.Error("no PackedPolicySize")
	}
	for path, want := range map[string]int{"/profiles": 200, "/crls": 403, "/subjects": 403} { // both; the user only; the session only
		if got := list(k, path); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	if r := f.Query(t, k, "iam", "ListRoles"); r.Status != 403 || !strings.Contains(string(r.Body), "<Code>InvalidClientTokenId</Code>") {
		t.Errorf("an IAM call: %d %s", r.Status, r.Body)
	}
	role := f.role("open", "arn:aws:iam::"+account+":root", "")
	named := f.role("named", arn, "")
	for _, to := range []string{role, named} {
		f.refused(k, 403, "AccessDenied", "with session credentials", "AssumeRole", "RoleArn", to, "RoleSessionName", "sess")
	}
	const cannot = "with session credentials. Encoded authorization failure message: "
	f.refused(k, 403, "AccessDenied", "Cannot call GetSessionToken "+cannot, "GetSessionToken")
	f.refused(k, 403, "AccessDenied", "Cannot call GetFederationToken "+cannot, "GetFederationToken", "Name", "eve")
	f.refused(k, 403, "AccessDenied", "Cannot call GetAccessKeyInfo "+cannot, "GetAccessKeyInfo", "AccessKeyId", f.alice.AccessKeyID)
	f.refused(f.assume(f.alice, role).keys(), 403, "AccessDenied", "session credentials", "GetFederationToken", "Name", "eve")

	f.iam("DeleteUserPolicy", "UserName", "alice", "PolicyName", "more")
	if got := list(k, "/profiles"); got != 403 {
		t.Errorf("a permission that the user lost still counts: %d", got)
	}
}

func TestFederationOfRoot(t *testing.T) {
	f := newFixture(t)
	k, _ := f.federate(f.Root, "Policy", allowAll(`"rolesanywhere:ListProfiles"`), "DurationSeconds", "129600")
	for path, want := range map[string]int{"/profiles": 200, "/crls": 403} {
		if got := f.REST(t, k, "rolesanywhere", "GET", path, nil).Status; got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	bare, _ := f.federate(f.Root)
	if got := f.REST(t, bare, "rolesanywhere", "GET", "/profiles", nil).Status; got != 403 {
		t.Errorf("root's federated user without a session policy: %d", got)
	}
}

func TestFederationRefusals(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct {
		code, want string
		params     []string
	}{
		{"ValidationError", "durationSeconds", []string{"DurationSeconds", "899"}},
		{"ValidationError", "durationSeconds", []string{"DurationSeconds", "129601"}},
		{"ValidationError", "name", []string{"Name", "x"}},
		{"MalformedPolicyDocument", "", []string{"Policy", "{}"}},
		{"ValidationError", "at 'policy'", []string{"Policy", allowAll(`"s3:` + strings.Repeat("x", 2048) + `"`)}},
		{"ValidationError", "does not exist", []string{"PolicyArns.member.1.arn", "arn:aws:iam::" + account + ":policy/none"}},
		{"InvalidParameterValue", "Duplicate", []string{"Tags.member.1.Key", "a", "Tags.member.1.Value", "1", "Tags.member.2.Key", "A", "Tags.member.2.Value", "2"}},
	} {
		f.refused(f.Root, 400, c.code, c.want, "GetFederationToken", append([]string{"Name", "bob"}, c.params...)...)
	}
	f.iam("PutUserPolicy", "UserName", "alice", "PolicyName", "assume", "PolicyDocument", allowAll(`"sts:GetFederationToken"`))
	f.federate(f.alice)
	f.refused(f.alice, 403, "AccessDenied", "sts:TagSession", "GetFederationToken", "Name", "bob", "Tags.member.1.Key", "a", "Tags.member.1.Value", "1")
}

// A user deleted and made again under the same name is another user: the old federated sessions end.
func TestFederationEndsWithTheUser(t *testing.T) {
	f := newFixture(t)
	f.iam("PutUserPolicy", "UserName", "alice", "PolicyName", "more", "PolicyDocument", allowAll(`"sts:GetFederationToken"`))
	k, _ := f.federate(f.alice)
	f.iam("DeleteAccessKey", "UserName", "alice", "AccessKeyId", f.alice.AccessKeyID)
	for _, p := range []string{"more", "assume"} {
		f.iam("DeleteUserPolicy", "UserName", "alice", "PolicyName", p)
	}
	f.iam("DeleteUser", "UserName", "alice")
	f.iam("CreateUser", "UserName", "alice")
	f.refused(k, 403, "InvalidClientTokenId", "", "GetCallerIdentity")
}
