package sigv4

import (
	"net/http"
	"strings"
	"time"
)

// The algorithms of the Authorization header that Parse lets through. Verify takes the first, VerifyX509 the others.
const (
	AlgorithmHMAC      = "AWS4-HMAC-SHA256"
	AlgorithmX509RSA   = "AWS4-X509-RSA-SHA256"
	AlgorithmX509ECDSA = "AWS4-X509-ECDSA-SHA256"

	prefixX509 = "AWS4-X509-"
)

// Claims is what a request says about its own signature. Nothing in it is true until Verify or VerifyX509 returned
// nil; it is read-only, and only Parse makes one that verifies.
type Claims struct {
	Algorithm     string
	KeyID         string // access key id, or the certificate's decimal serial number for X509
	Date          string // of the scope, YYYYMMDD; Parse has compared it with Time
	Region        string
	Service       string
	SignedHeaders []string // lower-case, ascending
	Signature     string   // lower-case hexadecimal
	Time          time.Time
	SecurityToken string
	Presigned     bool
	Expires       time.Duration // of a presigned URL, 1 s to 7 days; 0 when it names none
	PayloadHash   string        // X-Amz-Content-Sha256 as sent, or ""

	amzDate    string // Time as it stands in the string to sign
	dateHeader string // the header Time came from
	queryToken bool   // SecurityToken came from the query
}

// X509 reports whether the request is signed with a certificate's key: call VerifyX509, not Verify.
func (c *Claims) X509() bool { return strings.HasPrefix(c.Algorithm, prefixX509) }

// Parse reads the signature of a request from its Authorization header or its query and checks its form: sizes,
// syntax, that the scope's date is the day of X-Amz-Date and ends in aws4_request. It verifies nothing. It returns
// ErrNotSigned when there is no AWS signature, and otherwise an *Error of reason Incomplete, BadScope or BadAlgorithm.
func Parse(r *http.Request) (*Claims, error) {
	auth := r.Header["Authorization"]
	query := r.URL.RawQuery
	inQuery := strings.Contains(query, paramAlgorithm+"=") || strings.Contains(query, paramSignature+"=")
	switch {
	case len(auth) > 1:
		return nil, fail(Incomplete, "more than one Authorization header")
	case len(auth) == 1 && strings.HasPrefix(auth[0], "AWS"):
		if inQuery {
			return nil, fail(Incomplete, "signed twice: in the Authorization header and in the query")
		}
		return parseHeader(r, auth[0])
	case len(auth) == 1 && inQuery:
		return nil, fail(Incomplete, "both an Authorization header and a signed query")
	case inQuery:
		return parseQuery(r)
	}
	return nil, ErrNotSigned
}

// parseHeader reads "ALG Credential=…, SignedHeaders=…, Signature=…".
func parseHeader(r *http.Request, auth string) (*Claims, error) {
	if len(auth) > maxAuthorization {
		return nil, fail(Incomplete, "the Authorization header is longer than %d bytes", maxAuthorization)
	}
	c := &Claims{}
	alg, rest, _ := strings.Cut(auth, " ")
	if err := c.setAlgorithm(alg); err != nil {
		return nil, err
	}
	var credential, names string
	for part := range strings.SplitSeq(rest, ",") {
		name, value, ok := strings.Cut(strings.Trim(part, " \t"), "=")
		if !ok || value == "" {
			return nil, fail(Incomplete, "the Authorization header is not of the form Name=Value, Name=Value")
		}
		var at *string
		switch name {
		case "Credential":
			at = &credential
		case "SignedHeaders":
			at = &names
		case "Signature":
			at = &c.Signature
		default:
			return nil, fail(Incomplete, "the Authorization header has an unknown part %q", clip(name))
		}
		if *at != "" {
			return nil, fail(Incomplete, "the Authorization header names %s twice", name)
		}
		*at = value
	}
	for _, need := range [...]struct{ name, value string }{
		{"Credential", credential}, {"Signature", c.Signature}, {"SignedHeaders", names},
	} {
		if need.value == "" {
			return nil, fail(Incomplete, "Authorization header requires '%s' parameter.", need.name)
		}
	}
	if err := c.headerTime(r); err != nil {
		return nil, err
	}
	if err := c.finish(credential, names); err != nil {
		return nil, err
	}
	if err := c.sideHeaders(r); err != nil {
		return nil, err
	}
	return c, nil
}

// setAlgorithm refuses what no method of Claims could verify for a reason that can be named here.
func (c *Claims) setAlgorithm(alg string) error {
	switch {
	case alg == AlgorithmHMAC, strings.HasPrefix(alg, prefixX509) && len(alg) <= 64:
		c.Algorithm = alg
		return nil
	case alg == "AWS":
		return fail(BadAlgorithm, "signature version 2 is not supported; use version 4")
	case strings.HasPrefix(alg, "AWS4-ECDSA-"):
		return fail(BadAlgorithm, "signature version 4A is not supported; use version 4")
	}
	return fail(BadAlgorithm, "unknown signature algorithm %q", clip(alg))
}

// headerTime takes X-Amz-Date or, for HMAC only, the Date header in either of its forms.
func (c *Claims) headerTime(r *http.Request) error {
	v, ok, err := single(r.Header, "X-Amz-Date")
	switch {
	case err != nil:
		return err
	case ok:
		c.dateHeader = "x-amz-date"
		return c.setTime(v)
	case c.X509():
		return fail(Incomplete, "Authorization header requires existence of an 'X-Amz-Date' header.")
	}
	v, ok, err = single(r.Header, "Date")
	if err != nil {
		return err
	}
	if !ok {
		return fail(Incomplete, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	c.dateHeader = "date"
	if len(v) == len(isoBasic) && c.setTime(v) == nil {
		return nil
	}
	if len(v) > 64 {
		return fail(Incomplete, "the Date header is not a date")
	}
	t, perr := http.ParseTime(v)
	if perr != nil {
		return fail(Incomplete, "the Date header is not a date")
	}
	c.Time = t.UTC()
	c.amzDate = c.Time.Format(isoBasic)
	return nil
}

// isoBasic is X-Amz-Date's layout.
const isoBasic = "20060102T150405Z"

func (c *Claims) setTime(v string) error {
	// time.Parse alone would also take a fraction of a second.
	t, err := time.Parse(isoBasic, v)
	if err != nil || len(v) != len(isoBasic) {
		return fail(Incomplete, "Date must be in ISO-8601 'basic format'. Got '%s'.", clip(v))
	}
	c.Time, c.amzDate = t, v
	return nil
}

// finish splits the credential and the list of headers.
func (c *Claims) finish(credential, names string) error {
	if err := c.setCredential(credential); err != nil {
		return err
	}
	if err := c.setNames(names); err != nil {
		return err
	}
	if len(c.Signature) > maxSignature || len(c.Signature)%2 != 0 {
		return fail(Incomplete, "the signature has a length that no signature has")
	}
	if !isLowerHex(c.Signature) {
		return fail(Incomplete, "the signature is not lower-case hexadecimal")
	}
	return nil
}

func (c *Claims) setCredential(credential string) error {
	const want = "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'"
	var f [5]string
	rest := credential
	for i := range f {
		var more bool
		f[i], rest, more = strings.Cut(rest, "/")
		if more != (i < len(f)-1) || f[i] == "" {
			return fail(Incomplete, want, clip(credential))
		}
	}
	c.KeyID, c.Date, c.Region, c.Service = f[0], f[1], f[2], f[3]
	if !validWord(c.KeyID, maxKeyID) || !validWord(c.Region, maxScopePart) || !validWord(c.Service, maxScopePart) {
		return fail(Incomplete, "Credential has an element that is too long or has characters it cannot have")
	}
	if c.X509() && strings.Trim(c.KeyID, "0123456789") != "" {
		return fail(Incomplete, "Credential must begin with the certificate's serial number in decimal")
	}
	if f[4] != terminator {
		return fail(BadScope, "Credential should be scoped with a valid terminator: 'aws4_request', not '%s'.", clip(f[4]))
	}
	if c.Date != c.amzDate[:8] {
		return fail(BadScope, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP:"+
			" '%s' != '%s', from '%s'.", clip(c.Date), c.amzDate[:8], c.amzDate)
	}
	return nil
}

// validWord allows the characters of key ids, regions and services.
func validWord(s string, most int) bool {
	if len(s) > most {
		return false
	}
	for i := range len(s) {
		if !unreserved(s[i]) {
			return false
		}
	}
	return true
}

func (c *Claims) setNames(names string) error {
	n := strings.Count(names, ";") + 1
	if n > maxSignedHeaders {
		return fail(Incomplete, "more than %d signed headers", maxSignedHeaders)
	}
	c.SignedHeaders = make([]string, 0, n)
	last := ""
	for name := range strings.SplitSeq(names, ";") {
		if !validHeaderName(name) {
			return fail(Incomplete, "SignedHeaders has %q, which is not a header name in lower case", clip(name))
		}
		if name <= last {
			return fail(Incomplete, "SignedHeaders is not sorted, or names a header twice")
		}
		last = name
		c.SignedHeaders = append(c.SignedHeaders, name)
	}
	return nil
}

// sideHeaders takes the session token and the payload hash from headers.
func (c *Claims) sideHeaders(r *http.Request) error {
	token, ok, err := single(r.Header, "X-Amz-Security-Token")
	if err != nil {
		return err
	}
	if ok {
		if c.queryToken {
			return fail(Incomplete, "two session tokens: in a header and in the query")
		}
		if token == "" || len(token) > maxToken {
			return fail(Incomplete, "the session token is empty or longer than %d bytes", maxToken)
		}
		c.SecurityToken = token
	}
	payload, ok, err := single(r.Header, "X-Amz-Content-Sha256")
	if err != nil {
		return err
	}
	if ok {
		if c.PayloadHash != "" && c.PayloadHash != payload {
			return fail(Incomplete, "two different payload hashes: in a header and in the query")
		}
		c.PayloadHash = payload
		if payload == "" || len(payload) > 64 {
			return fail(Incomplete, "X-Amz-Content-Sha256 is neither a SHA-256 hash nor a known payload mode")
		}
	}
	// One value each, so that what is verified is what a handler reads with Header.Get.
	if c.X509() && (len(r.Header["X-Amz-X509"]) > 1 || len(r.Header["X-Amz-X509-Chain"]) > 1) {
		return fail(Incomplete, "more than one X-Amz-X509 or X-Amz-X509-Chain header")
	}
	return nil
}

// single is the one value of a header, trimmed.
func single(h http.Header, name string) (value string, ok bool, err error) {
	switch v := h[name]; len(v) {
	case 0:
		return "", false, nil
	case 1:
		return strings.Trim(v[0], " \t"), true, nil
	default:
		return "", false, fail(Incomplete, "more than one %s header", name)
	}
}
