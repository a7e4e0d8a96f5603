package sigv4

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 22, 23, 58, 0, 0, time.UTC)

func input() *SignInput {
	return &SignInput{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: suiteSecret, Region: "us-east-1", Service: "iam", Time: now}
}

func inputKey(s *SignInput) Key {
	return DeriveKey(s.SecretAccessKey, s.Time.UTC().Format("20060102"), s.Region, s.Service)
}

var emptySum = sha256.Sum256(nil)

// signThen signs a small request, lets change have it, and verifies.
func signThen(t testing.TB, in *SignInput, k *Check, change func(r *http.Request)) error {
	t.Helper()
	r := rawRequest("POST", "iam.example:8443", "/a/b?Action=ListUsers&Version=2010-05-08", "X-Amz-Target:T", "Content-Type:text/plain")
	r.ContentLength = 3
	if in.BodySHA256 == "" {
		in.BodySHA256 = hashHex("a=b")
	}
	if err := Sign(r, in); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	c, err := Parse(r)
	if err != nil {
		return err
	}
	return c.Verify(r, inputKey(in), k)
}

func check() *Check { return &Check{Now: now, BodySHA256: sha256.Sum256([]byte("a=b"))} }

func setAuth(from, to string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), from, to, 1))
	}
}

func setHeader(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func addHeader(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Add(name, value) }
}

func TestHeaderRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(r *http.Request)
		want   Reason
		detail string
	}{
		{"method", func(r *http.Request) { r.Method = "PUT" }, Mismatch, ""},
		{"path", func(r *http.Request) { r.URL.Path = "/a/c"; r.URL.RawPath = "" }, Mismatch, ""},
		{"query", func(r *http.Request) { r.URL.RawQuery += "&X=1" }, Mismatch, ""},
		{"host", func(r *http.Request) { r.Host = "other.example" }, Mismatch, ""},
		{"no host", func(r *http.Request) { r.Host = "" }, Mismatch, "host"},
		{"signed header", setHeader("X-Amz-Target", "U"), Mismatch, ""},
		{"signed header gone", func(r *http.Request) { r.Header.Del("Content-Type") }, Mismatch, "content-type"},
		{"content length", func(r *http.Request) { r.ContentLength = 4 }, Mismatch, ""},
		{"content length gone", func(r *http.Request) { r.ContentLength = -1 }, Mismatch, "content-length"},
		{"unsigned x-amz header", setHeader("X-Amz-Meta-A", "1"), UnsignedHeader, "x-amz-meta-a"},
		{"unsigned x-amz header in lower case", func(r *http.Request) { r.Header["x-amz-acl"] = []string{"public"} }, UnsignedHeader, "x-amz-acl"},
		{"unsigned token", setHeader("X-Amz-Security-Token", "t"), UnsignedHeader, ""},
		{"two dates", addHeader("X-Amz-Date", "20261122T235800Z"), Incomplete, ""},
		{"two authorizations", addHeader("Authorization", "Bearer x"), Incomplete, ""},
		{"date on another day", setHeader("X-Amz-Date", "20261121T235800Z"), BadScope, "20261122"},
		{"date with a fraction", setHeader("X-Amz-Date", "20261122T235800.5Z"), Incomplete, ""},
		{"no date", func(r *http.Request) { r.Header.Del("X-Amz-Date") }, Incomplete, "'Date'"},
		{"algorithm", setAuth("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512"), BadAlgorithm, ""},
		{"version 2", setHeader("Authorization", "AWS AKID:c2ln"), BadAlgorithm, "version 2"},
		{"version 4A", setAuth("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), BadAlgorithm, "4A"},
		{"X509 without a certificate", setAuth("AWS4-HMAC-SHA256", "AWS4-X509-RSA-SHA256"), Incomplete, ""},
		{"terminator", setAuth("aws4_request", "aws5_request"), BadScope, "aws5_request"},
		{"region", setAuth("us-east-1", "us-east-2"), Mismatch, ""},
		{"key id with a slash", setAuth("AKIDEXAMPLE", "AKID/EXAMPLE"), Incomplete, "5 slash"},
		{"long key id", setAuth("AKIDEXAMPLE", strings.Repeat("A", 200)), Incomplete, ""},
		{"scope too short", setAuth("/us-east-1/", "/"), Incomplete, "5 slash"},
		{"signature upper case", func(r *http.Request) {
			a := r.Header.Get("Authorization")
			i := strings.Index(a, "Signature=") + len("Signature=")
			r.Header.Set("Authorization", a[:i]+strings.ToUpper(a[i:]))
		}, Incomplete, ""},
		{"signature cut", func(r *http.Request) {
			a := r.Header.Get("Authorization")
			r.Header.Set("Authorization", a[:len(a)-2])
		}, Incomplete, ""},
		{"part twice", setAuth("Signature=", "Signature=00, Signature="), Incomplete, "twice"},
		{"unknown part", setAuth("Signature=", "Foo=1, Signature="), Incomplete, "Foo"},
		{"part missing", setAuth("SignedHeaders=", "Signature="), Incomplete, ""},
		{"headers unsorted", setAuth("host;x-amz-date", "x-amz-date;host"), Incomplete, "sorted"},
		{"header upper case", setAuth("host;", "Host;"), Incomplete, "lower case"},
		{"header twice", setAuth("host;", "host;host;"), Incomplete, "sorted"},
		{"host not signed", setAuth("host;", ""), UnsignedHeader, "Host"},
		{"date not signed", setAuth("x-amz-date;", ""), UnsignedHeader, "x-amz-date"},
		{"also in query", func(r *http.Request) { r.URL.RawQuery += "&X-Amz-Signature=00" }, Incomplete, "twice"},
		{"broken query", func(r *http.Request) { r.URL.RawQuery += "&a=%zz" }, Incomplete, "percent"},
		{"huge query", func(r *http.Request) { r.URL.RawQuery += "&a=" + strings.Repeat("x", maxQuery) }, Incomplete, ""},
		{"many parameters", func(r *http.Request) { r.URL.RawQuery += strings.Repeat("&a", maxParams) }, Incomplete, ""},
		{"huge path", func(r *http.Request) { r.URL.Path = strings.Repeat("/x", maxPath); r.URL.RawPath = "" }, Incomplete, ""},
		{"huge authorization", setHeader("Authorization", "AWS4-HMAC-SHA256 "+strings.Repeat("x", maxAuthorization)), Incomplete, ""},
		{"many signed headers", setAuth("host;", strings.Repeat("a;", maxSignedHeaders)), Incomplete, "signed headers"},
		{"huge signed header", setHeader("Content-Type", strings.Repeat("x", maxCanonical)), Incomplete, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := wantReason(t, signThen(t, input(), check(), c.change), c.want)
			if !strings.Contains(e.Detail, c.detail) {
				t.Errorf("detail %q has no %q", e.Detail, c.detail)
			}
		})
	}
	if err := signThen(t, input(), check(), nil); err != nil {
		t.Errorf("unchanged: %v", err)
	}
}

func TestNotSigned(t *testing.T) {
	for _, auth := range []string{"", "Bearer abc", "Negotiate YII=", "Basic AWS4"} {
		r := rawRequest("GET", "h", "/")
		if auth != "" {
			r.Header.Set("Authorization", auth)
		}
		if _, err := Parse(r); err != ErrNotSigned {
			t.Errorf("%q: got %v, want ErrNotSigned", auth, err)
		}
	}
}

// The clock window is closed at both ends, and the error names the offset.
func TestClockSkew(t *testing.T) {
	for _, c := range []struct {
		offset, skew time.Duration
		detail       string // "" for success
	}{
		{0, 0, ""}, {5 * time.Minute, 0, ""}, {-5 * time.Minute, 0, ""},
		{5*time.Minute + time.Second, 0, "is now earlier than 20261122T235801Z (20261123T000301Z - 5 min.): the request's time is 5m1s behind"},
		{-5*time.Minute - time.Second, 0, "is still later than 20261122T235759Z (20261122T235259Z + 5 min.): the request's time is 5m1s ahead"},
		{2 * time.Minute, time.Minute, "1 min.): the request's time is 2m0s behind"},
		{10 * time.Minute, 15 * time.Minute, ""},
	} {
		k := check()
		k.Now, k.MaxSkew = now.Add(c.offset), c.skew
		err := signThen(t, input(), k, nil)
		if c.detail == "" {
			if err != nil {
				t.Errorf("offset %s: %v", c.offset, err)
			}
			continue
		}
		if e := wantReason(t, err, Expired); !strings.Contains(e.Detail, c.detail) {
			t.Errorf("offset %s: detail %q has no %q", c.offset, e.Detail, c.detail)
		}
	}
	wantReason(t, signThen(t, input(), &Check{BodySHA256: check().BodySHA256}, nil), Expired)
	wantReason(t, signThen(t, input(), nil, nil), Incomplete)
}

// A request may carry its time in the Date header alone, in either form, if that is signed.
func TestDateHeader(t *testing.T) {
	for _, date := range []string{"20261122T235800Z", "Sun, 22 Nov 2026 23:58:00 GMT"} {
		r := rawRequest("GET", "h", "/", "Date:"+date)
		form := canonical{path: "/", host: "h", names: []string{"date", "host"}, payload: emptyHash}
		sig, err := input().signature(r, &form, "20261122T235800Z")
		if err != nil {
			t.Fatal(err)
		}
		sc := input().scope("20261122T235800Z")
		r.Header.Set("Authorization", authorization(AlgorithmHMAC, "A", sc, form.names, sig))
		c, err := Parse(r)
		if err != nil {
			t.Fatal(err)
		}
		k := &Check{Now: now, BodySHA256: emptySum}
		if err := c.Verify(r, inputKey(input()), k); err != nil {
			t.Errorf("%s: %v", date, err)
		}
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "date;", "", 1))
		if c, err = Parse(r); err != nil {
			t.Fatal(err)
		}
		wantReason(t, c.Verify(r, inputKey(input()), k), UnsignedHeader)
	}
}

// A request with a body that a service must read may not leave it out of the signature, unless the caller says so.
func TestPayloadModes(t *testing.T) {
	for _, c := range []struct {
		payload string
		style   Style
		allow   bool
		want    Reason
	}{
		{UnsignedPayload, S3, false, ""}, {UnsignedPayload, Standard, false, PayloadMismatch}, {UnsignedPayload, Standard, true, ""},
		{StreamingSigned, S3, false, ""}, {StreamingSigned, Standard, false, PayloadMismatch},
		{StreamingUnsignedTrailer, S3, false, ""}, {StreamingUnsignedTrailer, Standard, false, PayloadMismatch},
		{hashHex("a=b"), S3, false, ""}, {hashHex("a=c"), S3, false, PayloadMismatch},
	} {
		in, k := input(), check()
		in.BodySHA256, in.Style, in.PayloadHeader = c.payload, c.style, true
		k.Style, k.AllowUnsignedPayload = c.style, c.allow
		err := signThen(t, in, k, nil)
		if c.want == "" && err != nil {
			t.Errorf("%s style %d: %v", c.payload, c.style, err)
		}
		if c.want != "" {
			wantReason(t, err, c.want)
		}
	}
	in, k := input(), check()
	k.BodySHA256 = emptySum // no X-Amz-Content-Sha256: the hash is part of the signature
	wantReason(t, signThen(t, in, k, nil), Mismatch)
	k = check()
	k.Style = S3
	wantReason(t, signThen(t, input(), k, nil), Incomplete) // S3 requires the header
	in = input()
	in.PayloadHeader = true
	wantReason(t, signThen(t, in, check(), setHeader("X-Amz-Content-Sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD")), Incomplete)
	in = input()
	in.BodySHA256 = "nonsense"
	wantReason(t, Sign(rawRequest("GET", "h", "/"), in), Incomplete)
}

func TestHosts(t *testing.T) {
	k := check()
	k.AlternateHosts = []string{"x.example", "iam.example:8443"}
	if err := signThen(t, input(), k, func(r *http.Request) { r.Host = "10.0.0.1" }); err != nil {
		t.Errorf("alternate host: %v", err)
	}
	k.AlternateHosts = append(make([]string, maxHosts), "iam.example:8443")
	err := signThen(t, input(), k, func(r *http.Request) { r.Host = "10.0.0.1" })
	if err == nil {
		t.Error("more hosts were tried than the limit")
	}
	// A default port that was sent and not signed.
	r := rawRequest("GET", "iam.example", "/")
	if err := Sign(r, input()); err != nil {
		t.Fatal(err)
	}
	for host, ok := range map[string]bool{"iam.example:443": true, "iam.example:80": true, "iam.example:8443": false} {
		r.Host = host
		c, err := Parse(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Verify(r, inputKey(input()), &Check{Now: now, BodySHA256: emptySum}); (err == nil) != ok {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// SDKs differ in whether they normalise a path; either is taken, and both bind the path they saw.
func TestUnnormalisedPath(t *testing.T) {
	r := rawRequest("GET", "h", "/a//b/../c%20d/")
	in := input()
	form := canonical{path: "/a//b/../c%20d/", asSent: true, host: "h", names: []string{"host", "x-amz-date"}, payload: emptyHash}
	r.Header.Set("X-Amz-Date", in.Time.Format(isoBasic))
	sig, err := in.signature(r, &form, in.Time.Format(isoBasic))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", authorization(AlgorithmHMAC, "A", in.scope(in.Time.Format(isoBasic)), form.names, sig))
	c, err := Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	k := &Check{Now: now, BodySHA256: emptySum}
	if err := c.Verify(r, inputKey(in), k); err != nil {
		t.Error(err)
	}
	r.URL = rawRequest("GET", "h", "/a/c%20d/").URL
	wantReason(t, c.Verify(r, inputKey(in), k), Mismatch)
	// S3 does not normalise at all: an object's key may hold dots, and an encoded slash is not a slash.
	in.Style = S3
	for path, others := range map[string][]string{"/k//x/../y": {"/k/y", "/k/x/../y"}, "/a%2Fb": {"/a/b"}, "/a/b": {"/a%2Fb"}} {
		r := rawRequest("GET", "h", path)
		if err := Sign(r, in); err != nil {
			t.Fatal(err)
		}
		for i, p := range append([]string{path}, others...) {
			r.URL = rawRequest("GET", "h", p).URL
			c, err := Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Verify(r, inputKey(in), &Check{Now: now, Style: S3, BodySHA256: emptySum}); (err == nil) != (i == 0) {
				t.Errorf("signed %s, sent %s: %v", path, p, err)
			}
		}
	}
}

// What net/http makes of a request line is what gets verified: RawPath cannot disagree with Path.
func TestWirePath(t *testing.T) {
	for raw, want := range map[string]string{"/": "/", "": "/", "/a%20b": "/a%20b", "/a%2fb": "/a%2fb", "/a(b)": "/a(b)", "/%7Ea": "/%7Ea"} {
		u := &url.URL{}
		if raw != "" {
			var err error
			if u, err = url.ParseRequestURI(raw); err != nil {
				t.Fatal(err)
			}
		}
		if got := wirePath(u); got != want {
			t.Errorf("%s: got %s, want %s", raw, got, want)
		}
	}
	if got := wirePath(&url.URL{Path: "/real", RawPath: "/signed"}); got != "/real" {
		t.Errorf("a RawPath that is not the Path's encoding was used: %s", got)
	}
}

func TestErrorTexts(t *testing.T) {
	err := signThen(t, input(), check(), func(r *http.Request) { r.Method = "PUT" })
	if got, want := err.Error(), "sigv4: mismatch: The request signature we calculated does not match the signature you provided."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := ErrNotSigned.Error(), "sigv4: not-signed"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
