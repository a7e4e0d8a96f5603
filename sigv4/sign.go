package sigv4

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SignInput says who signs, for what, and when.
type SignInput struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string // "" for a long-term key
	Region          string
	Service         string
	Time            time.Time
	Style           Style
	// BodySHA256 is the lower-case hexadecimal hash of the body, or one of the payload modes. "" stands for an empty
	// body, and in Presign with the S3 style for UNSIGNED-PAYLOAD.
	BodySHA256 string
	// PayloadHeader sends X-Amz-Content-Sha256 also where the style does not call for it.
	PayloadHeader bool
	// TokenAfterSigning adds the session token once the request is signed; a few services want it so.
	TokenAfterSigning bool
}

// Sign signs r in place: it sets X-Amz-Date, X-Amz-Security-Token and X-Amz-Content-Sha256 as needed and Authorization.
// Every header that is set by then is signed, but for those that proxies and transports change; content-length is
// signed when it is positive.
func Sign(r *http.Request, s *SignInput) error {
	payload, err := s.check(r)
	if err != nil {
		return err
	}
	h := ensureHeader(r)
	amzDate := s.Time.UTC().Format(isoBasic)
	h.Del("Authorization")
	h.Set("X-Amz-Date", amzDate)
	h.Del("X-Amz-Security-Token")
	if s.SessionToken != "" && !s.TokenAfterSigning {
		h.Set("X-Amz-Security-Token", s.SessionToken)
	}
	h.Del("X-Amz-Content-Sha256")
	if s.Style == S3 || s.PayloadHeader || payloadMode(payload) != PayloadHashed {
		h.Set("X-Amz-Content-Sha256", payload)
	}
	form := canonical{
		style: s.Style, path: wirePath(r.URL), query: r.URL.RawQuery,
		host: requestHost(r), names: headersToSign(r, true), payload: payload,
	}
	signature, err := s.signature(r, &form, amzDate)
	if err != nil {
		return err
	}
	h.Set("Authorization", authorization(AlgorithmHMAC, s.AccessKeyID, s.scope(amzDate), form.names, signature))
	if s.SessionToken != "" && s.TokenAfterSigning {
		h.Set("X-Amz-Security-Token", s.SessionToken)
	}
	return nil
}

// Presign returns r's URL with a signature that is valid for expires, from 1 s to 7 days. r is left as it is; whoever
// uses the URL must send the same method, host and the headers r has now.
func Presign(r *http.Request, s *SignInput, expires time.Duration) (*url.URL, error) {
	if expires < time.Second || expires > maxExpires {
		return nil, fail(Incomplete, "a presigned URL is valid for 1 second to 7 days")
	}
	in := *s
	if in.BodySHA256 == "" && in.Style == S3 {
		in.BodySHA256 = UnsignedPayload
	}
	payload, err := in.check(r)
	if err != nil {
		return nil, err
	}
	if payloadMode(payload) == PayloadStreaming {
		return nil, fail(Incomplete, "a presigned URL cannot have a streaming payload")
	}
	amzDate := in.Time.UTC().Format(isoBasic)
	form := canonical{
		style: in.Style, path: wirePath(r.URL), host: requestHost(r), presigned: true,
		names: headersToSign(r, false), payload: payload,
	}
	sc := in.scope(amzDate)
	q := []byte(r.URL.RawQuery)
	q = appendParam(q, paramAlgorithm, AlgorithmHMAC)
	q = appendParam(q, paramCredential, in.AccessKeyID+"/"+string(sc.append(nil)))
	q = appendParam(q, paramDate, amzDate)
	q = appendParam(q, paramExpires, strconv.FormatInt(int64(expires/time.Second), 10))
	if in.SessionToken != "" && !in.TokenAfterSigning {
		q = appendParam(q, paramToken, in.SessionToken)
	}
	q = appendParam(q, paramSignedHeaders, strings.Join(form.names, ";"))
	if in.PayloadHeader {
		q = appendParam(q, paramPayload, payload)
	}
	form.query = string(q)
	signature, err := in.signature(r, &form, amzDate)
	if err != nil {
		return nil, err
	}
	if in.SessionToken != "" && in.TokenAfterSigning {
		q = appendParam(q, paramToken, in.SessionToken)
	}
	u := *r.URL
	u.RawQuery = string(appendParam(q, paramSignature, signature))
	return &u, nil
}

// check validates s and settles the payload line.
func (s *SignInput) check(r *http.Request) (string, error) {
	switch {
	case s.AccessKeyID == "" || s.SecretAccessKey == "" || s.Region == "" || s.Service == "":
		return "", fail(Incomplete, "signing needs an access key id, a secret access key, a region and a service")
	case s.Time.IsZero():
		return "", fail(Incomplete, "signing needs a time")
	case r.URL == nil || r.URL.Opaque != "":
		return "", fail(Incomplete, "signing needs a URL that is not opaque")
	case s.BodySHA256 == "" && r.Body != nil && r.Body != http.NoBody:
		return "", fail(Incomplete, "signing a request with a body needs the hash of the body")
	case s.BodySHA256 == "":
		return emptyHash, nil
	case payloadMode(s.BodySHA256) == payloadUnknown:
		return "", fail(Incomplete, "BodySHA256 is neither a SHA-256 hash nor a known payload mode")
	}
	return s.BodySHA256, nil
}

func (s *SignInput) scope(amzDate string) *scope {
	return &scope{date: amzDate[:8], region: s.Region, service: s.Service}
}

func (s *SignInput) signature(r *http.Request, form *canonical, amzDate string) (string, error) {
	buf := scratches.Get().(*scratch)
	defer buf.release()
	digest, err := buf.digest(r, form)
	if err != nil {
		return "", err
	}
	sc := s.scope(amzDate)
	key := DeriveKey(s.SecretAccessKey, sc.date, sc.region, sc.service)
	mac := hmacSHA256(key[:], buf.stringToSign(AlgorithmHMAC, amzDate, sc, digest))
	return string(appendHex(nil, mac[:])), nil
}

func authorization(algorithm, keyID string, sc *scope, names []string, signature string) string {
	b := make([]byte, 0, 256+len(signature))
	b = append(append(b, algorithm...), " Credential="...)
	b = sc.append(append(append(b, keyID...), '/'))
	b = append(b, ", SignedHeaders="...)
	b = append(appendNames(b, names), ", Signature="...)
	return string(append(b, signature...))
}

func appendParam(q []byte, name, value string) []byte {
	if len(q) > 0 {
		q = append(q, '&')
	}
	return appendEncoded(append(append(q, name...), '='), value)
}

func ensureHeader(r *http.Request) http.Header {
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	return r.Header
}

func requestHost(r *http.Request) string {
	if r.Host != "" {
		return r.Host
	}
	return r.URL.Host
}

// headersToSign is every header a proxy or transport on the way has no business changing.
func headersToSign(r *http.Request, contentLength bool) []string {
	names := append(make([]string, 0, len(r.Header)+2), "host")
	if contentLength && r.ContentLength > 0 {
		names = append(names, "content-length")
	}
	for name := range r.Header {
		switch lower := strings.ToLower(name); lower {
		case "authorization", "user-agent", "x-amzn-trace-id", "accept-encoding", "connection", "expect",
			"host", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "keep-alive":
		default:
			names = append(names, lower)
		}
	}
	slices.Sort(names)
	return names
}
