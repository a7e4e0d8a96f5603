package iam_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// grants are "SERVICE: POLICY POLICY" per entry of the answer.
func grants(r reply) []string {
	r.t.Helper()
	var out []string
	for _, m := range regexp.MustCompile(`<ServiceNamespace>(.*?)</ServiceNamespace>(?:<Policies>(.*?)</Policies>|<Policies/>)`).FindAllStringSubmatch(r.body, -1) {
		out = append(out, strings.TrimSpace(m[1]+": "+strings.Join(reply{r.t, m[2]}.all("PolicyName"), " ")))
	}
	return out
}

func TestListPoliciesGrantingServiceAccess(t *testing.T) {
	e := start(t)
	const op = "ListPoliciesGrantingServiceAccess"
	services := []string{"ServiceNamespaces.member.1", "s3", "ServiceNamespaces.member.2", "iam", "ServiceNamespaces.member.3", "ec2", "ServiceNamespaces.member.4", "s3"}
	ask := func(arn, want string) reply {
		t.Helper()
		r := e.do(op, append(services, "Arn", arn)...)
		if got := strings.Join(grants(r), "; "); got != want {
			t.Errorf("%s: %s\nwant %s", arn, got, want)
		}
		return r.has("IsTruncated", "false").lacks("Marker")
	}
	e.do("CreateUser", "UserName", "bob")
	e.do("CreateGroup", "GroupName", "Readers", "Path", "/team/")
	e.role("worker")
	group, role := arnOf("group/team/Readers"), arnOf("role/worker")
	ask(bobARN, "s3:; iam:; ec2:")

	e.do("PutUserPolicy", "UserName", "bob", "PolicyName", "own", "PolicyDocument", allow("iam:Get*", "arn:aws:iam::*:user/x", ""))
	e.do("PutUserPolicy", "UserName", "bob", "PolicyName", "no", "PolicyDocument", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`)
	e.do("AttachUserPolicy", "UserName", "bob", "PolicyArn", s3ReadOnly)
	e.do("AttachGroupPolicy", "GroupName", "Readers", "PolicyArn", s3ReadOnly)
	e.do("PutGroupPolicy", "GroupName", "Readers", "PolicyName", "most", "PolicyDocument", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}]}`)
	ask(bobARN, "s3: AmazonS3ReadOnlyAccess; iam: own; ec2:")
	ask(group, "s3: most AmazonS3ReadOnlyAccess; iam:; ec2: most")
	e.do("AddUserToGroup", "GroupName", "Readers", "UserName", "bob")
	r := ask(bobARN, "s3: AmazonS3ReadOnlyAccess most; iam: own; ec2: most")
	for _, want := range []string{
		"<PoliciesGrantingServiceAccess><member><ServiceNamespace>s3</ServiceNamespace><Policies><member>",
		"<member><PolicyName>AmazonS3ReadOnlyAccess</PolicyName><PolicyType>MANAGED</PolicyType><PolicyArn>" + s3ReadOnly + "</PolicyArn></member>",
		"<member><PolicyName>own</PolicyName><PolicyType>INLINE</PolicyType><EntityType>USER</EntityType><EntityName>bob</EntityName></member>",
		"<member><PolicyName>most</PolicyName><PolicyType>INLINE</PolicyType><EntityType>GROUP</EntityType><EntityName>Readers</EntityName></member>",
	} {
		if !strings.Contains(r.body, want) {
			t.Errorf("no %s in %s", want, r.body)
		}
	}

	// A boundary grants nothing.
	own := e.policy("own-managed")
	e.do("PutRolePermissionsBoundary", "RoleName", "worker", "PermissionsBoundary", s3ReadOnly)
	ask(role, "s3:; iam:; ec2:")
	e.do("AttachRolePolicy", "RoleName", "worker", "PolicyArn", own)
	ask(role, "s3: own-managed; iam:; ec2:")
	e.do("CreatePolicyVersion", "PolicyArn", own, "PolicyDocument", allow("ec2:*", "*", ""), "SetAsDefault", "true")
	ask(role, "s3:; iam:; ec2: own-managed")

	e.refused(404, "NoSuchEntity", "The user with name eve cannot be found.", op, append(services, "Arn", arnOf("user/eve"))...)
	e.refused(404, "NoSuchEntity", "The group with name Readers cannot be found.", op, append(services, "Arn", arnOf("group/Readers"))...)
	e.refused(400, "InvalidInput", "ARN "+own+" is not valid.", op, append(services, "Arn", own)...)
	e.refused(400, "ValidationError", "Invalid Marker.", op, append(services, "Arn", role, "Marker", "x")...)

	reader := e.user("reader", allow("iam:"+op, role, ""))
	reader.do(op, append(services, "Arn", role)...)
	reader.denied(arnOf("user/reader"), "iam:"+op, bobARN, op, append(services, "Arn", bobARN)...)
}

func TestServiceAccessPages(t *testing.T) {
	e := start(t)
	e.do("CreateUser", "UserName", "bob")
	e.do("PutUserPolicy", "UserName", "bob", "PolicyName", "all", "PolicyDocument", allow("*", "*", ""))
	params := []string{"Arn", bobARN}
	var want []string
	for i := range 200 {
		name := fmt.Sprintf("service-%d", i)
		params = append(params, "ServiceNamespaces.member."+itoa(i+1), name)
		want = append(want, name+": all")
	}
	const op = "ListPoliciesGrantingServiceAccess"
	first := e.do(op, params...).has("IsTruncated", "true")
	second := e.do(op, append(params, "Marker", first.one("Marker"))...).has("IsTruncated", "false").lacks("Marker")
	got := append(grants(first), grants(second)...)
	if len(grants(first)) != 100 || strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("%d and %d entries: %q", len(grants(first)), len(grants(second)), got)
	}
	if status, code, _ := e.try(op, append(params, "ServiceNamespaces.member.201", "more")...); status != 400 || code != "ValidationError" {
		t.Errorf("201 services: %d %s", status, code)
	}
}
