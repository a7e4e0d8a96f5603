package integration

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	ratypes "github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// addAccount runs `rolecalld account create` beside the running server.
func addAccount(t *testing.T, n *node, name string, args ...string) (id string, root aws.Credentials) {
	t.Helper()
	out := mustRun(t, "", environment(t.TempDir()), program(t, "rolecalld"), append([]string{"account", "create", name, "--data-dir", n.dir}, args...)...)
	m := regexp.MustCompile(`^account (\d{12}) \(` + name + `\)\nroot access key in (.+)\n$`).FindStringSubmatch(out.stdout)
	if m == nil {
		t.Fatalf("account create printed %q", out.stdout)
	}
	checkMode(t, m[2], 0o600)
	root = must(readCredentials(m[2]))(t)
	if strings.Contains(out.stdout+out.stderr, root.SecretAccessKey) {
		t.Error("account create printed the secret")
	}
	return m[1], root
}

// Accounts are added and listed beside a running server, which knows them at once.
func TestAccounts(t *testing.T) {
	n := serve(t, nodeConfig{dir: t.TempDir()})
	id, root := addAccount(t, n, "payments")
	chosen, _ := addAccount(t, n, "chosen", "--account-id", testAccount)
	if chosen != testAccount {
		t.Errorf("account %s, want the one asked for", chosen)
	}
	within(t, time.Second, func() error {
		who, err := n.as(t, root).sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
		if err == nil && aws.ToString(who.Account) != id {
			return errors.New("became " + aws.ToString(who.Arn))
		}
		return err
	})
	env := environment(t.TempDir())
	list := mustRun(t, "", env, program(t, "rolecalld"), "account", "list", "--data-dir", n.dir).stdout
	for _, want := range []string{n.account + `\s+default\s`, id + `\s+payments\s`, chosen + `\s+chosen\s`} {
		if !regexp.MustCompile(want).MatchString(list) {
			t.Errorf("account list lacks %s:\n%s", want, list)
		}
	}
	if lines := strings.Count(list, "\n"); lines != 4 {
		t.Errorf("account list has %d lines, want a head and three accounts:\n%s", lines, list)
	}
	for name, args := range map[string][]string{
		"taken":      {"account", "create", "other", "--data-dir", n.dir, "--account-id", testAccount},
		"bad id":     {"account", "create", "other", "--data-dir", n.dir, "--account-id", "12"},
		"blank name": {"account", "create", " ", "--data-dir", n.dir},
		"no folder":  {"account", "list"},
		"memory":     {"account", "list", "--store", "memory"},
	} {
		if out := run(t, "", env, program(t, "rolecalld"), args...); out.code != 1 || !strings.HasPrefix(out.stderr, "rolecalld: ") {
			t.Errorf("%s: exit %d, %q", name, out.code, out.stderr)
		}
	}
	kept := must(readCredentials(filepath.Join(n.dir, "root-credentials-"+testAccount)))(t)
	must(n.as(t, kept).sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}))(t)
	if code := run(t, "", env, program(t, "rolecalld"), "account", "list", "--data-dir", n.dir).code; code != 0 {
		t.Errorf("exit %d after refused commands", code)
	}
}

// A mistyped folder is not turned into a new, empty server.
func TestAccountCommandsNeedAServedFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "typo")
	for _, args := range [][]string{{"account", "list", "--data-dir", dir}, {"account", "create", "x", "--data-dir", dir}, {"keys", "list", "--data-dir", dir}, {"keys", "rotate", "--data-dir", dir}} {
		out := run(t, "", environment(t.TempDir()), program(t, "rolecalld"), args...)
		if out.code != 1 {
			t.Errorf("%v: exit %d, %s", args, out.code, out.stdout)
		}
		if _, err := os.Stat(filepath.Join(dir, "keyring.json")); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%v made a key ring", args)
		}
	}
}

// Nothing of one account can be seen, changed or used from another.
func TestAccountsShareNothing(t *testing.T) {
	n := serve(t, nodeConfig{dir: t.TempDir()})
	ctx := t.Context()
	otherID, otherRoot := addAccount(t, n, "other")
	a, b := n.as(t, n.root), n.as(t, otherRoot)
	mine, theirs := newWorld(t, a, n.account), newWorld(t, b, otherID) // the same names in both
	aSession := n.as(t, mine.login(t, n).credentials())

	anchors := must(b.anywhere.ListTrustAnchors(ctx, &rolesanywhere.ListTrustAnchorsInput{}))(t)
	if len(anchors.TrustAnchors) != 1 || *anchors.TrustAnchors[0].TrustAnchorArn != theirs.anchorARN {
		t.Errorf("the other account lists %d anchors, want its own one", len(anchors.TrustAnchors))
	}
	for who, c := range map[string]*clients{"root of B": b} {
		for what, err := range map[string]error{
			"GetTrustAnchor":    errOf(c.anywhere.GetTrustAnchor(ctx, &rolesanywhere.GetTrustAnchorInput{TrustAnchorId: &mine.anchorID})),
			"DeleteTrustAnchor": errOf(c.anywhere.DeleteTrustAnchor(ctx, &rolesanywhere.DeleteTrustAnchorInput{TrustAnchorId: &mine.anchorID})),
			"DisableProfile":    errOf(c.anywhere.DisableProfile(ctx, &rolesanywhere.DisableProfileInput{ProfileId: &mine.profileID})),
		} {
			if _, ok := errors.AsType[*ratypes.ResourceNotFoundException](err); !ok {
				t.Errorf("%s: %s of account A's: %v, want ResourceNotFoundException", who, what, err)
			}
		}
		for what, err := range map[string]error{
			"TagResource":         errOf(c.anywhere.TagResource(ctx, &rolesanywhere.TagResourceInput{ResourceArn: &mine.anchorARN, Tags: []ratypes.Tag{{Key: aws.String("k"), Value: aws.String("v")}}})),
			"ListTagsForResource": errOf(c.anywhere.ListTagsForResource(ctx, &rolesanywhere.ListTagsForResourceInput{ResourceArn: &mine.profileARN})),
			"ImportCrl":           errOf(c.anywhere.ImportCrl(ctx, &rolesanywhere.ImportCrlInput{Name: aws.String("x"), CrlData: mine.ca.crl(t), TrustAnchorArn: &mine.anchorARN})),
			"CreateProfile":       errOf(c.anywhere.CreateProfile(ctx, &rolesanywhere.CreateProfileInput{Name: aws.String("x"), RoleArns: []string{mine.roleARN}})),
		} {
			if err == nil {
				t.Errorf("%s: %s of account A's went through", who, what)
			}
		}
	}
	// A's session may do everything in A, and nothing in B.
	for what, err := range map[string]error{
		"GetTrustAnchor": errOf(aSession.anywhere.GetTrustAnchor(ctx, &rolesanywhere.GetTrustAnchorInput{TrustAnchorId: &theirs.anchorID})),
		"TagResource":    errOf(aSession.anywhere.TagResource(ctx, &rolesanywhere.TagResourceInput{ResourceArn: &theirs.anchorARN, Tags: []ratypes.Tag{{Key: aws.String("k"), Value: aws.String("v")}}})),
		"AssumeRole":     errOf(aSession.sts.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &theirs.roleARN, RoleSessionName: aws.String("intruder")})),
	} {
		if err == nil {
			t.Errorf("session of A: %s in account B went through", what)
		}
	}
	must(aSession.anywhere.GetTrustAnchor(ctx, &rolesanywhere.GetTrustAnchorInput{TrustAnchorId: &mine.anchorID}))(t)
	must(a.anywhere.GetProfile(ctx, &rolesanywhere.GetProfileInput{ProfileId: &mine.profileID}))(t)
	checkMixedSessions(t, n, mine, theirs)
	checkSeparateTrails(t, a, b, mine)
}

func errOf[T any](_ T, err error) error { return err }

// CreateSession takes anchor, profile and role from one account only.
func checkMixedSessions(t *testing.T, n *node, mine, theirs *world) {
	t.Helper()
	for name, w := range map[string]world{
		"anchor of the other":             {anchorARN: theirs.anchorARN, profileARN: mine.profileARN, roleARN: mine.roleARN},
		"profile of the other":            {anchorARN: mine.anchorARN, profileARN: theirs.profileARN, roleARN: mine.roleARN},
		"role of the other":               {anchorARN: mine.anchorARN, profileARN: mine.profileARN, roleARN: theirs.roleARN},
		"profile and role of the other":   {anchorARN: mine.anchorARN, profileARN: theirs.profileARN, roleARN: theirs.roleARN},
		"the certificate of another's CA": {anchorARN: theirs.anchorARN, profileARN: theirs.profileARN, roleARN: theirs.roleARN},
	} {
		_, err := w.createSession(t.Context(), n.client(), n.endpoint, mine.leaf)
		if r, ok := errors.AsType[*refused](err); !ok || r.status != 403 {
			t.Errorf("%s: %v, want 403", name, err)
		}
	}
}

// Events of one account are not in the other's trail.
func checkSeparateTrails(t *testing.T, a, b *clients, mine *world) {
	t.Helper()
	must(a.iam.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("only-in-a")}))(t)
	for {
		events := must(b.trail.LookupEvents(t.Context(), &cloudtrail.LookupEventsInput{}))(t)
		for _, e := range events.Events {
			if text := aws.ToString(e.CloudTrailEvent); strings.Contains(text, "only-in-a") || strings.Contains(text, mine.accountID) && strings.Contains(text, `"responseElements":{"trustAnchor"`) {
				t.Errorf("account B sees an event of account A: %s", text)
			}
		}
		if events.NextToken == nil {
			break
		}
	}
	if users := must(b.iam.ListUsers(t.Context(), &iam.ListUsersInput{}))(t).Users; len(users) != 0 {
		t.Errorf("account B lists %d users, want none", len(users))
	}
	if _, err := b.iam.GetRole(t.Context(), &iam.GetRoleInput{RoleName: &mine.roleName}); err != nil {
		t.Errorf("B's own role: %v", err)
	}
}
