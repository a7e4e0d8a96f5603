package integration

import (
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/sessiontoken"
)

const readOnly = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Get*","s3:List*"],"Resource":"*"}]}`

// A certificate's session reads what its role may read, and AWS's sentence says what it may not do.
func TestS3Session(t *testing.T) {
	t.Parallel()
	g := serveS3(t)
	g.fill(t, "data", "a.txt", "b.txt")
	w, c := s3World(t, g, readOnly)
	s := w.login(t, g.node)
	client := g.s3(t, s.credentials())
	if text, err := read(t.Context(), client, "data", "a.txt"); err != nil || text != "content of a.txt" {
		t.Errorf("read: %q, %v", text, err)
	}
	if list, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("data")}); err != nil || len(list.Contents) != 2 {
		t.Errorf("list: %v, %v", list, err)
	}
	if list, err := client.ListBuckets(t.Context(), &s3.ListBucketsInput{}); err != nil || len(list.Buckets) != 1 {
		t.Errorf("buckets: %v, %v", list, err)
	}
	_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("data"), Key: aws.String("new"), Body: strings.NewReader("x")})
	want := "User: " + s.CredentialSet[0].AssumedRoleUser.Arn + ` is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::data/new" because no identity-based policy allows the s3:PutObject action`
	if s3Code(err) != "AccessDenied" || !strings.Contains(err.Error(), want) {
		t.Errorf("write: %v, want %s", err, want)
	}
	w.putPolicy(t, c, "no", document(statement("Deny", "s3:GetObject", "arn:aws:s3:::data/b*", "")))
	if _, err := read(t.Context(), client, "data", "b.txt"); s3Code(err) != "AccessDenied" || !strings.Contains(err.Error(), "with an explicit deny in an identity-based policy") {
		t.Errorf("explicit deny: %v", err)
	}
	g.deniedEvent(t, "PutObject", want[:strings.Index(want, ` on resource`)])
}

// Sessions that are not, or not any more, are refused.
func TestS3SessionRefused(t *testing.T) {
	t.Parallel()
	g := serveS3(t)
	g.fill(t, "data", "a.txt")
	w, _ := s3World(t, g, readOnly)
	good := w.login(t, g.node).credentials()
	other := w.login(t, g.node).credentials()
	flip := func(s string) string { return s[:len(s)/2] + string('A'+(s[len(s)/2]-'A'+1)%26) + s[len(s)/2+1:] }
	foreign := serve(t, nodeConfig{dir: t.TempDir(), args: []string{"--account-id", "210987654321"}})
	fw := newWorld(t, foreign.as(t, foreign.root), "210987654321")
	for name, tc := range map[string]struct {
		creds aws.Credentials
		want  string
	}{
		"good":                     {good, ""},
		"tampered token":           {aws.Credentials{AccessKeyID: good.AccessKeyID, SecretAccessKey: good.SecretAccessKey, SessionToken: flip(good.SessionToken)}, "InvalidToken"},
		"token of another session": {aws.Credentials{AccessKeyID: good.AccessKeyID, SecretAccessKey: good.SecretAccessKey, SessionToken: other.SessionToken}, "InvalidToken"},
		"no token":                 {aws.Credentials{AccessKeyID: good.AccessKeyID, SecretAccessKey: good.SecretAccessKey}, "InvalidToken"},
		"another secret":           {aws.Credentials{AccessKeyID: good.AccessKeyID, SecretAccessKey: other.SecretAccessKey, SessionToken: good.SessionToken}, "SignatureDoesNotMatch"},
		"root key with a token":    {aws.Credentials{AccessKeyID: g.root.AccessKeyID, SecretAccessKey: g.root.SecretAccessKey, SessionToken: good.SessionToken}, "InvalidToken"},
		"the account's root":       {g.root, ""},
		"another server's session": {fw.login(t, foreign).credentials(), "InvalidToken"},
		"another server's root":    {foreign.root, "InvalidAccessKeyId"},
	} {
		if _, err := read(t.Context(), g.s3(t, tc.creds), "data", "a.txt"); s3Code(err) != tc.want {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

// A gateway serves one account: identities of another account on the same server are nobody, unless it has a gateway of its own.
func TestS3OneAccountPerGateway(t *testing.T) {
	t.Parallel()
	const second = "210987654321"
	dir := t.TempDir()
	n := serve(t, nodeConfig{dir: dir, args: []string{"--account-id", testAccount}})
	mustRun(t, "", environment(t.TempDir()), program(t, "rolecalld"), "account", "create", "second", "--account-id", second, "--data-dir", dir)
	n.stop(t)
	n = serve(t, nodeConfig{dir: dir, args: []string{"--s3-iam-socket", dir + "/one/iam.sock", "--s3-iam-socket", second + "=" + dir + "/two/iam.sock"}})
	root := must(readCredentials(dir + "/root-credentials-" + second))(t)
	one, two := serveGateway(t, n, "s3-gateway.env"), serveGateway(t, n, "s3-gateway-"+second+".env")
	one.fill(t, "data", "a.txt")
	two.fill(t, "data", "a.txt")
	w := newWorld(t, n.as(t, root), second)
	session := w.login(t, n).credentials()
	for _, creds := range []aws.Credentials{root, session} {
		if _, err := read(t.Context(), two.s3(t, creds), "data", "a.txt"); err != nil {
			t.Errorf("%s at its own gateway: %v", creds.AccessKeyID, err)
		}
	}
	if _, err := read(t.Context(), one.s3(t, root), "data", "a.txt"); s3Code(err) != "InvalidAccessKeyId" {
		t.Errorf("another account's root: %v", err)
	}
	if _, err := read(t.Context(), one.s3(t, session), "data", "a.txt"); s3Code(err) != "InvalidToken" {
		t.Errorf("another account's session: %v", err)
	}
	if two.admin.AccessKeyID == one.admin.AccessKeyID || two.admin.SecretAccessKey == one.admin.SecretAccessKey {
		t.Error("two gateways share a key")
	}
}

// What ends a session ends it with the next request: the gateway remembers nothing.
func TestS3SessionEnds(t *testing.T) {
	t.Parallel()
	g := serveS3(t)
	g.fill(t, "data", "a.txt")
	w, c := s3World(t, g, readOnly)
	old := g.s3(t, w.login(t, g.node).credentials())
	try := func(name string, client *s3.Client, want string) {
		t.Helper()
		if _, err := read(t.Context(), client, "data", "a.txt"); s3Code(err) != want {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	try("before", old, "")

	// What IAM's console calls "revoke active sessions".
	time.Sleep(1100 * time.Millisecond) // the condition has whole seconds
	w.putPolicy(t, c, "AWSRevokeOlderSessions", document(statement("Deny", "*", "*", `{"DateLessThan":{"aws:TokenIssueTime":"`+time.Now().UTC().Format(time.RFC3339)+`"}}`)))
	try("revoked", old, "AccessDenied")
	time.Sleep(1100 * time.Millisecond)
	fresh := g.s3(t, w.login(t, g.node).credentials())
	try("a later session", fresh, "")

	user := aws.String("alice")
	must(c.iam.CreateUser(t.Context(), &iam.CreateUserInput{UserName: user}))(t)
	key := must(c.iam.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: user}))(t).AccessKey
	alice := g.s3(t, toSDK(key.AccessKeyId, key.SecretAccessKey, nil))
	try("a user without policies", alice, "AccessDenied")
	must(c.iam.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: user, PolicyName: aws.String("p"), PolicyDocument: aws.String(readOnly)}))(t)
	try("a user with a policy", alice, "")
	temporary := must(g.as(t, toSDK(key.AccessKeyId, key.SecretAccessKey, nil)).sts.GetSessionToken(t.Context(), &sts.GetSessionTokenInput{}))(t).Credentials
	session := g.s3(t, toSDK(temporary.AccessKeyId, temporary.SecretAccessKey, temporary.SessionToken))
	try("a user's session", session, "")
	must(c.iam.UpdateAccessKey(t.Context(), &iam.UpdateAccessKeyInput{UserName: user, AccessKeyId: key.AccessKeyId, Status: iamtypes.StatusTypeInactive}))(t)
	try("a deactivated key", alice, "InvalidAccessKeyId")
	must(c.iam.DeleteUserPolicy(t.Context(), &iam.DeleteUserPolicyInput{UserName: user, PolicyName: aws.String("p")}))(t)
	try("a user's session after its policy is gone", session, "AccessDenied")

	for _, name := range []string{"everything", "AWSRevokeOlderSessions"} {
		must(c.iam.DeleteRolePolicy(t.Context(), &iam.DeleteRolePolicyInput{RoleName: &w.roleName, PolicyName: &name}))(t)
	}
	try("no policy left", fresh, "AccessDenied")
	must(c.iam.DeleteRole(t.Context(), &iam.DeleteRoleInput{RoleName: &w.roleName}))(t)
	try("deleted role", fresh, "InvalidToken")
}

// A session that expires while it is in use is refused with the next request, and so is what was presigned with it. No session
// is granted for less than 15 minutes, so that the test seals one anew under the server's own key ring, with its end moved.
func TestS3SessionExpires(t *testing.T) {
	t.Parallel()
	g := serveS3(t)
	g.fill(t, "data", "a.txt")
	w, _ := s3World(t, g, readOnly)
	granted := w.login(t, g.node).credentials()
	sealer := sessiontoken.New(must(keyring.Load(filepath.Join(g.dir, "keyring.json")))(t))
	sess, _, err := sealer.Open(time.Now(), granted.AccessKeyID, granted.SessionToken)
	if err != nil {
		t.Fatal(err)
	}
	short := *sess
	short.IssuedAt = time.Now()
	short.ExpiresAt = time.Now().Add(6 * time.Second).Truncate(time.Second)
	c, _, err := sealer.Mint(time.Now(), &short)
	if err != nil {
		t.Fatal(err)
	}
	creds := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
	client := g.s3(t, creds)
	presigned := must(s3.NewPresignClient(client).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("data"), Key: aws.String("a.txt")}))(t).URL
	get := func() (int, string) {
		resp := must(g.client().Get(presigned))(t)
		defer resp.Body.Close()
		return resp.StatusCode, string(must(io.ReadAll(resp.Body))(t))
	}
	if text, err := read(t.Context(), client, "data", "a.txt"); err != nil || text != "content of a.txt" {
		t.Fatalf("before: %q, %v", text, err)
	}
	if status, text := get(); status != 200 || text != "content of a.txt" {
		t.Fatalf("presigned, before: %d %s", status, text)
	}
	if _, err := g.as(t, creds).sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}); err != nil {
		t.Fatalf("at the server, before: %v", err)
	}
	time.Sleep(time.Until(short.ExpiresAt) + 100*time.Millisecond)
	if _, err := read(t.Context(), client, "data", "a.txt"); s3Code(err) != "InvalidToken" {
		t.Errorf("after: %v", err)
	}
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("data"), Key: aws.String("b"), Body: strings.NewReader("x")}); s3Code(err) != "InvalidToken" {
		t.Errorf("a write after: %v", err)
	}
	if status, text := get(); status != 400 || !strings.Contains(text, "<Code>InvalidToken</Code>") {
		t.Errorf("presigned, after: %d %s", status, text)
	}
	if _, err := g.as(t, creds).sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}); s3Code(err) != "ExpiredToken" {
		t.Errorf("at the server, after: %v", err)
	}
	if _, err := read(t.Context(), g.s3(t, granted), "data", "a.txt"); err != nil {
		t.Errorf("the session that it was made of: %v", err)
	}
}
