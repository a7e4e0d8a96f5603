package iam_test

import (
	"regexp"
	"strings"
	"testing"
)

func TestPolicyLife(t *testing.T) {
	e := start(t)
	created := e.do("CreatePolicy", "PolicyName", "Read-S3", "Path", "/team/", "PolicyDocument", readS3, "Description", "reads",
		"Tags.member.1.Key", "k", "Tags.member.1.Value", "v").
		has("PolicyName", "Read-S3", "Path", "/team/", "Arn", arnOf("policy/team/Read-S3"), "DefaultVersionId", "v1",
			"AttachmentCount", "0", "PermissionsBoundaryUsageCount", "0", "IsAttachable", "true", "Description", "reads", "Key", "k")
	if id := created.one("PolicyId"); !regexp.MustCompile(`^ANPA[A-Z2-7]{17}$`).MatchString(id) {
		t.Errorf("PolicyId %q", id)
	}
	policy := created.one("Arn")
	e.do("GetPolicy", "PolicyArn", policy).has("PolicyId", created.one("PolicyId"), "Description", "reads", "Value", "v")
	e.do("ListPolicies", "Scope", "Local").has("Arn", policy, "IsTruncated", "false").lacks("Description", "Tags")
	e.refused(409, "EntityAlreadyExists", "A policy called READ-s3 already exists. Duplicate names are not allowed.",
		"CreatePolicy", "PolicyName", "READ-s3", "PolicyDocument", readS3)

	e.do("TagPolicy", "PolicyArn", policy, "Tags.member.1.Key", "l", "Tags.member.1.Value", "w")
	e.do("UntagPolicy", "PolicyArn", policy, "TagKeys.member.1", "k")
	e.do("ListPolicyTags", "PolicyArn", policy).has("Key", "l", "Value", "w", "IsTruncated", "false")

	e.do("DeletePolicy", "PolicyArn", policy)
	for _, call := range [][]string{
		{"GetPolicy"}, {"DeletePolicy"}, {"ListPolicyVersions"}, {"ListEntitiesForPolicy"}, {"ListPolicyTags"},
		{"GetPolicyVersion", "VersionId", "v1"}, {"SetDefaultPolicyVersion", "VersionId", "v1"}, {"DeletePolicyVersion", "VersionId", "v1"},
		{"CreatePolicyVersion", "PolicyDocument", readS3}, {"TagPolicy", "Tags.member.1.Key", "k", "Tags.member.1.Value", "v"}, {"UntagPolicy", "TagKeys.member.1", "k"},
	} {
		e.refused(404, "NoSuchEntity", "Policy "+policy+" was not found.", call[0], append([]string{"PolicyArn", policy}, call[1:]...)...)
	}
	for _, bad := range []string{"arn:aws:iam::123456789012:role/x", "arn:aws:iam:us-east-1:123456789012:policy/x", "arn:aws:iam::12345678901x:policy/x", "arn:aws:iam::123456789012:policy/"} {
		e.refused(400, "InvalidInput", "ARN "+bad+" is not valid.", "GetPolicy", "PolicyArn", bad)
	}
	// Not even the root reaches into another account.
	e.denied(arnOf("root"), "iam:GetPolicy", "arn:aws:iam::210987654321:policy/x", "GetPolicy", "PolicyArn", "arn:aws:iam::210987654321:policy/x")
}

func TestPolicyVersions(t *testing.T) {
	e := start(t)
	policy := e.policy("p")
	doc := func(action string) string { return strings.Replace(readS3, "s3:Get*", action, 1) }
	e.do("CreatePolicyVersion", "PolicyArn", policy, "PolicyDocument", doc("s3:A")).has("VersionId", "v2", "IsDefaultVersion", "false").lacks("Document")
	e.do("CreatePolicyVersion", "PolicyArn", policy, "PolicyDocument", doc("s3:B"), "SetAsDefault", "true").has("VersionId", "v3", "IsDefaultVersion", "true")
	e.do("GetPolicy", "PolicyArn", policy).has("DefaultVersionId", "v3")
	if got := e.do("GetPolicyVersion", "PolicyArn", policy, "VersionId", "v2").has("IsDefaultVersion", "false").document("Document"); got != doc("s3:A") {
		t.Errorf("document of v2 %q", got)
	}
	e.do("CreatePolicyVersion", "PolicyArn", policy, "PolicyDocument", doc("s3:C"))
	e.do("CreatePolicyVersion", "PolicyArn", policy, "PolicyDocument", doc("s3:D"))
	e.refused(409, "LimitExceeded", "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.",
		"CreatePolicyVersion", "PolicyArn", policy, "PolicyDocument", doc("s3:E"))
	if got := walk(e, "VersionId", 2, "ListPolicyVersions", "PolicyArn", policy); strings.Join(got, " ") != "v5 v4 v3 v2 v1" {
		t.Errorf("versions %q", got)
	}
	e.refused(409, "DeleteConflict", "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.",
		"DeletePolicy", "PolicyArn", policy)
	e.refused(409, "DeleteConflict", "Cannot delete the default version of a policy.", "DeletePolicyVersion", "PolicyArn", policy, "VersionId", "v3")
	for _, action := range []string{"GetPolicyVersion", "SetDefaultPolicyVersion", "DeletePolicyVersion"} {
		e.refused(404, "NoSuchEntity", "Policy "+policy+" version v9 does not exist or is not attachable.", action, "PolicyArn", policy, "VersionId", "v9")
	}
	e.do("SetDefaultPolicyVersion", "PolicyArn", policy, "VersionId", "v1")
	e.do("GetPolicyVersion", "PolicyArn", policy, "VersionId", "v1").has("IsDefaultVersion", "true")
	for _, v := range []string{"v2", "v3", "v4", "v5"} {
		e.do("DeletePolicyVersion", "PolicyArn", policy, "VersionId", v)
	}
	e.do("CreatePolicyVersion", "PolicyArn", policy, "PolicyDocument", doc("s3:F")).has("VersionId", "v6") // numbers are not used again
	e.do("DeletePolicyVersion", "PolicyArn", policy, "VersionId", "v6")
	e.do("DeletePolicy", "PolicyArn", policy)
}

func TestManagedPolicyDocuments(t *testing.T) {
	e := start(t)
	policy := e.policy("p")
	e.do("CreatePolicy", "PolicyName", "max", "PolicyDocument", strings.Replace(filler(6144), `"Action"`, strings.Repeat("\n\t ", 500)+`"Action"`, 1))
	for _, call := range [][]string{{"CreatePolicy", "PolicyName", "new"}, {"CreatePolicyVersion", "PolicyArn", policy}} {
		e.refused(409, "LimitExceeded", "Cannot exceed quota for PolicySize: 6144", call[0], append(call[1:], "PolicyDocument", filler(6145))...)
		for doc, want := range map[string]string{
			strings.Replace(readS3, "2012-10-17", "2008-10-17", 1):        "Policy document must be version 2012-10-17 or greater.",
			strings.Replace(readS3, `"Action":"s3:Get*",`, "", 1):         "Policy statement must contain actions.",
			strings.Replace(readS3, `"Effect"`, `"Efect":"","Effect"`, 1): "Syntax errors in policy.",
			"not json": "Syntax errors in policy.",
		} {
			status, code, message := e.try(call[0], append(call[1:], "PolicyDocument", doc)...)
			if status != 400 || code != "MalformedPolicyDocument" || !strings.HasPrefix(message, want) {
				t.Errorf("%s %s: got %d %s %q, want %q", call[0], doc, status, code, message, want)
			}
		}
	}
	e.do("ListPolicyVersions", "PolicyArn", policy).has("VersionId", "v1")
}

// Changing the default version changes what holders of the policy may do at their next call.
func TestDefaultVersionDecides(t *testing.T) {
	e := start(t)
	policy := e.do("CreatePolicy", "PolicyName", "p", "PolicyDocument", allow("iam:GetUser", "*", "")).one("Arn")
	bob := e.user("bob", "")
	e.do("AttachUserPolicy", "UserName", "bob", "PolicyArn", policy)
	bob.do("GetUser")
	e.do("CreatePolicyVersion", "PolicyArn", policy, "PolicyDocument", allow("iam:ListUsers", "*", ""), "SetAsDefault", "true")
	bob.do("ListUsers")
	bob.denied(arnOf("user/bob"), "iam:GetUser", arnOf("user/bob"), "GetUser")
	e.do("SetDefaultPolicyVersion", "PolicyArn", policy, "VersionId", "v1")
	bob.do("GetUser")
	e.do("DetachUserPolicy", "UserName", "bob", "PolicyArn", policy)
	bob.denied(arnOf("user/bob"), "iam:GetUser", arnOf("user/bob"), "GetUser")
}

func TestListEntitiesForPolicy(t *testing.T) {
	e := start(t)
	policy := e.policy("p")
	for _, n := range []string{"r1", "r2", "r3"} {
		e.role(n)
		e.do("AttachRolePolicy", "RoleName", n, "PolicyArn", policy)
	}
	e.do("CreateUser", "UserName", "u1", "Path", "/x/")
	e.do("AttachUserPolicy", "UserName", "u1", "PolicyArn", policy)
	e.do("CreateRole", "RoleName", "b1", "AssumeRolePolicyDocument", trust, "PermissionsBoundary", policy)
	e.do("CreateUser", "UserName", "b2", "PermissionsBoundary", policy)
	names := func(items int, more ...string) string {
		return strings.Join(walk(e, "(?:RoleName|UserName)", items, "ListEntitiesForPolicy", append([]string{"PolicyArn", policy}, more...)...), " ")
	}
	for _, items := range []int{1, 2, 3, 4, 5, 6, 100} {
		got := strings.Fields(names(items))
		if len(got) != 6 {
			t.Errorf("in pages of %d: %q", items, got)
		}
	}
	for _, c := range []struct {
		want string
		more []string
	}{
		{"r1 r2 r3 b1", []string{"EntityFilter", "Role"}},
		{"u1 b2", []string{"EntityFilter", "User"}},
		{"", []string{"EntityFilter", "Group"}},
		{"b1 b2", []string{"PolicyUsageFilter", "PermissionsBoundary"}},
		{"r1 r2 r3", []string{"PolicyUsageFilter", "PermissionsPolicy", "EntityFilter", "Role"}},
		{"u1", []string{"PathPrefix", "/x/"}},
	} {
		if got := names(1, c.more...); got != c.want {
			t.Errorf("%q: got %q, want %q", c.more, got, c.want)
		}
	}
	e.do("GetPolicy", "PolicyArn", policy).has("AttachmentCount", "4", "PermissionsBoundaryUsageCount", "2")
	page := e.do("ListEntitiesForPolicy", "PolicyArn", policy, "MaxItems", "1").one("Marker")
	e.refused(400, "ValidationError", "Invalid Marker.", "ListPolicyVersions", "PolicyArn", policy, "Marker", page) // of another operation
}

func TestListPoliciesFilters(t *testing.T) {
	e := start(t)
	attached, bound, idle := e.policy("attached"), e.policy("bound"), e.do("CreatePolicy", "PolicyName", "idle", "Path", "/x/", "PolicyDocument", readS3).one("Arn")
	e.do("CreateRole", "RoleName", "r", "AssumeRolePolicyDocument", trust, "PermissionsBoundary", bound)
	e.do("AttachRolePolicy", "RoleName", "r", "PolicyArn", attached)
	for _, c := range []struct {
		want []string
		more []string
	}{
		{[]string{attached, bound, idle}, nil},
		{[]string{attached, bound}, []string{"OnlyAttached", "true"}},
		{[]string{bound}, []string{"PolicyUsageFilter", "PermissionsBoundary"}},
		{[]string{attached, idle}, []string{"PolicyUsageFilter", "PermissionsPolicy"}},
		{[]string{attached}, []string{"PolicyUsageFilter", "PermissionsPolicy", "OnlyAttached", "true"}},
		{[]string{idle}, []string{"PathPrefix", "/x/"}},
	} {
		if got := walk(e, "Arn", 1, "ListPolicies", append(c.more, "Scope", "Local")...); strings.Join(got, " ") != strings.Join(c.want, " ") {
			t.Errorf("%q: got %q, want %q", c.more, got, c.want)
		}
	}
}
