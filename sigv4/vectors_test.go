package sigv4

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func mustTime(t testing.TB, s string) time.Time {
	t.Helper()
	at, err := time.Parse(isoBasic, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func hashHex(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// rawRequest is a client request whose path and query are exactly the given text, bytes that need encoding included.
func rawRequest(method, host, target string, headers ...string) *http.Request {
	path, query, _ := strings.Cut(target, "?")
	u := &url.URL{Scheme: "https", Host: host, RawPath: path, RawQuery: query}
	u.Path, _ = url.PathUnescape(path)
	r := &http.Request{Method: method, URL: u, Host: host, Header: http.Header{}}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		r.Header.Add(name, value)
	}
	return r
}

// signatureOf is the signature in an Authorization header.
func signatureOf(r *http.Request) string {
	_, s, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	return s
}

const (
	suiteSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	suiteToken  = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
	vanillaGet  = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
	vanillaPost = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
)

// The AWS signing test suite: the requests spelled out here, the signatures as published.
func TestSigningSuite(t *testing.T) {
	const letters = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for _, c := range []struct {
		name, method, target string
		headers              []string
		body, token          string
		tokenAfter           bool
		want                 string
	}{
		{name: "get-vanilla", method: "GET", target: "/", want: vanillaGet},
		{name: "get-vanilla-query", method: "GET", target: "/", want: vanillaGet},
		{name: "get-vanilla-empty-query-key", method: "GET", target: "/?Param1=value1",
			want: "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
		{name: "get-vanilla-query-order-key-case", method: "GET", target: "/?Param2=value2&Param1=value1",
			want: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{name: "get-vanilla-query-unreserved", method: "GET", target: "/?" + letters + "=" + letters,
			want: "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
		{name: "get-vanilla-utf8-query", method: "GET", target: "/?\u1234=bar",
			want: "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
		{name: "get-unreserved", method: "GET", target: "/" + letters,
			want: "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
		{name: "get-utf8", method: "GET", target: "/\u1234",
			want: "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
		{name: "get-space", method: "GET", target: "/example space/",
			want: "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
		{name: "get-relative", method: "GET", target: "/example/..", want: vanillaGet},
		{name: "get-relative-relative", method: "GET", target: "/example1/example2/../..", want: vanillaGet},
		{name: "get-slash", method: "GET", target: "//", want: vanillaGet},
		{name: "get-slash-dot-slash", method: "GET", target: "/./", want: vanillaGet},
		{name: "get-slashes", method: "GET", target: "//example//",
			want: "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
		{name: "get-slash-pointless-dot", method: "GET", target: "/./example",
			want: "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"},
		{name: "get-header-key-duplicate", method: "GET", target: "/",
			headers: []string{"My-Header1:value2", "My-Header1:value2", "My-Header1:value1"},
			want:    "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
		{name: "get-header-value-order", method: "GET", target: "/",
			headers: []string{"My-Header1:value4", "My-Header1:value1", "My-Header1:value3", "My-Header1:value2"},
			want:    "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
		{name: "get-header-value-trim", method: "GET", target: "/",
			headers: []string{"My-Header1: value1", "My-Header2: \"a   b   c\""},
			want:    "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
		{name: "post-vanilla", method: "POST", target: "/", want: vanillaPost},
		{name: "post-vanilla-query", method: "POST", target: "/?Param1=value1",
			want: "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
		{name: "post-header-key-sort", method: "POST", target: "/", headers: []string{"My-Header1:value1"},
			want: "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
		{name: "post-header-value-case", method: "POST", target: "/", headers: []string{"My-Header1:VALUE1"},
			want: "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
		{name: "post-sts-header-before", method: "POST", target: "/", token: suiteToken,
			want: "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
		{name: "post-sts-header-after", method: "POST", target: "/", token: suiteToken, tokenAfter: true, want: vanillaPost},
		{name: "post-x-www-form-urlencoded", method: "POST", target: "/", body: "Param1=value1",
			headers: []string{"Content-Type:application/x-www-form-urlencoded"},
			want:    "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rawRequest(c.method, "example.amazonaws.com", c.target, c.headers...)
			at := mustTime(t, "20150830T123600Z")
			err := Sign(r, &SignInput{
				AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: suiteSecret, SessionToken: c.token, Region: "us-east-1",
				Service: "service", Time: at, BodySHA256: hashHex(c.body), TokenAfterSigning: c.tokenAfter,
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := signatureOf(r); got != c.want {
				t.Errorf("signature %s, want %s", got, c.want)
			}
			claims, err := Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			k := &Check{Now: at, BodySHA256: sha256.Sum256([]byte(c.body)), UnsignedToken: c.tokenAfter}
			if err := claims.Verify(r, DeriveKey(suiteSecret, "20150830", "us-east-1", "service"), k); err != nil {
				t.Errorf("Verify: %v", err)
			}
			if claims.SecurityToken != c.token {
				t.Errorf("token %q, want %q", claims.SecurityToken, c.token)
			}
			if c.tokenAfter {
				k.UnsignedToken = false
				err := claims.Verify(r, DeriveKey(suiteSecret, "20150830", "us-east-1", "service"), k)
				wantReason(t, err, UnsignedHeader)
			}
		})
	}
}

const (
	docKey    = "AKIAIOSFODNN7EXAMPLE"
	docSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	docHost   = "examplebucket.s3.amazonaws.com"
)

func docInput(t testing.TB, payload string) *SignInput {
	return &SignInput{AccessKeyID: docKey, SecretAccessKey: docSecret, Region: "us-east-1", Service: "s3",
		Time: mustTime(t, "20130524T000000Z"), Style: S3, BodySHA256: payload}
}

// The examples of the S3 API reference.
func TestS3Documentation(t *testing.T) {
	for _, c := range []struct {
		name, method, target string
		headers              []string
		body, want           string
	}{
		{"get-range", "GET", "/test.txt", []string{"Range:bytes=0-9"}, "",
			"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
		{"put", "PUT", "/test$file.text",
			[]string{"Date:Fri, 24 May 2013 00:00:00 GMT", "X-Amz-Storage-Class:REDUCED_REDUNDANCY"}, "Welcome to Amazon S3.",
			"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
		{"lifecycle", "GET", "/?lifecycle", nil, "",
			"fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
		{"list", "GET", "/?max-keys=2&prefix=J", nil, "",
			"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rawRequest(c.method, docHost, c.target, c.headers...)
			in := docInput(t, hashHex(c.body))
			if err := Sign(r, in); err != nil {
				t.Fatal(err)
			}
			if got := signatureOf(r); got != c.want {
				t.Errorf("signature %s, want %s", got, c.want)
			}
			claims, err := Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			k := &Check{Now: in.Time, Style: S3, BodySHA256: sha256.Sum256([]byte(c.body))}
			if err := claims.Verify(r, DeriveKey(docSecret, "20130524", "us-east-1", "s3"), k); err != nil {
				t.Errorf("Verify: %v", err)
			}
			k.BodySHA256[0] ^= 1
			wantReason(t, claims.Verify(r, DeriveKey(docSecret, "20130524", "us-east-1", "s3"), k), PayloadMismatch)
		})
	}
}

func TestS3DocumentationPresigned(t *testing.T) {
	r := rawRequest("GET", docHost, "/test.txt")
	in := docInput(t, "")
	u, err := Presign(r, in, 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	const want = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
	if got := u.Query().Get("X-Amz-Signature"); got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
	r.URL = u
	claims, err := Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	key := DeriveKey(docSecret, "20130524", "us-east-1", "s3")
	for _, c := range []struct {
		after time.Duration
		want  Reason
	}{{0, ""}, {24 * time.Hour, ""}, {24*time.Hour + time.Second, Expired}, {-5 * time.Minute, ""}, {-5*time.Minute - time.Second, Expired}} {
		err := claims.Verify(r, key, &Check{Now: in.Time.Add(c.after), Style: S3})
		if c.want == "" && err != nil || c.want != "" && !errors.Is(err, &Error{Reason: c.want}) {
			t.Errorf("after %s: got %v, want %q", c.after, err, c.want)
		}
	}
}

// The two upload examples: the signature of the headers, of each chunk and of the trailer.
func TestS3DocumentationStreaming(t *testing.T) {
	for _, c := range []struct {
		name, mode, trailer, seed string
		length                    int64
		inBody                    []string
	}{
		{"signed", StreamingSigned, "", "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9", 66824, []string{
			"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n",
			"400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n",
			"0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"}},
		{"trailer", StreamingSignedTrailer, "x-amz-checksum-crc32c", "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e", 0, []string{
			"10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n",
			"400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n",
			"0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\nx-amz-checksum-crc32c:sOO8/Q==\r\n",
			"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rawRequest("PUT", "s3.amazonaws.com", "/examplebucket/chunkObject.txt", "Content-Encoding:aws-chunked",
				"X-Amz-Decoded-Content-Length:66560", "X-Amz-Storage-Class:REDUCED_REDUNDANCY")
			r.ContentLength = c.length
			if c.trailer != "" {
				r.Header.Set("X-Amz-Trailer", c.trailer)
			}
			in := docInput(t, c.mode)
			if err := Sign(r, in); err != nil {
				t.Fatal(err)
			}
			if got := signatureOf(r); got != c.seed {
				t.Errorf("seed signature %s, want %s", got, c.seed)
			}
			var body bytes.Buffer
			w, err := NewStreamWriter(&body, r, docSecret, 0)
			if err != nil {
				t.Fatal(err)
			}
			data := strings.Repeat("a", 66560)
			if _, err := io.WriteString(w, data); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			for _, want := range c.inBody {
				if !strings.Contains(body.String(), want) {
					t.Errorf("body has no %q", want)
				}
			}
			if got := EncodedLength(c.mode, 66560, 0, c.trailer); got != int64(body.Len()) || c.length != 0 && got != c.length {
				t.Errorf("EncodedLength %d, body %d, documented %d", got, body.Len(), c.length)
			}
			claims, err := Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			key := DeriveKey(docSecret, "20130524", "us-east-1", "s3")
			if err := claims.Verify(r, key, &Check{Now: in.Time, Style: S3}); err != nil {
				t.Fatal(err)
			}
			r.Body = io.NopCloser(&body)
			sr, err := claims.OpenStream(r, key, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(sr)
			if err != nil || string(got) != data {
				t.Errorf("read %d bytes, %v", len(got), err)
			}
			if name, value := sr.Trailer(); name != c.trailer || c.trailer != "" && value != "sOO8/Q==" {
				t.Errorf("trailer %q %q", name, value)
			}
		})
	}
}

// wantReason checks an error's type and reason.
func wantReason(t testing.TB, err error, want Reason) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Errorf("got %v, want an *Error of reason %s", err, want)
		return &Error{}
	}
	if e.Reason != want {
		t.Errorf("got %v, want reason %s", err, want)
	}
	return e
}
