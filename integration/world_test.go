package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	ratypes "github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"

	"github.com/rolecall/rolecall/sigv4"
)

// world is one account with everything that a workload needs.
type world struct {
	ca                           *authority
	leaf                         *workload
	anchorARN, anchorID          string
	profileARN, profileID        string
	roleARN, roleName, accountID string
}

const anywherePrincipal = `{"Service":"rolesanywhere.amazonaws.com"}`

// trustPolicy lets principal assume a role, with tags and a source identity.
func trustPolicy(principal, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":` + principal +
		`,"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]` + condition + `}]}`
}

// allow is an identity policy.
func allow(actions ...string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["` + strings.Join(actions, `","`) + `"],"Resource":"*"}]}`
}

func bundle(pem string) *ratypes.Source {
	return &ratypes.Source{SourceType: ratypes.TrustAnchorTypeCertificateBundle, SourceData: &ratypes.SourceDataMemberX509CertificateData{Value: pem}}
}

// newWorld sets an account up through the public API. The role may do everything.
func newWorld(t testing.TB, c *clients, account string) *world {
	t.Helper()
	ctx := t.Context()
	w := &world{ca: newAuthority(t, "Integration CA"), roleName: "workload", accountID: account}
	w.leaf = w.ca.issue(t, "host.example", 0x1000)
	anchor := must(c.anywhere.CreateTrustAnchor(ctx, &rolesanywhere.CreateTrustAnchorInput{Name: aws.String("anchor"), Enabled: aws.Bool(true), Source: bundle(w.ca.pem)}))(t)
	w.anchorARN, w.anchorID = *anchor.TrustAnchor.TrustAnchorArn, *anchor.TrustAnchor.TrustAnchorId
	role := must(c.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &w.roleName,
		AssumeRolePolicyDocument: aws.String(trustPolicy(anywherePrincipal, `{"ArnEquals":{"aws:SourceArn":"`+w.anchorARN+`"}}`))}))(t)
	w.roleARN = *role.Role.Arn
	must(c.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &w.roleName, PolicyName: aws.String("everything"), PolicyDocument: aws.String(allow("*"))}))(t)
	profile := must(c.anywhere.CreateProfile(ctx, &rolesanywhere.CreateProfileInput{Name: aws.String("profile"), Enabled: aws.Bool(true), RoleArns: []string{w.roleARN}}))(t)
	w.profileARN, w.profileID = *profile.Profile.ProfileArn, *profile.Profile.ProfileId
	return w
}

// session is what CreateSession answers.
type session struct {
	CredentialSet []struct {
		AssumedRoleUser struct{ Arn, AssumedRoleID string }
		Credentials     struct{ AccessKeyID, SecretAccessKey, SessionToken, Expiration string }
		RoleArn         string
		SourceIdentity  string
	}
	SubjectArn string
	requestID  string
}

func (s *session) credentials() aws.Credentials {
	c := s.CredentialSet[0].Credentials
	return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
}

// refused is an answer other than 201.
type refused struct {
	status int
	body   string
}

func (r *refused) Error() string { return fmt.Sprintf("%d %s", r.status, r.body) }

// createSession makes one CreateSession request without a client program.
func (w *world) createSession(ctx context.Context, c *http.Client, endpoint string, leaf *workload) (*session, error) {
	q := url.Values{"trustAnchorArn": {w.anchorARN}, "profileArn": {w.profileARN}, "roleArn": {w.roleARN}}
	body := []byte(`{"durationSeconds":900}`)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint+"/sessions?"+strings.ReplaceAll(q.Encode(), "+", "%20"), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	if err := sigv4.SignX509(r, &sigv4.SignX509Input{Signer: leaf.key, Leaf: leaf.cert, Region: region, Time: time.Now(), Body: body}); err != nil {
		return nil, err
	}
	resp, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusCreated {
		return nil, &refused{resp.StatusCode, string(answer)}
	}
	s := &session{requestID: resp.Header.Get("X-Amzn-Requestid")}
	if err := json.Unmarshal(answer, s); err != nil {
		return nil, err
	}
	if len(s.CredentialSet) != 1 || s.requestID == "" {
		return nil, fmt.Errorf("incomplete answer %s", answer)
	}
	return s, nil
}

// login is createSession for one that must succeed.
func (w *world) login(t testing.TB, n *node) *session {
	t.Helper()
	return must(w.createSession(t.Context(), n.client(), n.endpoint, w.leaf))(t)
}
