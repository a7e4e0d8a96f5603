package integration

import (
	"crypto/ecdsa"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// provider is somebody else's OpenID Connect provider, on loopback.
type provider struct {
	*httptest.Server
	key *ecdsa.PrivateKey
	dir string
}

func newProvider(t *testing.T) *provider {
	p := &provider{key: newKey(t), dir: t.TempDir()}
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/.well-known/openid-configuration" {
			fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, p.URL, p.URL+"/keys")
			return
		}
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: "one"}}}) //nolint:errcheck // a test's client
	}))
	t.Cleanup(p.Close)
	return p
}

// token writes a token for subject into a file.
func (p *provider) token(t *testing.T, subject string) (file string) {
	t.Helper()
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: p.key, KeyID: "one"}}, nil))(t)
	payload := must(json.Marshal(map[string]any{"iss": p.URL, "sub": subject, "aud": "sts.amazonaws.com", "iat": time.Now().Unix(), "exp": time.Now().Add(5 * time.Minute).Unix()}))(t)
	file = filepath.Join(p.dir, "token")
	if err := os.WriteFile(file, []byte(must(must(signer.Sign(payload))(t).CompactSerialize())(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// caFile is the provider's certificate, which is its own CA.
func (p *provider) caFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(p.dir, "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func federatedTrust(provider, url, subject string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"` + provider + `"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"` +
		url + `:aud":"sts.amazonaws.com","` + url + `:sub":"` + subject + `"}}}]}`
}

// Another issuer's tokens become a role's credentials: with the AWS CLI, and with the SDK as pods and CI jobs have it.
func TestTokensOfAnotherIssuer(t *testing.T) {
	p := newProvider(t)
	url := strings.TrimPrefix(p.URL, "https://")
	sum := sha1.Sum(p.Certificate().Raw)
	for name, args := range map[string][]string{"a CA of the operator": {"--oidc-ca", p.caFile(t)}, "a thumbprint": nil} {
		t.Run(name, func(t *testing.T) {
			n := serveMemory(t, append([]string{"--oidc-allow", "127.0.0.0/8"}, args...)...)
			admin := newCLI(t, n, "AWS_ACCESS_KEY_ID="+n.root.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+n.root.SecretAccessKey)
			create := []string{"iam", "create-open-id-connect-provider", "--url", p.URL, "--client-id-list", "sts.amazonaws.com", "--thumbprint-list", strings.Repeat("0", 40)}
			if args == nil {
				create = append(create, hex.EncodeToString(sum[:]))
			}
			providerARN := admin.do("OpenIDConnectProviderArn", create...)
			role := admin.do("Role.Arn", "iam", "create-role", "--role-name", "ci", "--assume-role-policy-document", federatedTrust(providerARN, url, "repo:acme/app"))
			want := "arn:aws:sts::" + n.account + ":assumed-role/ci/run"

			nobody := newCLI(t, n)
			assume := func(file string) []string {
				return []string{"sts", "assume-role-with-web-identity", "--role-arn", role, "--role-session-name", "run", "--web-identity-token", "file://" + file}
			}
			if got := nobody.do("AssumedRoleUser.Arn", assume(p.token(t, "repo:acme/app"))...); got != want {
				t.Errorf("the CLI became %s", got)
			}
			nobody.fails("AccessDenied", assume(p.token(t, "repo:acme/other"))...)

			file := p.token(t, "repo:acme/app")
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file)
			t.Setenv("AWS_ROLE_ARN", role)
			t.Setenv("AWS_ROLE_SESSION_NAME", "run")
			cfg := must(config.LoadDefaultConfig(t.Context(), config.WithRegion(region), config.WithBaseEndpoint(n.endpoint), config.WithHTTPClient(n.client()),
				config.WithSharedConfigFiles([]string{}), config.WithSharedCredentialsFiles([]string{})))(t)
			if got := must(sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}))(t); *got.Arn != want {
				t.Errorf("the SDK became %s", *got.Arn)
			}
		})
	}
}

// Without --oidc-allow no token makes the server connect to loopback.
func TestProviderOnLoopbackIsRefused(t *testing.T) {
	p := newProvider(t)
	n := serveMemory(t, "--oidc-ca", p.caFile(t))
	c := n.as(t, n.root)
	made := must(c.iam.CreateOpenIDConnectProvider(t.Context(), &iam.CreateOpenIDConnectProviderInput{Url: &p.URL, ClientIDList: []string{"sts.amazonaws.com"}}))(t)
	role := newRole(t, c, "ci", federatedTrust(*made.OpenIDConnectProviderArn, strings.TrimPrefix(p.URL, "https://"), "x"), allow("*"))
	token := string(must(os.ReadFile(p.token(t, "x")))(t))
	_, err := c.sts.AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{RoleArn: &role, RoleSessionName: aws.String("run"), WebIdentityToken: &token})
	if code(err) != "InvalidIdentityToken" || !strings.Contains(err.Error(), "its address is not allowed") {
		t.Errorf("got %v", err)
	}
	refuse(t, nodeConfig{dir: t.TempDir(), args: []string{"--oidc-allow", "127.0.0.1"}}, "is not a network")
	refuse(t, nodeConfig{dir: t.TempDir(), args: []string{"--oidc-issuer", "http://sts.example"}}, "OpenID Connect issuer")
}

// An account's own token satisfies an independent verifier, and opens a role of a second account that trusts the first.
func TestTokenOfAnAccount(t *testing.T) {
	dir := t.TempDir()
	first := serve(t, nodeConfig{dir: dir}) // makes the CA that the server is to trust
	first.stop(t)
	address := freeAddress(t)
	n := serve(t, nodeConfig{bare: true, args: []string{"--data-dir", dir, "--listen", address, "--metrics-listen", "off", "--oidc-allow", "127.0.0.0/8", "--oidc-ca", filepath.Join(dir, "tls-ca.pem")}})
	n.root = first.root
	c := n.as(t, n.root)
	_, otherRoot := addAccount(t, n, "other")
	other := n.as(t, otherRoot)
	issuer := *must(c.iam.EnableOutboundWebIdentityFederation(t.Context(), &iam.EnableOutboundWebIdentityFederationInput{}))(t).IssuerIdentifier
	user := n.as(t, newUser(t, c, "alice", allow("sts:GetWebIdentityToken", "sts:TagGetWebIdentityToken")))
	for _, alg := range []string{"RS256", "ES384"} {
		got := must(user.sts.GetWebIdentityToken(t.Context(), &sts.GetWebIdentityTokenInput{Audience: []string{"sts.amazonaws.com"}, SigningAlgorithm: &alg,
			Tags: []ststypes.Tag{{Key: aws.String("job"), Value: aws.String("7")}}}))(t)
		ctx := oidc.ClientContext(t.Context(), n.client())
		verifier := must(oidc.NewProvider(ctx, issuer))(t).Verifier(&oidc.Config{ClientID: "sts.amazonaws.com"})
		token := must(verifier.Verify(ctx, *got.WebIdentityToken))(t)
		var claims struct {
			AWS struct {
				RequestTags map[string]string `json:"request_tags"`
			} `json:"https://sts.amazonaws.com/"`
		}
		if err := token.Claims(&claims); err != nil || token.Subject != "arn:aws:iam::"+n.account+":user/alice" || claims.AWS.RequestTags["job"] != "7" {
			t.Errorf("%s: subject %s, %+v, %v", alg, token.Subject, claims, err)
		}

		if alg == "RS256" {
			made := must(other.iam.CreateOpenIDConnectProvider(t.Context(), &iam.CreateOpenIDConnectProviderInput{Url: &issuer, ClientIDList: []string{"sts.amazonaws.com"}}))(t)
			newRole(t, other, "guest", federatedTrust(*made.OpenIDConnectProviderArn, strings.TrimPrefix(issuer, "https://"), token.Subject), allow("*"))
		}
		role := *must(other.iam.GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("guest")}))(t).Role.Arn
		in := must(other.sts.AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{RoleArn: &role, RoleSessionName: aws.String("visit"), WebIdentityToken: got.WebIdentityToken}))(t)
		guest := n.as(t, toSDK(in.Credentials.AccessKeyId, in.Credentials.SecretAccessKey, in.Credentials.SessionToken))
		if who := whoAmI(t, guest); who != *in.AssumedRoleUser.Arn || !strings.HasSuffix(who, "assumed-role/guest/visit") {
			t.Errorf("%s: became %s", alg, who)
		}
	}
}
