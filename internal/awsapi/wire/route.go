package wire

import (
	"fmt"
	"net/url"
	"strings"
)

// route is a path template: segments that are literal or {labels}.
type route struct {
	segments []string // without braces
	label    []bool
	labels   int
}

func parseRoute(path string) (route, error) {
	var r route
	if !strings.HasPrefix(path, "/") {
		return r, fmt.Errorf("path %q does not begin with a slash", path)
	}
	for _, s := range strings.Split(path[1:], "/") {
		isLabel := strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}")
		if isLabel {
			s = s[1 : len(s)-1]
			r.labels++
		}
		if strings.ContainsAny(s, "{}?+") {
			return r, fmt.Errorf("path %q is not supported", path)
		}
		r.segments = append(r.segments, s)
		r.label = append(r.label, isLabel)
	}
	return r, nil
}

// Path is a request's path, split and unescaped once.
type Path struct {
	segments []string
}

// maxSegments bounds a path; no model has more than five.
const maxSegments = 16

// NewPath splits an escaped path; ok is false for one that no route can have.
func NewPath(escaped string) (p Path, ok bool) {
	if !strings.HasPrefix(escaped, "/") || strings.Count(escaped, "/") > maxSegments {
		return p, false
	}
	p.segments = strings.Split(escaped[1:], "/")
	for i, s := range p.segments {
		u, err := url.PathUnescape(s)
		if err != nil {
			return p, false
		}
		p.segments[i] = u
	}
	return p, true
}

func (r *route) match(p Path) bool {
	if len(p.segments) != len(r.segments) {
		return false
	}
	for i, s := range r.segments {
		if r.label[i] {
			if p.segments[i] == "" {
				return false
			}
		} else if s != p.segments[i] {
			return false
		}
	}
	return true
}

// value is the text of a label.
func (r *route) value(p Path, label string) (string, bool) {
	for i, s := range r.segments {
		if r.label[i] && s == label {
			return p.segments[i], true
		}
	}
	return "", false
}

// Route is a compiled path template for routing tables.
type Route struct{ r route }

// NewRoute compiles a template such as "/crl/{crlId}".
func NewRoute(path string) (Route, error) {
	r, err := parseRoute(path)
	return Route{r}, err
}

// Match reports whether p has the template's form.
func (r *Route) Match(p Path) bool { return r.r.match(p) }

// Labels is how many labels the template has; the fewer, the more specific it is.
func (r *Route) Labels() int { return r.r.labels }
