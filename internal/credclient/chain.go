package credclient

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/sigv4"
)

// Bounds of role chaining.
const (
	maxChain         = 8            // further roles
	maxChainDuration = 3600         // seconds; AWS STS API reference, AssumeRole, DurationSeconds
	chainedName      = "rolecall"   // session name when the first session does not tell its own
	stsVersion       = "2011-06-15" // of the Query API
	stsHost          = "sts"        // and the signing name
	formType         = "application/x-www-form-urlencoded; charset=utf-8"
)

// checkChain refuses what STS would refuse after a session has been made.
func checkChain(in *Request) error {
	if len(in.Chain) == 0 {
		return nil
	}
	if len(in.Chain) > maxChain {
		return problemf("chain fewer roles", "more than %d roles in --role-arns", maxChain)
	}
	if in.DurationSeconds > maxChainDuration {
		return problemf("pass --session-duration 3600 or less", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining: %d seconds", in.DurationSeconds)
	}
	for _, role := range in.Chain {
		a, err := arn.Parse(role)
		if err != nil {
			return problemf("check --role-arns", "failed to parse role arn %q: %w", clip(role, 256), err)
		}
		if _, ok := a.RoleName(); !ok {
			return problemf("check --role-arns", "%q is not the ARN of a role", clip(role, 256))
		}
	}
	return nil
}

// assumeChain assumes the further roles in order, each with the credentials of the one before. STS passes the source
// identity and the transitive tags on by itself; the session name is the same throughout, so that the certificate can be
// told from the last session as well.
func (c *Client) assumeChain(ctx context.Context, creds *Credentials, in *Request, region arn.Region, bases []*url.URL) (*Credentials, error) {
	name := in.SessionName
	if name == "" {
		name = creds.session
	}
	if name == "" {
		name = chainedName
	}
	for _, role := range in.Chain {
		next, err := c.retry(ctx, c.assumeRole(creds, role, name, in.DurationSeconds, region, bases))
		if err != nil {
			return nil, fmt.Errorf("cannot assume %s: %w", role, err)
		}
		creds = next
	}
	return creds, nil
}

// assumeRole is one AssumeRole request of the Query protocol.
func (c *Client) assumeRole(creds *Credentials, role, name string, seconds int, region arn.Region, bases []*url.URL) *call {
	form := url.Values{
		"Action": {"AssumeRole"}, "Version": {stsVersion}, "RoleArn": {role}, "RoleSessionName": {name},
		"DurationSeconds": {strconv.Itoa(seconds)},
	}
	body := []byte(form.Encode())
	sum := sha256.Sum256(body)
	sign := func(r *http.Request, now time.Time) error {
		r.Header.Set("Content-Type", formType)
		return sigv4.Sign(r, &sigv4.SignInput{
			AccessKeyID: creds.AccessKeyID, SecretAccessKey: creds.SecretAccessKey, SessionToken: creds.SessionToken,
			Region: string(region), Service: stsHost, Time: now, BodySHA256: hex.EncodeToString(sum[:]),
		})
	}
	return &call{urls: bases, body: body, invocation: arn.NewUUID(), preferred: &c.preferredSTS, sign: sign, decode: decodeAssumed, decodeError: decodeQueryError}
}

// stsEndpoints gives the base URLs for AssumeRole: Config.STSEndpoint, else AWS_ENDPOINT_URL_STS, else where Roles
// Anywhere was asked, as a rolecalld answers for both, unless that is a name of AWS's; else AWS's own.
func stsEndpoints(cfg *Config, region arn.Region) ([]*url.URL, error) {
	sts := *cfg
	sts.Endpoint = cfg.STSEndpoint
	configured := !isTrue(cfg.Getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"))
	if sts.Endpoint == "" && configured {
		sts.Endpoint = cfg.Getenv("AWS_ENDPOINT_URL_STS")
	}
	if sts.Endpoint == "" && cfg.Endpoint != "" && !namesAWS(cfg.Endpoint) {
		sts.Endpoint = cfg.Endpoint
	}
	if sts.Endpoint == "" && configured {
		for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_ROLESANYWHERE"} {
			if v := cfg.Getenv(name); v != "" && !namesAWS(v) {
				sts.Endpoint = v
				break
			}
		}
	}
	list, err := baseURLs(&sts, "--sts-endpoint", sts.Endpoint, stsHost, region)
	for _, u := range list {
		u.Path = strings.TrimRight(u.Path, "/") + "/"
	}
	return list, err
}

// namesAWS reports whether an endpoint of a list is one of AWS's, where each service has a name of its own.
func namesAWS(list string) bool {
	for text := range strings.SplitSeq(list, ",") {
		u, err := url.Parse(strings.TrimSpace(text))
		if err != nil {
			continue // refused elsewhere
		}
		host := strings.ToLower(u.Hostname())
		for _, suffix := range awsSuffixes() {
			if strings.HasSuffix(host, "."+suffix) {
				return true
			}
		}
	}
	return false
}

// assumed is what is read of AssumeRole's answer.
type assumed struct {
	XMLName     xml.Name
	Credentials struct {
		AccessKeyID     string `xml:"AccessKeyId"`
		SecretAccessKey string
		SessionToken    string
		Expiration      string
	} `xml:"AssumeRoleResult>Credentials"`
}

func decodeAssumed(body []byte) (*Credentials, error) {
	const advice = "check that the endpoint is one of STS"
	var a assumed
	if err := decodeXML(body, &a); err != nil || a.XMLName.Local != "AssumeRoleResponse" { // the text is left out: it can quote the body
		return nil, problemf(advice, "the server's answer is not the XML of AssumeRole")
	}
	c := a.Credentials
	if c.AccessKeyID == "" || c.SecretAccessKey == "" || c.SessionToken == "" || c.Expiration == "" {
		return nil, problemf(advice, "the credentials in the server's answer are incomplete")
	}
	return &Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken, Expiration: c.Expiration}, nil
}

// decodeQueryError reads an error of the Query protocol. What is not one is an UnknownError.
func decodeQueryError(resp *http.Response, body []byte) *ServiceError {
	var b struct {
		Code      string `xml:"Error>Code"`
		Message   string `xml:"Error>Message"`
		RequestID string `xml:"RequestId"`
	}
	_ = decodeXML(body, &b) // what could be read is used
	e := &ServiceError{
		Status: resp.StatusCode, Code: clip(strings.TrimSpace(b.Code), 128), Message: clip(b.Message, maxText),
		RequestID: clip(resp.Header.Get("X-Amzn-Requestid"), 128),
	}
	if e.Code == "" {
		e.Code = unknownError
	}
	if e.RequestID == "" {
		e.RequestID = clip(b.RequestID, 128)
	}
	return e
}

// decodeXML reads one document. encoding/xml expands no entities but the five of XML itself.
func decodeXML(body []byte, v any) error {
	return xml.NewDecoder(bytes.NewReader(body)).Decode(v)
}
