package integration

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
)

func newRootCLI(t *testing.T, n *node) *cli {
	return newCLI(t, n, "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(n.dir, "root-credentials"), "AWS_CONFIG_FILE=/dev/null")
}

const s3ReadOnly = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"

// AWS's managed policies with the real AWS CLI: list, read, attach, simulate.
func TestAWSPoliciesWithTheCLI(t *testing.T) {
	c := newRootCLI(t, serve(t, nodeConfig{dir: t.TempDir()}))
	all := c.do("", "iam", "list-policies", "--scope", "AWS")
	if n := strings.Count(all, `"Arn": "arn:aws:iam::aws:policy/`); n < 100 || !strings.Contains(all, s3ReadOnly) {
		t.Errorf("%d policies of AWS's", n)
	}
	if own := c.do("", "iam", "list-policies", "--scope", "Local"); strings.Contains(own, "iam::aws:") {
		t.Errorf("own policies: %s", own)
	}
	version := c.do("Policy.DefaultVersionId", "iam", "get-policy", "--policy-arn", s3ReadOnly)
	if got := c.do("PolicyVersion.Document.Statement.Effect", "iam", "get-policy-version", "--policy-arn", s3ReadOnly, "--version-id", version); got != "Allow" {
		t.Errorf("the document's effect: %s", got)
	}
	c.fails("Policy is outside your own account.", "iam", "delete-policy", "--policy-arn", s3ReadOnly)

	trust := c.write("trust.json", trustPolicy(anywherePrincipal, ""))
	role := c.do("Role.Arn", "iam", "create-role", "--role-name", "reader", "--assume-role-policy-document", "file://"+trust)
	c.do("", "iam", "attach-role-policy", "--role-name", "reader", "--policy-arn", s3ReadOnly)
	if got := c.do("AttachedPolicies.PolicyArn", "iam", "list-attached-role-policies", "--role-name", "reader"); got != s3ReadOnly {
		t.Errorf("attached: %s", got)
	}
	for action, want := range map[string]string{"s3:GetObject": "allowed", "s3:PutObject": "implicitDeny"} {
		if got := c.do("EvaluationResults.EvalDecision", "iam", "simulate-principal-policy", "--policy-source-arn", role, "--action-names", action); got != want {
			t.Errorf("%s: %s, want %s", action, got, want)
		}
	}
	if got := c.do("RoleDetailList.AttachedManagedPolicies", "iam", "get-account-authorization-details"); !strings.Contains(got, s3ReadOnly) {
		t.Errorf("details: %s", got)
	}
}

func TestSimulateCustomPolicyWithTheCLI(t *testing.T) {
	c := newRootCLI(t, serveMemory(t))
	document := `{
  "Version": "2012-10-17",
  "Statement": [
    {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*", "Condition": {"DateGreaterThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}}}
  ]
}`
	simulate := func(path string, more ...string) string {
		return c.do(path, append([]string{"iam", "simulate-custom-policy", "--policy-input-list", document, "--action-names", "dynamodb:CreateBackup"}, more...)...)
	}
	if got := simulate("EvaluationResults.MissingContextValues"); got != "[aws:CurrentTime]" {
		t.Errorf("missing: %s", got)
	}
	at := func(when string) []string {
		return []string{"--context-entries", "ContextKeyName=aws:CurrentTime,ContextKeyType=date,ContextKeyValues=" + when}
	}
	if got := simulate("EvaluationResults.EvalDecision", at("2025-06-01T00:00:00Z")...); got != "implicitDeny" {
		t.Errorf("too early: %s", got)
	}
	later := at("2026-06-01T00:00:00Z")
	for path, want := range map[string]string{
		"EvalDecision": "allowed", "MatchedStatements.SourcePolicyId": "PolicyInputList.1",
		"MatchedStatements.StartPosition.Line": "3", "MatchedStatements.StartPosition.Column": "17", "MatchedStatements.EndPosition.Line": "4",
	} {
		if got := simulate("EvaluationResults."+path, later...); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if got := c.do("ContextKeyNames", "iam", "get-context-keys-for-custom-policy", "--policy-input-list", document); got != "[aws:CurrentTime]" {
		t.Errorf("keys: %s", got)
	}
}

// `rolecalld policies import` beside a running server, which knows the policies within a second, and on a stopped one.
func TestPoliciesImport(t *testing.T) {
	n := serve(t, nodeConfig{dir: t.TempDir()})
	c := newRootCLI(t, n)
	rolecalld := func(args ...string) outcome {
		return run(t, c.dir, environment(c.dir), program(t, "rolecalld"), append(append([]string{"policies"}, args...), "--data-dir", n.dir)...)
	}
	document := func(action string) string {
		return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":%q,"Resource":"*"}]}`, action)
	}
	// What the CLI prints is what the command reads.
	printed := c.do("", "iam", "get-policy-version", "--policy-arn", s3ReadOnly, "--version-id", "v3")
	same := rolecalld("import", c.write("AmazonS3ReadOnlyAccess.json", printed))
	if same.code != 0 || same.stdout != "0 imported, 1 not newer than what is there\n" {
		t.Errorf("the same version: exit %d, %s%s", same.code, same.stdout, same.stderr)
	}
	newer := rolecalld("import", c.write("dump.json", `[{"Policy":{"Arn":"`+s3ReadOnly+`"},"PolicyVersion":{"VersionId":"v99","Document":`+document("s3:Frob")+`}},
		{"Policy":{"Arn":"arn:aws:iam::aws:policy/service-role/FrobRole","PolicyId":"ANPAFROBFROBFROBFROBF","CreateDate":"2026-01-02T03:04:05+00:00"},"PolicyVersion":{"VersionId":"v7","Document":`+document("frob:*")+`}}]`))
	if newer.code != 0 || newer.stdout != s3ReadOnly+" v99\narn:aws:iam::aws:policy/service-role/FrobRole v7\n2 imported, 0 not newer than what is there\n" {
		t.Errorf("newer versions: exit %d, %s%s", newer.code, newer.stdout, newer.stderr)
	}
	within(t, 5*time.Second, func() error {
		if got := c.do("Policy.DefaultVersionId", "iam", "get-policy", "--policy-arn", s3ReadOnly); got != "v99" {
			return fmt.Errorf("version %s", got)
		}
		return nil
	})
	if got := c.do("PolicyVersion.Document.Statement.Action", "iam", "get-policy-version", "--policy-arn", s3ReadOnly, "--version-id", "v99"); got != "s3:Frob" {
		t.Errorf("the new version allows %s", got)
	}
	if got := c.do("Policy.PolicyId", "iam", "get-policy", "--policy-arn", "arn:aws:iam::aws:policy/service-role/FrobRole"); got != "ANPAFROBFROBFROBFROBF" {
		t.Errorf("id %s", got)
	}
	list := rolecalld("list").stdout
	for _, want := range []string{`(?m)^` + s3ReadOnly + `\s+v99\s`, `(?m)^arn:aws:iam::aws:policy/service-role/FrobRole\s+v7\s`, `(?m)^arn:aws:iam::aws:policy/AdministratorAccess\s+v1\s`} {
		if !regexp.MustCompile(want).MatchString(list) {
			t.Errorf("policies list lacks %s", want)
		}
	}

	n.stop(t)
	if out := rolecalld("import", c.write("byname.json", `{"OnlyByName":`+document("a:b")+`}`)); out.code != 0 || !strings.Contains(out.stdout, "arn:aws:iam::aws:policy/OnlyByName v1\n") {
		t.Errorf("on a stopped server: exit %d, %s%s", out.code, out.stdout, out.stderr)
	}
	for name, args := range map[string][]string{
		"typo":     {"import", c.write("bad.json", `{"Good":`+document("a:b")+`,"Bad":`+strings.Replace(document("a:b"), "Action", "Aktion", 1)+`}`)},
		"no file":  {"import", filepath.Join(c.dir, "none.json")},
		"no dumps": {"import", t.TempDir()},
	} {
		if out := rolecalld(args...); out.code != 1 || !strings.HasPrefix(out.stderr, "rolecalld: ") {
			t.Errorf("%s: exit %d, %s%s", name, out.code, out.stdout, out.stderr)
		}
	}
	if list := rolecalld("list").stdout; strings.Contains(list, "/Good ") || !strings.Contains(list, "/OnlyByName ") {
		t.Error("a refused dump left something, or one by name did not")
	}
}

// A profile's managed session policy may be one of AWS's: it narrows what a certificate's session may do.
func TestProfileWithAnAWSPolicy(t *testing.T) {
	n := serveMemory(t)
	root := n.as(t, n.root)
	w := newWorld(t, root, n.account)
	ctx := t.Context()
	update := func(policy string) {
		t.Helper()
		must(root.anywhere.UpdateProfile(ctx, &rolesanywhere.UpdateProfileInput{ProfileId: &w.profileID, ManagedPolicyArns: []string{policy}}))(t)
	}
	update("arn:aws:iam::aws:policy/IAMReadOnlyAccess")
	narrow := n.as(t, w.login(t, n).credentials())
	must(narrow.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &w.roleName}))(t)
	_, err := narrow.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("eve")})
	if code(err) != "AccessDenied" || !strings.Contains(err.Error(), "because no session policy allows the iam:CreateUser action") {
		t.Errorf("beyond the session policy: %v", err)
	}
	update("arn:aws:iam::aws:policy/NoSuchPolicy")
	if _, err := w.createSession(ctx, n.client(), n.endpoint, w.leaf); err == nil || !strings.Contains(err.Error(), "arn:aws:iam::aws:policy/NoSuchPolicy does not exist") {
		t.Errorf("a session policy that is not there: %v", err)
	}
}
