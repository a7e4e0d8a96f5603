package sigv4

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

func presigned(t testing.TB, in *SignInput, headers ...string) *http.Request {
	t.Helper()
	r := rawRequest("GET", "sts.example", "/?Action=GetCallerIdentity&Version=2011-06-15", headers...)
	u, err := Presign(r, in, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	r.URL = u
	return r
}

func verifyRequest(r *http.Request, in *SignInput, k *Check) error {
	c, err := Parse(r)
	if err != nil {
		return err
	}
	return c.Verify(r, inputKey(in), k)
}

func emptyCheck() *Check { return &Check{Now: now, BodySHA256: emptySum} }

// Also a header of the presigner's own choice, as EKS tokens have it, and a session token in the query.
func TestPresignedWithHeaderAndToken(t *testing.T) {
	in := input()
	in.SessionToken = suiteToken
	r := presigned(t, in, "X-K8s-Aws-Id:cluster", "X-Amz-Meta-A:1")
	c, err := Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	if !c.Presigned || c.SecurityToken != suiteToken || c.Expires != time.Minute || !c.Time.Equal(now) {
		t.Errorf("claims %+v", c)
	}
	if err := verifyRequest(r, in, emptyCheck()); err != nil {
		t.Error(err)
	}
	r.Header.Set("X-K8s-Aws-Id", "other")
	wantReason(t, verifyRequest(r, in, emptyCheck()), Mismatch)

	in.TokenAfterSigning = true
	r = presigned(t, in)
	wantReason(t, verifyRequest(r, in, emptyCheck()), Mismatch)
	k := emptyCheck()
	k.UnsignedToken = true
	if err := verifyRequest(r, in, k); err != nil {
		t.Errorf("token added after signing: %v", err)
	}
}

func replaceQuery(from, to string) func(r *http.Request) {
	return func(r *http.Request) { r.URL.RawQuery = strings.Replace(r.URL.RawQuery, from, to, 1) }
}

func TestPresignedRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(r *http.Request)
		want   Reason
	}{
		{"longer life", replaceQuery("X-Amz-Expires=60", "X-Amz-Expires=61"), Mismatch},
		{"life 0", replaceQuery("X-Amz-Expires=60", "X-Amz-Expires=0"), Incomplete},
		{"life over a week", replaceQuery("X-Amz-Expires=60", "X-Amz-Expires=604801"), Incomplete},
		{"negative life", replaceQuery("X-Amz-Expires=60", "X-Amz-Expires=-1"), Incomplete},
		{"life not a number", replaceQuery("X-Amz-Expires=60", "X-Amz-Expires=1e3"), Incomplete},
		{"life twice", replaceQuery("X-Amz-Expires=60", "X-Amz-Expires=60&X-Amz-Expires=60"), Incomplete},
		{"life removed", replaceQuery("&X-Amz-Expires=60", ""), Mismatch},
		{"action", replaceQuery("GetCallerIdentity", "AssumeRole"), Mismatch},
		{"second spelling of the signature", replaceQuery("X-Amz-Expires", "X%2DAmz-Signature=1&X-Amz-Expires"), Mismatch},
		{"empty signature", replaceQuery("X-Amz-Signature=", "X-Amz-Signature=&x="), Incomplete},
		{"algorithm missing", replaceQuery("X-Amz-Algorithm=AWS4-HMAC-SHA256&", ""), Incomplete},
		{"certificate", replaceQuery("AWS4-HMAC-SHA256", "AWS4-X509-RSA-SHA256"), BadAlgorithm},
		{"added x-amz header", setHeader("X-Amz-Target", "T"), UnsignedHeader},
		{"added date header", setHeader("X-Amz-Date", "20261122T235800Z"), UnsignedHeader},
		{"authorization too", setHeader("Authorization", "Bearer x"), Incomplete},
		{"token in header and query", func(r *http.Request) {
			r.Header.Set("X-Amz-Security-Token", "t")
			r.URL.RawQuery += "&X-Amz-Security-Token=t"
		}, Incomplete},
		{"two payload hashes", func(r *http.Request) {
			r.Header.Set("X-Amz-Content-Sha256", emptyHash)
			r.URL.RawQuery += "&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD"
		}, Incomplete},
		{"payload hash added", func(r *http.Request) { r.URL.RawQuery += "&X-Amz-Content-Sha256=" + emptyHash }, Mismatch},
		{"method", func(r *http.Request) { r.Method = "DELETE" }, Mismatch},
		{"huge", func(r *http.Request) { r.URL.RawQuery += "&a=" + strings.Repeat("x", maxQuery) }, Incomplete},
		{"many", func(r *http.Request) { r.URL.RawQuery += strings.Repeat("&a", maxParams) }, Incomplete},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := presigned(t, input())
			c.change(r)
			wantReason(t, verifyRequest(r, input(), emptyCheck()), c.want)
		})
	}
	for _, d := range []time.Duration{0, time.Second - 1, maxExpires + 1} {
		if _, err := Presign(rawRequest("GET", "h", "/"), input(), d); err == nil {
			t.Errorf("a life of %s was accepted", d)
		}
	}
}

// Some SDKs presign without X-Amz-Expires for services other than S3: the URL then lives for the clock window.
func TestPresignedWithoutExpires(t *testing.T) {
	in := input()
	r := presigned(t, in)
	replaceQuery("&X-Amz-Expires=60", "")(r)
	q, _, _ := strings.Cut(r.URL.RawQuery, "&X-Amz-Signature=")
	form := canonical{path: "/", host: r.Host, query: q, presigned: true, names: []string{"host"}, payload: emptyHash}
	sig, err := in.signature(r, &form, in.Time.Format(isoBasic))
	if err != nil {
		t.Fatal(err)
	}
	r.URL.RawQuery = q + "&X-Amz-Signature=" + sig
	k := emptyCheck()
	k.Now = now.Add(5 * time.Minute)
	if err := verifyRequest(r, in, k); err != nil {
		t.Error(err)
	}
	k.Now = k.Now.Add(time.Second)
	if err := verifyRequest(r, in, k); !errors.Is(err, &Error{Reason: Expired}) {
		t.Errorf("got %v, want expired", err)
	}
	k.Style, k.Now = S3, now
	wantReason(t, verifyRequest(r, in, k), Incomplete)
}
