package quickstart

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/rolecall/rolecall/sigv4"
)

// keys are AWS-style credentials.
type keys struct {
	accessKeyID, secretAccessKey, sessionToken string
}

// api talks to the server as any AWS client would: signed requests over HTTPS, nothing private.
type api struct {
	endpoint string
	region   string
	http     *http.Client
}

// maxResponse bounds what is read of an answer, in bytes.
const maxResponse = 1 << 20

func newAPI(endpoint, caFile, region string) (*api, error) {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s", caFile)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	return &api{endpoint: endpoint, region: region, http: &http.Client{Transport: transport, Timeout: 30 * time.Second}}, nil
}

func (a *api) do(ctx context.Context, k keys, service, method, path, contentType string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, a.endpoint+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", contentType)
	sum := sha256.Sum256(body)
	err = sigv4.Sign(r, &sigv4.SignInput{
		AccessKeyID: k.accessKeyID, SecretAccessKey: k.secretAccessKey, SessionToken: k.sessionToken,
		Region: a.region, Service: service, Time: time.Now(), BodySHA256: hex.EncodeToString(sum[:]),
	})
	if err != nil {
		return nil, err
	}
	resp, err := a.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		return nil, fmt.Errorf("%s %s: %s: %s", service, path, resp.Status, strings.TrimSpace(string(out)))
	}
	return out, nil
}

// rest makes one REST-JSON call.
func (a *api) rest(ctx context.Context, k keys, service, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	answer, err := a.do(ctx, k, service, method, path, "application/json", body)
	if err != nil {
		return err
	}
	return json.Unmarshal(answer, out)
}

// query makes one call of the query protocol and decodes the XML answer.
func (a *api) query(ctx context.Context, k keys, service, action, version string, params map[string]string, out any) error {
	form := url.Values{"Action": {action}, "Version": {version}}
	for name, v := range params {
		form.Set(name, v)
	}
	answer, err := a.do(ctx, k, service, http.MethodPost, "/", "application/x-www-form-urlencoded; charset=utf-8", []byte(form.Encode()))
	if err != nil {
		return err
	}
	return xml.Unmarshal(answer, out)
}

const (
	iamVersion = "2010-05-08"
	stsVersion = "2011-06-15"
)

func (a *api) createTrustAnchor(ctx context.Context, k keys, name, caPEM string) (string, error) {
	in := map[string]any{
		"name":    name,
		"enabled": true,
		"source":  map[string]any{"sourceType": "CERTIFICATE_BUNDLE", "sourceData": map[string]any{"x509CertificateData": caPEM}},
	}
	var out struct {
		TrustAnchor struct {
			TrustAnchorArn string `json:"trustAnchorArn"`
		} `json:"trustAnchor"`
	}
	err := a.rest(ctx, k, "rolesanywhere", http.MethodPost, "/trustanchors", in, &out)
	return out.TrustAnchor.TrustAnchorArn, err
}

func (a *api) createProfile(ctx context.Context, k keys, name, roleARN string) (string, error) {
	in := map[string]any{"name": name, "enabled": true, "roleArns": []string{roleARN}}
	var out struct {
		Profile struct {
			ProfileArn string `json:"profileArn"`
		} `json:"profile"`
	}
	err := a.rest(ctx, k, "rolesanywhere", http.MethodPost, "/profiles", in, &out)
	return out.Profile.ProfileArn, err
}

func (a *api) createRole(ctx context.Context, k keys, name, trustPolicy string) (string, error) {
	var out struct {
		Arn string `xml:"CreateRoleResult>Role>Arn"`
	}
	err := a.query(ctx, k, "iam", "CreateRole", iamVersion, map[string]string{"RoleName": name, "AssumeRolePolicyDocument": trustPolicy}, &out)
	return out.Arn, err
}

func (a *api) putRolePolicy(ctx context.Context, k keys, role, name, document string) error {
	var out struct{}
	return a.query(ctx, k, "iam", "PutRolePolicy", iamVersion, map[string]string{"RoleName": role, "PolicyName": name, "PolicyDocument": document}, &out)
}

// identity is what GetCallerIdentity answers.
type identity struct {
	Arn     string `xml:"GetCallerIdentityResult>Arn"`
	UserID  string `xml:"GetCallerIdentityResult>UserId"`
	Account string `xml:"GetCallerIdentityResult>Account"`
}

func (a *api) whoAmI(ctx context.Context, k keys) (identity, error) {
	var out identity
	err := a.query(ctx, k, "sts", "GetCallerIdentity", stsVersion, nil, &out)
	return out, err
}

// readCredentialsFile reads the two keys of an AWS credentials file's default profile.
func readCredentialsFile(path string) (keys, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return keys{}, err
	}
	var k keys
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		switch strings.TrimSpace(name) {
		case "aws_access_key_id":
			k.accessKeyID = strings.TrimSpace(value)
		case "aws_secret_access_key":
			k.secretAccessKey = strings.TrimSpace(value)
		}
	}
	if k.accessKeyID == "" || k.secretAccessKey == "" {
		return keys{}, errors.New("no complete key in " + path)
	}
	return k, nil
}
