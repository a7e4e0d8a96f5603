// Package awsclient talks to a rolecalld as any AWS client would: signed requests over HTTPS, nothing private. It is for
// the server's own commands (quickstart, template); the client program has a smaller one, and neither retries.
//
// Start with [New].
package awsclient

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/rolecall/rolecall/sigv4"
)

// Keys are AWS-style credentials.
type Keys struct{ AccessKeyID, SecretAccessKey, SessionToken string }

// Client makes calls to one endpoint in one region.
type Client struct {
	endpoint string
	region   string
	http     *http.Client
}

// maxResponse bounds what is read of an answer, in bytes.
const maxResponse = 1 << 20

// New makes a client. caFile holds the PEM certificates that the server's may come from; "" means the system's. Plain HTTP
// is for loopback addresses only: requests are signed, but answers are not.
func New(endpoint, caFile, region string) (*Client, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, err
	}
	if u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
		return nil, fmt.Errorf("endpoint %s is neither an https URL nor an http URL of a loopback address", endpoint)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("no certificate in %s", caFile)
		}
	}
	transport := &http.Transport{TLSClientConfig: config, Proxy: http.ProxyFromEnvironment}
	return &Client{endpoint: strings.TrimRight(endpoint, "/"), region: region, http: &http.Client{Transport: transport, Timeout: 30 * time.Second}}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (c *Client) do(ctx context.Context, k Keys, service, method, path, contentType, target string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.endpoint+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", contentType)
	if target != "" {
		r.Header.Set("X-Amz-Target", target)
	}
	sum := sha256.Sum256(body)
	err = sigv4.Sign(r, &sigv4.SignInput{
		AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey, SessionToken: k.SessionToken,
		Region: c.region, Service: service, Time: time.Now(), BodySHA256: hex.EncodeToString(sum[:]),
	})
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(r)
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

// REST makes one REST-JSON call; without in it has no body. Segments of path that come from elsewhere are escaped by the caller.
func (c *Client) REST(ctx context.Context, k Keys, service, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	answer, err := c.do(ctx, k, service, method, path, "application/json", "", body)
	if err != nil {
		return err
	}
	return json.Unmarshal(answer, out)
}

// JSON11 makes one call of the JSON 1.1 protocol. out may be nil if nothing of the answer is wanted.
func (c *Client) JSON11(ctx context.Context, k Keys, service, target string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	answer, err := c.do(ctx, k, service, http.MethodPost, "/", "application/x-amz-json-1.1", target, body)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(answer, out)
}

// Query makes one call of the query protocol and decodes the XML answer.
func (c *Client) Query(ctx context.Context, k Keys, service, action, version string, params map[string]string, out any) error {
	form := url.Values{"Action": {action}, "Version": {version}}
	for name, v := range params {
		form.Set(name, v)
	}
	answer, err := c.do(ctx, k, service, http.MethodPost, "/", "application/x-www-form-urlencoded; charset=utf-8", "", []byte(form.Encode()))
	if err != nil {
		return err
	}
	return xml.Unmarshal(answer, out)
}
