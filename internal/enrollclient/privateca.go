package enrollclient

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/sigv4"
)

// PrivateCA is an [Issuer] over AWS Private CA's API, AWS's or that of rolecalld.
type PrivateCA struct {
	CA, Template string // ARNs; Template "" for the API's default
	Days         int    // validity
	Algorithm    string // "" asks the CA
	Endpoint     string // "" is AWS's of the CA's region
	Roots        *x509.CertPool
	Keys         func(context.Context) (Keys, error)
}

// Keys are credentials to sign with.
type Keys struct{ AccessKeyID, SecretAccessKey, SessionToken string }

const (
	polls     = 30
	pollEvery = time.Second
)

// Enroll implements [Issuer].
func (p *PrivateCA) Enroll(ctx context.Context, csr []byte, _ *Pair) (*x509.Certificate, []*x509.Certificate, error) {
	name, err := arn.Parse(p.CA)
	if err != nil || name.Service != "acm-pca" {
		return nil, nil, &Error{Problem: "--ca-arn does not name a private CA", Advice: "it is arn:aws:acm-pca:REGION:ACCOUNT:certificate-authority/ID", Permanent: true}
	}
	c := &pcaCall{PrivateCA: p, region: string(name.Region), endpoint: p.Endpoint, client: httpClient(&tls.Config{RootCAs: p.Roots})}
	if c.endpoint == "" {
		c.endpoint = "https://acm-pca." + c.region + "." + suffix(name.Partition)
	}
	u, err := url.Parse(c.endpoint)
	if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && (u.Hostname() == "127.0.0.1" || u.Hostname() == "::1" || u.Hostname() == "localhost")) {
		return nil, nil, &Error{Problem: "the endpoint is neither an https URL nor an http URL of a loopback address", Permanent: true}
	}
	if c.keys, err = p.Keys(ctx); err != nil {
		return nil, nil, err
	}
	algorithm := p.Algorithm
	if algorithm == "" {
		var out struct {
			CertificateAuthority struct {
				CertificateAuthorityConfiguration struct{ SigningAlgorithm string }
			}
		}
		if err := c.do(ctx, "DescribeCertificateAuthority", map[string]any{"CertificateAuthorityArn": p.CA}, &out); err != nil {
			return nil, nil, err
		}
		algorithm = out.CertificateAuthority.CertificateAuthorityConfiguration.SigningAlgorithm
	}
	in := map[string]any{
		"CertificateAuthorityArn": p.CA, "Csr": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr}),
		"SigningAlgorithm": algorithm, "Validity": map[string]any{"Type": "DAYS", "Value": p.Days},
	}
	if p.Template != "" {
		in["TemplateArn"] = p.Template
	}
	var made struct{ CertificateArn string }
	if err := c.do(ctx, "IssueCertificate", in, &made); err != nil {
		return nil, nil, err
	}
	return c.fetch(ctx, made.CertificateArn)
}

func suffix(partition string) string {
	if partition == "aws-cn" {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

// pcaCall is what the calls of one enrollment share.
type pcaCall struct {
	*PrivateCA
	region, endpoint string
	keys             Keys
	client           *http.Client
}

// fetch waits for the certificate: issuing takes AWS a moment.
func (c *pcaCall) fetch(ctx context.Context, certificate string) (*x509.Certificate, []*x509.Certificate, error) {
	for n := 0; ; n++ {
		var out struct{ Certificate, CertificateChain string }
		err := c.do(ctx, "GetCertificate", map[string]any{"CertificateAuthorityArn": c.CA, "CertificateArn": certificate}, &out)
		if err == nil {
			list, err := parsePEM([]byte(out.Certificate + "\n" + out.CertificateChain))
			if err != nil || len(list) == 0 {
				return nil, nil, errors.New("GetCertificate: the answer holds no certificate")
			}
			return list[0], list[1:], nil
		}
		var e *apiError
		if !errors.As(err, &e) || e.code != "RequestInProgressException" || n == polls {
			return nil, nil, err
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(pollEvery):
		}
	}
}

type apiError struct{ operation, code, text string }

func (e *apiError) Error() string { return e.operation + ": " + e.code + ": " + e.text }

func (c *pcaCall) do(ctx context.Context, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(c.endpoint, "/")+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "ACMPrivateCA."+operation)
	sum := sha256.Sum256(body)
	err = sigv4.Sign(r, &sigv4.SignInput{
		AccessKeyID: c.keys.AccessKeyID, SecretAccessKey: c.keys.SecretAccessKey, SessionToken: c.keys.SessionToken,
		Region: c.region, Service: "acm-pca", Time: time.Now(), BodySHA256: hex.EncodeToString(sum[:]),
	})
	if err != nil {
		return err
	}
	resp, err := c.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusOK {
		return json.Unmarshal(answer, out)
	}
	var refused struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if json.Unmarshal(answer, &refused) != nil || refused.Type == "" {
		return fmt.Errorf("%s: %s", operation, resp.Status)
	}
	return &apiError{operation, refused.Type[strings.LastIndexByte(refused.Type, '#')+1:], refused.Message}
}
