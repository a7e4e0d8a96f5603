package iam_test

import (
	"regexp"
	"strings"
	"testing"
)

const admin = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

func TestGroupLife(t *testing.T) {
	e := start(t)
	created := e.do("CreateGroup", "GroupName", "Admins", "Path", "/ops/").has("GroupName", "Admins", "Path", "/ops/", "Arn", arnOf("group/ops/Admins"))
	if id := created.one("GroupId"); !regexp.MustCompile(`^AGPA[A-Z2-7]{17}$`).MatchString(id) {
		t.Errorf("GroupId %q", id)
	}
	e.do("GetGroup", "GroupName", "ADMINS").has("GroupId", created.one("GroupId"), "IsTruncated", "false").empty("Users")
	e.do("ListGroups", "PathPrefix", "/ops/").has("GroupName", "Admins")
	e.do("ListGroups", "PathPrefix", "/none/").empty("Groups")
	e.refused(409, "EntityAlreadyExists", "Group with name admins already exists.", "CreateGroup", "GroupName", "admins")

	e.do("CreateUser", "UserName", "Bob")
	e.refused(404, "NoSuchEntity", "The user with name eve cannot be found.", "AddUserToGroup", "GroupName", "admins", "UserName", "eve")
	e.refused(404, "NoSuchEntity", "User Bob is not in group Admins.", "RemoveUserFromGroup", "GroupName", "admins", "UserName", "bob")
	for range 2 { // adding again is no error
		e.do("AddUserToGroup", "GroupName", "admins", "UserName", "bob")
	}
	e.do("GetGroup", "GroupName", "admins").has("UserName", "Bob")
	e.do("ListGroupsForUser", "UserName", "bob").has("GroupName", "Admins", "IsTruncated", "false")
	conflict := "Cannot delete entity, must remove users from group first."
	e.refused(409, "DeleteConflict", conflict, "DeleteGroup", "GroupName", "admins")
	e.refused(409, "DeleteConflict", conflict, "DeleteUser", "UserName", "bob")
	e.do("RemoveUserFromGroup", "GroupName", "Admins", "UserName", "BOB")
	e.do("ListGroupsForUser", "UserName", "bob").lacks("member")
	e.do("DeleteGroup", "GroupName", "admins")
	for _, call := range [][]string{
		{"GetGroup"}, {"DeleteGroup"}, {"UpdateGroup", "NewPath", "/x/"}, {"AddUserToGroup", "UserName", "bob"}, {"RemoveUserFromGroup", "UserName", "bob"},
		{"PutGroupPolicy", "PolicyName", "p", "PolicyDocument", readS3}, {"GetGroupPolicy", "PolicyName", "p"}, {"DeleteGroupPolicy", "PolicyName", "p"},
		{"ListGroupPolicies"}, {"ListAttachedGroupPolicies"}, {"AttachGroupPolicy", "PolicyArn", arnOf("policy/none")}, {"DetachGroupPolicy", "PolicyArn", arnOf("policy/none")},
	} {
		e.refused(404, "NoSuchEntity", "The group with name admins cannot be found.", call[0], append([]string{"GroupName", "admins"}, call[1:]...)...)
	}
}

func TestGroupPages(t *testing.T) {
	e := start(t)
	var want []string
	for i := range 7 {
		n := string(rune('a' + i))
		want = append(want, n)
		e.do("CreateGroup", "GroupName", n, "Path", []string{"/x/", "/y/"}[i%2])
		e.do("CreateUser", "UserName", "u"+n)
	}
	for _, n := range want {
		e.do("AddUserToGroup", "GroupName", "d", "UserName", "u"+n)
		e.do("AddUserToGroup", "GroupName", n, "UserName", "ua")
	}
	for _, items := range []int{1, 3, 7, 1000} {
		if got := strings.Join(walk(e, "GroupName", items, "ListGroups"), ""); got != "abcdefg" {
			t.Errorf("groups by %d: %q", items, got)
		}
		if got := strings.Join(walk(e, "GroupName", items, "ListGroupsForUser", "UserName", "UA"), ""); got != "abcdefg" {
			t.Errorf("groups of ua by %d: %q", items, got)
		}
		if items > 1 { // the group itself is in every page of its users
			if got := strings.Join(walk(e, "UserName", items, "GetGroup", "GroupName", "D"), ""); got != "uaubucudueufug" {
				t.Errorf("users by %d: %q", items, got)
			}
		}
	}
	if got := strings.Join(walk(e, "GroupName", 2, "ListGroups", "PathPrefix", "/x/"), ""); got != "aceg" {
		t.Errorf("groups below /x/: %q", got)
	}
	for _, n := range []string{"h", "i", "j"} {
		e.do("CreateGroup", "GroupName", n)
		e.do("AddUserToGroup", "GroupName", n, "UserName", "ua")
	}
	e.do("CreateGroup", "GroupName", "k")
	e.refused(409, "LimitExceeded", "Cannot exceed quota for GroupsPerUser: 10", "AddUserToGroup", "GroupName", "k", "UserName", "ua")
	e.do("GetGroup", "GroupName", "k").lacks("UserName")
}

// What a group may do, its members may: at once after every change of either, and no longer than that.
func TestGroupsGrant(t *testing.T) {
	e := start(t)
	bob := e.user("bob", "")
	e.do("CreateGroup", "GroupName", "Readers")
	allowed := func(what string) {
		t.Helper()
		if status, code, body := bob.try("ListUsers"); status != 200 {
			t.Errorf("%s: %d %s %s", what, status, code, body)
		}
	}
	refused := func(what string) {
		t.Helper()
		if status, code, _ := bob.try("ListUsers"); status != 403 || code != "AccessDenied" {
			t.Errorf("%s: %d %s", what, status, code)
		}
	}
	refused("without a group")
	e.do("AddUserToGroup", "GroupName", "readers", "UserName", "bob")
	refused("in a group without a policy")
	e.do("PutGroupPolicy", "GroupName", "readers", "PolicyName", "p", "PolicyDocument", allow("iam:ListUsers", "*", ""))
	allowed("with the group's inline policy")
	e.do("UpdateGroup", "GroupName", "readers", "NewGroupName", "Lookers", "NewPath", "/l/")
	allowed("after the group was renamed")
	e.do("ListGroupsForUser", "UserName", "bob").has("GroupName", "Lookers", "Arn", arnOf("group/l/Lookers"))
	e.do("ListGroupPolicies", "GroupName", "lookers").has("member", "p")
	e.refused(404, "NoSuchEntity", "The group with name readers cannot be found.", "GetGroup", "GroupName", "readers")
	e.do("UpdateUser", "UserName", "bob", "NewUserName", "Robert")
	allowed("after the user was renamed")
	e.do("GetGroup", "GroupName", "lookers").has("UserName", "Robert")
	e.do("DeleteGroupPolicy", "GroupName", "lookers", "PolicyName", "p")
	refused("after the policy was deleted")

	policy := e.do("CreatePolicy", "PolicyName", "users", "PolicyDocument", allow("iam:ListUsers", "*", "")).one("Arn")
	e.do("AttachGroupPolicy", "GroupName", "lookers", "PolicyArn", policy)
	allowed("with an attached policy")
	e.do("GetPolicy", "PolicyArn", policy).has("AttachmentCount", "1")
	e.do("ListEntitiesForPolicy", "PolicyArn", policy).has("GroupName", "Lookers")
	e.do("ListEntitiesForPolicy", "PolicyArn", policy, "EntityFilter", "User").lacks("GroupName")
	e.do("ListEntitiesForPolicy", "PolicyArn", policy, "EntityFilter", "Group", "PathPrefix", "/l/").has("GroupName", "Lookers")
	e.do("CreatePolicyVersion", "PolicyArn", policy, "PolicyDocument", readS3, "SetAsDefault", "true")
	refused("after the policy changed")
	e.do("SetDefaultPolicyVersion", "PolicyArn", policy, "VersionId", "v1")
	allowed("with the old version again")

	// A Deny of one group outweighs what another allows.
	e.do("CreateGroup", "GroupName", "blocked")
	e.do("PutGroupPolicy", "GroupName", "blocked", "PolicyName", "p", "PolicyDocument", strings.Replace(allow("iam:ListUsers", "*", ""), "Allow", "Deny", 1))
	e.do("AddUserToGroup", "GroupName", "blocked", "UserName", "robert")
	refused("with a Deny")
	e.do("RemoveUserFromGroup", "GroupName", "blocked", "UserName", "robert")
	allowed("without the Deny")
	e.do("RemoveUserFromGroup", "GroupName", "lookers", "UserName", "robert")
	refused("out of the group")
}

func TestRenameGroup(t *testing.T) {
	e := start(t)
	id := e.do("CreateGroup", "GroupName", "a").one("GroupId")
	e.do("CreateGroup", "GroupName", "b")
	e.refused(409, "EntityAlreadyExists", "Group with name B already exists.", "UpdateGroup", "GroupName", "a", "NewGroupName", "B")
	e.do("UpdateGroup", "GroupName", "a", "NewGroupName", "A")
	e.do("GetGroup", "GroupName", "a").has("GroupName", "A", "GroupId", id)
	// The permission is needed on what the group is and on what it becomes.
	bob := e.user("bob", allow("iam:UpdateGroup", arnOf("group/A"), ""))
	bob.denied(arnOf("user/bob"), "iam:UpdateGroup", arnOf("group/c"), "UpdateGroup", "GroupName", "a", "NewGroupName", "c")
	bob.denied(arnOf("user/bob"), "iam:UpdateGroup", arnOf("group/b"), "UpdateGroup", "GroupName", "b", "NewGroupName", "A")
}

func TestGroupDenials(t *testing.T) {
	e := start(t)
	e.do("CreateGroup", "GroupName", "G", "Path", "/p/")
	bob := e.user("bob", "")
	policy := e.policy("p")
	for action, more := range map[string][]string{
		"GetGroup": nil, "DeleteGroup": nil, "UpdateGroup": nil, "AddUserToGroup": {"UserName", "bob"}, "RemoveUserFromGroup": {"UserName", "bob"},
		"PutGroupPolicy": {"PolicyName", "p", "PolicyDocument", admin}, "GetGroupPolicy": {"PolicyName", "p"}, "DeleteGroupPolicy": {"PolicyName", "p"},
		"ListGroupPolicies": nil, "ListAttachedGroupPolicies": nil, "AttachGroupPolicy": {"PolicyArn", policy}, "DetachGroupPolicy": {"PolicyArn", policy},
	} {
		bob.denied(arnOf("user/bob"), "iam:"+action, arnOf("group/p/G"), action, append([]string{"GroupName", "g"}, more...)...)
		bob.denied(arnOf("user/bob"), "iam:"+action, arnOf("group/gone"), action, append([]string{"GroupName", "gone"}, more...)...)
	}
	bob.denied(arnOf("user/bob"), "iam:CreateGroup", arnOf("group/p/new"), "CreateGroup", "GroupName", "new", "Path", "/p/")
	bob.denied(arnOf("user/bob"), "iam:ListGroups", arnOf("group/p/"), "ListGroups", "PathPrefix", "/p/")

	// iam:PolicyARN bounds what may be attached.
	eve := e.user("eve", allow("iam:AttachGroupPolicy", "*", `{"ArnEquals":{"iam:PolicyARN":"`+policy+`"}}`))
	eve.do("AttachGroupPolicy", "GroupName", "g", "PolicyArn", policy)
	eve.denied(arnOf("user/eve"), "iam:AttachGroupPolicy", arnOf("group/p/G"), "AttachGroupPolicy", "GroupName", "g", "PolicyArn", e.policy("other"))
}

// However they interleave, no membership outlives its user or its group.
func TestMembersAgainstDelete(t *testing.T) {
	e := start(t)
	for range 10 {
		e.do("CreateUser", "UserName", "u")
		e.do("CreateGroup", "GroupName", "g")
		got := together(e, []string{"AddUserToGroup", "GroupName", "g", "UserName", "u"}, []string{"DeleteUser", "UserName", "u"}, []string{"DeleteGroup", "GroupName", "g"})
		if n := got[""] + got["NoSuchEntity"] + got["DeleteConflict"]; n != 3 {
			t.Fatalf("%v", got)
		}
		e.try("RemoveUserFromGroup", "GroupName", "g", "UserName", "u")
		for _, call := range [][]string{{"DeleteUser", "UserName", "u"}, {"DeleteGroup", "GroupName", "g"}} {
			if status, code, _ := e.try(call[0], call[1:]...); status != 200 && code != "NoSuchEntity" {
				t.Fatalf("%s after the race: %d %s", call[0], status, code)
			}
		}
		e.do("CreateUser", "UserName", "u")
		e.do("ListGroupsForUser", "UserName", "u").lacks("member")
		e.do("DeleteUser", "UserName", "u")
	}
	e.do("CreateUser", "UserName", "u")
	var calls [][]string
	for i := range 14 {
		e.do("CreateGroup", "GroupName", "g"+itoa(i))
		calls = append(calls, []string{"AddUserToGroup", "GroupName", "g" + itoa(i), "UserName", "u"})
	}
	if got := together(e, calls...); got[""] != 10 || got["LimitExceeded"] != 4 {
		t.Errorf("groups of one user: %v", got)
	}
}
