package sigv4

import (
	"bytes"
	"crypto/sha256"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// FuzzParse: Parse and Verify end without a panic on anything, and what Parse lets through keeps its promises.
func FuzzParse(f *testing.F) {
	in := input()
	in.SessionToken = "token"
	r := rawRequest("GET", "h", "/a?b=c")
	if err := Sign(r, in); err != nil {
		f.Fatal(err)
	}
	f.Add("GET", "/a", "b=c", r.Header.Get("Authorization"), r.Header.Get("X-Amz-Date"), "", "token")
	u, err := Presign(rawRequest("GET", "h", "/a%20b"), in, maxExpires)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("GET", u.Path, u.RawQuery, "", "", UnsignedPayload, "")
	f.Add("POST", "/./..//a%2f/", "a=%zz&+=%20&&=", "AWS4-X509-RSA-SHA384 Credential=1/20261122/r/s/aws4_request,SignedHeaders=host;x-amz-date;x-amz-x509,Signature=00", "20261122T235800Z", StreamingSigned, "")
	f.Add("PUT", "", "", "AWS4-HMAC-SHA256 Credential=////,SignedHeaders=;;,Signature=", "20261122T235800Z", "x", "")
	f.Fuzz(func(t *testing.T, method, path, query, auth, date, payload, token string) {
		r := &http.Request{Method: method, URL: &url.URL{RawPath: path, RawQuery: query}, Host: "h", Header: http.Header{}}
		r.URL.Path, _ = url.PathUnescape(path)
		for name, value := range map[string]string{"Authorization": auth, "X-Amz-Date": date, "X-Amz-Content-Sha256": payload, "X-Amz-Security-Token": token} {
			if value != "" {
				r.Header[name] = []string{value}
			}
		}
		c, err := Parse(r)
		if err != nil {
			if c != nil {
				t.Fatal("claims beside an error")
			}
			return
		}
		if c.Date != c.Time.Format("20060102") || c.Region == "" || c.Service == "" || c.KeyID == "" ||
			len(c.SignedHeaders) == 0 || len(c.SignedHeaders) > maxSignedHeaders || len(c.SecurityToken) > maxToken ||
			c.Expires < 0 || c.Expires > maxExpires || strings.Contains(c.KeyID, "/") {
			t.Fatalf("claims %+v", c)
		}
		for _, style := range []Style{Standard, S3} {
			k := &Check{Now: c.Time, Style: style, UnsignedToken: true, AllowUnsignedPayload: true, BodySHA256: emptySum}
			err := c.Verify(r, Key{1}, k)
			x := c.VerifyX509(r, nil, k)
			if err == nil || x == nil {
				t.Fatal("a signature verified under a key that nobody has")
			}
		}
	})
}

// FuzzPath: normalising is idempotent, and no canonical path has a dot segment, an empty segment or a raw byte.
func FuzzPath(f *testing.F) {
	for _, p := range []string{"/", "", "/a/../b", "//a//", "/./a/.", "/%2e%2e/a", "/..", "a", "/\u1234 "} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, path string) {
		once := string(appendNormalised(nil, path))
		decoded, err := url.PathUnescape(once)
		if err != nil {
			t.Fatal(err)
		}
		if twice := string(appendNormalised(nil, decoded)); twice != once {
			t.Fatalf("%q: %q, then %q", path, once, twice)
		}
		if !strings.HasPrefix(once, "/") || strings.Contains(once, "//") || strings.Contains(once+"/", "/./") || strings.Contains(once+"/", "/../") {
			t.Fatalf("%q: %q is not normal", path, once)
		}
		if normalised(path) && once != string(appendEncodedPath(nil, path)) {
			t.Fatalf("%q is said to be normal, and is not", path)
		}
	})
}

// FuzzStream: the chunk reader ends on anything, never hands out more than was announced, and ends well only with a
// body that is complete.
func FuzzStream(f *testing.F) {
	for i, m := range streamModes {
		_, body := streamed(f, m.mode, m.trailer, []byte("hello, world"), 0)
		f.Add(byte(i), int64(12), body)
	}
	f.Add(byte(3), int64(5), []byte("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"))
	f.Add(byte(3), int64(0), []byte("ffffffffff\r\n"))
	f.Fuzz(func(t *testing.T, mode byte, length int64, body []byte) {
		m := streamModes[int(mode)%len(streamModes)]
		r, _ := streamed(t, m.mode, m.trailer, []byte("hello, world"), 0)
		c, err := Parse(r)
		if err != nil {
			t.Fatal(err)
		}
		if length >= 0 {
			r.Header.Set("X-Amz-Decoded-Content-Length", itoa(int(length)))
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		key := DeriveKey(suiteSecret, c.Date, c.Region, c.Service)
		s, err := c.OpenStream(r, key, &StreamLimits{MaxLength: 1 << 20})
		if err != nil {
			return
		}
		var got bytes.Buffer
		sum := sha256.New()
		n, err := io.Copy(io.MultiWriter(&got, sum), s)
		if n > s.Length() || n > int64(len(body)) {
			t.Fatalf("%d bytes from a body of %d that announced %d", n, len(body), s.Length())
		}
		if err == nil && n != s.Length() {
			t.Fatalf("ended well after %d of %d bytes", n, s.Length())
		}
		if err == nil && s.frame.signed && got.String() != "hello, world" {
			t.Fatalf("%q verified", got.String())
		}
	})
}
