package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// cli runs the AWS CLI against one server. Version 1 and the 2.9 of Debian 12 are both served: --endpoint-url rather than
// the variable, no operation younger than 2022.
type cli struct {
	t    *testing.T
	aws  string
	node *node
	dir  string // where its files are
	env  []string
}

func newCLI(t *testing.T, n *node, more ...string) *cli {
	t.Helper()
	dir := t.TempDir()
	env := environment(dir, "AWS_CA_BUNDLE="+n.caFile(), "AWS_DEFAULT_REGION="+region, "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_DEFAULT_OUTPUT=json", "PYTHONWARNINGS=ignore")
	return &cli{t: t, aws: tool(t, "aws"), node: n, dir: dir, env: append(env, more...)}
}

// try runs one command.
func (c *cli) try(args ...string) outcome {
	c.t.Helper()
	return run(c.t, c.dir, c.env, c.aws, append([]string{"--endpoint-url", c.node.endpoint}, args...)...)
}

// do runs one command that must succeed, and returns the value at a path of its JSON answer.
func (c *cli) do(path string, args ...string) string {
	c.t.Helper()
	out := c.try(args...)
	if out.code != 0 {
		c.t.Fatalf("aws %s: exit %d\n%s%s", strings.Join(args, " "), out.code, out.stdout, out.stderr)
	}
	if path == "" {
		return out.stdout
	}
	var v any
	if err := json.Unmarshal([]byte(out.stdout), &v); err != nil {
		c.t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, out.stdout)
	}
	for name := range strings.SplitSeq(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[name]
		case []any:
			if len(at) == 0 {
				c.t.Fatalf("aws %s: nothing at %s of %s\n%s", strings.Join(args, " "), name, path, out.stdout)
			}
			v = at[0].(map[string]any)[name]
		default:
			c.t.Fatalf("aws %s: no %s in\n%s", strings.Join(args, " "), path, out.stdout)
		}
	}
	return fmt.Sprint(v)
}

// fails runs one command that the server must refuse in these words.
func (c *cli) fails(want string, args ...string) {
	c.t.Helper()
	if out := c.try(args...); out.code == 0 || !strings.Contains(out.stderr, want) {
		c.t.Errorf("aws %s: exit %d, want %q in\n%s%s", strings.Join(args, " "), out.code, want, out.stdout, out.stderr)
	}
}

func (c *cli) write(name, text string) string {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// opensslConfig is a small CA: what `openssl ca` needs to revoke and to sign a list.
const opensslConfig = `
[req]
distinguished_name = dn
prompt = no
[dn]
CN = OpenSSL CA
O = Example
[v3_ca]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[v3_leaf]
basicConstraints = CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
authorityKeyIdentifier = keyid
subjectAltName = DNS:host.example
[ca]
default_ca = this
[this]
database = index.txt
crlnumber = crlnumber
certificate = ca.pem
private_key = ca.key
default_md = sha256
default_crl_days = 7
default_days = 7
new_certs_dir = .
serial = serial
policy = any
[any]
commonName = supplied
organizationalUnitName = optional
`

const leafSerial = "0ABCDE1234"

// opensslPKI makes ca.pem, leaf.pem and leaf.key in the CLI's folder.
func opensslPKI(c *cli) (openssl func(args ...string)) {
	path := tool(c.t, "openssl")
	openssl = func(args ...string) {
		c.t.Helper()
		mustRun(c.t, c.dir, c.env, path, args...)
	}
	c.write("ca.cnf", opensslConfig)
	c.write("index.txt", "")
	c.write("crlnumber", "01\n")
	c.write("serial", leafSerial+"\n")
	openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "ca.key")
	openssl("req", "-x509", "-new", "-config", "ca.cnf", "-extensions", "v3_ca", "-key", "ca.key", "-days", "30", "-sha256", "-out", "ca.pem")
	openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "leaf.key")
	openssl("req", "-new", "-config", "ca.cnf", "-key", "leaf.key", "-subj", "/CN=host.example/OU=Payments", "-out", "leaf.csr")
	openssl("ca", "-batch", "-notext", "-config", "ca.cnf", "-extensions", "v3_leaf", "-in", "leaf.csr", "-out", "leaf.pem")
	return openssl
}

// The whole path with the real AWS CLI and OpenSSL, from a CA to the deletion of everything.
func TestWholePathWithTheCLI(t *testing.T) {
	n := serve(t, nodeConfig{dir: t.TempDir()})
	c := newCLI(t, n, "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(n.dir, "root-credentials"), "AWS_CONFIG_FILE=/dev/null")
	openssl := opensslPKI(c)
	ids := setUpWithCLI(c)
	who := c.workload(ids)

	out := mustRun(t, c.dir, who, c.aws, "--endpoint-url", n.endpoint, "--profile", "workload", "sts", "get-caller-identity", "--output", "json")
	if want := `"arn:aws:sts::` + n.account + `:assumed-role/payments/` + strings.ToLower(leafSerial) + `"`; !strings.Contains(out.stdout, want) {
		t.Errorf("identity, want %s:\n%s", want, out.stdout)
	}
	mustRun(t, c.dir, who, c.aws, "--endpoint-url", n.endpoint, "--profile", "workload", "rolesanywhere", "list-profiles")
	if denied := run(t, c.dir, who, c.aws, "--endpoint-url", n.endpoint, "--profile", "workload", "rolesanywhere", "list-crls"); denied.code == 0 || !strings.Contains(denied.stderr, "(AccessDeniedException)") {
		t.Errorf("what the role may not do: exit %d, %s", denied.code, denied.stderr)
	}
	t.Run("revocation", func(t *testing.T) { c.t = t; revokeWithCLI(c, ids, openssl, who) })
	t.Run("subjects and tags", func(t *testing.T) { c.t = t; subjectsWithCLI(c, ids) })
	t.Run("trail", func(t *testing.T) { c.t = t; trailWithCLI(c, ids) })
	t.Run("deletion", func(t *testing.T) { c.t = t; deleteWithCLI(c, ids) })
}

// cliIDs are the ids and ARNs of what was made.
type cliIDs struct{ anchor, anchorARN, profile, profileARN, roleARN string }

func setUpWithCLI(c *cli) (ids cliIDs) {
	source, err := json.Marshal(map[string]any{"sourceType": "CERTIFICATE_BUNDLE", "sourceData": map[string]string{"x509CertificateData": string(must(os.ReadFile(filepath.Join(c.dir, "ca.pem")))(c.t))}})
	if err != nil {
		c.t.Fatal(err)
	}
	ids.anchorARN = c.do("trustAnchor.trustAnchorArn", "rolesanywhere", "create-trust-anchor", "--name", "openssl", "--enabled", "--source", string(source), "--tags", "key=env,value=test")
	ids.anchor = ids.anchorARN[strings.LastIndex(ids.anchorARN, "/")+1:]
	trust := c.write("trust.json", trustPolicy(anywherePrincipal, `{"ArnEquals":{"aws:SourceArn":"`+ids.anchorARN+`"},"StringEquals":{"aws:PrincipalTag/x509Issuer/CN":"OpenSSL CA","aws:PrincipalTag/x509Subject/OU":"Payments"}}`))
	ids.roleARN = c.do("Role.Arn", "iam", "create-role", "--role-name", "payments", "--assume-role-policy-document", "file://"+trust)
	permissions := c.write("permissions.json", allow("rolesanywhere:ListProfiles"))
	c.do("", "iam", "put-role-policy", "--role-name", "payments", "--policy-name", "look", "--policy-document", "file://"+permissions)
	if got := c.do("PolicyDocument.Statement.Effect", "iam", "get-role-policy", "--role-name", "payments", "--policy-name", "look"); got != "Allow" {
		c.t.Errorf("get-role-policy: %s", got)
	}
	ids.profileARN = c.do("profile.profileArn", "rolesanywhere", "create-profile", "--name", "payments", "--enabled", "--role-arns", ids.roleARN, "--duration-seconds", "1800")
	ids.profile = ids.profileARN[strings.LastIndex(ids.profileARN, "/")+1:]
	return ids
}

// workload is the environment of a workload: an AWS config whose profile runs the client, and no other credentials.
func (c *cli) workload(ids cliIDs) []string {
	path := c.write("workload-config", fmt.Sprintf("[profile workload]\nregion = %s\ncredential_process = %s credential-process --no-cache --endpoint %s --certificate %s --private-key %s --trust-anchor-arn %s --profile-arn %s --role-arn %s\n",
		region, program(c.t, "rolecall"), c.node.endpoint, filepath.Join(c.dir, "leaf.pem"), filepath.Join(c.dir, "leaf.key"), ids.anchorARN, ids.profileARN, ids.roleARN))
	return append(environment(c.dir, "AWS_CA_BUNDLE="+c.node.caFile(), "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true", "AWS_SHARED_CREDENTIALS_FILE=/dev/null"), "AWS_CONFIG_FILE="+path)
}

func revokeWithCLI(c *cli, ids cliIDs, openssl func(...string), who []string) {
	login := func() outcome {
		return run(c.t, c.dir, who, c.aws, "--endpoint-url", c.node.endpoint, "--profile", "workload", "sts", "get-caller-identity")
	}
	refused := func(want string) {
		c.t.Helper()
		if out := login(); out.code == 0 || !strings.Contains(out.stderr, want) {
			c.t.Errorf("exit %d, want %q in\n%s", out.code, want, out.stderr)
		}
	}
	openssl("ca", "-config", "ca.cnf", "-gencrl", "-out", "before.crl")
	openssl("ca", "-config", "ca.cnf", "-revoke", "leaf.pem")
	openssl("ca", "-config", "ca.cnf", "-gencrl", "-out", "after.crl")
	crl := c.do("crl.crlId", "rolesanywhere", "import-crl", "--name", "list", "--enabled", "--trust-anchor-arn", ids.anchorARN, "--crl-data", "fileb://"+filepath.Join(c.dir, "before.crl"))
	if out := login(); out.code != 0 {
		c.t.Errorf("an empty CRL refuses: %s", out.stderr)
	}
	c.do("", "rolesanywhere", "update-crl", "--crl-id", crl, "--crl-data", "fileb://"+filepath.Join(c.dir, "after.crl"))
	refused("Certificate revoked")
	c.do("", "rolesanywhere", "disable-crl", "--crl-id", crl)
	if out := login(); out.code != 0 {
		c.t.Errorf("a disabled CRL refuses: %s", out.stderr)
	}
	c.do("", "rolesanywhere", "disable-trust-anchor", "--trust-anchor-id", ids.anchor)
	refused("Specified Trust Anchor is disabled.")
	c.do("", "rolesanywhere", "enable-trust-anchor", "--trust-anchor-id", ids.anchor)
	c.do("", "rolesanywhere", "disable-profile", "--profile-id", ids.profile)
	refused("Invalid or empty profile provided.")
	c.do("", "rolesanywhere", "enable-profile", "--profile-id", ids.profile)
	if out := login(); out.code != 0 {
		c.t.Errorf("with everything enabled again: %s", out.stderr)
	}
	c.do("", "rolesanywhere", "delete-crl", "--crl-id", crl)
}

func subjectsWithCLI(c *cli, ids cliIDs) {
	var subject string
	within(c.t, 10*time.Second, func() error {
		out := c.do("", "rolesanywhere", "list-subjects")
		m := regexp.MustCompile(`"subjectId": "([0-9a-f-]{36})"`).FindStringSubmatch(out)
		if m == nil {
			return fmt.Errorf("no subject in %s", out)
		}
		subject = m[1]
		return nil
	})
	got := c.do("", "rolesanywhere", "get-subject", "--subject-id", subject)
	for _, want := range []string{"CN=host.example", "OU=Payments", "BEGIN CERTIFICATE", "lastSeenAt"} {
		if !strings.Contains(got, want) {
			c.t.Errorf("get-subject lacks %s:\n%s", want, got)
		}
	}
	c.do("", "rolesanywhere", "tag-resource", "--resource-arn", ids.anchorARN, "--tags", "key=team,value=blue")
	if tags := c.do("", "rolesanywhere", "list-tags-for-resource", "--resource-arn", ids.anchorARN); !strings.Contains(tags, "blue") || !strings.Contains(tags, "env") {
		c.t.Errorf("tags %s", tags)
	}
	c.do("", "rolesanywhere", "untag-resource", "--resource-arn", ids.anchorARN, "--tag-keys", "team", "env")
	if tags := c.do("", "rolesanywhere", "list-tags-for-resource", "--resource-arn", ids.anchorARN); strings.Contains(tags, "blue") {
		c.t.Errorf("tags %s", tags)
	}
}

func trailWithCLI(c *cli, ids cliIDs) {
	within(c.t, 10*time.Second, func() error {
		out := c.do("", "cloudtrail", "lookup-events", "--lookup-attributes", "AttributeKey=EventName,AttributeValue=CreateSession")
		for _, want := range []string{"Certificate revoked", "Specified Trust Anchor is disabled.", strings.ToLower(leafSerial)} {
			if !strings.Contains(out, want) {
				return fmt.Errorf("no %q in the trail:\n%s", want, out)
			}
		}
		return nil
	})
	if out := c.do("", "cloudtrail", "lookup-events", "--lookup-attributes", "AttributeKey=EventName,AttributeValue=CreateTrustAnchor", "--max-items", "5"); !strings.Contains(out, ids.anchor) {
		c.t.Errorf("the anchor's creation is not in the trail:\n%s", out)
	}
}

func deleteWithCLI(c *cli, ids cliIDs) {
	c.do("", "rolesanywhere", "delete-profile", "--profile-id", ids.profile)
	c.fails("(ResourceNotFoundException)", "rolesanywhere", "get-profile", "--profile-id", ids.profile)
	c.do("", "rolesanywhere", "delete-trust-anchor", "--trust-anchor-id", ids.anchor)
	c.fails("(ResourceNotFoundException)", "rolesanywhere", "get-trust-anchor", "--trust-anchor-id", ids.anchor)
	c.fails("(DeleteConflict)", "iam", "delete-role", "--role-name", "payments")
	c.do("", "iam", "delete-role-policy", "--role-name", "payments", "--policy-name", "look")
	c.do("", "iam", "delete-role", "--role-name", "payments")
	c.fails("(NoSuchEntity)", "iam", "get-role", "--role-name", "payments")
	for kind, list := range map[string]string{"trustAnchors": "list-trust-anchors", "profiles": "list-profiles", "crls": "list-crls"} {
		if out := c.do("", "rolesanywhere", list); !regexp.MustCompile(`"` + kind + `": \[\]`).MatchString(out) {
			c.t.Errorf("%s: %s", list, out)
		}
	}
}
