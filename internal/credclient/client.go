// Package credclient exchanges a workload's certificate for temporary credentials: it makes one signed CreateSession
// request to Roles Anywhere, AWS's or rolecall's own, and returns what the server granted.
//
// It uses no AWS SDK, reads no AWS configuration file and keeps nothing between calls. Where the key comes from is the
// business of internal/keysource; printing and caching are the caller's.
// Start with [New] and [Client.CreateSession]. endpoint.go decides where to send, transport.go how, retry.go how often.
package credclient

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/keysource"
	"github.com/rolecall/rolecall/sigv4"
)

// Config says where to send requests and how. The zero value, with Getenv set, is what most callers want.
type Config struct {
	Region      arn.Region // signing region and region of the endpoint; empty: the trust anchor's
	Endpoint    string     // base URL, or several separated by commas; empty: from the environment, else AWS's endpoint of the region
	STSEndpoint string     // base URLs for the further roles of Request.Chain; empty: see stsEndpoints
	NoVerifyTLS bool       // accepts any server certificate: whoever is in between reads the credentials

	// Getenv reads the environment (os.Getenv); nil: an empty one. Read are AWS_ENDPOINT_URL_ROLESANYWHERE,
	// AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS, AWS_USE_FIPS_ENDPOINT, AWS_USE_DUALSTACK_ENDPOINT,
	// AWS_CA_BUNDLE and AWS_MAX_ATTEMPTS. Go itself reads SSL_CERT_FILE, SSL_CERT_DIR and the proxy variables.
	Getenv func(string) string

	// HTTPClient makes the requests in place of an own client, which knows AWS_CA_BUNDLE and NoVerifyTLS; nil: an own one.
	// Redirects are not followed in any case.
	HTTPClient *http.Client

	Timeout   time.Duration     // of all attempts together; 0: one minute
	UserAgent string            // program/version, to which the platform is added; empty: "rolecall"
	Now       func() time.Time  // nil: time.Now
	Debug     func(line string) // told what goes over the wire, without secrets; nil: nothing is
}

// Client makes CreateSession requests. It is safe for concurrent use.
type Client struct {
	cfg  Config
	http *http.Client

	maxAttempts  int
	preferred    atomic.Uint32                                    // index of the endpoint that answered last
	preferredSTS atomic.Uint32                                    // likewise of STS
	sleep        func(ctx context.Context, d time.Duration) error // replaced in tests
}

// Request is one CreateSession call.
type Request struct {
	RoleARN         string
	ProfileARN      string
	TrustAnchorARN  string
	DurationSeconds int    // sent as it is: the server judges it
	SessionName     string // empty: the server's choice

	// Chain are ARNs of further roles that are assumed in order with STS's AssumeRole, at most 8. The credentials are those of
	// the last one, and no session may then be longer than one hour.
	Chain []string
}

// Credentials is what the server granted. Only AccessKeyID and Expiration may be logged.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	Expiration      string // as the server wrote it, RFC 3339

	session string // name of the role session, where CreateSession told it
}

// New checks the configuration, as far as that can be done without a request.
func New(cfg Config) (*Client, error) {
	if cfg.Getenv == nil {
		cfg.Getenv = func(string) string { return "" }
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = time.Minute
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = "rolecall"
	}
	attempts, err := maxAttempts(cfg.Getenv("AWS_MAX_ATTEMPTS"))
	if err != nil {
		return nil, err
	}
	hc, err := newHTTPClient(&cfg)
	if err != nil {
		return nil, err
	}
	return &Client{cfg: cfg, http: hc, maxAttempts: attempts, sleep: sleep}, nil
}

// CreateSession exchanges id for credentials, of the last role of in.Chain if there is one. Errors are *[ServiceError] when the server answered with one and
// *[Error] otherwise; neither holds a secret.
func (c *Client) CreateSession(ctx context.Context, id *keysource.Identity, in *Request) (*Credentials, error) {
	call, region, err := c.prepare(id, in)
	if err != nil {
		return nil, err
	}
	var sts []*url.URL
	if len(in.Chain) > 0 {
		if sts, err = stsEndpoints(&c.cfg, region); err != nil { // before a session is made in vain
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	creds, err := c.retry(ctx, call)
	if err != nil || len(in.Chain) == 0 {
		return creds, err
	}
	return c.assumeChain(ctx, creds, in, region, sts)
}

// call is a checked request, ready to be signed once per attempt.
type call struct {
	urls       []*url.URL // as they go on the wire; attempts take turns
	body       []byte
	invocation string         // the same for all attempts
	preferred  *atomic.Uint32 // index into urls of the endpoint that answered last

	sign        func(r *http.Request, now time.Time) error // sets the content type too
	decode      func(body []byte) (*Credentials, error)
	decodeError func(*http.Response, []byte) *ServiceError
}

func (c *Client) prepare(id *keysource.Identity, in *Request) (*call, arn.Region, error) {
	region, bases, err := resolve(&c.cfg, in)
	if err != nil {
		return nil, "", err
	}
	q := url.Values{"profileArn": {in.ProfileARN}, "roleArn": {in.RoleARN}, "trustAnchorArn": {in.TrustAnchorARN}}
	for _, u := range bases {
		u.Path = strings.TrimRight(u.Path, "/") + sessionsPath
		u.RawQuery = q.Encode()
	}
	body, err := json.Marshal(struct {
		DurationSeconds int    `json:"durationSeconds"`
		RoleSessionName string `json:"roleSessionName,omitempty"`
	}{in.DurationSeconds, in.SessionName})
	if err != nil {
		return nil, "", err
	}
	sign := func(r *http.Request, now time.Time) error {
		r.Header.Set("Content-Type", "application/json")
		return sigv4.SignX509(r, &sigv4.SignX509Input{
			Signer: id.Signer(), Leaf: id.Leaf(), Chain: id.Chain(), Region: string(region), Time: now, Body: body, Path: sessionsPath,
		})
	}
	return &call{
		urls: bases, body: body, invocation: arn.NewUUID(), preferred: &c.preferred, sign: sign, decode: decodeCredentials, decodeError: decodeError,
	}, region, nil
}

// Resolve says what a request would be signed for and where it would go, in order of preference, those of STS
// last if roles are chained. It sends nothing.
func Resolve(cfg Config, in *Request) (region arn.Region, endpoints []string, err error) {
	if cfg.Getenv == nil {
		cfg.Getenv = func(string) string { return "" }
	}
	region, bases, err := resolve(&cfg, in)
	if err != nil {
		return "", nil, err
	}
	if len(in.Chain) > 0 {
		further, err := stsEndpoints(&cfg, region)
		if err != nil {
			return "", nil, err
		}
		bases = append(bases, further...)
	}
	for _, u := range bases {
		endpoints = append(endpoints, u.String())
	}
	return region, endpoints, nil
}

// Endpoints gives the base URLs of Roles Anywhere in a region, in order of preference. It sends nothing.
func Endpoints(cfg Config, region arn.Region) ([]string, error) {
	if cfg.Getenv == nil {
		cfg.Getenv = func(string) string { return "" }
	}
	if !validRegion(region) {
		return nil, problemf("pass --region, for example --region eu-central-1", "%q is not a region name", string(region))
	}
	bases, err := endpoints(&cfg, region)
	var list []string
	for _, u := range bases {
		list = append(list, u.String())
	}
	return list, err
}

func resolve(cfg *Config, in *Request) (arn.Region, []*url.URL, error) {
	region, err := regionOf(cfg, in)
	if err == nil {
		err = checkChain(in)
	}
	if err != nil {
		return "", nil, err
	}
	bases, err := endpoints(cfg, region)
	return region, bases, err
}

// regionOf checks the ARNs and gives the region to sign for.
func regionOf(cfg *Config, in *Request) (arn.Region, error) {
	if in.RoleARN == "" {
		return "", problemf("pass --role-arn", "no role ARN given")
	}
	anchor, err := parseARN("trust anchor", "--trust-anchor-arn", in.TrustAnchorARN)
	if err != nil {
		return "", err
	}
	profile, err := parseARN("profile", "--profile-arn", in.ProfileARN)
	if err != nil {
		return "", err
	}
	if anchor.Region != profile.Region {
		return "", problemf(fmt.Sprintf("pass a profile of %s or a trust anchor of %s", anchor.Region, profile.Region),
			"trust anchor and profile regions don't match")
	}
	region := cfg.Region
	if region == "" {
		region = anchor.Region
	}
	if !validRegion(region) {
		return "", problemf("pass --region, for example --region eu-central-1", "%q is not a region name", string(region))
	}
	return region, nil
}

func parseARN(what, flag, s string) (arn.ARN, error) {
	if s == "" {
		return arn.ARN{}, problemf("pass "+flag, "no %s ARN given", what)
	}
	a, err := arn.Parse(s)
	if err != nil {
		return arn.ARN{}, problemf("check "+flag, "failed to parse %s arn: %w", what, err)
	}
	return a, nil
}

// sessionsPath is the operation's path. It is what is signed even when the endpoint puts a prefix before it on the wire.
const sessionsPath = "/sessions"

// sign builds the request of one attempt. Every attempt is signed anew: its time and its number differ.
func (c *Client) sign(ctx context.Context, k *call, u *url.URL, attempt, most int) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(k.body))
	if err != nil {
		return nil, problemf("", "cannot make the request: %w", err)
	}
	r.Header.Set("User-Agent", c.cfg.UserAgent+" ("+runtime.Version()+"; "+runtime.GOOS+"; "+runtime.GOARCH+")")
	r.Header.Set("Amz-Sdk-Invocation-Id", k.invocation)
	r.Header.Set("Amz-Sdk-Request", "attempt="+strconv.Itoa(attempt)+"; max="+strconv.Itoa(most))
	err = k.sign(r, c.cfg.Now())
	if err != nil {
		return nil, problemf("check that the key can be used", "cannot sign the request: %w", err)
	}
	return r, nil
}
