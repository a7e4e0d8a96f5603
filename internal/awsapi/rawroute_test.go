package awsapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Which requests reach a route that no model describes, and which do not.
func TestRawRoutes(t *testing.T) {
	f := newFixture(t)
	x509 := "AWS4-X509-ECDSA-SHA256 Credential=4711/20260504/eu-central-1/SERVICE/aws4_request, SignedHeaders=host;x-amz-date, Signature=00ff"
	hmac := "AWS4-HMAC-SHA256 Credential=" + goodKey + "/20260504/eu-central-1/SERVICE/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + strings.Repeat("0", 64)
	for _, c := range []struct {
		name, method, path, auth, service string
		certificate                       bool
		reached                           bool
	}{
		{"its path", "POST", "/sessions", x509, "rolesanywhere", true, true},
		{"a prefix", "POST", "/a/b/sessions", x509, "rolesanywhere", true, true},
		{"a doubled slash", "POST", "//sessions", x509, "rolesanywhere", true, true},
		{"another service's scope, by certificate", "POST", "/sessions", x509, "sts", true, true},
		{"a prefix, another service's scope, by certificate", "POST", "/p/sessions", x509, "s3", true, true},
		{"another service's scope, by access key", "POST", "/sessions", hmac, "sts", false, false},
		{"a prefix, another service's scope, by access key", "POST", "/p/sessions", hmac, "iam", false, false},
		{"unsigned", "POST", "/sessions", "", "", false, true},
		{"a prefix, unsigned", "POST", "/p/sessions", "", "", false, false},
		{"a prefix, an unreadable signature", "POST", "/p/sessions", "AWS4-X509-NONSENSE", "", true, true},
		{"another method", "GET", "/p/sessions", x509, "rolesanywhere", true, false},
		{"a path that only ends alike", "POST", "/mysessions", x509, "rolesanywhere", true, false},
		{"a path that goes on", "POST", "/sessions/x", x509, "rolesanywhere", true, false},
		{"a slash at the end", "POST", "/sessions/", x509, "rolesanywhere", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, "http://h.example"+c.path, strings.NewReader("x"))
			r.Header.Set("X-Amz-Date", "20260504T030201Z")
			if c.auth != "" {
				r.Header.Set("Authorization", strings.Replace(c.auth, "SERVICE", c.service, 1))
			}
			if c.certificate {
				r.Header.Set("X-Amz-X509", "AAAA")
			}
			w := httptest.NewRecorder()
			f.router.ServeHTTP(w, r)
			if got := w.Code == http.StatusCreated; got != c.reached {
				t.Errorf("got %d %s, reached %t, want %t", w.Code, w.Body, got, c.reached)
			}
		})
	}
}

func TestOversizedHead(t *testing.T) {
	f := newFixture(t)
	for name, change := range map[string]func(*http.Request){
		"one header":   func(r *http.Request) { r.Header.Set("X-Junk", strings.Repeat("a", 300<<10)) },
		"many headers": func(r *http.Request) { r.Header["X-Junk"] = strings.Split(strings.Repeat("a,", 60<<10), ",") },
		"the query": func(r *http.Request) {
			r.URL.RawQuery = strings.Repeat("a", 300<<10)
			r.RequestURI = r.URL.RequestURI()
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "http://h.example/trustanchors", nil)
			change(r)
			w := httptest.NewRecorder()
			f.router.ServeHTTP(w, r)
			if w.Code != http.StatusRequestHeaderFieldsTooLarge || w.Header().Get("X-Amzn-Errortype") != "RequestHeaderSectionTooLarge" ||
				w.Header().Get("X-Amzn-Requestid") == "" || !strings.Contains(w.Body.String(), `"message"`) {
				t.Errorf("got %d %v %.200s", w.Code, w.Header(), w.Body)
			}
		})
	}
}
