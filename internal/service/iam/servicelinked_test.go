package iam_test

import (
	"strings"
	"testing"
)

const linkedRole = "AWSServiceRoleForRolesAnywhere"

func TestServiceLinkedRole(t *testing.T) {
	e := start(t)
	const service = "rolesanywhere.amazonaws.com"
	roleARN := arnOf("role/aws-service-role/" + service + "/" + linkedRole)
	bob := e.user("bob", allow("iam:CreateServiceLinkedRole", roleARN, `{"StringEquals":{"iam:AWSServiceName":"`+service+`"}}`))
	bob.do("CreateServiceLinkedRole", "AWSServiceName", service, "Description", "d").has("RoleName", linkedRole, "Arn", roleARN, "Description", "d")
	e.refused(400, "InvalidInput", "Service role name "+linkedRole+" has been taken in this account, please try a different suffix.", "CreateServiceLinkedRole", "AWSServiceName", service)
	e.refused(400, "InvalidInput", "Custom suffix is not allowed for "+service, "CreateServiceLinkedRole", "AWSServiceName", service, "CustomSuffix", "x")
	bob.denied(arnOf("user/bob"), "iam:CreateServiceLinkedRole", arnOf("role/aws-service-role/ecs.amazonaws.com/"), "CreateServiceLinkedRole", "AWSServiceName", "ecs.amazonaws.com")
	if status, code, message := e.try("CreateServiceLinkedRole", "AWSServiceName", "ecs.amazonaws.com"); status != 400 || code != "InvalidInput" || !strings.Contains(message, "ecs.amazonaws.com") {
		t.Errorf("another service: %d %s %s", status, code, message)
	}

	got := e.do("GetRole", "RoleName", linkedRole)
	if doc := got.document("AssumeRolePolicyDocument"); !strings.Contains(doc, `"Service":"`+service+`"`) {
		t.Errorf("trust policy %s", doc)
	}
	policy := e.policy("p")
	e.do("CreateInstanceProfile", "InstanceProfileName", "web")
	for _, call := range [][]string{
		{"DeleteRole"}, {"UpdateAssumeRolePolicy", "PolicyDocument", trust}, {"PutRolePolicy", "PolicyName", "p", "PolicyDocument", readS3},
		{"DeleteRolePolicy", "PolicyName", "p"}, {"AttachRolePolicy", "PolicyArn", policy}, {"DetachRolePolicy", "PolicyArn", policy},
		{"PutRolePermissionsBoundary", "PermissionsBoundary", policy}, {"DeleteRolePermissionsBoundary"}, {"UpdateRole", "MaxSessionDuration", "7200"},
		{"AddRoleToInstanceProfile", "InstanceProfileName", "web"},
	} {
		e.refused(400, "UnmodifiableEntity", "Cannot perform the operation on the protected role '"+linkedRole+"' - this role is only modifiable by AWS",
			call[0], append([]string{"RoleName", linkedRole}, call[1:]...)...)
	}
	e.do("UpdateRole", "RoleName", linkedRole, "Description", "e")
	e.do("TagRole", "RoleName", linkedRole, "Tags.member.1.Key", "k", "Tags.member.1.Value", "v")
	e.do("GetRole", "RoleName", linkedRole).has("Description", "e", "Value", "v")

	e.role("plain")
	if status, code, _ := e.try("DeleteServiceLinkedRole", "RoleName", "plain"); status != 404 || code != "NoSuchEntity" {
		t.Errorf("DeleteServiceLinkedRole of a role like any other: %d %s", status, code)
	}
	bob.denied(arnOf("user/bob"), "iam:DeleteServiceLinkedRole", roleARN, "DeleteServiceLinkedRole", "RoleName", linkedRole)
	task := e.do("DeleteServiceLinkedRole", "RoleName", linkedRole).one("DeletionTaskId")
	if !strings.HasPrefix(task, "task/aws-service-role/"+service+"/"+linkedRole+"/") {
		t.Errorf("task %q", task)
	}
	bob.denied(arnOf("user/bob"), "iam:GetServiceLinkedRoleDeletionStatus", roleARN, "GetServiceLinkedRoleDeletionStatus", "DeletionTaskId", task)
	e.do("GetServiceLinkedRoleDeletionStatus", "DeletionTaskId", task).has("Status", "SUCCEEDED").lacks("Reason")
	e.refused(404, "NoSuchEntity", "The deletion task with id "+task+"x cannot be found.", "GetServiceLinkedRoleDeletionStatus", "DeletionTaskId", task+"x")
	e.refused(404, "NoSuchEntity", "The role with name "+linkedRole+" cannot be found.", "GetRole", "RoleName", linkedRole)
	e.do("CreateServiceLinkedRole", "AWSServiceName", service)
}

func TestAccountAlias(t *testing.T) {
	e := start(t)
	e.refused(404, "NoSuchEntity", "The account alias acme cannot be found.", "DeleteAccountAlias", "AccountAlias", "acme")
	e.do("CreateAccountAlias", "AccountAlias", "acme")
	e.refused(409, "EntityAlreadyExists", "The account alias acme already exists.", "CreateAccountAlias", "AccountAlias", "acme")
	e.do("CreateAccountAlias", "AccountAlias", "acme-prod") // takes the first one's place
	e.do("ListAccountAliases").has("member", "acme-prod", "IsTruncated", "false")
	e.refused(404, "NoSuchEntity", "The account alias acme cannot be found.", "DeleteAccountAlias", "AccountAlias", "acme")
	for _, bad := range []string{"ab", "Acme", "-acme", "acme-", "a--b", "a_b", strings.Repeat("a", 64)} {
		if status, code, _ := e.try("CreateAccountAlias", "AccountAlias", bad); status != 400 || code != "ValidationError" {
			t.Errorf("alias %q: %d %s", bad, status, code)
		}
	}
	if status, code, _ := e.try("CreateAccountAlias", "AccountAlias", "123456789012"); status != 400 || code != "InvalidInput" {
		t.Errorf("an account's number as alias: %d %s", status, code)
	}
	bob := e.user("bob", "")
	bob.denied(arnOf("user/bob"), "iam:CreateAccountAlias", "*", "CreateAccountAlias", "AccountAlias", "mine")
	bob.denied(arnOf("user/bob"), "iam:DeleteAccountAlias", "*", "DeleteAccountAlias", "AccountAlias", "acme-prod")
	e.do("DeleteAccountAlias", "AccountAlias", "acme-prod")
	e.do("ListAccountAliases").lacks("member")
}
