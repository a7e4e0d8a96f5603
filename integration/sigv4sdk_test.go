// Package integration holds the tests of rolecall against other people's programs and libraries. It has its own module
// so that none of them becomes a dependency of rolecall.
package integration

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/rolecall/rolecall/sigv4"
)

// randomCase is one request and what signs it.
type randomCase struct {
	method, host, target string
	headers              [][2]string
	body                 string
	in                   sigv4.SignInput
}

// pick is a random word over an alphabet.
func pick(rnd *rand.Rand, alphabet string, least, most int) string {
	runes := []rune(alphabet)
	var b strings.Builder
	for range least + rnd.IntN(most-least+1) {
		b.WriteRune(runes[rnd.IntN(len(runes))])
	}
	return b.String()
}

const (
	alnum  = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	values = alnum + " -_.~!*'()$&+,/:;=?@#%\"<>|äß漢"
)

func newCase(rnd *rand.Rand) *randomCase {
	c := &randomCase{
		method: []string{"GET", "POST", "PUT", "DELETE", "HEAD"}[rnd.IntN(5)],
		host:   []string{"iam.example", "127.0.0.1:8443", "bucket.s3.example:9000", "[::1]:8443"}[rnd.IntN(4)],
		in: sigv4.SignInput{
			AccessKeyID: "AKIA" + pick(rnd, "ABCDEFGH234567", 16, 16), SecretAccessKey: pick(rnd, alnum+"/+", 1, 90),
			Region: []string{"us-east-1", "eu-central-1", "cn-north-1"}[rnd.IntN(3)],
			Time:   time.Unix(1_500_000_000+rnd.Int64N(1_000_000_000), 0).UTC(),
		},
	}
	c.in.Service = []string{"iam", "sts", "rolesanywhere", "acm-pca"}[rnd.IntN(4)]
	if rnd.IntN(2) == 0 {
		c.in.Style, c.in.Service = sigv4.S3, "s3"
	}
	if rnd.IntN(2) == 0 {
		c.in.SessionToken = pick(rnd, alnum+"/+=", 20, 400)
	}
	if c.method == "POST" || c.method == "PUT" {
		c.body = pick(rnd, values, 0, 200)
	}
	sum := sha256.Sum256([]byte(c.body))
	c.in.BodySHA256 = hex.EncodeToString(sum[:])
	c.target = c.path(rnd) + query(rnd)
	for range rnd.IntN(5) {
		name := "X-" + []string{"Amz-Meta-", "Other-", ""}[rnd.IntN(3)] + pick(rnd, alnum[:26], 1, 12)
		c.headers = append(c.headers, [2]string{name, pick(rnd, alnum+"    -_=;,:\"", 0, 40)})
	}
	return c
}

// path is encoded as SDKs encode it; dots and double slashes only for S3, whose paths nobody normalises.
func (c *randomCase) path(rnd *rand.Rand) string {
	var b strings.Builder
	for range 1 + rnd.IntN(4) {
		segment := "s" + pick(rnd, values, 0, 12)
		if c.in.Style == sigv4.S3 && rnd.IntN(4) == 0 {
			segment = []string{"", ".", "..", "..a"}[rnd.IntN(4)]
		}
		b.WriteByte('/')
		b.WriteString(strings.ReplaceAll(url.QueryEscape(segment), "+", "%20"))
	}
	if rnd.IntN(3) == 0 {
		b.WriteByte('/')
	}
	return "/p" + b.String()
}

// query has names on which sorting before and after encoding agrees: the SDK sorts before.
func query(rnd *rand.Rand) string {
	q := url.Values{}
	for range rnd.IntN(6) {
		name := pick(rnd, alnum+"-_.", 1, 8)
		for range 1 + rnd.IntN(2) {
			q.Add(name, pick(rnd, alnum+"-_.", 0, 3)+pick(rnd, values, 0, 1))
		}
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + strings.ReplaceAll(q.Encode(), "+", "%20")
}

func (c *randomCase) request(t *testing.T) *http.Request {
	t.Helper()
	r, err := http.NewRequest(c.method, "https://"+c.host+c.target, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range c.headers {
		r.Header.Add(h[0], h[1])
	}
	if c.in.Style == sigv4.S3 {
		r.Header.Set("X-Amz-Content-Sha256", c.in.BodySHA256)
	}
	return r
}

func (c *randomCase) credentials() aws.Credentials {
	return aws.Credentials{AccessKeyID: c.in.AccessKeyID, SecretAccessKey: c.in.SecretAccessKey, SessionToken: c.in.SessionToken}
}

func (c *randomCase) options(o *v4.SignerOptions) {
	o.DisableURIPathEscaping = c.in.Style == sigv4.S3
}

// received is r as a server gets it.
func received(t *testing.T, r *http.Request, body string) *http.Request {
	t.Helper()
	got := httptest.NewRequest(r.Method, r.URL.RequestURI(), strings.NewReader(body))
	got.Host, got.Header, got.ContentLength = r.Host, r.Header, r.ContentLength
	if got.Host == "" {
		got.Host = r.URL.Host
	}
	return got
}

func (c *randomCase) verify(t *testing.T, r *http.Request) error {
	t.Helper()
	claims, err := sigv4.Parse(r)
	if err != nil {
		return err
	}
	if claims.SecurityToken != c.in.SessionToken {
		return fmt.Errorf("session token %q, want %q", claims.SecurityToken, c.in.SessionToken)
	}
	key := sigv4.DeriveKey(c.in.SecretAccessKey, claims.Date, claims.Region, claims.Service)
	return claims.Verify(r, key, &sigv4.Check{Now: c.in.Time, Style: c.in.Style, BodySHA256: sha256.Sum256([]byte(c.body))})
}

const cases = 5000

// The AWS SDK's signer and ours put the same Authorization on the same request, and what the SDK signed verifies.
func TestSignerAgainstSDK(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range cases {
		c := newCase(rnd)
		theirs, ours := c.request(t), c.request(t)
		err := v4.NewSigner(c.options).SignHTTP(context.Background(), c.credentials(), theirs, c.in.BodySHA256, c.in.Service, c.in.Region, c.in.Time)
		if err != nil {
			t.Fatal(err)
		}
		if err := sigv4.Sign(ours, &c.in); err != nil {
			t.Fatal(err)
		}
		if got, want := ours.Header.Get("Authorization"), theirs.Header.Get("Authorization"); got != want {
			t.Fatalf("case %d: %s %s\n got %s\nwant %s\nheaders %q", i, c.method, c.target, got, want, c.headers)
		}
		if err := c.verify(t, received(t, theirs, c.body)); err != nil {
			t.Fatalf("case %d: %s %s: %v", i, c.method, c.target, err)
		}
	}
}

// What the SDK presigned verifies, and a changed method does not.
func TestPresignerAgainstSDK(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for i := range cases {
		c := newCase(rnd)
		r := c.request(t)
		payload := c.in.BodySHA256
		r.Header.Del("X-Amz-Content-Sha256")
		if c.in.Style == sigv4.S3 {
			payload = sigv4.UnsignedPayload
		}
		q := r.URL.Query()
		q.Set("X-Amz-Expires", "900")
		r.URL.RawQuery = q.Encode()
		signed, headers, err := v4.NewSigner(c.options).PresignHTTP(context.Background(), c.credentials(), r, payload, c.in.Service, c.in.Region, c.in.Time)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(signed)
		if err != nil {
			t.Fatal(err)
		}
		got := received(t, &http.Request{Method: r.Method, URL: u, Host: c.host, Header: headers, ContentLength: r.ContentLength}, c.body)
		if err := c.verify(t, got); err != nil {
			t.Fatalf("case %d: %s %s: %v", i, c.method, signed, err)
		}
		got.Method = "PATCH"
		if err := c.verify(t, got); err == nil {
			t.Fatalf("case %d: a changed method verified", i)
		}
	}
}
