package server

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestUnsignedRoutes(t *testing.T) {
	answer := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(text)) }
	}
	h := withUnsigned([]unsignedRoute{{path: "/one", answer: answer("one")}, {path: "/under/", answer: answer("under"), post: true}, {path: ".crl", answer: answer("list")}}, answer("api"))
	for _, tc := range []struct{ method, path, authorization, want string }{
		{"GET", "/one", "", "one"},
		{"HEAD", "/one", "", "one"},
		{"GET", "/one/more", "", "api"},
		{"GET", "/under/x.crl", "", "under"},
		{"GET", "/under", "", "api"},
		{"POST", "/under/x", "", "under"},
		{"GET", "/any/where/x.crl", "", "list"},
		{"POST", "/any/where/x.crl", "", "api"},
		{"DELETE", "/under/x", "", "api"},
		{"POST", "/one", "", "api"},
		{"GET", "/one", "AWS4-HMAC-SHA256 …", "api"},
	} {
		r := httptest.NewRequest(tc.method, tc.path, nil)
		if tc.authorization != "" {
			r.Header.Set("Authorization", tc.authorization)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := w.Body.String(); got != tc.want {
			t.Errorf("%s %s %q: %q answered, want %q", tc.method, tc.path, tc.authorization, got, tc.want)
		}
	}
}

func TestUnsignedRoutesHaveARate(t *testing.T) {
	h := withUnsigned([]unsignedRoute{{path: healthPath, answer: answerHealth}}, http.NotFoundHandler())
	refused := 0
	for range 4 * unsignedPerSecond {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, healthPath, nil))
		if w.Code == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused == 0 {
		t.Errorf("%d requests at once were all answered", 4*unsignedPerSecond)
	}
}
