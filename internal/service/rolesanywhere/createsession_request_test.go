package rolesanywhere_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/testserver"
)

// call is one CreateSession as some client writes it. It is canonicalised and signed here, by hand, so that these tests
// do not depend on the signer that the server's own packages share with it.
type call struct {
	who   *entity
	chain []*entity // as in the header

	query       url.Values
	body        string
	contentType string
	chunked     bool
	path        string // on the wire; "" is /sessions
	header      http.Header

	algorithm            string // "" by key
	serial               string // "" is the certificate's, in decimal
	date, region, scopes string // of the scope; "" by time, the tests' region, rolesanywhere
	when                 time.Time
	host                 string   // signed instead of the real one
	signPath             string   // "" is /sessions
	signed               []string // nil is what the official client signs

	tamper func(*http.Request) // after signing
}

// request builds and signs the request.
func (c *call) request(t testing.TB, endpoint string) *http.Request {
	t.Helper()
	path := "/sessions"
	if c.path != "" {
		path = c.path
	}
	u := endpoint + path
	if len(c.query) > 0 {
		u += "?" + c.query.Encode()
	}
	var body io.Reader = strings.NewReader(c.body)
	if c.chunked {
		body = io.NopCloser(body) // its length is unknown to the client
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, u, body)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range c.header {
		r.Header[name] = values
	}
	if c.contentType != "" {
		r.Header.Set("Content-Type", c.contentType)
	}
	c.sign(t, r)
	if c.tamper != nil {
		c.tamper(r)
	}
	return r
}

func (c *call) sign(t testing.TB, r *http.Request) {
	t.Helper()
	when := c.when
	if when.IsZero() {
		when = time.Now()
	}
	amzDate := when.UTC().Format("20060102T150405Z")
	r.Header.Set("X-Amz-Date", amzDate)
	r.Header.Set("X-Amz-X509", base64.StdEncoding.EncodeToString(c.who.cert.Raw))
	if len(c.chain) > 0 {
		var parts []string
		for _, e := range c.chain {
			parts = append(parts, base64.StdEncoding.EncodeToString(e.cert.Raw))
		}
		r.Header.Set("X-Amz-X509-Chain", strings.Join(parts, ","))
	}
	names := c.signed
	if names == nil {
		names = []string{"host"}
		for name := range r.Header {
			names = append(names, strings.ToLower(name))
		}
	}
	slices.Sort(names)

	or := func(s, fallback string) string {
		if s == "" {
			return fallback
		}
		return s
	}
	var canonical strings.Builder
	canonical.WriteString("POST\n" + or(c.signPath, "/sessions") + "\n" + strings.ReplaceAll(c.query.Encode(), "+", "%20") + "\n")
	for _, name := range names {
		value := strings.Join(r.Header.Values(name), ",")
		if name == "host" {
			value = or(c.host, r.URL.Host)
		}
		canonical.WriteString(name + ":" + value + "\n")
	}
	list := strings.Join(names, ";")
	canonical.WriteString("\n" + list + "\n" + hexSum(c.body))

	algorithm := or(c.algorithm, "AWS4-X509-ECDSA-SHA256")
	if _, ok := c.who.key.(*rsa.PrivateKey); ok && c.algorithm == "" {
		algorithm = "AWS4-X509-RSA-SHA256"
	}
	scope := or(c.date, amzDate[:8]) + "/" + or(c.region, testserver.Region) + "/" + or(c.scopes, "rolesanywhere") + "/aws4_request"
	sum := sha256.Sum256([]byte(algorithm + "\n" + amzDate + "\n" + scope + "\n" + hexSum(canonical.String())))
	hash := crypto.SHA256
	if isEd25519(c.who.key) {
		hash = 0
	}
	signature, err := c.who.key.Sign(rand.Reader, sum[:], hash)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", algorithm+" Credential="+or(c.serial, c.who.cert.SerialNumber.String())+"/"+scope+
		", SignedHeaders="+list+", Signature="+hex.EncodeToString(signature))
}

func hexSum(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// answer is the response of CreateSession with every member that AWS sends.
type answer struct {
	CredentialSet []struct {
		AssumedRoleUser *struct {
			Arn           *string `json:"arn"`
			AssumedRoleID *string `json:"assumedRoleId"`
		} `json:"assumedRoleUser"`
		Credentials *struct {
			AccessKeyID     *string `json:"accessKeyId"`
			Expiration      *string `json:"expiration"`
			SecretAccessKey *string `json:"secretAccessKey"`
			SessionToken    *string `json:"sessionToken"`
		} `json:"credentials"`
		PackedPolicySize *int    `json:"packedPolicySize"`
		RoleArn          *string `json:"roleArn"`
		SourceIdentity   *string `json:"sourceIdentity"`
	} `json:"credentialSet"`
	SubjectArn *string `json:"subjectArn"`
}

// session is a successful answer with what is in it.
type session struct {
	keys                               testserver.Keys
	arn, roleID, role, source, subject string
	packed                             int
	expires                            time.Time
}

// granted decodes a success as the strictest of clients would: nothing missing, nothing unknown.
func granted(t testing.TB, resp *testserver.Response) session {
	t.Helper()
	if resp.Status != http.StatusCreated {
		t.Fatalf("got %d %s, want 201", resp.Status, resp.Body)
	}
	dec := json.NewDecoder(bytes.NewReader(resp.Body))
	dec.DisallowUnknownFields()
	var a answer
	if err := dec.Decode(&a); err != nil {
		t.Fatalf("%v in %s", err, resp.Body)
	}
	if len(a.CredentialSet) != 1 || a.SubjectArn == nil {
		t.Fatalf("got %s, want one credential set and a subject", resp.Body)
	}
	set := a.CredentialSet[0]
	if set.AssumedRoleUser == nil || set.Credentials == nil || set.PackedPolicySize == nil {
		t.Fatal("a member of the credential set is missing")
	}
	text := func(name string, p *string) string {
		if p == nil || *p == "" {
			t.Fatalf("%s is missing or empty", name)
		}
		return *p
	}
	s := session{
		keys: testserver.Keys{
			AccessKeyID: text("accessKeyId", set.Credentials.AccessKeyID), SecretAccessKey: text("secretAccessKey", set.Credentials.SecretAccessKey),
			SessionToken: text("sessionToken", set.Credentials.SessionToken),
		},
		arn: text("arn", set.AssumedRoleUser.Arn), roleID: text("assumedRoleId", set.AssumedRoleUser.AssumedRoleID),
		role: text("roleArn", set.RoleArn), source: text("sourceIdentity", set.SourceIdentity), subject: text("subjectArn", a.SubjectArn),
		packed: *set.PackedPolicySize,
	}
	var err error
	if s.expires, err = time.Parse("2006-01-02T15:04:05Z", text("expiration", set.Credentials.Expiration)); err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %q, want application/json", got)
	}
	return s
}
