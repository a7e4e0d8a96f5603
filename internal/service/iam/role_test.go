package iam_test

import (
	"regexp"
	"strings"
	"testing"
)

func TestRoleLife(t *testing.T) {
	e := start(t)
	r := e.do("CreateRole", "RoleName", "Web-1", "Path", "/team/a/", "AssumeRolePolicyDocument", trust, "Description", "serves <web>",
		"MaxSessionDuration", "43200", "Tags.member.1.Key", "Env", "Tags.member.1.Value", "prod")
	r.has("RoleName", "Web-1", "Path", "/team/a/", "Arn", arnOf("role/team/a/Web-1"), "Description", "serves <web>",
		"MaxSessionDuration", "43200", "Key", "Env", "Value", "prod")
	if id := r.one("RoleId"); !regexp.MustCompile(`^AROA[A-Z2-7]{17}$`).MatchString(id) {
		t.Errorf("RoleId %q", id)
	}
	if got := r.document("AssumeRolePolicyDocument"); got != trust {
		t.Errorf("trust policy %q", got)
	}
	got := e.do("GetRole", "RoleName", "WEB-1") // in any case
	got.has("RoleName", "Web-1", "RoleId", r.one("RoleId"), "CreateDate", r.one("CreateDate"), "Key", "Env")
	if !strings.Contains(got.body, "RoleLastUsed") {
		t.Error("GetRole lacks RoleLastUsed")
	}
	e.do("ListRoles").has("RoleName", "Web-1", "IsTruncated", "false", "MaxSessionDuration", "43200").lacks("Tags", "RoleLastUsed", "Marker")

	e.do("UpdateRole", "RoleName", "web-1", "Description", "", "MaxSessionDuration", "7200")
	e.do("GetRole", "RoleName", "Web-1").has("MaxSessionDuration", "7200").lacks("Description")
	e.do("UpdateRole", "RoleName", "web-1", "MaxSessionDuration", "3600")
	e.do("UpdateRoleDescription", "RoleName", "Web-1", "Description", "new").has("Description", "new", "MaxSessionDuration", "3600")
	other := strings.Replace(trust, "rolesanywhere", "ec2", 1)
	e.do("UpdateAssumeRolePolicy", "RoleName", "Web-1", "PolicyDocument", other)
	if got := e.do("GetRole", "RoleName", "Web-1").document("AssumeRolePolicyDocument"); got != other {
		t.Errorf("trust policy %q", got)
	}

	e.do("ListInstanceProfilesForRole", "RoleName", "Web-1").has("IsTruncated", "false").lacks("member")
	e.do("DeleteRole", "RoleName", "wEb-1")
	e.refused(404, "NoSuchEntity", "The role with name Web-1 cannot be found.", "GetRole", "RoleName", "Web-1")
}

// A role trusted by ARN stays trusted by ARN: Terraform compares the document it reads with the one it wrote.
func TestTrustPolicyIsKeptAsWritten(t *testing.T) {
	e := start(t)
	doc := `{ "Version": "2012-10-17",
	"Statement": [ {"Sid": "a", "Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::` + account + `:role/x", "210987654321"]}, "Action": "sts:AssumeRole"} ] }`
	e.do("CreateRole", "RoleName", "r", "AssumeRolePolicyDocument", doc)
	if got := e.do("GetRole", "RoleName", "r").document("AssumeRolePolicyDocument"); got != doc {
		t.Errorf("got %q\nwant %q", got, doc)
	}
}

func TestRoleErrors(t *testing.T) {
	e := start(t)
	e.role("Taken")
	create := func(more ...string) []string {
		return append([]string{"RoleName", "r", "AssumeRolePolicyDocument", trust}, more...)
	}
	big := strings.Replace(trust, `"Effect"`, `"Sid":"`+strings.Repeat("a", 2048)+`","Effect"`, 1)
	spaced := strings.Replace(trust, `"Effect"`, strings.Repeat(" ", 4000)+`"Effect"`, 1)
	for _, c := range []struct {
		status        int
		code, message string
		action        string
		params        []string
	}{
		{409, "EntityAlreadyExists", "Role with name taken already exists.", "CreateRole", []string{"RoleName", "taken", "AssumeRolePolicyDocument", trust}},
		{409, "EntityAlreadyExists", "Role with name TAKEN already exists.", "CreateRole", []string{"RoleName", "TAKEN", "Path", "/x/", "AssumeRolePolicyDocument", trust}},
		{409, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048", "CreateRole", []string{"RoleName", "r", "AssumeRolePolicyDocument", big}},
		{409, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048", "UpdateAssumeRolePolicy", []string{"RoleName", "Taken", "PolicyDocument", big}},
		{404, "NoSuchEntity", "Scope ARN: arn:aws:iam::123456789012:policy/none does not exist or is not attachable.", "CreateRole", create("PermissionsBoundary", arnOf("policy/none"))},
		{404, "NoSuchEntity", "Scope ARN: arn:aws:iam::123456789012:policy/none does not exist or is not attachable.", "PutRolePermissionsBoundary", []string{"RoleName", "Taken", "PermissionsBoundary", arnOf("policy/none")}},
		{400, "InvalidInput", "ARN arn:aws:iam::123456789012:role/Taken is not valid.", "PutRolePermissionsBoundary", []string{"RoleName", "Taken", "PermissionsBoundary", arnOf("role/Taken")}},
		{400, "InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.", "CreateRole", create("Tags.member.1.Key", "k", "Tags.member.1.Value", "1", "Tags.member.2.Key", "K", "Tags.member.2.Value", "2")},
		{400, "InvalidInput", "Tag keys that start with aws: are reserved: aws:x", "CreateRole", create("Tags.member.1.Key", "aws:x", "Tags.member.1.Value", "1")},
		{400, "InvalidInput", "The specified value for path is invalid. Paths that start with /aws-service-role/ are reserved for roles that services create.", "CreateRole", create("Path", "/aws-service-role/x.amazonaws.com/")},
		{400, "ValidationError", "1 validation error detected: Value '3599' at 'maxSessionDuration' failed to satisfy constraint: Member must have value greater than or equal to 3600", "CreateRole", create("MaxSessionDuration", "3599")},
		{400, "ValidationError", "1 validation error detected: Value '43201' at 'maxSessionDuration' failed to satisfy constraint: Member must have value less than or equal to 43200", "UpdateRole", []string{"RoleName", "Taken", "MaxSessionDuration", "43201"}},
		{400, "ValidationError", "Invalid Marker.", "ListRoles", []string{"Marker", "nonsense"}},
	} {
		e.refused(c.status, c.code, c.message, c.action, c.params...)
	}
	for _, action := range [][]string{
		{"GetRole"}, {"DeleteRole"}, {"UpdateRole"}, {"UpdateRoleDescription", "Description", "x"}, {"UpdateAssumeRolePolicy", "PolicyDocument", trust},
		{"TagRole", "Tags.member.1.Key", "k", "Tags.member.1.Value", "v"}, {"UntagRole", "TagKeys.member.1", "k"}, {"ListRoleTags"},
		{"PutRolePermissionsBoundary", "PermissionsBoundary", arnOf("policy/none")}, {"DeleteRolePermissionsBoundary"},
		{"PutRolePolicy", "PolicyName", "p", "PolicyDocument", readS3}, {"GetRolePolicy", "PolicyName", "p"}, {"DeleteRolePolicy", "PolicyName", "p"},
		{"ListRolePolicies"}, {"ListAttachedRolePolicies"}, {"AttachRolePolicy", "PolicyArn", arnOf("policy/none")},
		{"DetachRolePolicy", "PolicyArn", arnOf("policy/none")}, {"ListInstanceProfilesForRole"},
	} {
		e.refused(404, "NoSuchEntity", "The role with name gone cannot be found.", action[0], append([]string{"RoleName", "gone"}, action[1:]...)...)
	}
	e.do("CreateRole", "RoleName", "spaced", "AssumeRolePolicyDocument", spaced) // white space does not count
}

func TestMalformedTrustPolicy(t *testing.T) {
	e := start(t)
	e.role("r")
	for doc, want := range map[string]string{
		`{`: "This policy contains invalid Json",
		`{"Version":"2012-10-17","Statement":[]}`:                                               "Could not parse the policy: Statement is empty!",
		strings.Replace(trust, `"Principal":{"Service":"rolesanywhere.amazonaws.com"},`, "", 1): "Missing required field Principal",
		strings.Replace(trust, `sts:TagSession`, "s3:GetObject", 1):                             "AssumeRole policy may only specify STS AssumeRole actions.",
		strings.Replace(trust, `"Effect"`, `"Resource":"*","Effect"`, 1):                        "Has prohibited field Resource",
	} {
		for _, call := range [][]string{
			{"CreateRole", "RoleName", "new", "AssumeRolePolicyDocument", doc},
			{"UpdateAssumeRolePolicy", "RoleName", "r", "PolicyDocument", doc},
		} {
			status, code, message := e.try(call[0], call[1:]...)
			if status != 400 || code != "MalformedPolicyDocument" || !strings.HasPrefix(message, want) {
				t.Errorf("%s %s: got %d %s %q, want %q", call[0], doc, status, code, message, want)
			}
		}
	}
	e.refused(404, "NoSuchEntity", "The role with name new cannot be found.", "GetRole", "RoleName", "new")
	if got := e.do("GetRole", "RoleName", "r").document("AssumeRolePolicyDocument"); got != trust {
		t.Errorf("a refused update changed the trust policy to %q", got)
	}
}

func TestRoleTags(t *testing.T) {
	e := start(t)
	e.role("r")
	e.do("TagRole", "RoleName", "r", "Tags.member.1.Key", "Team", "Tags.member.1.Value", "a", "Tags.member.2.Key", "cost", "Tags.member.2.Value", "")
	e.do("TagRole", "RoleName", "r", "Tags.member.1.Key", "TEAM", "Tags.member.1.Value", "b")
	got := e.do("ListRoleTags", "RoleName", "r").has("IsTruncated", "false")
	if keys, values := got.all("Key"), got.all("Value"); strings.Join(keys, " ") != "TEAM cost" || strings.Join(values, ",") != "b," {
		t.Errorf("tags %q = %q", keys, values)
	}
	e.do("UntagRole", "RoleName", "r", "TagKeys.member.1", "team", "TagKeys.member.2", "absent")
	e.do("ListRoleTags", "RoleName", "r").has("Key", "cost")

	many := []string{"RoleName", "r"}
	for i := range 50 {
		n := "Tags.member." + itoa(i+1)
		many = append(many, n+".Key", "k"+itoa(i), n+".Value", "v")
	}
	e.refused(409, "LimitExceeded", "Cannot exceed quota for TagsPerRole: 50", "TagRole", many...)
	e.do("UntagRole", "RoleName", "r", "TagKeys.member.1", "cost")
	e.do("TagRole", many...)
	page := e.do("ListRoleTags", "RoleName", "r", "MaxItems", "20").has("IsTruncated", "true")
	rest := e.do("ListRoleTags", "RoleName", "r", "Marker", page.one("Marker")).has("IsTruncated", "false")
	if a, b := len(page.all("Key")), len(rest.all("Key")); a != 20 || b != 30 {
		t.Errorf("pages of %d and %d tags", a, b)
	}
}

func TestRoleBoundary(t *testing.T) {
	e := start(t)
	boundary := e.policy("limit")
	e.do("CreateRole", "RoleName", "r", "AssumeRolePolicyDocument", trust, "PermissionsBoundary", boundary).
		has("PermissionsBoundaryArn", boundary, "PermissionsBoundaryType", "PermissionsBoundaryPolicy")
	e.do("GetRole", "RoleName", "r").has("PermissionsBoundaryArn", boundary)
	e.do("ListRoles").lacks("PermissionsBoundary")
	e.do("GetPolicy", "PolicyArn", boundary).has("PermissionsBoundaryUsageCount", "1", "AttachmentCount", "0")
	e.refused(409, "DeleteConflict", "Cannot delete a policy attached to entities.: it is a permissions boundary", "DeletePolicy", "PolicyArn", boundary)
	e.do("DeleteRolePermissionsBoundary", "RoleName", "r")
	e.do("GetRole", "RoleName", "r").lacks("PermissionsBoundary")
	e.do("PutRolePermissionsBoundary", "RoleName", "r", "PermissionsBoundary", boundary)
	e.do("GetRole", "RoleName", "r").has("PermissionsBoundaryArn", boundary)
	e.do("DeleteRole", "RoleName", "r")
	e.do("DeletePolicy", "PolicyArn", boundary)
}
