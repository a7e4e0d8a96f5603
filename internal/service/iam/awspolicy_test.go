package iam_test

import (
	"strings"
	"testing"
)

const (
	s3ReadOnly = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
	iamRead    = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
	viewOnly   = "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess"
)

func TestAWSPolicyRead(t *testing.T) {
	e := start(t)
	e.do("GetPolicy", "PolicyArn", viewOnly).has("PolicyName", "ViewOnlyAccess", "Path", "/job-function/", "Arn", viewOnly, "AttachmentCount", "0", "IsAttachable", "true").
		lacks("Tags", "Description")
	id := e.do("GetPolicy", "PolicyArn", s3ReadOnly).has("DefaultVersionId", "v3", "CreateDate", "2015-02-06T18:40:59Z", "UpdateDate", "2023-08-10T21:31:39Z").one("PolicyId")
	if again := start(t).do("GetPolicy", "PolicyArn", s3ReadOnly).one("PolicyId"); id != again || !strings.HasPrefix(id, "ANPA") {
		t.Errorf("the ids %s and %s of one policy", id, again)
	}
	if got := e.do("GetPolicyVersion", "PolicyArn", s3ReadOnly, "VersionId", "v3").has("IsDefaultVersion", "true").document("Document"); !strings.Contains(got, `"s3:Get*"`) {
		t.Errorf("document %s", got)
	}
	e.do("ListPolicyVersions", "PolicyArn", s3ReadOnly).has("VersionId", "v3", "IsTruncated", "false")
	e.do("ListPolicyTags", "PolicyArn", s3ReadOnly).lacks("Key")
	e.refused(404, "NoSuchEntity", "Policy "+s3ReadOnly+" version v1 does not exist or is not attachable.", "GetPolicyVersion", "PolicyArn", s3ReadOnly, "VersionId", "v1")
	for _, gone := range []string{"arn:aws:iam::aws:policy/None", "arn:aws:iam::aws:policy/ViewOnlyAccess", "arn:aws-cn:iam::aws:policy/AmazonS3ReadOnlyAccess"} {
		e.refused(404, "NoSuchEntity", "Policy "+gone+" was not found.", "GetPolicy", "PolicyArn", gone)
	}
}

func TestAWSPolicyLists(t *testing.T) {
	e := start(t)
	own := e.policy("own")
	aws := walk(e, "Arn", 1000, "ListPolicies", "Scope", "AWS")
	if len(aws) < 100 {
		t.Fatalf("%d policies of AWS's", len(aws))
	}
	for _, items := range []int{1, 7, 100, 1000} {
		all := walk(e, "Arn", items, "ListPolicies")
		if len(all) != len(aws)+1 || all[0] != own || strings.Join(all[1:], " ") != strings.Join(aws, " ") {
			t.Errorf("by %d: %d policies, the first %s", items, len(all), all[0])
		}
	}
	for _, c := range []struct {
		want string
		more []string
	}{
		{own, []string{"Scope", "Local"}},
		{"", []string{"OnlyAttached", "true"}},
	} {
		if got := strings.Join(walk(e, "Arn", 50, "ListPolicies", c.more...), " "); got != c.want {
			t.Errorf("%q: %q", c.more, got)
		}
	}
	for _, a := range walk(e, "Arn", 3, "ListPolicies", "PathPrefix", "/job-function/") {
		if !strings.HasPrefix(a, "arn:aws:iam::aws:policy/job-function/") {
			t.Errorf("%s is not below /job-function/", a)
		}
	}
}

// AWS's policies attach to identities of the account, bound them and are counted there; nothing changes them.
func TestAWSPolicyUse(t *testing.T) {
	e := start(t)
	e.role("r")
	bob := e.user("bob", "")
	bob.denied(arnOf("user/bob"), "iam:GetRole", arnOf("role/r"), "GetRole", "RoleName", "r")
	e.do("AttachUserPolicy", "UserName", "bob", "PolicyArn", iamRead)
	e.do("AttachRolePolicy", "RoleName", "r", "PolicyArn", iamRead)
	e.do("PutRolePermissionsBoundary", "RoleName", "r", "PermissionsBoundary", viewOnly)
	bob.do("GetRole", "RoleName", "r").has("PermissionsBoundaryArn", viewOnly)
	bob.denied(arnOf("user/bob"), "iam:DeleteRole", arnOf("role/r"), "DeleteRole", "RoleName", "r")

	e.do("GetPolicy", "PolicyArn", iamRead).has("AttachmentCount", "2", "PermissionsBoundaryUsageCount", "0")
	e.do("GetPolicy", "PolicyArn", viewOnly).has("AttachmentCount", "0", "PermissionsBoundaryUsageCount", "1")
	e.do("ListAttachedUserPolicies", "UserName", "bob").has("PolicyArn", iamRead, "PolicyName", "IAMReadOnlyAccess")
	e.do("ListEntitiesForPolicy", "PolicyArn", iamRead).has("RoleName", "r", "UserName", "bob")
	if got := walk(e, "Arn", 100, "ListPolicies", "Scope", "AWS", "OnlyAttached", "true"); strings.Join(got, " ") != iamRead+" "+viewOnly {
		t.Errorf("in use: %q", got)
	}
	e.do("ListAttachedUserPolicies", "UserName", "bob", "PathPrefix", "/job-function/").lacks("PolicyArn")

	outside := "Policy is outside your own account."
	for _, call := range [][]string{
		{"DeletePolicy"}, {"CreatePolicyVersion", "PolicyDocument", readS3}, {"SetDefaultPolicyVersion", "VersionId", "v1"}, {"DeletePolicyVersion", "VersionId", "v1"},
		{"TagPolicy", "Tags.member.1.Key", "k", "Tags.member.1.Value", "v"}, {"UntagPolicy", "TagKeys.member.1", "k"},
	} {
		e.refused(403, "AccessDenied", outside, call[0], append([]string{"PolicyArn", iamRead}, call[1:]...)...)
		bob.denied(arnOf("user/bob"), "iam:"+call[0], iamRead, call[0], append([]string{"PolicyArn", iamRead}, call[1:]...)...)
	}
	none := "arn:aws:iam::aws:policy/None"
	e.refused(404, "NoSuchEntity", "Policy "+none+" does not exist or is not attachable.", "AttachUserPolicy", "UserName", "bob", "PolicyArn", none)
	e.do("DetachUserPolicy", "UserName", "bob", "PolicyArn", iamRead)
	bob.denied(arnOf("user/bob"), "iam:GetRole", arnOf("role/r"), "GetRole", "RoleName", "r")
}

// A session policy of AWS's narrows a session.
func TestAWSSessionPolicy(t *testing.T) {
	e := start(t)
	e.do("CreateRole", "RoleName", "ops", "AssumeRolePolicyDocument",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+account+`"},"Action":"sts:AssumeRole"}]}`)
	e.do("AttachRolePolicy", "RoleName", "ops", "PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess")
	bob := e.user("bob", allow("sts:AssumeRole", "*", ""))
	narrow := bob.assume("ops", "s1", "PolicyArns.member.1.arn", iamRead)
	narrow.do("GetUser", "UserName", "bob")
	if _, _, message := narrow.try("DeleteUser", "UserName", "bob"); !strings.Contains(message, "because no session policy allows the iam:DeleteUser action") {
		t.Errorf("a session narrowed to reading: %s", message)
	}
	bob.assume("ops", "s2").do("CreateUser", "UserName", "eve")
	r := e.Query(t, bob.keys, "sts", "AssumeRole", "RoleArn", arnOf("role/ops"), "RoleSessionName", "s3", "PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/None")
	if r.Status != 400 || !strings.Contains(string(r.Body), "Policy arn:aws:iam::aws:policy/None does not exist or is not attachable.") {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}
