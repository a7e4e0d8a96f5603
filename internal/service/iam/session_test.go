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
