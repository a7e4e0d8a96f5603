package iam_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/testserver"
)

// assume is the same server with a session of a role as caller.
func (e *env) assume(role, session string, more ...string) *env {
	e.t.Helper()
	resp := e.Query(e.t, e.keys, "sts", "AssumeRole", append([]string{"RoleArn", arnOf("role/" + role), "RoleSessionName", session}, more...)...)
	if resp.Status != 200 {
		e.t.Fatalf("AssumeRole: %d %s", resp.Status, resp.Body)
	}
	r := reply{e.t, string(resp.Body)}
	return e.as(testserver.Keys{AccessKeyID: r.one("AccessKeyId"), SecretAccessKey: r.one("SecretAccessKey"), SessionToken: r.one("SessionToken")})
}

func TestRoleSessionsNameNoUser(t *testing.T) {
	e := start(t)
	e.do("CreateRole", "RoleName", "ops", "AssumeRolePolicyDocument",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+account+`"},"Action":"sts:AssumeRole"}]}`)
	e.do("PutRolePolicy", "RoleName", "ops", "PolicyName", "p", "PolicyDocument", allow("iam:*", "*", ""))
	bob := e.user("bob", allow("sts:AssumeRole", "*", ""))
	ops := bob.assume("ops", "s1")
	for _, call := range [][]string{
		{"GetUser"}, {"ListAccessKeys"}, {"CreateAccessKey"}, {"DeleteAccessKey", "AccessKeyId", e.Root.AccessKeyID},
		{"UpdateAccessKey", "AccessKeyId", e.Root.AccessKeyID, "Status", "Inactive"},
	} {
		ops.refused(400, "ValidationError", "Must specify userName when calling with non-User credentials", call[0], call[1:]...)
	}
	ops.do("GetUser", "UserName", "bob").has("UserName", "bob")

	// The session lives on what its role may do now, and dies with the role, even if another gets its name.
	e.do("DeleteRolePolicy", "RoleName", "ops", "PolicyName", "p")
	ops.denied("arn:aws:sts::"+account+":assumed-role/ops/s1", "iam:GetUser", arnOf("user/bob"), "GetUser", "UserName", "bob")
	e.do("DeleteRole", "RoleName", "ops")
	e.role("ops")
	e.do("PutRolePolicy", "RoleName", "ops", "PolicyName", "p", "PolicyDocument", allow("iam:*", "*", ""))
	if status, code, _ := ops.try("GetUser", "UserName", "bob"); status != 403 || code != "InvalidClientTokenId" {
		t.Errorf("a session of a deleted role: %d %s", status, code)
	}
}

// The audit trail names what was touched and by whom, and never holds a secret.
func TestAudit(t *testing.T) {
	e := start(t)
	e.do("CreateUser", "UserName", "bob")
	key := e.key("UserName", "bob")
	e.role("Web")
	e.do("PutRolePolicy", "RoleName", "Web", "PolicyName", "p", "PolicyDocument", readS3)
	policy := e.policy("pol")
	e.do("AttachRolePolicy", "RoleName", "Web", "PolicyArn", policy)
	e.as(key).try("DeleteRole", "RoleName", "Web")
	e.do("CreateGroup", "GroupName", "Ops", "Path", "/x/")
	e.do("AddUserToGroup", "GroupName", "ops", "UserName", "BOB")
	for _, c := range []struct{ name, attribute, value, resource, contains string }{
		{"CreateAccessKey", "EventName", "CreateAccessKey", "bob", key.AccessKeyID},
		{"PutRolePolicy", "ResourceName", "Web", "Web", `"policyName":"p"`},
		{"CreatePolicy", "ResourceName", "pol", "pol", `"arn":"` + policy + `"`},
		{"AttachRolePolicy", "EventName", "AttachRolePolicy", "Web", policy},
		{"DeleteRole", "Username", "bob", "Web", `"errorCode":"AccessDenied"`},
		// The ARN is that of the resource as it is, whatever the request called it; a refused call has it, too.
		{"DeleteRole", "Username", "bob", "Web", `"ARN":"` + arnOf("role/Web") + `"`},
		{"CreateGroup", "EventName", "CreateGroup", "Ops", `"ARN":"` + arnOf("group/x/Ops") + `"`},
		{"AddUserToGroup", "ResourceName", "bob", "Ops", `"ARN":"` + arnOf("group/x/Ops") + `"`},
		{"AddUserToGroup", "ResourceName", "Ops", "bob", `"ARN":"` + arnOf("user/bob") + `"`},
	} {
		body := e.event(c.name, c.attribute, c.value)
		if !strings.Contains(body, `"ResourceName":"`+c.resource+`"`) {
			t.Errorf("%s names no %s: %s", c.name, c.resource, body)
		}
		if !strings.Contains(strings.ReplaceAll(body, `\"`, `"`), c.contains) {
			t.Errorf("%s lacks %s: %s", c.name, c.contains, body)
		}
		if strings.Contains(body, key.SecretAccessKey) {
			t.Errorf("%s shows a secret", c.name)
		}
	}
}

// event waits for an event to reach the store and returns it as LookupEvents shows it.
func (e *env) event(name, attribute, value string) string {
	e.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		r := e.JSON11(e.t, e.keys, "cloudtrail", "CloudTrail_20131101.LookupEvents", map[string]any{
			"LookupAttributes": []map[string]string{{"AttributeKey": attribute, "AttributeValue": value}},
		})
		var out struct{ Events []json.RawMessage }
		if r.Status != 200 {
			e.t.Fatalf("LookupEvents: %d %s", r.Status, r.Body)
		}
		if err := json.Unmarshal(r.Body, &out); err != nil {
			e.t.Fatal(err)
		}
		for _, ev := range out.Events {
			if strings.Contains(string(ev), `"EventName":"`+name+`"`) {
				return string(ev)
			}
		}
		if time.Now().After(deadline) {
			e.t.Fatalf("no event %s with %s %s: %s", name, attribute, value, r.Body)
		}
	}
}

// What the console's "revoke active sessions" writes ends the sessions made before, at the next request, and no later one.
func TestRevokeOlderSessions(t *testing.T) {
	e := start(t)
	e.do("CreateRole", "RoleName", "ops", "AssumeRolePolicyDocument",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+account+`"},"Action":"sts:AssumeRole"}]}`)
	e.do("AttachRolePolicy", "RoleName", "ops", "PolicyArn", iamRead)
	bob := e.user("bob", allow("sts:AssumeRole", "*", ""))
	old := bob.assume("ops", "old")
	old.do("GetUser", "UserName", "bob")
	at := time.Now().UTC().Truncate(time.Second).Add(time.Second) // issue times are whole seconds
	e.do("PutRolePolicy", "RoleName", "ops", "PolicyName", "AWSRevokeOlderSessions", "PolicyDocument",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["*"],"Resource":["*"],"Condition":{"DateLessThan":{"aws:TokenIssueTime":"`+at.Format("2006-01-02T15:04:05.000Z")+`"}}}]}`)
	status, code, message := old.try("GetUser", "UserName", "bob")
	if status != 403 || code != "AccessDenied" || !strings.Contains(message, "with an explicit deny in an identity-based policy") {
		t.Errorf("an older session: %d %s %s", status, code, message)
	}
	time.Sleep(time.Until(at))
	bob.assume("ops", "new").do("GetUser", "UserName", "bob")
	if status, _, _ := old.try("GetUser", "UserName", "bob"); status != 403 {
		t.Errorf("the older session is back: %d", status)
	}
}

// White space counts in no size limit.
func TestSizesIgnoreWhiteSpace(t *testing.T) {
	e := start(t)
	e.role("r")
	e.do("CreateUser", "UserName", "u")
	assume := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + account + `"},"Action":"sts:AssumeRole","Condition":{"StringNotEquals":{"aws:userid":"FILL"}}}]}`
	spaced := func(document string, size int) string {
		document = strings.Replace(document, "FILL", strings.Repeat("x", size-len(document)+4), 1)
		return strings.Replace(document, `"Action"`, strings.Repeat("\r\n\t ", 700)+`"Action"`, 1)
	}
	plain := allow("s3:Get*", "arn:aws:s3:::FILL", "")
	e.do("UpdateAssumeRolePolicy", "RoleName", "r", "PolicyDocument", spaced(assume, 2048))
	e.refused(409, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048", "UpdateAssumeRolePolicy", "RoleName", "r", "PolicyDocument", spaced(assume, 2049))
	e.do("PutRolePolicy", "RoleName", "r", "PolicyName", "p", "PolicyDocument", spaced(plain, 10240))
	e.refused(409, "LimitExceeded", "Maximum policy size of 10240 bytes exceeded for role r", "PutRolePolicy", "RoleName", "r", "PolicyName", "p", "PolicyDocument", spaced(plain, 10241))
	e.do("PutUserPolicy", "UserName", "u", "PolicyName", "p", "PolicyDocument", spaced(plain, 2048))
	e.refused(409, "LimitExceeded", "Maximum policy size of 2048 bytes exceeded for user u", "PutUserPolicy", "UserName", "u", "PolicyName", "p", "PolicyDocument", spaced(plain, 2049))
	e.do("CreatePolicy", "PolicyName", "p", "PolicyDocument", spaced(plain, 6144))
	e.refused(409, "LimitExceeded", "Cannot exceed quota for PolicySize: 6144", "CreatePolicy", "PolicyName", "q", "PolicyDocument", spaced(plain, 6145))
}
