package iam_test

import (
	"testing"

	"github.com/rolecall/rolecall/internal/testserver"
)

func TestSmoke(t *testing.T) {
	s := testserver.Start(t)
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}]}`
	for _, c := range [][]string{
		{"CreateRole", "RoleName", "Web", "AssumeRolePolicyDocument", trust, "Tags.member.1.Key", "a", "Tags.member.1.Value", "b"},
		{"CreateRole", "RoleName", "web", "AssumeRolePolicyDocument", trust},
		{"GetRole", "RoleName", "web"},
		{"PutRolePolicy", "RoleName", "web", "PolicyName", "p", "PolicyDocument", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`},
		{"GetRolePolicy", "RoleName", "web", "PolicyName", "p"},
		{"ListRolePolicies", "RoleName", "web"},
		{"ListRoles", "MaxItems", "1"},
		{"DeleteRole", "RoleName", "web"},
		{"DeleteRolePolicy", "RoleName", "web", "PolicyName", "p"},
		{"DeleteRole", "RoleName", "web"},
		{"GetRole", "RoleName", "web"},
	} {
		r := s.Query(t, s.Root, "iam", c[0], c[1:]...)
		t.Logf("%s: %d %s", c[0], r.Status, r.Body)
	}
}
