package iam_test

import (
	"regexp"
	"strings"
	"testing"
)

func TestInstanceProfiles(t *testing.T) {
	e := start(t)
	created := e.do("CreateInstanceProfile", "InstanceProfileName", "Web", "Path", "/x/", "Tags.member.1.Key", "k", "Tags.member.1.Value", "v").
		has("InstanceProfileName", "Web", "Arn", arnOf("instance-profile/x/Web"), "Key", "k").empty("Roles")
	if id := created.one("InstanceProfileId"); !regexp.MustCompile(`^AIPA[A-Z2-7]{17}$`).MatchString(id) {
		t.Errorf("InstanceProfileId %q", id)
	}
	e.refused(409, "EntityAlreadyExists", "Instance Profile WEB already exists.", "CreateInstanceProfile", "InstanceProfileName", "WEB")
	e.role("App")
	e.role("other")
	e.do("ListInstanceProfilesForRole", "RoleName", "app").lacks("member")
	e.do("AddRoleToInstanceProfile", "InstanceProfileName", "web", "RoleName", "APP")
	got := e.do("GetInstanceProfile", "InstanceProfileName", "WEB").has("RoleName", "App", "InstanceProfileId", created.one("InstanceProfileId"), "Value", "v")
	if doc := got.document("AssumeRolePolicyDocument"); doc != trust {
		t.Errorf("trust policy %q", doc)
	}
	for _, role := range []string{"app", "other"} {
		e.refused(409, "LimitExceeded", "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1", "AddRoleToInstanceProfile", "InstanceProfileName", "web", "RoleName", role)
	}
	e.do("ListInstanceProfilesForRole", "RoleName", "app").has("InstanceProfileName", "Web", "IsTruncated", "false").lacks("Tags")
	e.do("ListInstanceProfiles", "PathPrefix", "/x/").has("InstanceProfileName", "Web", "RoleName", "App")
	e.do("ListInstanceProfiles", "PathPrefix", "/y/").lacks("member")
	conflict := "Cannot delete entity, must remove roles from instance profile first."
	e.refused(409, "DeleteConflict", conflict, "DeleteRole", "RoleName", "app")
	e.refused(409, "DeleteConflict", conflict, "DeleteInstanceProfile", "InstanceProfileName", "web")

	e.do("TagInstanceProfile", "InstanceProfileName", "web", "Tags.member.1.Key", "K", "Tags.member.1.Value", "w")
	e.do("ListInstanceProfileTags", "InstanceProfileName", "web").has("Key", "K", "Value", "w", "IsTruncated", "false")
	e.do("GetInstanceProfile", "InstanceProfileName", "web").has("RoleName", "App") // still
	e.do("UntagInstanceProfile", "InstanceProfileName", "web", "TagKeys.member.1", "k")
	e.do("ListInstanceProfileTags", "InstanceProfileName", "web").lacks("member")

	e.refused(404, "NoSuchEntity", "The role with name other cannot be found.", "RemoveRoleFromInstanceProfile", "InstanceProfileName", "web", "RoleName", "other")
	e.refused(404, "NoSuchEntity", "The role with name gone cannot be found.", "AddRoleToInstanceProfile", "InstanceProfileName", "web", "RoleName", "gone")
	e.do("RemoveRoleFromInstanceProfile", "InstanceProfileName", "web", "RoleName", "app")
	e.do("DeleteRole", "RoleName", "app")
	e.do("DeleteInstanceProfile", "InstanceProfileName", "web")
	tag := []string{"Tags.member.1.Key", "k", "Tags.member.1.Value", "v"}
	for action, more := range map[string][]string{
		"GetInstanceProfile": nil, "DeleteInstanceProfile": nil, "AddRoleToInstanceProfile": {"RoleName", "other"}, "RemoveRoleFromInstanceProfile": {"RoleName", "other"},
		"TagInstanceProfile": tag, "UntagInstanceProfile": {"TagKeys.member.1", "k"}, "ListInstanceProfileTags": nil,
	} {
		e.refused(404, "NoSuchEntity", "Instance Profile web cannot be found.", action, append([]string{"InstanceProfileName", "web"}, more...)...)
	}
}

func TestInstanceProfilePages(t *testing.T) {
	e := start(t)
	e.role("r")
	for i := range 5 {
		e.do("CreateInstanceProfile", "InstanceProfileName", string(rune('a'+i)))
		e.do("AddRoleToInstanceProfile", "InstanceProfileName", string(rune('A'+i)), "RoleName", "r")
	}
	for _, items := range []int{1, 2, 5} {
		for _, call := range [][]string{{"ListInstanceProfiles"}, {"ListInstanceProfilesForRole", "RoleName", "R"}} {
			if got := strings.Join(walk(e, "InstanceProfileName", items, call[0], call[1:]...), ""); got != "abcde" {
				t.Errorf("%s by %d: %q", call[0], items, got)
			}
		}
	}
}

// Putting a role where instances get it takes iam:PassRole on the role, too.
func TestInstanceProfilePermissions(t *testing.T) {
	e := start(t)
	e.do("CreateRole", "RoleName", "App", "Path", "/x/", "AssumeRolePolicyDocument", trust)
	e.do("CreateInstanceProfile", "InstanceProfileName", "web")
	bob := e.user("bob", allow("iam:AddRoleToInstanceProfile", arnOf("instance-profile/web"), ""))
	bob.denied(arnOf("user/bob"), "iam:PassRole", arnOf("role/x/App"), "AddRoleToInstanceProfile", "InstanceProfileName", "web", "RoleName", "app")
	for service, want := range map[string]int{"rolesanywhere": 403, "ec2": 200} {
		e.do("PutUserPolicy", "UserName", "bob", "PolicyName", "pass", "PolicyDocument",
			allow("iam:PassRole", arnOf("role/x/App"), `{"StringEquals":{"iam:PassedToService":"`+service+`.amazonaws.com"}}`))
		if status, code, _ := bob.try("AddRoleToInstanceProfile", "InstanceProfileName", "web", "RoleName", "app"); status != want {
			t.Errorf("passing to %s: %d %s, want %d", service, status, code, want)
		}
		e.try("RemoveRoleFromInstanceProfile", "InstanceProfileName", "web", "RoleName", "app")
	}
	for action, more := range map[string][]string{
		"GetInstanceProfile": nil, "DeleteInstanceProfile": nil, "RemoveRoleFromInstanceProfile": {"RoleName", "app"}, "ListInstanceProfileTags": nil,
		"TagInstanceProfile": {"Tags.member.1.Key", "k", "Tags.member.1.Value", "v"}, "UntagInstanceProfile": {"TagKeys.member.1", "k"},
	} {
		bob.denied(arnOf("user/bob"), "iam:"+action, arnOf("instance-profile/web"), action, append([]string{"InstanceProfileName", "WEB"}, more...)...)
	}
	eve := e.user("eve", allow("iam:CreateInstanceProfile", "*", ""))
	eve.denied(arnOf("user/eve"), "iam:TagInstanceProfile", arnOf("instance-profile/p/new"), "CreateInstanceProfile", "InstanceProfileName", "new", "Path", "/p/",
		"Tags.member.1.Key", "k", "Tags.member.1.Value", "v")
	eve.do("CreateInstanceProfile", "InstanceProfileName", "new")
}
