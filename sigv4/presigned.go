package sigv4

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxExpires is the longest life of a presigned URL.
const maxExpires = 7 * 24 * time.Hour

// parseQuery reads the signature of a presigned URL.
func parseQuery(r *http.Request) (*Claims, error) {
	raw := r.URL.RawQuery
	if len(raw) > maxQuery {
		return nil, fail(Incomplete, "the query string is longer than %d bytes", maxQuery)
	}
	c := &Claims{Presigned: true, dateHeader: ""}
	var alg, credential, date, expires, names string
	seen := 0
	for pair := range strings.SplitSeq(raw, "&") {
		if seen++; seen > maxParams {
			return nil, fail(Incomplete, "more than %d query parameters", maxParams)
		}
		name, value, _ := strings.Cut(pair, "=")
		var at *string
		switch name {
		case paramAlgorithm:
			at = &alg
		case paramCredential:
			at = &credential
		case paramDate:
			at = &date
		case paramExpires:
			at = &expires
		case paramSignedHeaders:
			at = &names
		case paramSignature:
			at = &c.Signature
		case paramToken:
			at = &c.SecurityToken
		case paramPayload:
			at = &c.PayloadHash
		default:
			continue
		}
		v, err := url.QueryUnescape(value)
		if err != nil || v == "" {
			return nil, fail(Incomplete, "the query parameter %s is empty or has a broken percent-encoding", name)
		}
		if *at != "" {
			return nil, fail(Incomplete, "the query parameter %s comes twice", name)
		}
		*at = v
	}
	for _, need := range [...]struct{ name, value string }{
		{paramAlgorithm, alg}, {paramCredential, credential}, {paramSignature, c.Signature},
		{paramSignedHeaders, names}, {paramDate, date},
	} {
		if need.value == "" {
			return nil, fail(Incomplete, "AWS query-string parameters must include '%s'.", need.name)
		}
	}
	if err := c.setAlgorithm(alg); err != nil {
		return nil, err
	}
	if c.X509() {
		return nil, fail(BadAlgorithm, "a certificate cannot presign a URL")
	}
	if err := c.setTime(date); err != nil {
		return nil, err
	}
	if err := c.setExpires(expires); err != nil {
		return nil, err
	}
	if err := c.finish(credential, names); err != nil {
		return nil, err
	}
	if len(c.SecurityToken) > maxToken {
		return nil, fail(Incomplete, "the session token is longer than %d bytes", maxToken)
	}
	c.queryToken = c.SecurityToken != ""
	if len(c.PayloadHash) > 64 {
		return nil, fail(Incomplete, "%s is neither a SHA-256 hash nor a known payload mode", paramPayload)
	}
	if err := c.sideHeaders(r); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Claims) setExpires(v string) error {
	if v == "" {
		return nil // some SDKs leave it out for services other than S3; Verify then gives it the clock window only
	}
	n, err := strconv.ParseUint(v, 10, 32)
	if err != nil || n < 1 || n > uint64(maxExpires/time.Second) {
		return fail(Incomplete, "X-Amz-Expires must be a number of seconds from 1 to 604800")
	}
	c.Expires = time.Duration(n) * time.Second
	return nil
}
