package integration

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	ratypes "github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"

	"github.com/rolecall/rolecall/internal/testdb"
)

// endingWorld is a trust anchor that ends sessions, with a role that may do everything. tags come on top.
func endingWorld(t testing.TB, c *clients, name string, source *ratypes.Source, tags ...ratypes.Tag) *world {
	t.Helper()
	ctx := t.Context()
	tags = append(tags, ratypes.Tag{Key: aws.String("rolecall:end-sessions"), Value: aws.String("true")})
	anchor := must(c.anywhere.CreateTrustAnchor(ctx, &rolesanywhere.CreateTrustAnchorInput{Name: &name, Enabled: aws.Bool(true), Source: source, Tags: tags}))(t)
	role := must(c.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(trustPolicy(anywherePrincipal, ""))}))(t)
	must(c.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &name, PolicyName: &name, PolicyDocument: aws.String(allow("*"))}))(t)
	profile := must(c.anywhere.CreateProfile(ctx, &rolesanywhere.CreateProfileInput{Name: &name, Enabled: aws.Bool(true), RoleArns: []string{*role.Role.Arn}}))(t)
	return &world{anchorARN: *anchor.TrustAnchor.TrustAnchorArn, profileARN: *profile.Profile.ProfileArn, roleARN: *role.Role.Arn}
}

// refusedAs is nil if err is a refusal that says want.
func refusedAs(err error, want string) error {
	if err == nil || !strings.Contains(err.Error(), want) {
		return errors.New("want " + want + ", got " + errorText(err))
	}
	return nil
}

// What is revoked at one node ends, within a second, the sessions that the other one made: at its API and at the S3
// gateway beside it. It refuses new ones as soon.
func TestSessionsEndOnEveryNode(t *testing.T) {
	t.Parallel()
	lists := newOpenSSLCA(t)
	lists.publish("ca.crl")
	store, dir := testdb.Postgres(t), t.TempDir()
	fetches := []string{"--revocation-fetch-allow", lists.web, "--revocation-refresh", "1s"}
	one := serve(t, nodeConfig{dir: dir, args: append([]string{"--store", store, "--account-id", testAccount, "--s3-iam-socket", filepath.Join(dir, "s3", "iam.sock")}, fetches...)})
	two := joinNode(t, one, store, fetches[:2]...) // by itself it would ask again after ten minutes
	two.root = one.root
	g := serveGateway(t, one, "s3-gateway.env")
	g.fill(t, "data", "a.txt")
	c := two.as(t, one.root)

	private := two.rootCA(t, nil)
	imported := newAuthority(t, "Imported")
	pcaLeaf, pcaOther := two.issueFrom(t, private), two.issueFrom(t, private)
	listLeaf, listOther := lists.issue("ca.crl", true), lists.issue("ca.crl", true)
	of := func(kind ratypes.TrustAnchorType, data ratypes.SourceData) *ratypes.Source {
		return &ratypes.Source{SourceType: kind, SourceData: data}
	}
	for _, tc := range []struct {
		name        string
		w           *world
		leaf, other *workload
		revoke      func(w *world)
		limit       time.Duration
	}{
		{"private CA", endingWorld(t, c, "private", of(ratypes.TrustAnchorTypeAwsAcmPca, &ratypes.SourceDataMemberAcmPcaArn{Value: private})), pcaLeaf.workload, pcaOther.workload,
			func(*world) { two.revoke(t, pcaLeaf) }, time.Second},
		{"imported CRL", endingWorld(t, c, "imported", bundle(imported.pem)), imported.issue(t, "a", 0x51), imported.issue(t, "b", 0x52), func(w *world) {
			must(c.anywhere.ImportCrl(t.Context(), &rolesanywhere.ImportCrlInput{Name: aws.String("crl"), Enabled: aws.Bool(true), CrlData: imported.crl(t, 0x51), TrustAnchorArn: &w.anchorARN}))(t)
		}, time.Second},
		{"the CA's own CRL", endingWorld(t, c, "fetched", bundle(lists.pem()), ratypes.Tag{Key: aws.String("rolecall:revocation-check"), Value: aws.String("crl")}), listLeaf, listOther, func(*world) {
			lists.revoke(listLeaf)
			lists.publish("ca.crl")
		}, 4 * time.Second}, // and until it is fetched again
	} {
		t.Run(tc.name, func(t *testing.T) {
			login := func(n *node, leaf *workload) (*session, error) {
				return tc.w.createSession(t.Context(), n.client(), n.endpoint, leaf)
			}
			for _, n := range []*node{one, two} {
				within(t, 2*time.Second, func() error { return errOf(login(n, tc.leaf)) })
			}
			s, kept := must(login(one, tc.leaf))(t).credentials(), must(login(one, tc.other))(t).credentials()
			at := func(n *node, k aws.Credentials) func() error {
				client := n.as(t, k)
				return func() error { return errOf(client.sts.GetCallerIdentity(t.Context(), nil)) }
			}
			store := func(k aws.Credentials) func() error {
				client := g.s3(t, k)
				return func() error { return errOf(read(t.Context(), client, "data", "a.txt")) }
			}
			api1, api2, object := at(one, s), at(two, s), store(s)
			for where, try := range map[string]func() error{"one": api1, "two": api2, "gateway": object} {
				if err := try(); err != nil {
					t.Fatalf("%s before: %v", where, err)
				}
			}
			tc.revoke(tc.w)
			t.Logf("refused by the node that made it after %s", within(t, tc.limit, func() error { return refusedAs(api1(), "ExpiredToken") }))
			if err := refusedAs(object(), "InvalidToken"); err != nil {
				t.Errorf("gateway: %v", err)
			}
			within(t, time.Second, func() error { return refusedAs(api2(), "ExpiredToken") })
			within(t, time.Second, func() error { _, err := login(one, tc.leaf); return refusedAs(err, "Certificate revoked") })
			within(t, time.Second, func() error { _, err := login(two, tc.leaf); return refusedAs(err, "Certificate revoked") })
			for where, try := range map[string]func() error{"one": at(one, kept), "two": at(two, kept), "gateway": store(kept)} {
				if err := try(); err != nil {
					t.Errorf("another certificate's session at %s: %v", where, err)
				}
			}
		})
	}
}
