package integration

import (
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	cttypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	ratypes "github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
)

// newUser makes a user with an access key and an inline policy ("" for none).
func newUser(t testing.TB, c *clients, name, policy string) aws.Credentials {
	t.Helper()
	ctx := t.Context()
	must(c.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: &name}))(t)
	if policy != "" {
		must(c.iam.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: &name, PolicyName: aws.String("inline"), PolicyDocument: &policy}))(t)
	}
	key := must(c.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: &name}))(t).AccessKey
	return toSDK(key.AccessKeyId, key.SecretAccessKey, nil)
}

func stsTags(pairs ...string) (tags []ststypes.Tag) {
	for i := 0; i+1 < len(pairs); i += 2 {
		tags = append(tags, ststypes.Tag{Key: &pairs[i], Value: &pairs[i+1]})
	}
	return tags
}

func newRole(t testing.TB, c *clients, name, trust, policy string) string {
	t.Helper()
	ctx := t.Context()
	role := must(c.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust}))(t)
	if policy != "" {
		must(c.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &name, PolicyName: aws.String("inline"), PolicyDocument: &policy}))(t)
	}
	return *role.Role.Arn
}

// code is the API's error code, "" for success.
func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	if err != nil {
		return "not an API error: " + err.Error()
	}
	return ""
}

func whoAmI(t testing.TB, c *clients) string {
	t.Helper()
	return aws.ToString(must(c.sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}))(t).Arn)
}

// A session that came from a certificate: its name is the serial number, its tags and source identity the certificate's.
func TestSessionOfACertificate(t *testing.T) {
	n := serveMemory(t)
	root := n.as(t, n.root)
	w := newWorld(t, root, n.account)
	s := w.login(t, n)
	want := "arn:aws:sts::" + n.account + ":assumed-role/workload/1000"
	c := n.as(t, s.credentials())
	if got := whoAmI(t, c); got != want || s.CredentialSet[0].AssumedRoleUser.Arn != want {
		t.Errorf("became %s, was told %s, want %s", got, s.CredentialSet[0].AssumedRoleUser.Arn, want)
	}
	if got := s.CredentialSet[0].SourceIdentity; got != "CN=host.example" {
		t.Errorf("source identity %q", got)
	}
	// The certificate's tags decide: the same request, allowed and refused by the tag alone.
	for cn, wantCode := range map[string]string{"host.example": "", "other.example": "AccessDeniedException"} {
		policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"rolesanywhere:ListProfiles","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/x509Subject/CN":"` + cn + `"}}}]}`
		must(root.iam.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: &w.roleName, PolicyName: aws.String("everything"), PolicyDocument: &policy}))(t)
		err := errOf(c.anywhere.ListProfiles(t.Context(), &rolesanywhere.ListProfilesInput{}))
		if got := code(err); got != wantCode {
			t.Errorf("with CN %s: %q, want %q (%v)", cn, got, wantCode, err)
		}
	}
	key := *s
	stolen := key.credentials()
	stolen.SessionToken = ""
	if err := errOf(n.as(t, stolen).sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})); code(err) != "InvalidClientTokenId" {
		t.Errorf("a temporary key without its token: %v", err)
	}
	cut := key.credentials()
	cut.SessionToken = cut.SessionToken[:len(cut.SessionToken)-4] + "AAAA"
	if err := errOf(n.as(t, cut).sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})); err == nil {
		t.Error("a changed token works")
	}
}

func TestAssumeRoleByAUserAndByARole(t *testing.T) {
	n := serveMemory(t)
	root := n.as(t, n.root)
	ctx := t.Context()
	user := n.as(t, newUser(t, root, "alice", allow("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")))
	first := newRole(t, root, "first", trustPolicy(`{"AWS":"arn:aws:iam::`+n.account+`:user/alice"}`, ""), allow("*"))
	second := newRole(t, root, "second", trustPolicy(`{"AWS":"`+first+`"}`, `{"StringEquals":{"aws:PrincipalTag/team":"blue"}}`), allow("rolesanywhere:List*"))
	must(root.iam.UpdateRole(ctx, &iam.UpdateRoleInput{RoleName: aws.String("second"), MaxSessionDuration: aws.Int32(7200)}))(t)

	one := must(user.sts.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &first, RoleSessionName: aws.String("one"), SourceIdentity: aws.String("alice-1"),
		Tags: stsTags("team", "blue", "cost", "42"), TransitiveTagKeys: []string{"team"}}))(t)
	if got, want := aws.ToString(one.AssumedRoleUser.Arn), "arn:aws:sts::"+n.account+":assumed-role/first/one"; got != want {
		t.Errorf("first session is %s, want %s", got, want)
	}
	if d := time.Until(*one.Credentials.Expiration); d < 59*time.Minute || d > time.Hour {
		t.Errorf("lives %s, want the default of an hour", d)
	}
	chained := n.as(t, toSDK(one.Credentials.AccessKeyId, one.Credentials.SecretAccessKey, one.Credentials.SessionToken))

	two := must(chained.sts.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &second, RoleSessionName: aws.String("two")}))(t)
	if got := aws.ToString(two.SourceIdentity); got != "alice-1" {
		t.Errorf("source identity of the chained session %q, want the first one's", got)
	}
	last := n.as(t, toSDK(two.Credentials.AccessKeyId, two.Credentials.SecretAccessKey, two.Credentials.SessionToken))
	if got, want := whoAmI(t, last), "arn:aws:sts::"+n.account+":assumed-role/second/two"; got != want {
		t.Errorf("became %s, want %s", got, want)
	}
	must(last.anywhere.ListProfiles(ctx, &rolesanywhere.ListProfilesInput{}))(t)
	// "team" is transitive, "cost" is not.
	for tag, want := range map[string]string{"team": "", "cost": "AccessDenied"} {
		policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:ListRoles","Resource":"*","Condition":{"Null":{"aws:PrincipalTag/` + tag + `":"false"}}}]}`
		must(root.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String("second"), PolicyName: aws.String("inline"), PolicyDocument: &policy}))(t)
		if got := code(errOf(last.iam.ListRoles(ctx, &iam.ListRolesInput{}))); got != want {
			t.Errorf("tag %s on the chained session: %q, want %q", tag, got, want)
		}
	}
	for name, c := range map[string]struct {
		by   *clients
		in   sts.AssumeRoleInput
		want string
	}{
		"chained beyond an hour":     {chained, sts.AssumeRoleInput{RoleArn: &second, DurationSeconds: aws.Int32(3601)}, "ValidationError"},
		"beyond the role's maximum":  {user, sts.AssumeRoleInput{RoleArn: &first, DurationSeconds: aws.Int32(3601)}, "ValidationError"},
		"below the least duration":   {user, sts.AssumeRoleInput{RoleArn: &first, DurationSeconds: aws.Int32(899)}, "ValidationError"},
		"transitive tag overridden":  {chained, sts.AssumeRoleInput{RoleArn: &second, Tags: stsTags("team", "red")}, "InvalidParameterValue"},
		"source identity changed":    {chained, sts.AssumeRoleInput{RoleArn: &second, SourceIdentity: aws.String("mallory")}, "AccessDenied"},
		"not trusted":                {user, sts.AssumeRoleInput{RoleArn: &second}, "AccessDenied"},
		"no such role":               {user, sts.AssumeRoleInput{RoleArn: aws.String(first + "-not")}, "AccessDenied"},
		"by root":                    {root, sts.AssumeRoleInput{RoleArn: &first}, "AccessDenied"},
		"malformed session policy":   {user, sts.AssumeRoleInput{RoleArn: &first, Policy: aws.String(`{"Version":"2012-10-17"}`)}, "MalformedPolicyDocument"},
		"session policy is too long": {user, sts.AssumeRoleInput{RoleArn: &first, Policy: aws.String(allow("s3:" + strings.Repeat("x", 2048)))}, ""},
	} {
		c.in.RoleSessionName = aws.String("test")
		err := errOf(c.by.sts.AssumeRole(ctx, &c.in))
		if got := code(err); err == nil || c.want != "" && got != c.want {
			t.Errorf("%s: %q, want %q (%v)", name, got, c.want, err)
		}
	}
}

// A session policy narrows and never widens.
func TestSessionPolicies(t *testing.T) {
	n := serveMemory(t)
	root := n.as(t, n.root)
	ctx := t.Context()
	user := n.as(t, newUser(t, root, "alice", allow("sts:AssumeRole")))
	role := newRole(t, root, "reader", trustPolicy(`{"AWS":"arn:aws:iam::`+n.account+`:user/alice"}`, ""), allow("rolesanywhere:List*", "iam:ListRoles"))
	managed := must(root.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("narrow"), PolicyDocument: aws.String(allow("rolesanywhere:ListProfiles", "iam:ListUsers"))}))(t)
	for name, in := range map[string]*sts.AssumeRoleInput{
		"inline":  {Policy: aws.String(allow("rolesanywhere:ListProfiles", "iam:ListUsers"))},
		"managed": {PolicyArns: []ststypes.PolicyDescriptorType{{Arn: managed.Policy.Arn}}},
	} {
		in.RoleArn, in.RoleSessionName = &role, aws.String("narrow")
		out := must(user.sts.AssumeRole(ctx, in))(t)
		//lint:ignore SA1019 clients of today read it
		if out.PackedPolicySize == nil {
			t.Errorf("%s: no packed policy size", name)
		}
		c := n.as(t, toSDK(out.Credentials.AccessKeyId, out.Credentials.SecretAccessKey, out.Credentials.SessionToken))
		must(c.anywhere.ListProfiles(ctx, &rolesanywhere.ListProfilesInput{}))(t)
		if got := code(errOf(c.iam.ListRoles(ctx, &iam.ListRolesInput{}))); got != "AccessDenied" {
			t.Errorf("%s: what the session policy leaves out: %q", name, got)
		}
		if got := code(errOf(c.iam.ListUsers(ctx, &iam.ListUsersInput{}))); got != "AccessDenied" {
			t.Errorf("%s: what the role does not have: %q", name, got)
		}
	}
	err := errOf(user.sts.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("bad"), Policy: aws.String("{}")}))
	if _, ok := errors.AsType[*ststypes.MalformedPolicyDocumentException](err); !ok {
		t.Errorf("%v is not the SDK's MalformedPolicyDocumentException", err)
	}
}

func TestGetSessionToken(t *testing.T) {
	n := serveMemory(t)
	root := n.as(t, n.root)
	ctx := t.Context()
	alice := newUser(t, root, "alice", allow("rolesanywhere:List*", "iam:ListRoles", "sts:*"))
	out := must(n.as(t, alice).sts.GetSessionToken(ctx, &sts.GetSessionTokenInput{DurationSeconds: aws.Int32(900)}))(t).Credentials
	c := n.as(t, toSDK(out.AccessKeyId, out.SecretAccessKey, out.SessionToken))
	if got, want := whoAmI(t, c), "arn:aws:iam::"+n.account+":user/alice"; got != want {
		t.Errorf("became %s, want %s", got, want)
	}
	must(c.anywhere.ListProfiles(ctx, &rolesanywhere.ListProfilesInput{}))(t)
	if err := errOf(c.iam.ListRoles(ctx, &iam.ListRolesInput{})); code(err) != "InvalidClientTokenId" {
		t.Errorf("IAM without MFA: %v", err)
	}
	if err := errOf(c.sts.GetSessionToken(ctx, &sts.GetSessionTokenInput{})); code(err) != "AccessDenied" {
		t.Errorf("GetSessionToken with a session: %v", err)
	}
	ofRoot := must(root.sts.GetSessionToken(ctx, &sts.GetSessionTokenInput{DurationSeconds: aws.Int32(36000)}))(t).Credentials
	if d := time.Until(*ofRoot.Expiration); d > time.Hour {
		t.Errorf("root's session lives %s", d)
	}
	// Deleting the user ends its sessions.
	must(root.iam.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: aws.String("alice"), PolicyName: aws.String("inline")}))(t)
	must(root.iam.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: aws.String("alice"), AccessKeyId: &alice.AccessKeyID}))(t)
	must(root.iam.DeleteUser(ctx, &iam.DeleteUserInput{UserName: aws.String("alice")}))(t)
	if err := errOf(c.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})); err == nil {
		t.Error("the session of a deleted user still works")
	}
	if err := errOf(n.as(t, alice).sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})); code(err) != "InvalidClientTokenId" {
		t.Errorf("a deleted key: %v", err)
	}
}

func TestAccessKeyInfo(t *testing.T) {
	n := serveMemory(t)
	root := n.as(t, n.root)
	w := newWorld(t, root, n.account)
	id := newUser(t, root, "alice", "").AccessKeyID
	for _, id := range []string{id, w.login(t, n).credentials().AccessKeyID} {
		info := must(root.sts.GetAccessKeyInfo(t.Context(), &sts.GetAccessKeyInfoInput{AccessKeyId: &id}))(t)
		if got := aws.ToString(info.Account); got != n.account {
			t.Errorf("%s belongs to %s, want %s", id, got, n.account)
		}
	}
}

var encodedMessage = regexp.MustCompile(`Encoded authorization failure message: ([A-Za-z0-9_-]+)`)

// A denial carries a message that an administrator can decode, and nobody else.
func TestDecodeAuthorizationMessage(t *testing.T) {
	n := serveMemory(t)
	root := n.as(t, n.root)
	ctx := t.Context()
	deny := `{"Version":"2012-10-17","Statement":[{"Sid":"NoAnchors","Effect":"Deny","Action":"rolesanywhere:ListTrustAnchors","Resource":"*"}]}`
	alice := n.as(t, newUser(t, root, "alice", deny))
	err := errOf(alice.anywhere.ListTrustAnchors(ctx, &rolesanywhere.ListTrustAnchorsInput{}))
	if _, ok := errors.AsType[*ratypes.AccessDeniedException](err); !ok {
		t.Fatalf("%v is not the SDK's AccessDeniedException", err)
	}
	for _, want := range []string{"User: arn:aws:iam::" + n.account + ":user/alice is not authorized to perform: rolesanywhere:ListTrustAnchors", "with an explicit deny in an identity-based policy"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	m := encodedMessage.FindStringSubmatch(err.Error())
	if m == nil {
		t.Fatalf("no encoded message in %v", err)
	}
	decoded := aws.ToString(must(root.sts.DecodeAuthorizationMessage(ctx, &sts.DecodeAuthorizationMessageInput{EncodedMessage: &m[1]}))(t).DecodedMessage)
	var d struct {
		Allowed, ExplicitDeny bool
		MatchedStatements     struct {
			Items []struct{ StatementID string }
		}
		Context struct {
			Principal struct{ ARN string }
			Action    string
		}
	}
	if err := json.Unmarshal([]byte(decoded), &d); err != nil {
		t.Fatal(err)
	}
	if d.Allowed || !d.ExplicitDeny || d.Context.Action != "rolesanywhere:ListTrustAnchors" || !strings.HasSuffix(d.Context.Principal.ARN, ":user/alice") ||
		len(d.MatchedStatements.Items) != 1 || d.MatchedStatements.Items[0].StatementID != "NoAnchors" {
		t.Errorf("decoded %s", decoded)
	}
	if err := errOf(alice.sts.DecodeAuthorizationMessage(ctx, &sts.DecodeAuthorizationMessageInput{EncodedMessage: &m[1]})); code(err) != "AccessDenied" {
		t.Errorf("decoded by somebody without the permission: %v", err)
	}
	reversed := []byte(m[1])
	slices.Reverse(reversed)
	err = errOf(root.sts.DecodeAuthorizationMessage(ctx, &sts.DecodeAuthorizationMessageInput{EncodedMessage: aws.String(string(reversed))}))
	if _, ok := errors.AsType[*ststypes.InvalidAuthorizationMessageException](err); !ok {
		t.Errorf("a changed message: %v", err)
	}
}

// What a profile may hand out is what its maker may pass.
func TestPassRole(t *testing.T) {
	n := serveMemory(t)
	root := n.as(t, n.root)
	ctx := t.Context()
	role := newRole(t, root, "passed", trustPolicy(anywherePrincipal, ""), "")
	other := newRole(t, root, "other", trustPolicy(anywherePrincipal, ""), "")
	pass := func(condition string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"rolesanywhere:*","Resource":"*"},{"Effect":"Allow","Action":"iam:PassRole","Resource":"` + role + `"` + condition + `}]}`
	}
	for name, c := range map[string]struct {
		policy, role string
		denied       bool
	}{
		"without iam:PassRole":    {allow("rolesanywhere:*"), role, true},
		"with it":                 {pass(""), role, false},
		"to this service":         {pass(`,"Condition":{"StringEquals":{"iam:PassedToService":"rolesanywhere.amazonaws.com"}}`), role, false},
		"to another service only": {pass(`,"Condition":{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}`), role, true},
		"for another role":        {pass(""), other, true},
	} {
		t.Run(name, func(t *testing.T) {
			user := n.as(t, newUser(t, root, strings.NewReplacer(" ", "-", ":", "-").Replace(name), c.policy))
			err := errOf(user.anywhere.CreateProfile(ctx, &rolesanywhere.CreateProfileInput{Name: aws.String("p"), RoleArns: []string{c.role}}))
			if _, ok := errors.AsType[*ratypes.AccessDeniedException](err); ok != c.denied || err != nil && !c.denied {
				t.Errorf("denied %v, want %v: %v", ok, c.denied, err)
			}
			if c.denied && (err == nil || !strings.Contains(err.Error(), "iam:PassRole on resource: "+c.role)) {
				t.Errorf("the denial does not name the role: %v", err)
			}
		})
	}
}

// AWS_ENDPOINT_URL and AWS_CA_BUNDLE are all that an unchanged program needs.
func TestEnvironmentOfTheSDK(t *testing.T) {
	n := serveMemory(t)
	for name, variables := range map[string]map[string]string{
		"for all services":  {"AWS_ENDPOINT_URL": n.endpoint},
		"for each of these": {"AWS_ENDPOINT_URL_STS": n.endpoint, "AWS_ENDPOINT_URL_ROLESANYWHERE": n.endpoint, "AWS_ENDPOINT_URL_IAM": n.endpoint},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("AWS_CA_BUNDLE", n.caFile())
			t.Setenv("AWS_REGION", region)
			t.Setenv("AWS_CONFIG_FILE", "/dev/null")
			t.Setenv("AWS_SHARED_CREDENTIALS_FILE", n.dir+"/root-credentials")
			for k, v := range variables {
				t.Setenv(k, v)
			}
			cfg := must(config.LoadDefaultConfig(t.Context()))(t)
			must(sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}))(t)
			must(rolesanywhere.NewFromConfig(cfg).ListTrustAnchors(t.Context(), &rolesanywhere.ListTrustAnchorsInput{}))(t)
			must(iam.NewFromConfig(cfg).ListRoles(t.Context(), &iam.ListRolesInput{}))(t)
		})
	}
}

// The IAM operations that the path needs, and their typed errors.
func TestIAMPath(t *testing.T) {
	n := serveMemory(t)
	c := n.as(t, n.root).iam
	ctx := t.Context()
	name, trust := aws.String("Path-Role"), trustPolicy(anywherePrincipal, "")
	made := must(c.CreateRole(ctx, &iam.CreateRoleInput{RoleName: name, Path: aws.String("/team/"), AssumeRolePolicyDocument: &trust, Description: aws.String("first"),
		MaxSessionDuration: aws.Int32(7200), Tags: []iamtypes.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}))(t).Role
	if want := "arn:aws:iam::" + n.account + ":role/team/Path-Role"; *made.Arn != want || !strings.HasPrefix(*made.RoleId, "AROA") {
		t.Errorf("made %s %s, want %s", *made.Arn, *made.RoleId, want)
	}
	err := errOf(c.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("path-role"), AssumeRolePolicyDocument: &trust}))
	if _, ok := errors.AsType[*iamtypes.EntityAlreadyExistsException](err); !ok {
		t.Errorf("the same name in other letters: %v", err)
	}
	err = errOf(c.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("bad"), AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[]}`)}))
	if _, ok := errors.AsType[*iamtypes.MalformedPolicyDocumentException](err); !ok {
		t.Errorf("a bad trust policy: %v", err)
	}
	must(c.UpdateRole(ctx, &iam.UpdateRoleInput{RoleName: name, Description: aws.String("second"), MaxSessionDuration: aws.Int32(3600)}))(t)
	pinned := trustPolicy(anywherePrincipal, `{"StringEquals":{"aws:SourceAccount":"`+n.account+`"}}`)
	must(c.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: name, PolicyDocument: &pinned}))(t)
	got := must(c.GetRole(ctx, &iam.GetRoleInput{RoleName: name}))(t).Role
	document := must(url.QueryUnescape(*got.AssumeRolePolicyDocument))(t)
	if document != pinned || aws.ToString(got.Description) != "second" || aws.ToInt32(got.MaxSessionDuration) != 3600 || len(got.Tags) != 1 {
		t.Errorf("got %s %s %d %v", document, aws.ToString(got.Description), aws.ToInt32(got.MaxSessionDuration), got.Tags)
	}
	policy := allow("s3:GetObject")
	managed := must(c.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("managed"), PolicyDocument: &policy}))(t).Policy
	must(c.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: name, PolicyArn: managed.Arn}))(t)
	must(c.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: name, PolicyName: aws.String("inline"), PolicyDocument: &policy}))(t)
	if list := must(c.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: name}))(t).AttachedPolicies; len(list) != 1 || *list[0].PolicyArn != *managed.Arn {
		t.Errorf("attached %v", list)
	}
	if list := must(c.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: name}))(t).PolicyNames; len(list) != 1 {
		t.Errorf("inline policies %v", list)
	}
	inline := must(c.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: name, PolicyName: aws.String("inline")}))(t)
	if text := must(url.QueryUnescape(*inline.PolicyDocument))(t); text != policy {
		t.Errorf("inline policy %s", text)
	}
	for _, undo := range []func() error{
		func() error {
			return errOf(c.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: aws.String("inline")}))
		},
		func() error {
			return errOf(c.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: name, PolicyArn: managed.Arn}))
		},
	} {
		err := errOf(c.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name}))
		if _, ok := errors.AsType[*iamtypes.DeleteConflictException](err); !ok {
			t.Errorf("deleted a role that has policies: %v", err)
		}
		if err := undo(); err != nil {
			t.Fatal(err)
		}
	}
	must(c.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name}))(t)
	must(c.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: managed.Arn}))(t)
	err = errOf(c.GetRole(ctx, &iam.GetRoleInput{RoleName: name}))
	if _, ok := errors.AsType[*iamtypes.NoSuchEntityException](err); !ok {
		t.Errorf("get after delete: %v", err)
	}
}

// The trail finds who did what, by every attribute, with paging.
func TestLookupEvents(t *testing.T) {
	n := serveMemory(t)
	root := n.as(t, n.root)
	ctx := t.Context()
	began := time.Now().Add(-time.Second)
	w := newWorld(t, root, n.account)
	s := w.login(t, n)
	c := n.as(t, s.credentials())
	must(c.anywhere.DisableProfile(ctx, &rolesanywhere.DisableProfileInput{ProfileId: &w.profileID}))(t)
	if _, err := w.createSession(ctx, n.client(), n.endpoint, w.leaf); err == nil {
		t.Fatal("a disabled profile hands out sessions")
	}
	find := func(key cttypes.LookupAttributeKey, value string) []cttypes.Event {
		return must(root.trail.LookupEvents(ctx, &cloudtrail.LookupEventsInput{LookupAttributes: []cttypes.LookupAttribute{{AttributeKey: key, AttributeValue: &value}}, StartTime: &began, EndTime: aws.Time(time.Now().Add(time.Minute))}))(t).Events
	}
	within(t, 5*time.Second, func() error {
		if events := find(cttypes.LookupAttributeKeyEventName, "CreateSession"); len(events) != 2 {
			return errors.New("not both sessions are in the trail yet")
		}
		return nil
	})
	for _, e := range find(cttypes.LookupAttributeKeyEventName, "CreateSession") {
		for _, secret := range []string{s.credentials().SecretAccessKey, s.credentials().SessionToken} {
			if strings.Contains(*e.CloudTrailEvent, secret) {
				t.Error("a secret is in the trail")
			}
		}
	}
	within(t, 5*time.Second, func() error {
		if events := find(cttypes.LookupAttributeKeyAccessKeyId, s.credentials().AccessKeyID); len(events) == 0 || *events[0].EventName != "DisableProfile" || !strings.Contains(*events[0].CloudTrailEvent, "assumed-role/workload/1000") {
			return errors.New("the session's own call is not in the trail")
		}
		return nil
	})
	if events := find(cttypes.LookupAttributeKeyResourceName, w.anchorARN); len(events) == 0 {
		t.Error("nothing is found by the anchor's ARN")
	}
	pages := cloudtrail.NewLookupEventsPaginator(root.trail, &cloudtrail.LookupEventsInput{MaxResults: aws.Int32(2)})
	seen := map[string]bool{}
	for pages.HasMorePages() {
		for _, e := range must(pages.NextPage(ctx))(t).Events {
			if seen[*e.EventId] {
				t.Errorf("event %s is on two pages", *e.EventId)
			}
			seen[*e.EventId] = true
		}
	}
	if len(seen) < 7 {
		t.Errorf("%d events in all, want at least what this test did", len(seen))
	}
	later := must(root.trail.LookupEvents(ctx, &cloudtrail.LookupEventsInput{EndTime: &began}))(t)
	if len(later.Events) != 0 {
		t.Errorf("%d events from before the server was there", len(later.Events))
	}
}
