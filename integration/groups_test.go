package integration

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// An administrator by membership alone, made and then used with the real AWS CLI; and what else tools ask IAM for.
func TestGroupAdministratorWithTheCLI(t *testing.T) {
	n := serve(t, nodeConfig{dir: t.TempDir()})
	root := newCLI(t, n, "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(n.dir, "root-credentials"), "AWS_CONFIG_FILE=/dev/null")
	root.do("", "iam", "create-user", "--user-name", "ada")
	group := root.do("Group.Arn", "iam", "create-group", "--group-name", "admins", "--path", "/staff/")
	if want := "arn:aws:iam::" + n.account + ":group/staff/admins"; group != want {
		t.Errorf("group %s, want %s", group, want)
	}
	document := root.write("admin.json", allow("*"))
	policy := root.do("Policy.Arn", "iam", "create-policy", "--policy-name", "everything", "--policy-document", "file://"+document)
	ada := root.login("ada")
	ada.fails("(AccessDenied)", "iam", "list-roles")
	root.do("", "iam", "add-user-to-group", "--group-name", "admins", "--user-name", "ada")
	root.do("", "iam", "attach-group-policy", "--group-name", "admins", "--policy-arn", policy)
	if got := root.do("Policy.AttachmentCount", "iam", "get-policy", "--policy-arn", policy); got != "1" {
		t.Errorf("AttachmentCount %s", got)
	}
	if got := ada.do("Arn", "sts", "get-caller-identity"); got != "arn:aws:iam::"+n.account+":user/ada" {
		t.Errorf("identity %s", got)
	}

	// From here on the administrator works, another user included.
	if got := ada.do("Users.UserName", "iam", "get-group", "--group-name", "admins"); got != "ada" {
		t.Errorf("members %s", got)
	}
	trust := ada.write("trust.json", trustPolicy(anywherePrincipal, ""))
	ada.do("", "iam", "create-role", "--role-name", "web", "--assume-role-policy-document", "file://"+trust)
	ada.do("", "iam", "create-instance-profile", "--instance-profile-name", "web", "--tags", "Key=env,Value=test")
	ada.do("", "iam", "add-role-to-instance-profile", "--instance-profile-name", "web", "--role-name", "web")
	if got := ada.do("InstanceProfiles.InstanceProfileName", "iam", "list-instance-profiles-for-role", "--role-name", "web"); got != "web" {
		t.Errorf("instance profiles of the role: %s", got)
	}
	ada.fails("(DeleteConflict)", "iam", "delete-role", "--role-name", "web")
	ada.do("", "iam", "create-account-alias", "--account-alias", "acme-test")
	if got := ada.do("", "iam", "list-account-aliases", "--query", "AccountAliases[0]", "--output", "text"); strings.TrimSpace(got) != "acme-test" {
		t.Errorf("alias %s", got)
	}
	ada.do("Role.RoleName", "iam", "create-service-linked-role", "--aws-service-name", "rolesanywhere.amazonaws.com")
	ada.fails("(UnmodifiableEntity)", "iam", "delete-role", "--role-name", "AWSServiceRoleForRolesAnywhere")
	task := ada.do("DeletionTaskId", "iam", "delete-service-linked-role", "--role-name", "AWSServiceRoleForRolesAnywhere")
	if got := ada.do("Status", "iam", "get-service-linked-role-deletion-status", "--deletion-task-id", task); got != "SUCCEEDED" {
		t.Errorf("deletion %s", got)
	}
	var summary struct{ SummaryMap map[string]int }
	if err := json.Unmarshal([]byte(ada.do("", "iam", "get-account-summary")), &summary); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]int{"Groups": 1, "Users": 1, "Roles": 1, "InstanceProfiles": 1, "Policies": 1} {
		if got := summary.SummaryMap[key]; got != want {
			t.Errorf("%s: %d, want %d", key, got, want)
		}
	}
	ada.fails("is out of its scope", "iam", "create-login-profile", "--user-name", "ada", "--password", "x")

	// What Terraform does before it deletes a user by force, as the root, who is left.
	for _, list := range []string{"list-mfa-devices", "list-ssh-public-keys", "list-signing-certificates", "list-service-specific-credentials"} {
		root.do("", "iam", list, "--user-name", "ada")
	}
	root.fails("(NoSuchEntity)", "iam", "get-login-profile", "--user-name", "ada")
	root.fails("(DeleteConflict)", "iam", "delete-user", "--user-name", "ada")
	root.do("", "iam", "remove-user-from-group", "--group-name", "admins", "--user-name", "ada")
	ada.fails("(AccessDenied)", "iam", "list-roles")
	root.fails("(DeleteConflict)", "iam", "delete-group", "--group-name", "admins")
	root.do("", "iam", "detach-group-policy", "--group-name", "admins", "--policy-arn", policy)
	root.do("", "iam", "delete-group", "--group-name", "admins")
}

// login is the CLI with a new key of a user.
func (c *cli) login(user string) *cli {
	c.t.Helper()
	var out struct {
		AccessKey struct {
			ID     string `json:"AccessKeyId"`
			Secret string `json:"SecretAccessKey"`
		}
	}
	if err := json.Unmarshal([]byte(c.do("", "iam", "create-access-key", "--user-name", user)), &out); err != nil {
		c.t.Fatal(err)
	}
	return newCLI(c.t, c.node, "AWS_CONFIG_FILE=/dev/null", "AWS_ACCESS_KEY_ID="+out.AccessKey.ID, "AWS_SECRET_ACCESS_KEY="+out.AccessKey.Secret)
}
