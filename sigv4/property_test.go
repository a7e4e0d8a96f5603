package sigv4

import (
	"crypto/elliptic"
	"crypto/sha256"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// drawn is a random request that a client may sign.
type drawn struct {
	in      *SignInput
	method  string
	target  string
	headers [][2]string
	body    []byte
}

func draw(t *rapid.T) *drawn {
	d := &drawn{in: input()}
	d.in.Style = rapid.SampledFrom([]Style{Standard, S3}).Draw(t, "style")
	d.in.SecretAccessKey = rapid.StringN(1, 60, -1).Draw(t, "secret")
	d.in.SessionToken = rapid.StringMatching(`[A-Za-z0-9/+=]{0,60}`).Draw(t, "token")
	d.method = rapid.SampledFrom([]string{"GET", "POST", "PUT", "DELETE"}).Draw(t, "method")
	d.body = rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "body")
	path := ""
	for _, seg := range rapid.SliceOfN(rapid.StringN(1, 8, -1), 1, 4).Draw(t, "path") {
		path += "/p" + url.PathEscape(seg)
	}
	q := url.Values{}
	for _, name := range rapid.SliceOfN(rapid.StringN(0, 6, -1), 0, 4).Draw(t, "names") {
		q.Add("n"+name, rapid.StringN(0, 6, -1).Draw(t, "value"))
	}
	d.target = path + "?always=1&" + q.Encode()
	for _, n := range rapid.SliceOfNDistinct(rapid.StringMatching(`x-(amz-)?m[a-z]{1,8}`), 0, 4, rapid.ID).Draw(t, "headers") {
		d.headers = append(d.headers, [2]string{n, rapid.StringMatching(`[!-~]([ -~]{0,20}[!-~])?`).Draw(t, "header")})
	}
	return d
}

func (d *drawn) signed(t rapid.TB) *http.Request {
	t.Helper()
	r := rawRequest(d.method, "host.example:8443", d.target)
	for _, h := range d.headers {
		r.Header.Add(h[0], h[1])
	}
	r.ContentLength = int64(len(d.body))
	d.in.BodySHA256 = hashHex(string(d.body))
	if err := Sign(r, d.in); err != nil {
		t.Fatal(err)
	}
	return r
}

func (d *drawn) verify(r *http.Request, body []byte) error {
	return verifyRequest(r, d.in, &Check{Now: now, Style: d.in.Style, BodySHA256: sha256.Sum256(body)})
}

func TestPropertySignThenVerify(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		r := d.signed(t)
		if err := d.verify(r, d.body); err != nil {
			t.Fatalf("header: %v", err)
		}
		plain := rawRequest(d.method, "host.example:8443", d.target)
		in := *d.in
		in.PayloadHeader = rapid.Bool().Draw(t, "payload parameter")
		u, err := Presign(plain, &in, time.Duration(rapid.IntRange(1, 604800).Draw(t, "life"))*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		plain.URL = u
		k := &Check{Now: now, Style: d.in.Style, BodySHA256: sha256.Sum256(d.body)}
		if in.Style == S3 && !in.PayloadHeader {
			k.BodySHA256 = [32]byte{} // X-Amz-Content-Sha256 is absent: the payload is unsigned
			in.BodySHA256 = ""
			plain.URL = rawRequest(d.method, "host.example:8443", d.target).URL
			if plain.URL, err = Presign(plain, &in, time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		if err := verifyRequest(plain, d.in, k); err != nil {
			t.Fatalf("presigned: %v", err)
		}
		if k.Style == Standard {
			k.BodySHA256[5] ^= 4
			if err := verifyRequest(plain, d.in, k); err == nil {
				t.Fatal("presigned: a changed body verified")
			}
		}
	})
}

// flip changes one bit of one byte of s.
func flip(t *rapid.T, s string) string {
	b := []byte(s)
	i := rapid.IntRange(0, len(b)-1).Draw(t, "byte")
	b[i] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
	return string(b)
}

// One flipped bit in any part of a signed request makes Verify fail: the flip is on what the parts mean, since a path
// or a query has several spellings of one meaning.
func TestPropertyTamper(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		r := d.signed(t)
		body := d.body
		switch part := rapid.SampledFrom([]string{"method", "path", "query", "host", "header", "body", "length", "authorization"}).Draw(t, "part"); part {
		case "method":
			r.Method = flip(t, r.Method)
		case "path":
			u := *r.URL
			u.Path, u.RawPath = flip(t, u.Path), ""
			r.URL = &u
		case "query":
			// Decoded and encoded again: flips of the raw text may mean the same, as the case of %2f.
			u := *r.URL
			u.RawQuery = flip(t, u.RawQuery)
			before, after := r.URL.Query(), u.Query()
			if _, err := url.ParseQuery(u.RawQuery); err == nil && before.Encode() == after.Encode() {
				u.RawQuery += "&extra"
			}
			r.URL = &u
		case "host":
			r.Host = flip(t, r.Host)
		case "header":
			names := make([]string, 0, len(r.Header))
			for n := range r.Header {
				if n != "Authorization" {
					names = append(names, n)
				}
			}
			n := rapid.SampledFrom(names).Draw(t, "name")
			was := r.Header[n][0]
			value := flip(t, was)
			if string(appendTrimmed(nil, was)) == string(appendTrimmed(nil, value)) {
				value += "x" // white space that does not count
			}
			r.Header[n] = []string{value}
		case "body":
			if len(body) == 0 {
				body = []byte{0}
			} else {
				body = []byte(flip(t, string(body)))
			}
		case "length":
			r.ContentLength ^= 1 << rapid.IntRange(0, 40).Draw(t, "bit")
			if d.method == "GET" || !strings.Contains(r.Header.Get("Authorization"), "content-length") {
				r.Method += "X" // the length was 0, and is not signed then
			}
		case "authorization":
			was := r.Header.Get("Authorization")
			value := flip(t, was)
			r.Header["Authorization"] = []string{value}
			if sameAuthorization(was, value) {
				return
			}
		}
		if err := d.verify(r, body); err == nil {
			t.Fatal("a tampered request verified")
		}
	})
}

// sameAuthorization reports whether the two differ only in the key id, which a caller looks the key up by, or in white
// space between the parts.
func sameAuthorization(a, b string) bool {
	cut := func(s string) string {
		_, after, _ := strings.Cut(s, "/")
		return strings.NewReplacer(" ", "", "\t", "").Replace(after)
	}
	return cut(a) == cut(b) && strings.HasPrefix(b, AlgorithmHMAC+" Credential=")
}

func TestPropertyX509Tamper(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	cert := selfSigned(t, key)
	r := signedX509(t, key, cert, cert)
	rapid.Check(t, func(t *rapid.T) {
		bad := r.Clone(t.Context())
		name := rapid.SampledFrom([]string{"Amz-Sdk-Request", "Content-Type", "X-Amz-Date", "X-Amz-X509", "X-Amz-X509-Chain", "signature"}).Draw(t, "part")
		if name == "signature" {
			a := r.Header.Get("Authorization")
			i := strings.Index(a, "Signature=") + len("Signature=")
			bad.Header["Authorization"] = []string{a[:i] + flip(t, a[i:])}
		} else {
			was := r.Header.Get(name)
			value := flip(t, was)
			if strings.TrimSpace(value) == strings.TrimSpace(was) || string(appendTrimmed(nil, value)) == was {
				value += "x"
			}
			bad.Header[name] = []string{value}
		}
		if err := verifyX509(bad, key.Public(), x509Check()); err == nil {
			t.Fatal("a tampered request verified")
		}
	})
}
