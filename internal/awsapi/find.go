package awsapi

import (
	"net/http"
	"strings"

	"github.com/rolecall/rolecall/internal/awsapi/wire"
)

// target is where a request goes: an operation, or the error that says why there is none.
type target struct {
	protocol wire.Protocol
	api      *API // nil if the service is unknown
	binding  *Binding
	raw      *rawRoute
	path     wire.Path
	form     *wire.Form
	err      *Error
}

// find chooses the service by credential scope, else by X-Amz-Target, else by the form's Action and Version, else by path.
func (rt *Router) find(ex *exchange) target {
	r := ex.r
	scope := ""
	if ex.claims != nil {
		scope = ex.claims.Service
	}
	if raw := rt.findRaw(ex); raw != nil {
		return target{protocol: wire.RESTJSON, raw: raw}
	}
	if s := rt.services[scope]; s != nil {
		return rt.within(s, ex)
	}
	if scope != "" {
		return target{protocol: guess(r), err: Errorf("InvalidAction", http.StatusNotFound, "This endpoint does not serve %q", clip(scope))}
	}
	if name := r.Header.Get("X-Amz-Target"); name != "" {
		prefix, _, _ := cutLast(name)
		for _, s := range rt.targets {
			if targetNames(s.api, prefix) {
				return rt.within(s, ex)
			}
		}
		return target{protocol: guess(r), err: Errorf("InvalidAction", http.StatusBadRequest, "Unknown operation")}
	}
	if isForm(r) || strings.Contains(r.URL.RawQuery, "Action=") {
		return rt.byVersion(ex)
	}
	return rt.byPath(ex)
}

// findRaw finds the route that no model describes. Some clients are given an endpoint with a path and put it in front of
// the route's own: the last segment decides then, once the scope says whom the request is for. A certificate's signature
// is for no other route whatever its scope says, and one that cannot be read is for the handler to refuse.
func (rt *Router) findRaw(ex *exchange) *rawRoute {
	path, whole := ex.r.URL.Path, true
	raw := rt.raw[rawKey{ex.r.Method, path}]
	if raw == nil {
		i := strings.LastIndexByte(path, '/')
		if i <= 0 {
			return nil
		}
		whole = false
		if raw = rt.raw[rawKey{ex.r.Method, path[i:]}]; raw == nil {
			return nil
		}
	}
	switch {
	case ex.claims == nil && (whole || ex.r.Header.Get("X-Amz-X509") != ""),
		ex.claims != nil && (ex.claims.Service == raw.service || ex.claims.X509()):
		return raw
	}
	return nil
}

// byVersion finds the service of an unsigned query request.
func (rt *Router) byVersion(ex *exchange) target {
	form, fault := wire.NewForm(ex.r.URL.RawQuery, ex.body)
	if fault != nil {
		return target{protocol: wire.Query, err: fromFault(fault)}
	}
	s := rt.versions[form.Get("Version")]
	action := form.Get("Action")
	form.Release()
	if s == nil {
		return target{protocol: wire.Query, err: unknownAction(action, "")}
	}
	return rt.within(s, ex)
}

// byPath finds the operation of an unsigned REST request: its answer is a missing authentication token either way.
func (rt *Router) byPath(ex *exchange) target {
	for _, s := range rt.services {
		if s.api.Protocol != wire.RESTJSON {
			continue
		}
		if t := rt.within(s, ex); t.err == nil {
			return t
		}
	}
	return target{protocol: wire.RESTJSON, err: missingToken()}
}

func missingToken() *Error {
	return Errorf("MissingAuthenticationToken", http.StatusForbidden, "Missing Authentication Token")
}

// within finds the operation inside a service.
func (rt *Router) within(s *service, ex *exchange) target {
	t := target{protocol: s.api.Protocol, api: s.api}
	switch s.api.Protocol {
	case wire.Query:
		t.query(s, ex)
	case wire.RESTJSON:
		t.rest(s, ex)
	default:
		t.target(s, ex)
	}
	return t
}

// query chooses by Action. A service answers for one Version only, as AWS's do.
func (t *target) query(s *service, ex *exchange) {
	if m := ex.r.Method; m != http.MethodPost && m != http.MethodGet {
		t.err = methodNotAllowed(m)
		return
	}
	form, fault := wire.NewForm(ex.r.URL.RawQuery, ex.body)
	if fault != nil {
		t.err = fromFault(fault)
		return
	}
	t.form = form
	action, version := form.Get("Action"), form.Get("Version")
	if action == "" {
		t.err = Errorf("MissingAction", http.StatusBadRequest, "The request is missing an action or a required parameter.")
		return
	}
	if version != s.api.Version {
		t.err = unknownAction(action, version)
		return
	}
	t.choose(s, action, func() *Error { return unknownAction(action, version) })
}

// unknownAction is AWS's text for the query protocol.
func unknownAction(action, version string) *Error {
	if version == "" {
		version = "NO_VERSION_SPECIFIED"
	}
	return Errorf("InvalidAction", http.StatusBadRequest, "Could not find operation %s for version %s", clip(action), clip(version))
}

// target chooses by X-Amz-Target.
func (t *target) target(s *service, ex *exchange) {
	if ex.r.Method != http.MethodPost {
		t.err = methodNotAllowed(ex.r.Method)
		return
	}
	prefix, name, ok := cutLast(ex.r.Header.Get("X-Amz-Target"))
	unknown := func() *Error { return Errorf("InvalidAction", http.StatusBadRequest, "Unknown operation") }
	if !ok || !targetNames(s.api, prefix) {
		t.err = unknown()
		return
	}
	t.choose(s, name, unknown)
}

// targetNames accepts a target prefix with or without its package, as SDKs of different ages write it.
func targetNames(api *API, prefix string) bool {
	return prefix == api.TargetPrefix || strings.HasSuffix(api.TargetPrefix, "."+prefix)
}

func cutLast(name string) (prefix, last string, ok bool) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return "", "", false
	}
	return name[:i], name[i+1:], true
}

// rest chooses by method and path; the template with the fewest labels wins.
func (t *target) rest(s *service, ex *exchange) {
	notFound := func() *Error {
		return Errorf("InvalidAction", http.StatusNotFound, "Unknown operation: %s %s", clip(ex.r.Method), clip(ex.r.URL.Path))
	}
	path, ok := wire.NewPath(ex.r.URL.EscapedPath())
	if !ok {
		t.err = notFound()
		return
	}
	var best *restRoute
	pathKnown := false
	for _, r := range s.routes {
		if !r.route.Match(path) {
			continue
		}
		pathKnown = true
		if r.method == ex.r.Method && (best == nil || r.route.Labels() < best.route.Labels()) {
			best = r
		}
	}
	switch {
	case best != nil:
		t.path = path
		t.choose(s, best.name, notFound)
	case pathKnown:
		t.err = methodNotAllowed(ex.r.Method)
	default:
		t.err = notFound()
	}
}

// choose tells a bound operation, one that only the model knows, and one that nobody knows apart.
func (t *target) choose(s *service, name string, unknown func() *Error) {
	b, known := s.ops[name]
	switch {
	case b != nil:
		t.binding = b
	case known && s.outOfScope(s.api.Service+":"+name):
		t.err = Errorf("UnsupportedOperation", http.StatusBadRequest, "The operation %s is not supported by this server. It is out of its scope.", name)
	case known:
		t.err = Errorf("UnsupportedOperation", http.StatusBadRequest, "The operation %s is not supported by this server.", name)
	default:
		t.err = unknown()
	}
}

func methodNotAllowed(method string) *Error {
	return Errorf("MethodNotAllowed", http.StatusMethodNotAllowed, "The method %s is not allowed against this resource.", clip(method))
}

// guess is the protocol in which a request for no known service expects its error.
func guess(r *http.Request) wire.Protocol {
	switch {
	case r.Header.Get("X-Amz-Target") != "":
		if strings.HasSuffix(r.Header.Get("Content-Type"), "json-1.0") {
			return wire.AWSJSON10
		}
		return wire.AWSJSON11
	case isForm(r):
		return wire.Query
	}
	return wire.RESTJSON
}

func isForm(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
}

// clip bounds what of a request is repeated in an answer.
func clip(s string) string {
	if len(s) > 128 {
		s = s[:128] + "..."
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
