package awsapi

import (
	"fmt"
	"strings"

	"github.com/rolecall/rolecall/internal/awsapi/wire"
)

// Router serves every bound operation on one listener. Register and HandleRaw come before the first request.
type Router struct {
	cfg      Config
	services map[string]*service // by signing name
	targets  []*service          // those chosen by X-Amz-Target
	versions map[string]*service // by the query protocol's Version
	raw      map[rawKey]*rawRoute
}

// service is the routing table of one API.
type service struct {
	api    *API
	ops    map[string]*Binding // by name
	routes []*restRoute        // REST: every operation of the model

	outOfScope func(action string) bool
}

type restRoute struct {
	method string
	route  wire.Route
	name   string
}

type rawKey struct{ method, path string }

type rawRoute struct {
	service string
	label   string
	handler RawHandler
}

// NewRouter makes a router without operations.
func NewRouter(cfg Config) *Router {
	return &Router{
		cfg:      cfg.withDefaults(),
		services: map[string]*service{}, versions: map[string]*service{},
		raw: map[rawKey]*rawRoute{},
	}
}

// Register adds bound operations. It fails if a binding's types do not fit its shapes, or an operation is bound twice.
// Operations of a registered service that nothing binds are answered as not supported.
func (rt *Router) Register(bindings ...Binding) error {
	for i := range bindings {
		b := &bindings[i]
		if b.err != nil {
			return fmt.Errorf("awsapi: %w", b.err)
		}
		s, err := rt.service(b.op.API)
		if err != nil {
			return err
		}
		if s.ops[b.op.Name] != nil {
			return fmt.Errorf("awsapi: %s is bound twice", b.op.Action())
		}
		s.ops[b.op.Name] = b
	}
	return nil
}

// service finds or makes the table of an API.
func (rt *Router) service(api *API) (*service, error) {
	if api == nil {
		return nil, fmt.Errorf("awsapi: operation without an API")
	}
	if s := rt.services[api.Service]; s != nil {
		if s.api != api {
			return nil, fmt.Errorf("awsapi: two APIs sign as %s", api.Service)
		}
		return s, nil
	}
	s := &service{api: api, ops: make(map[string]*Binding, len(api.Known)), outOfScope: rt.cfg.OutOfScope}
	for _, k := range api.Known {
		s.ops[k.Name] = nil
		if api.Protocol != wire.RESTJSON {
			continue
		}
		route, err := wire.NewRoute(k.Path)
		if err != nil {
			return nil, fmt.Errorf("awsapi: %s: %w", k.Name, err)
		}
		s.routes = append(s.routes, &restRoute{method: k.Method, route: route, name: k.Name})
	}
	rt.services[api.Service] = s
	switch api.Protocol {
	case wire.Query:
		if rt.versions[api.Version] != nil {
			return nil, fmt.Errorf("awsapi: two APIs have version %s", api.Version)
		}
		rt.versions[api.Version] = s
	case wire.AWSJSON10, wire.AWSJSON11:
		rt.targets = append(rt.targets, s)
	}
	return s, nil
}

// HandleRaw adds a route that no model describes. The handler authenticates, authorizes and audits by itself.
// A later call for the same method and path replaces the earlier one.
func (rt *Router) HandleRaw(service, method, path string, h RawHandler) {
	rt.raw[rawKey{method, path}] = &rawRoute{service: service, label: strings.Trim(path, "/"), handler: h}
}
