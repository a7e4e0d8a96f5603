package server

import (
	"net/http"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/issuance"
	"golang.org/x/time/rate"
)

// unsignedRoute is something the API's listeners answer without a signature. All of them only read, and none says more
// than what is meant to be public.
type unsignedRoute struct {
	path   string // ends with a slash if everything under it belongs to the route
	answer http.HandlerFunc
}

// unsignedRoutes is the whole list.
func (s *Server) unsignedRoutes() []unsignedRoute {
	return []unsignedRoute{
		{healthPath, answerHealth},
		{issuance.CRLPath, s.privateCA.ServeCRL},
	}
}

// healthPath says that the process answers, nothing else.
const healthPath = "/healthz"

func answerHealth(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write([]byte("ok\n")) //nolint:errcheck // nothing to do for a client that left
}

// unsignedPerSecond bounds all unsigned routes together, on one node.
const unsignedPerSecond = 500

// withUnsigned answers the unsigned routes before the API sees the request. A request that is signed is the API's.
func withUnsigned(routes []unsignedRoute, api http.Handler) http.Handler {
	limiter := rate.NewLimiter(rate.Every(time.Second/unsignedPerSecond), unsignedPerSecond)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			if route := findUnsigned(routes, r); route != nil {
				if !limiter.Allow() {
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
		if r.URL.Path == route.path || strings.HasSuffix(route.path, "/") && strings.HasPrefix(r.URL.Path, route.path) {
			return &routes[i]
		}
	}
	return nil
}
