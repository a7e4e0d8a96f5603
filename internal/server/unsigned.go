package server

import (
	"net/http"
	"strings"

	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/webissuer"
	"golang.org/x/time/rate"
)

// unsignedRoute is something the API's listeners answer without a signature. All of them only read, and none says more
// than what is meant to be public.
type unsignedRoute struct {
	path   string // ends with a slash if everything under it belongs to the route, begins with a dot if all that ends so does
	answer http.HandlerFunc
	post   bool // POST reads as well: OCSP
	rate   int  // requests a second, on one node; 0 is unsignedPerSecond
}

// unsignedRoutes is the whole list.
func (s *Server) unsignedRoutes() []unsignedRoute {
	return append([]unsignedRoute{{path: healthPath, answer: answerHealth}}, s.distributionRoutes()...)
}

// ocspPerSecond bounds OCSP, of which every connection of a client may need one.
const ocspPerSecond = 5000

// distributionRoutes are what private CAs publish.
func (s *Server) distributionRoutes() []unsignedRoute {
	return []unsignedRoute{
		{path: issuance.OCSPPath, answer: s.privateCA.ServeOCSP, post: true, rate: ocspPerSecond},
		{path: issuance.CAPath, answer: s.privateCA.ServeCertificate},
		{path: issuance.CRLPath, answer: s.privateCA.ServeCRL},
		{path: issuance.CRLEnd, answer: s.privateCA.ServeCRL},
		{path: webissuer.Path, answer: s.issuer.ServeHTTP},
	}
}

// healthPath says that the process answers, nothing else.
const healthPath = "/healthz"

func answerHealth(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write([]byte("ok\n")) //nolint:errcheck // nothing to do for a client that left
}

// unsignedPerSecond bounds each unsigned route that has no rate of its own, on one node and listener.
const unsignedPerSecond = 500

// withUnsigned answers the unsigned routes before the API sees the request. A request that is signed is the API's.
func withUnsigned(routes []unsignedRoute, api http.Handler) http.Handler {
	limiters := map[string]*rate.Limiter{}
	for _, route := range routes {
		perSecond := route.rate
		if perSecond == 0 {
			perSecond = unsignedPerSecond
		}
		limiters[route.path] = rate.NewLimiter(rate.Limit(perSecond), perSecond)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodPost {
			if route := findUnsigned(routes, r); route != nil && (route.post || r.Method != http.MethodPost) {
				if !limiters[route.path].Allow() {
					w.Header().Set("Retry-After", "1")
					http.Error(w, "too many requests", http.StatusTooManyRequests)
					return
				}
				route.answer(w, r)
				return
			}
		}
		api.ServeHTTP(w, r)
	})
}

func findUnsigned(routes []unsignedRoute, r *http.Request) *unsignedRoute {
	if r.Header.Get("Authorization") != "" {
		return nil
	}
	for i, route := range routes {
		if r.URL.Path == route.path || strings.HasPrefix(route.path, ".") && strings.HasSuffix(r.URL.Path, route.path) || strings.HasSuffix(route.path, "/") && strings.HasPrefix(r.URL.Path, route.path) {
			return &routes[i]
		}
	}
	return nil
}
