// Package bucket writes objects into buckets of the one S3 endpoint that the operator configured: revocation lists and
// audit reports of private CAs.
//
// It reads nothing back, follows no redirect, and takes neither an endpoint nor credentials from a request: a caller of
// the API can choose a bucket's name and no more. Start with [New] and [Client.Put].
package bucket

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/xml"
	"errors"
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

// Config says where the buckets are and who writes to them.
type Config struct {
	Endpoint    string // http:// or https:// URL without a path; buckets are addressed by path
	Region      string // of the signatures
	Credentials string // AWS credentials file, read again for every object
	Profile     string // in it
	CABundle    string // PEM file of what HTTPS endpoints are trusted by, beside the system's roots; "" for none
}

// Client writes objects. It is safe for concurrent use.
type Client struct {
	cfg  Config
	base *url.URL
	http *http.Client
}

// Timeouts of a request: until the endpoint answers once the object is sent, and in all.
const (
	dialTimeout   = 5 * time.Second
	answerTimeout = 30 * time.Second
)

// New checks the configuration, the credentials included.
func New(cfg Config) (*Client, error) {
	base, err := url.Parse(cfg.Endpoint)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.User != nil || strings.Trim(base.Path, "/") != "" || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("the S3 endpoint must be http://HOST:PORT or https://HOST:PORT, without a path")
	}
	base.Path = ""
	if _, err := readCredentials(cfg.Credentials, cfg.Profile); err != nil {
		return nil, fmt.Errorf("credentials for the S3 endpoint: %w", err)
	}
	roots, err := trust(cfg.CABundle)
	if err != nil {
		return nil, err
	}
	return &Client{cfg: cfg, base: base, http: &http.Client{
		Transport: &http.Transport{ // no proxy from the environment: the endpoint is the operator's own
			DialContext: (&net.Dialer{Timeout: dialTimeout}).DialContext, TLSHandshakeTimeout: dialTimeout, ResponseHeaderTimeout: answerTimeout,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// trust is the system's roots and those of the file; nil for the system's alone.
func trust(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("CA bundle for the S3 endpoint: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("CA bundle for the S3 endpoint: there is no certificate in %s", path)
	}
	return pool, nil
}

// URL is what stands before "/BUCKET/KEY" in an object's address.
func (c *Client) URL() string { return c.base.String() }

// Object is what to write.
type Object struct {
	Bucket, Key string
	ContentType string
	ACL         string        // a canned ACL such as public-read; "" for the bucket's default
	Body        io.ReadSeeker // read twice: for its hash, and to be sent
}

// Error is a refusal of the endpoint.
type Error struct {
	Status  int
	Code    string // such as NoSuchBucket; "" if the answer had none
	Message string
}

func (e *Error) Error() string {
	return strings.TrimSpace(fmt.Sprintf("the S3 endpoint answered %d %s %s", e.Status, e.Code, e.Message))
}

// maxAnswer bounds what of an answer is read, in bytes.
const maxAnswer = 64 << 10

// Put writes one object, replacing what is there. A refusal of the endpoint is an *[Error].
func (c *Client) Put(ctx context.Context, o *Object) error {
	if !ValidName(o.Bucket) || o.Key == "" {
		return fmt.Errorf("%q is not the name of a bucket", o.Bucket)
	}
	who, err := readCredentials(c.cfg.Credentials, c.cfg.Profile)
	if err != nil {
		return fmt.Errorf("credentials for the S3 endpoint: %w", err)
	}
	sum := sha256.New()
	size, err := io.Copy(sum, o.Body)
	if err != nil {
		return err
	}
	if _, err := o.Body.Seek(0, io.SeekStart); err != nil {
		return err
	}
	target := *c.base
	target.Path = "/" + o.Bucket + "/" + o.Key
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, target.String(), io.NopCloser(o.Body))
	if err != nil {
		return err
	}
	r.ContentLength = size
	if size == 0 {
		r.Body = http.NoBody
	}
	r.Header.Set("Content-Type", o.ContentType)
	if o.ACL != "" {
		r.Header.Set("X-Amz-Acl", o.ACL)
	}
	err = sigv4.Sign(r, &sigv4.SignInput{
		AccessKeyID: who.id, SecretAccessKey: who.secret, SessionToken: who.token, Region: c.cfg.Region, Service: "s3", Time: time.Now(),
		Style: sigv4.S3, BodySHA256: hex.EncodeToString(sum.Sum(nil)), PayloadHeader: true,
	})
	if err != nil {
		return err
	}
	res, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if res.StatusCode == http.StatusOK {
		return err
	}
	return refusal(res.StatusCode, text)
}

// refusal reads the endpoint's reason (the S3 API's error document).
func refusal(status int, text []byte) *Error {
	e := &Error{Status: status}
	var doc struct{ Code, Message string }
	if xml.Unmarshal(text, &doc) == nil {
		e.Code, e.Message = printable(doc.Code, 64), printable(doc.Message, 256)
	}
	return e
}

// printable keeps what may stand in a message.
func printable(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), most)]
}

// ValidName reports whether name can be a bucket's: 3 to 63 lower-case letters, digits, hyphens and dots, and no address.
func ValidName(name string) bool {
	if len(name) < 3 || len(name) > 63 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" || net.ParseIP(name) != nil {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return true
}
