package iam_test

import (
	"strings"
	"testing"
)

// Each operation asks for its own permission on the resource as it is, whatever case or path the request names it by.
func TestDenials(t *testing.T) {
	e := start(t)
	e.do("CreateRole", "RoleName", "Web", "Path", "/team/", "AssumeRolePolicyDocument", trust)
	e.do("CreateUser", "UserName", "Eve", "Path", "/ops/")
	policy := e.do("CreatePolicy", "PolicyName", "p", "Path", "/team/", "PolicyDocument", readS3).one("Arn")
	bob := e.user("bob", "")
	role, user := arnOf("role/team/Web"), arnOf("user/ops/Eve")
	tag, untag := []string{"Tags.member.1.Key", "k", "Tags.member.1.Value", "v"}, []string{"TagKeys.member.1", "k"}
	for _, c := range []struct {
		resource string
		params   []string
		actions  map[string][]string
	}{
		{role, []string{"RoleName", "WEB"}, map[string][]string{
			"GetRole": nil, "UpdateRole": nil, "UpdateRoleDescription": {"Description", "x"}, "UpdateAssumeRolePolicy": {"PolicyDocument", trust},
			"DeleteRole": nil, "TagRole": tag, "UntagRole": untag, "ListRoleTags": nil, "PutRolePermissionsBoundary": {"PermissionsBoundary", policy},
			"DeleteRolePermissionsBoundary": nil, "PutRolePolicy": {"PolicyName", "p", "PolicyDocument", readS3}, "GetRolePolicy": {"PolicyName", "p"},
			"ListRolePolicies": nil, "DeleteRolePolicy": {"PolicyName", "p"}, "AttachRolePolicy": {"PolicyArn", policy}, "DetachRolePolicy": {"PolicyArn", policy},
			"ListAttachedRolePolicies": nil, "ListInstanceProfilesForRole": nil,
		}},
		{user, []string{"UserName", "eve"}, map[string][]string{
			"GetUser": nil, "UpdateUser": {"NewUserName", "bobo"}, "DeleteUser": nil, "TagUser": tag, "UntagUser": untag, "ListUserTags": nil,
			"PutUserPermissionsBoundary": {"PermissionsBoundary", policy}, "DeleteUserPermissionsBoundary": nil,
			"PutUserPolicy": {"PolicyName", "p", "PolicyDocument", readS3}, "GetUserPolicy": {"PolicyName", "p"}, "ListUserPolicies": nil,
			"DeleteUserPolicy": {"PolicyName", "p"}, "AttachUserPolicy": {"PolicyArn", policy}, "DetachUserPolicy": {"PolicyArn", policy},
			"ListAttachedUserPolicies": nil, "ListGroupsForUser": nil, "CreateAccessKey": nil, "ListAccessKeys": nil,
			"UpdateAccessKey": {"AccessKeyId", "AKIAAAAAAAAAAAAAAAAA", "Status", "Active"}, "DeleteAccessKey": {"AccessKeyId", "AKIAAAAAAAAAAAAAAAAA"},
		}},
		{policy, []string{"PolicyArn", policy}, map[string][]string{
			"GetPolicy": nil, "DeletePolicy": nil, "TagPolicy": tag, "UntagPolicy": untag, "ListPolicyTags": nil, "ListEntitiesForPolicy": nil,
			"CreatePolicyVersion": {"PolicyDocument", readS3}, "GetPolicyVersion": {"VersionId", "v1"}, "ListPolicyVersions": nil,
			"SetDefaultPolicyVersion": {"VersionId", "v1"}, "DeletePolicyVersion": {"VersionId", "v1"},
		}},
		{arnOf("role/team/new"), []string{"RoleName", "new", "Path", "/team/"}, map[string][]string{"CreateRole": {"AssumeRolePolicyDocument", trust}}},
		{arnOf("user/team/new"), []string{"UserName", "new", "Path", "/team/"}, map[string][]string{"CreateUser": nil}},
		{arnOf("policy/team/new"), []string{"PolicyName", "new", "Path", "/team/"}, map[string][]string{"CreatePolicy": {"PolicyDocument", readS3}}},
		{arnOf("role/"), nil, map[string][]string{"ListRoles": nil}},
		{arnOf("role/team/"), []string{"PathPrefix", "/team/"}, map[string][]string{"ListRoles": nil}},
		{arnOf("user/"), nil, map[string][]string{"ListUsers": nil}},
		{"policy path /", nil, map[string][]string{"ListPolicies": nil}},
		{"policy path /team/", []string{"PathPrefix", "/team/"}, map[string][]string{"ListPolicies": nil}},
		{arnOf("oidc-provider/*"), nil, map[string][]string{"ListOpenIDConnectProviders": nil}},
		{arnOf("mfa/"), nil, map[string][]string{"ListVirtualMFADevices": nil}},
		{arnOf("instance-profile/"), nil, map[string][]string{"ListInstanceProfiles": nil}},
		{"*", nil, map[string][]string{"ListAccountAliases": nil, "GetAccountSummary": nil}},
		// What is not there is denied like what is.
		{arnOf("role/gone"), []string{"RoleName", "gone"}, map[string][]string{"GetRole": nil, "DeleteRole": nil}},
		{arnOf("user/gone"), []string{"UserName", "gone"}, map[string][]string{"GetUser": nil, "CreateAccessKey": nil}},
		{arnOf("policy/gone"), []string{"PolicyArn", arnOf("policy/gone")}, map[string][]string{"GetPolicy": nil}},
	} {
		for action, more := range c.actions {
			bob.denied(arnOf("user/bob"), "iam:"+action, c.resource, action, append(c.params[:len(c.params):len(c.params)], more...)...)
		}
	}
	e.do("GetRole", "RoleName", "web").lacks("Tags", "PermissionsBoundary", "Description")
}

// What a condition or a resource in bob's only policy grants, and what it does not.
func TestGrants(t *testing.T) {
	e := start(t)
	limit, other := e.policy("limit"), e.policy("other")
	e.do("CreateRole", "RoleName", "Web", "Path", "/team/", "AssumeRolePolicyDocument", trust, "PermissionsBoundary", limit,
		"Tags.member.1.Key", "Team", "Tags.member.1.Value", "a")
	e.role("plain")
	bob := e.user("bob", "")
	put := []string{"PolicyName", "x", "PolicyDocument", readS3}
	with := func(params ...string) []string { return append(params, put...) }
	for _, c := range []struct {
		name     string
		document string
		allowed  bool
		action   string
		params   []string
	}{
		{"by path", allow("iam:PutRolePolicy", arnOf("role/team/*"), ""), true, "PutRolePolicy", with("RoleName", "web")},
		{"not by a path it does not have", allow("iam:PutRolePolicy", arnOf("role/web"), ""), false, "PutRolePolicy", with("RoleName", "web")},
		{"names in policies have a case", allow("iam:PutRolePolicy", arnOf("role/team/web"), ""), false, "PutRolePolicy", with("RoleName", "web")},
		{"the role's boundary", allow("iam:PutRolePolicy", "*", `{"ArnEquals":{"iam:PermissionsBoundary":"`+limit+`"}}`), true, "PutRolePolicy", with("RoleName", "Web")},
		{"no boundary", allow("iam:PutRolePolicy", "*", `{"ArnEquals":{"iam:PermissionsBoundary":"`+limit+`"}}`), false, "PutRolePolicy", with("RoleName", "plain")},
		{"the role's tag", allow("iam:PutRolePolicy", "*", `{"StringEquals":{"aws:ResourceTag/team":"a"}}`), true, "PutRolePolicy", with("RoleName", "Web")},
		{"the role's tag, older key", allow("iam:PutRolePolicy", "*", `{"StringEquals":{"iam:ResourceTag/Team":"a"}}`), true, "PutRolePolicy", with("RoleName", "Web")},
		{"another tag", allow("iam:PutRolePolicy", "*", `{"StringEquals":{"aws:ResourceTag/Team":"b"}}`), false, "PutRolePolicy", with("RoleName", "Web")},
		{"this policy", allow("iam:AttachRolePolicy", "*", `{"ArnEquals":{"iam:PolicyARN":"`+limit+`"}}`), true, "AttachRolePolicy", []string{"RoleName", "plain", "PolicyArn", limit}},
		{"not that policy", allow("iam:AttachRolePolicy", "*", `{"ArnEquals":{"iam:PolicyARN":"`+limit+`"}}`), false, "AttachRolePolicy", []string{"RoleName", "plain", "PolicyArn", other}},
		{"detaching this policy", allow("iam:DetachRolePolicy", "*", `{"ArnEquals":{"iam:PolicyARN":"`+limit+`"}}`), true, "DetachRolePolicy", []string{"RoleName", "plain", "PolicyArn", limit}},
		{"create with the boundary", allow("iam:CreateRole", "*", `{"ArnEquals":{"iam:PermissionsBoundary":"`+limit+`"}}`), true, "CreateRole", []string{"RoleName", "n1", "AssumeRolePolicyDocument", trust, "PermissionsBoundary", limit}},
		{"create with another boundary", allow("iam:CreateRole", "*", `{"ArnEquals":{"iam:PermissionsBoundary":"`+limit+`"}}`), false, "CreateRole", []string{"RoleName", "n2", "AssumeRolePolicyDocument", trust, "PermissionsBoundary", other}},
		{"create without boundary", allow("iam:CreateRole", "*", `{"ArnEquals":{"iam:PermissionsBoundary":"`+limit+`"}}`), false, "CreateRole", []string{"RoleName", "n2", "AssumeRolePolicyDocument", trust}},
		{"boundary to this", allow("iam:PutRolePermissionsBoundary", "*", `{"ArnEquals":{"iam:PermissionsBoundary":"`+limit+`"}}`), true, "PutRolePermissionsBoundary", []string{"RoleName", "plain", "PermissionsBoundary", limit}},
		{"boundary of this, to that", allow("iam:PutRolePermissionsBoundary", "*", `{"ArnEquals":{"iam:PermissionsBoundary":"`+limit+`"}}`), false, "PutRolePermissionsBoundary", []string{"RoleName", "Web", "PermissionsBoundary", other}},
		{"create with tags needs TagRole", allow("iam:CreateRole", "*", ""), false, "CreateRole", []string{"RoleName", "n3", "AssumeRolePolicyDocument", trust, "Tags.member.1.Key", "k", "Tags.member.1.Value", "v"}},
		{"create with tags and TagRole", allow(`iam:CreateRole","iam:TagRole`, "*", `{"StringEquals":{"aws:RequestTag/k":"v"},"ForAllValues:StringEquals":{"aws:TagKeys":"k"}}`), true, "CreateRole", []string{"RoleName", "n3", "AssumeRolePolicyDocument", trust, "Tags.member.1.Key", "k", "Tags.member.1.Value", "v"}},
		{"untag that key", allow("iam:UntagRole", "*", `{"ForAllValues:StringEquals":{"aws:TagKeys":["k"]}}`), true, "UntagRole", []string{"RoleName", "n3", "TagKeys.member.1", "k"}},
		{"untag another key as well", allow("iam:UntagRole", "*", `{"ForAllValues:StringEquals":{"aws:TagKeys":["k"]}}`), false, "UntagRole", []string{"RoleName", "n3", "TagKeys.member.1", "k", "TagKeys.member.2", "l"}},
		{"policies are listed on everything", allow("iam:ListPolicies", "*", ""), true, "ListPolicies", nil},
		{"and not on an ARN", allow("iam:ListPolicies", arnOf("policy/*"), ""), false, "ListPolicies", nil},
		{"providers by ARN", allow("iam:ListOpenIDConnectProviders", arnOf("oidc-provider/*"), ""), true, "ListOpenIDConnectProviders", nil},
		{"rename needs the target too", allow("iam:UpdateUser", arnOf("user/bob"), ""), false, "UpdateUser", []string{"UserName", "bob", "NewUserName", "admin"}},
		{"move needs the target too", allow("iam:UpdateUser", arnOf("user/bob"), ""), false, "UpdateUser", []string{"UserName", "bob", "NewPath", "/admins/"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			sub, caller := &env{e.Server, t, e.keys}, &env{bob.Server, t, bob.keys}
			document := strings.Replace(c.document, `"iam:CreateRole","iam:TagRole"`, `["iam:CreateRole","iam:TagRole"]`, 1)
			sub.do("PutUserPolicy", "UserName", "bob", "PolicyName", "p", "PolicyDocument", document)
			if c.allowed {
				caller.do(c.action, c.params...)
			} else if status, code, message := caller.try(c.action, c.params...); status != 403 || code != "AccessDenied" {
				t.Errorf("got %d %s %q, want AccessDenied", status, code, message)
			}
		})
	}
}

// The region of the credential scope is the caller's choice: it must not turn the resource into one that a Deny on
// arn:aws:iam::… misses.
func TestRegionOfTheScopeIsNoEscape(t *testing.T) {
	e := start(t)
	e.role("admin")
	bob := e.user("bob", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"`+arnOf("role/admin")+`"}]}`)
	for _, region := range []string{"us-east-1", "cn-north-1", "us-gov-west-1"} {
		status, body := bob.in(region, "PutRolePolicy", "RoleName", "ADMIN", "PolicyName", "p", "PolicyDocument", readS3)
		if status != 403 || !strings.Contains(body, "with an explicit deny in an identity-based policy") {
			t.Errorf("%s: %d %s", region, status, body)
		}
		if status, body := e.in(region, "GetRole", "RoleName", "admin"); status != 200 || !strings.Contains(body, arnOf("role/admin")) {
			t.Errorf("%s: %d %s", region, status, body)
		}
	}
}
