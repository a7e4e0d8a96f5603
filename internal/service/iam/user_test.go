package iam_test

import (
	"regexp"
	"strings"
	"testing"
)

func TestUserLife(t *testing.T) {
	e := start(t)
	boundary := e.policy("limit")
	created := e.do("CreateUser", "UserName", "Bob", "Path", "/eng/", "PermissionsBoundary", boundary, "Tags.member.1.Key", "k", "Tags.member.1.Value", "v").
		has("UserName", "Bob", "Path", "/eng/", "Arn", arnOf("user/eng/Bob"), "PermissionsBoundaryArn", boundary, "Key", "k")
	if id := created.one("UserId"); !regexp.MustCompile(`^AIDA[A-Z2-7]{17}$`).MatchString(id) {
		t.Errorf("UserId %q", id)
	}
	e.do("GetUser", "UserName", "BOB").has("UserId", created.one("UserId"), "Value", "v")
	e.do("ListUsers", "PathPrefix", "/eng/").has("UserName", "Bob", "IsTruncated", "false").lacks("Tags", "PermissionsBoundary")
	e.do("ListUsers", "PathPrefix", "/ops/").lacks("member")
	e.refused(409, "EntityAlreadyExists", "User with name bob already exists.", "CreateUser", "UserName", "bob")

	e.do("TagUser", "UserName", "bob", "Tags.member.1.Key", "K", "Tags.member.1.Value", "w")
	e.do("ListUserTags", "UserName", "bob").has("Key", "K", "Value", "w")
	e.do("UntagUser", "UserName", "bob", "TagKeys.member.1", "k")
	e.do("ListUserTags", "UserName", "bob").lacks("member")
	e.do("DeleteUserPermissionsBoundary", "UserName", "bob")
	e.do("GetUser", "UserName", "bob").lacks("PermissionsBoundary")
	e.do("PutUserPermissionsBoundary", "UserName", "bob", "PermissionsBoundary", boundary)
	e.do("GetUser", "UserName", "bob").has("PermissionsBoundaryArn", boundary)
	e.do("ListGroupsForUser", "UserName", "bob").has("IsTruncated", "false").lacks("member")

	e.do("CreateAccessKey", "UserName", "bob")
	e.refused(409, "DeleteConflict", "Cannot delete entity, must delete access keys first.", "DeleteUser", "UserName", "bob")
	e.do("DeleteAccessKey", "UserName", "bob", "AccessKeyId", e.do("ListAccessKeys", "UserName", "bob").one("AccessKeyId"))
	e.do("DeleteUser", "UserName", "bob")
	for _, call := range [][]string{
		{"GetUser"}, {"DeleteUser"}, {"UpdateUser", "NewPath", "/x/"}, {"ListUserTags"}, {"UntagUser", "TagKeys.member.1", "k"},
		{"TagUser", "Tags.member.1.Key", "k", "Tags.member.1.Value", "v"}, {"PutUserPermissionsBoundary", "PermissionsBoundary", boundary},
		{"DeleteUserPermissionsBoundary"}, {"ListGroupsForUser"}, {"CreateAccessKey"}, {"ListAccessKeys"},
		{"UpdateAccessKey", "AccessKeyId", "AKIAAAAAAAAAAAAAAAAA", "Status", "Active"}, {"DeleteAccessKey", "AccessKeyId", "AKIAAAAAAAAAAAAAAAAA"},
		{"PutUserPolicy", "PolicyName", "p", "PolicyDocument", readS3}, {"GetUserPolicy", "PolicyName", "p"}, {"DeleteUserPolicy", "PolicyName", "p"},
		{"ListUserPolicies"}, {"ListAttachedUserPolicies"}, {"AttachUserPolicy", "PolicyArn", boundary}, {"DetachUserPolicy", "PolicyArn", boundary},
	} {
		e.refused(404, "NoSuchEntity", "The user with name bob cannot be found.", call[0], append([]string{"UserName", "bob"}, call[1:]...)...)
	}
}

// Renaming takes keys, policies and attachments along; a key goes on working under the new name.
func TestRenameUser(t *testing.T) {
	e := start(t)
	policy := e.policy("managed")
	bob := e.user("bob", allow("iam:GetUser", "*", ""))
	e.do("AttachUserPolicy", "UserName", "bob", "PolicyArn", policy)
	id := e.do("GetUser", "UserName", "bob").one("UserId")
	e.do("CreateUser", "UserName", "eve")
	e.refused(409, "EntityAlreadyExists", "User with name EVE already exists.", "UpdateUser", "UserName", "bob", "NewUserName", "EVE")

	for _, name := range []string{"Bobby", "BOBBY", "bob"} { // the second only in case
		old := e.do("ListUsers").all("UserName")[0]
		e.do("UpdateUser", "UserName", old, "NewUserName", name, "NewPath", "/eng/")
		bob.do("GetUser").has("UserName", name, "UserId", id, "Arn", arnOf("user/eng/"+name))
		e.do("ListAttachedUserPolicies", "UserName", name).has("PolicyArn", policy)
		e.do("ListUserPolicies", "UserName", name).has("member", "p")
		e.do("ListAccessKeys", "UserName", name).has("AccessKeyId", bob.keys.AccessKeyID, "UserName", name)
		e.do("ListEntitiesForPolicy", "PolicyArn", policy).has("UserName", name)
	}
	e.refused(404, "NoSuchEntity", "The user with name Bobby cannot be found.", "GetUser", "UserName", "Bobby")
	// Nothing is left behind for whoever gets the old name next.
	e.do("CreateUser", "UserName", "bobby")
	e.do("ListAttachedUserPolicies", "UserName", "bobby").lacks("member")
	e.do("ListUserPolicies", "UserName", "bobby").lacks("member")
	e.do("ListAccessKeys", "UserName", "bobby").lacks("member")
}

func TestOwnUser(t *testing.T) {
	e := start(t)
	bob := e.user("bob", allow("iam:GetUser", "arn:aws:iam::*:user/${aws:username}", ""))
	bob.do("GetUser").has("UserName", "bob")
	bob.do("GetUser", "UserName", "BOB").has("UserName", "bob")
	e.do("CreateUser", "UserName", "eve")
	bob.denied(arnOf("user/bob"), "iam:GetUser", arnOf("user/eve"), "GetUser", "UserName", "eve")
	bob.denied(arnOf("user/bob"), "iam:GetUser", arnOf("user/nobody"), "GetUser", "UserName", "nobody") // not: not found
	e.do("GetUser").has("Arn", arnOf("root"), "UserId", account).lacks("UserName")
}

func TestListsPage(t *testing.T) {
	e := start(t)
	var want []string
	for i := range 7 {
		n := string(rune('a' + i))
		want = append(want, n)
		path := "/x/"
		if i%2 == 1 {
			path = "/y/"
		}
		e.do("CreateRole", "RoleName", n, "Path", path, "AssumeRolePolicyDocument", trust)
		e.do("CreateUser", "UserName", strings.ToUpper(n), "Path", path)
		e.do("CreatePolicy", "PolicyName", n, "Path", path, "PolicyDocument", readS3)
	}
	for _, l := range []struct {
		action, element string
		more            []string
	}{{"ListRoles", "RoleName", nil}, {"ListUsers", "UserName", nil}, {"ListPolicies", "PolicyName", []string{"Scope", "Local"}}} {
		for _, items := range []int{1, 2, 3, 7, 8, 1000} {
			if got := strings.ToLower(strings.Join(walk(e, l.element, items, l.action, l.more...), "")); got != strings.Join(want, "") {
				t.Errorf("%s by %d: %q", l.action, items, got)
			}
		}
		if got := strings.ToLower(strings.Join(walk(e, l.element, 2, l.action, append(l.more, "PathPrefix", "/x/")...), "")); got != "aceg" {
			t.Errorf("%s below /x/: %q", l.action, got)
		}
		e.refused(400, "ValidationError", "1 validation error detected: Value '0' at 'maxItems' failed to satisfy constraint: Member must have value greater than or equal to 1", l.action, "MaxItems", "0")
		e.refused(400, "ValidationError", "1 validation error detected: Value '1001' at 'maxItems' failed to satisfy constraint: Member must have value less than or equal to 1000", l.action, "MaxItems", "1001")
	}
}

func TestAccount(t *testing.T) {
	e := start(t)
	e.do("ListAccountAliases").has("IsTruncated", "false").lacks("member")
	e.do("ListInstanceProfiles").has("IsTruncated", "false").lacks("member")
	e.role("r")
	e.policy("p")
	e.do("CreateUser", "UserName", "u")
	e.do("CreateGroup", "GroupName", "g")
	e.do("CreateInstanceProfile", "InstanceProfileName", "i")
	e.do("CreatePolicyVersion", "PolicyArn", arnOf("policy/p"), "PolicyDocument", readS3)
	r := e.do("GetAccountSummary")
	got := map[string]string{}
	values := r.all("value")
	for i, k := range r.all("key") {
		got[k] = values[i]
	}
	for k, want := range map[string]string{"Roles": "1", "Users": "1", "Policies": "1", "PolicyVersionsInUse": "2", "AccountAccessKeysPresent": "1", "VersionsPerPolicyQuota": "5", "Groups": "1", "InstanceProfiles": "1",
		"GroupPolicySizeQuota": "5120", "GroupsPerUserQuota": "10", "AttachedPoliciesPerGroupQuota": "10"} {
		if got[k] != want {
			t.Errorf("%s is %q, want %q", k, got[k], want)
		}
	}
}
