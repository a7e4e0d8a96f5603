package iam_test

import (
	"fmt"
	"strings"
	"testing"
)

const bobARN = "arn:aws:iam::" + account + ":user/bob"

// results are "ACTION on RESOURCE: DECISION SOURCES" per evaluation result.
func results(r reply) []string {
	r.t.Helper()
	actions, resources, decisions := r.all("EvalActionName"), r.all("EvalResourceName"), r.all("EvalDecision")
	per := len(resources) / max(len(actions), 1) // each stands twice where there are specific results
	var out []string
	for i, a := range actions {
		out = append(out, a+" on "+resources[i*per]+": "+decisions[i])
	}
	return out
}

func TestSimulateCustomPolicy(t *testing.T) {
	e := start(t)
	two := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"},
   {"Sid":"no","Effect":"Deny","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::keep/*"}]}`
	input := []string{"PolicyInputList.member.1", readS3, "PolicyInputList.member.2", two}
	got := e.do("SimulateCustomPolicy", append(input, "ActionNames.member.1", "s3:GetObject", "ActionNames.member.2", "iam:GetUser")...)
	if want := "s3:GetObject on *: allowed|iam:GetUser on *: implicitDeny"; strings.Join(results(got), "|") != want {
		t.Errorf("%q", results(got))
	}
	if ids := strings.Join(got.all("SourcePolicyId"), " "); ids != "PolicyInputList.1 PolicyInputList.2" {
		t.Errorf("sources %s", ids)
	}
	if kinds := got.all("SourcePolicyType"); kinds[0] != "IAM Policy" {
		t.Errorf("types %q", kinds)
	}
	got.lacks("ResourceSpecificResults", "PermissionsBoundaryDecisionDetail")

	deny := e.do("SimulateCustomPolicy", append(input, "ActionNames.member.1", "s3:DeleteObject", "ResourceArns.member.1", "arn:aws:s3:::keep/a", "ResourceArns.member.2", "arn:aws:s3:::other/a")...)
	if want := "s3:DeleteObject on arn:aws:s3:::keep/a: explicitDeny|s3:DeleteObject on arn:aws:s3:::other/a: allowed"; strings.Join(results(deny), "|") != want {
		t.Errorf("%q", results(deny))
	}
	if got := strings.Join(deny.all("EvalResourceDecision"), " "); got != "explicitDeny allowed" {
		t.Errorf("by resource: %s", got)
	}
	// The second statement begins behind the comma of the first line and ends on the second.
	first := strings.Index(two, "\n") + 1
	second := len(two) - 2 - strings.Index(two, "\n")
	want := fmt.Sprintf("<StartPosition><Line>1</Line><Column>%d</Column></StartPosition><EndPosition><Line>2</Line><Column>%d</Column></EndPosition>", first, second)
	if !strings.Contains(deny.body, want) {
		t.Errorf("no %s in %s", want, deny.body)
	}
}

func TestSimulatePages(t *testing.T) {
	e := start(t)
	params := []string{"PolicyInputList.member.1", readS3, "ActionNames.member.1", "s3:GetObject", "ActionNames.member.2", "s3:PutObject",
		"ResourceArns.member.1", "arn:aws:s3:::a/1", "ResourceArns.member.2", "arn:aws:s3:::a/2", "ResourceArns.member.3", "arn:aws:s3:::a/3"}
	all := strings.Join(results(e.do("SimulateCustomPolicy", params...)), "|")
	if strings.Count(all, "allowed") != 3 || strings.Count(all, "implicitDeny") != 3 {
		t.Fatalf("%s", all)
	}
	for _, n := range []int{1, 2, 4, 6} {
		var got []string
		marker := []string{}
		for range 7 {
			r := e.do("SimulateCustomPolicy", append(append(params, "MaxItems", itoa(n)), marker...)...)
			got = append(got, results(r)...)
			if r.one("IsTruncated") == "false" {
				break
			}
			marker = []string{"Marker", r.one("Marker")}
		}
		if strings.Join(got, "|") != all {
			t.Errorf("by %d: %q", n, got)
		}
	}
}

func TestSimulateContext(t *testing.T) {
	e := start(t)
	doc := `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"a:one","Resource":"*","Condition":{"StringEquals":{"aws:RequestedRegion":"eu-central-1"}}},
		{"Effect":"Allow","Action":"a:two","Resource":"arn:aws:s3:::home/${aws:username}","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["x","y"]},"Null":{"aws:TagKeys":"false"}}},
		{"Effect":"Allow","Action":"a:three","Resource":"*","Condition":{"NumericLessThan":{"s3:max-keys":"10"},"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"Bool":{"aws:SecureTransport":"true"},"DateGreaterThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}}]}`
	keys := e.do("GetContextKeysForCustomPolicy", "PolicyInputList.member.1", doc, "PolicyInputList.member.2", doc).all("member")
	want := "aws:RequestedRegion aws:username aws:TagKeys s3:max-keys aws:SourceIp aws:SecureTransport aws:CurrentTime"
	if strings.Join(keys, " ") != want {
		t.Errorf("keys %q", keys)
	}
	entry := func(n int, name, kind string, values ...string) []string {
		prefix := "ContextEntries.member." + itoa(n) + "."
		out := []string{prefix + "ContextKeyName", name, prefix + "ContextKeyType", kind}
		for i, v := range values {
			out = append(out, prefix+"ContextKeyValues.member."+itoa(i+1), v)
		}
		return out
	}
	join := func(lists ...[]string) []string {
		var out []string
		for _, l := range lists {
			out = append(out, l...)
		}
		return out
	}
	region := entry(1, "AWS:requestedregion", "string", "eu-central-1")
	for _, c := range []struct {
		name, action, resource, want string
		entries                      []string
	}{
		{"no context", "a:one", "*", "implicitDeny", nil},
		{"a string", "a:one", "*", "allowed", region},
		{"another value", "a:one", "*", "implicitDeny", entry(1, "aws:RequestedRegion", "string", "us-east-1")},
		{"a list and a variable", "a:two", "arn:aws:s3:::home/ann", "allowed", join(entry(1, "aws:username", "string", "ann"), entry(2, "aws:TagKeys", "stringList", "x", "y"))},
		{"a list with more", "a:two", "arn:aws:s3:::home/ann", "implicitDeny", join(entry(1, "aws:username", "string", "ann"), entry(2, "aws:TagKeys", "stringList", "x", "z"))},
		{"typed values", "a:three", "*", "allowed", join(entry(1, "s3:max-keys", "numeric", "9"), entry(2, "aws:SourceIp", "ip", "10.1.1.1"), entry(3, "aws:SecureTransport", "boolean", "true"), entry(4, "aws:CurrentTime", "date", "2026-01-01T00:00:00Z"))},
	} {
		params := join([]string{"PolicyInputList.member.1", doc, "ActionNames.member.1", c.action, "ResourceArns.member.1", c.resource}, c.entries)
		if got := e.do("SimulateCustomPolicy", params...).one("EvalDecision"); got != c.want {
			t.Errorf("%s: %s", c.name, got)
		}
	}
	r := e.do("SimulateCustomPolicy", append([]string{"PolicyInputList.member.1", doc, "ActionNames.member.1", "a:one"}, region...)...)
	missing := strings.Split(strings.TrimSuffix(strings.TrimPrefix(r.one("MissingContextValues"), "<member>"), "</member>"), "</member><member>")
	if got := strings.Join(missing, " "); got != strings.TrimPrefix(want, "aws:RequestedRegion ") {
		t.Errorf("missing keys %s", got)
	}
	e.refused(400, "InvalidInput", "Context key k:one has several values but is of no list type.", "SimulateCustomPolicy",
		join([]string{"PolicyInputList.member.1", doc, "ActionNames.member.1", "a:one"}, entry(1, "k:one", "string", "a", "b"))...)
}

func TestSimulateRefuses(t *testing.T) {
	e := start(t)
	bad := strings.Replace(readS3, "Action", "Aktion", 1)
	ok := []string{"PolicyInputList.member.1", readS3, "ActionNames.member.1", "s3:GetObject"}
	bucket := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}]}`
	for _, c := range []struct {
		message string
		params  []string
	}{
		{`Invalid entity found for PolicyInputList.2: Syntax errors in policy.: statement 1: unknown element "Aktion"`, append(ok, "PolicyInputList.member.2", bad)},
		{"Only one permissions boundary policy can be given.", append(ok, "PermissionsBoundaryPolicyInputList.member.1", readS3, "PermissionsBoundaryPolicyInputList.member.2", readS3)},
		{"CallerArn must be specified when a resource policy is given.", append(ok, "ResourcePolicy", bucket)},
		{"Invalid caller ARN: " + arnOf("group/g"), append(ok, "CallerArn", arnOf("group/g"))},
		{"Invalid resource owner: me at home", append(ok, "ResourceOwner", "me at home")},
		{"Invalid action name: GetObject", append(ok, "ActionNames.member.2", "GetObject")},
		{"Invalid action name: s3:Get*", append(ok, "ActionNames.member.2", "s3:Get*")},
		{"Invalid resource ARN: bucket", append(ok, "ResourceArns.member.1", "bucket")},
	} {
		e.refused(400, "InvalidInput", c.message, "SimulateCustomPolicy", c.params...)
	}
	e.refused(404, "NoSuchEntity", "The user with name gone cannot be found.", "SimulatePrincipalPolicy", "PolicySourceArn", arnOf("user/gone"), "ActionNames.member.1", "s3:GetObject")
	e.refused(404, "NoSuchEntity", "The role with name gone cannot be found.", "GetContextKeysForPrincipalPolicy", "PolicySourceArn", arnOf("role/gone"))
	e.refused(400, "InvalidInput", "ARN "+arnOf("policy/p")+" is not valid.", "SimulatePrincipalPolicy", "PolicySourceArn", arnOf("policy/p"), "ActionNames.member.1", "s3:GetObject")
}

func TestSimulatePrincipalPolicy(t *testing.T) {
	e := start(t)
	limit := e.do("CreatePolicy", "PolicyName", "limit", "PolicyDocument", allow("s3:*", "*", "")).one("Arn")
	bob := e.user("bob", allow("iam:GetRole", "*", ""))
	e.do("AttachUserPolicy", "UserName", "bob", "PolicyArn", s3ReadOnly)
	simulate := func(params ...string) reply {
		return e.do("SimulatePrincipalPolicy", append([]string{"PolicySourceArn", bobARN}, params...)...)
	}
	get := []string{"ActionNames.member.1", "s3:GetObject", "ActionNames.member.2", "iam:GetRole"}
	r := simulate(get...)
	if got := strings.Join(r.all("SourcePolicyId"), " "); got != "AmazonS3ReadOnlyAccess user_bob_p" {
		t.Errorf("sources %s in %s", got, r.body)
	}
	r.lacks("PermissionsBoundaryDecisionDetail")

	e.do("PutUserPermissionsBoundary", "UserName", "bob", "PermissionsBoundary", limit)
	r = simulate(get...)
	if got := strings.Join(append(r.all("EvalDecision"), r.all("AllowedByPermissionsBoundary")...), " "); got != "allowed implicitDeny true false" {
		t.Errorf("with the boundary: %s", got)
	}
	// A boundary in the request stands in for it, and more policies are added.
	r = simulate(append(get, "PermissionsBoundaryPolicyInputList.member.1", allow("iam:*", "*", ""), "PolicyInputList.member.1", allow("iam:*", "*", ""))...)
	if got := strings.Join(append(r.all("EvalDecision"), r.all("SourcePolicyId")...), " "); got != "implicitDeny allowed user_bob_p PolicyInputList.1" && got != "implicitDeny allowed PolicyInputList.1 user_bob_p" {
		t.Errorf("with another boundary: %s", got)
	}

	e.do("CreateRole", "RoleName", "web", "Path", "/team/", "AssumeRolePolicyDocument", trust)
	e.do("PutRolePolicy", "RoleName", "web", "PolicyName", "in", "PolicyDocument", allow("s3:GetObject", "arn:aws:s3:::b/${aws:PrincipalTag/team}", ""))
	e.do("TagRole", "RoleName", "web", "Tags.member.1.Key", "team", "Tags.member.1.Value", "x")
	role := arnOf("role/team/web")
	r = e.do("SimulatePrincipalPolicy", "PolicySourceArn", role, "ActionNames.member.1", "s3:GetObject", "ResourceArns.member.1", "arn:aws:s3:::b/x", "ResourceArns.member.2", "arn:aws:s3:::b/y")
	if got := strings.Join(r.all("EvalDecision"), " "); got != "allowed implicitDeny" {
		t.Errorf("a role's tag: %s", got)
	}
	if got := e.do("GetContextKeysForPrincipalPolicy", "PolicySourceArn", role).all("member"); strings.Join(got, " ") != "aws:PrincipalTag/team" {
		t.Errorf("keys of the role: %q", got)
	}
	e.refused(404, "NoSuchEntity", "The role with name web cannot be found.", "SimulatePrincipalPolicy", "PolicySourceArn", arnOf("role/web"), "ActionNames.member.1", "a:b")

	bob.denied(bobARN, "iam:SimulatePrincipalPolicy", role, "SimulatePrincipalPolicy", "PolicySourceArn", role, "ActionNames.member.1", "a:b")
	bob.denied(bobARN, "iam:SimulateCustomPolicy", "*", "SimulateCustomPolicy", "PolicyInputList.member.1", readS3, "ActionNames.member.1", "a:b")
	bob.denied(bobARN, "iam:GetContextKeysForCustomPolicy", "*", "GetContextKeysForCustomPolicy", "PolicyInputList.member.1", readS3)
	bob.denied(bobARN, "iam:GetContextKeysForPrincipalPolicy", role, "GetContextKeysForPrincipalPolicy", "PolicySourceArn", role)
	bob.denied(bobARN, "iam:GetAccountAuthorizationDetails", "*", "GetAccountAuthorizationDetails")
}

// What a resource's policy says, within the account and across accounts.
func TestSimulateResourcePolicy(t *testing.T) {
	e := start(t)
	e.user("bob", "")
	bucket := func(effect, principal string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Principal":{"AWS":"` + principal + `"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]}`
	}
	for _, c := range []struct {
		name, policy, owner, identity, want, details string
	}{
		{"named in the account", bucket("Allow", bobARN), "", "", "allowed", ""},
		{"the account, without own permission", bucket("Allow", account), "", "", "implicitDeny", ""},
		{"denied by the resource", bucket("Deny", bobARN), "", readS3, "explicitDeny", ""},
		{"across accounts, both", bucket("Allow", bobARN), "210987654321", readS3, "allowed", "allowed allowed"},
		{"across accounts, resource only", bucket("Allow", bobARN), "arn:aws:iam::210987654321:root", "", "implicitDeny", "implicitDeny allowed"},
		{"across accounts, identity only", bucket("Allow", "arn:aws:iam::210987654321:user/eve"), "210987654321", readS3, "implicitDeny", "allowed implicitDeny"},
	} {
		params := []string{"PolicySourceArn", bobARN, "ActionNames.member.1", "s3:GetObject", "ResourceArns.member.1", "arn:aws:s3:::b/x", "ResourcePolicy", c.policy, "ResourceHandlingOption", "EC2-VPC-InstanceStore"}
		if c.owner != "" {
			params = append(params, "ResourceOwner", c.owner)
		}
		if c.identity != "" {
			params = append(params, "PolicyInputList.member.1", c.identity)
		}
		r := e.do("SimulatePrincipalPolicy", params...)
		if got := r.one("EvalDecision"); got != c.want {
			t.Errorf("%s: %s", c.name, got)
		}
		if c.details == "" {
			r.lacks("key")
			continue
		}
		keys, values := r.all("key"), r.all("value")
		both := map[string]string{}
		for i := range keys {
			both[keys[i]] = values[i]
		}
		if got := both["IAM Policy"] + " " + both["Resource Policy"]; got != c.details {
			t.Errorf("%s: details %s", c.name, got)
		}
	}
	r := e.do("SimulateCustomPolicy", "PolicyInputList.member.1", readS3, "ActionNames.member.1", "s3:GetObject", "ResourceArns.member.1", "arn:aws:s3:::b/x",
		"ResourcePolicy", bucket("Deny", bobARN), "CallerArn", bobARN)
	if got := r.one("EvalDecision"); got != "explicitDeny" || r.all("SourcePolicyId")[0] != "ResourcePolicy" || r.all("SourcePolicyType")[0] != "Resource Policy" {
		t.Errorf("%s", r.body)
	}
}

func TestAuthorizationDetails(t *testing.T) {
	e := start(t)
	own := e.policy("own")
	e.do("CreatePolicyVersion", "PolicyArn", own, "PolicyDocument", allow("a:b", "*", ""))
	e.user("bob", readS3)
	e.do("AttachUserPolicy", "UserName", "bob", "PolicyArn", s3ReadOnly)
	e.do("CreateRole", "RoleName", "web", "AssumeRolePolicyDocument", trust, "PermissionsBoundary", viewOnly, "Tags.member.1.Key", "k", "Tags.member.1.Value", "v")
	e.do("PutRolePolicy", "RoleName", "web", "PolicyName", "in", "PolicyDocument", readS3)
	e.do("AttachRolePolicy", "RoleName", "web", "PolicyArn", own)
	r := e.do("GetAccountAuthorizationDetails").has("UserName", "bob", "RoleName", "web", "PermissionsBoundaryArn", viewOnly, "IsTruncated", "false", "Key", "k")
	if got := strings.Join(r.all("Arn"), " "); got != bobARN+" "+arnOf("role/web")+" "+own+" "+s3ReadOnly+" "+viewOnly {
		t.Errorf("ARNs %s", got)
	}
	if got := strings.Join(r.all("VersionId")[:2], " "); got != "v2 v1" {
		t.Errorf("versions of the own policy: %s", got)
	}
	if got := strings.Join(walk(e, "Arn", 1, "GetAccountAuthorizationDetails"), " "); got != strings.Join(r.all("Arn"), " ") {
		t.Errorf("one by one: %s", got)
	}
	for filter, want := range map[string]string{"User": bobARN, "Role": arnOf("role/web"), "Group": "", "LocalManagedPolicy": own, "AWSManagedPolicy": s3ReadOnly + " " + viewOnly} {
		r := e.do("GetAccountAuthorizationDetails", "Filter.member.1", filter)
		if got := strings.Join(r.all("Arn"), " "); got != want {
			t.Errorf("%s: %s", filter, got)
		}
	}
}
