package httpauthz

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
)

// pattern is a path in segments.
type pattern struct {
	segments []piece
	rest     bool // the last segment takes all that follow
}

// piece is literal text or the name of a value.
type piece struct {
	text string
	name bool
}

// parsePattern reads /v1/orders/{order}/{file...}.
func parsePattern(path string) (pattern, error) {
	var p pattern
	body, ok := strings.CutPrefix(path, "/")
	if !ok {
		return p, fmt.Errorf("path %q does not begin with a slash", path)
	}
	texts := strings.Split(body, "/")
	for i, text := range texts {
		inner, isName := strings.CutPrefix(text, "{")
		if !isName {
			if strings.ContainsAny(text, "{}%?#\\") || text == "." || text == ".." || text == "" && i < len(texts)-1 {
				return p, fmt.Errorf("path %q: segment %q cannot be matched", path, text)
			}
			p.segments = append(p.segments, piece{text: text})
			continue
		}
		name, ok := strings.CutSuffix(inner, "}")
		if rest, isRest := strings.CutSuffix(name, "..."); isRest {
			if i != len(texts)-1 {
				return p, fmt.Errorf("path %q: {%s} is not its last segment", path, name)
			}
			p.rest, name = true, rest
		}
		if !ok || !isVariable(name) || p.has(name) {
			return p, fmt.Errorf("path %q: segment %q is not the name of a value, or there twice", path, text)
		}
		p.segments = append(p.segments, piece{text: name, name: true})
	}
	return p, nil
}

// isVariable takes names that cannot be mistaken for those the server fills in.
func isVariable(name string) bool {
	return name != "" && name != "region" && name != "account" && strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

func (p *pattern) has(name string) bool {
	return slices.Contains(p.segments, piece{text: name, name: true})
}

// splitPath takes the path as it was sent and returns its decoded segments. It refuses whatever the proxy, or the service
// behind it, might read as another path than the one decided on.
func splitPath(raw string) ([]string, error) {
	body, ok := strings.CutPrefix(raw, "/")
	if !ok {
		return nil, errors.New("the path does not begin with a slash")
	}
	segments := strings.Split(body, "/")
	for i, s := range segments {
		text, err := url.PathUnescape(s)
		switch {
		case err != nil:
			return nil, errors.New("the path has a malformed escape")
		case text == "." || text == "..":
			return nil, errors.New("the path has a dot segment")
		case text == "" && i < len(segments)-1:
			return nil, errors.New("the path has an empty segment")
		case strings.ContainsAny(text, "/\\;") || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }):
			return nil, errors.New("the path has an encoded slash, a backslash, a semicolon or a control character in a segment")
		case strings.Contains(text, "%"):
			return nil, errors.New("the path has a percent sign that could be decoded once more")
		}
		segments[i] = text
	}
	return segments, nil
}

// values are what the names of a path stand for.
type values map[string]string

// match returns the values if the pattern fits.
func (p *pattern) match(path []string) (values, bool) {
	n := len(p.segments)
	if len(path) < n || len(path) > n && !p.rest {
		return nil, false
	}
	found := values{}
	for i, s := range p.segments {
		switch {
		case !s.name:
			if path[i] != s.text {
				return nil, false
			}
		case p.rest && i == n-1:
			if path[i] == "" {
				return nil, false
			}
			found[s.text] = strings.Join(path[i:], "/")
		case path[i] == "":
			return nil, false
		default:
			found[s.text] = path[i]
		}
	}
	return found, true
}

// parseResource splits the resource at its names and fills in what the service fixes.
func (r *Rule) parseResource(s *Service) ([]piece, error) {
	if r.Resource == "*" {
		return []piece{{text: "*"}}, nil
	}
	text := strings.ReplaceAll(strings.ReplaceAll(r.Resource, "{region}", string(s.Region)), "{account}", string(s.Account))
	a, err := arn.Parse(text)
	if err != nil || a.Account != s.Account && a.Account != "" || strings.Contains(strings.Join(strings.SplitN(text, ":", 6)[:5], ":"), "{") {
		return nil, fmt.Errorf("resource %q is not *, or an ARN of the account with names in its last part", r.Resource)
	}
	if strings.ContainsAny(text, "*?") {
		return nil, fmt.Errorf("resource %q names one resource: no wildcards", r.Resource)
	}
	var pieces []piece
	for text != "" {
		before, after, ok := strings.Cut(text, "{")
		if before != "" {
			pieces = append(pieces, piece{text: before})
		}
		if !ok {
			break
		}
		name, rest, ok := strings.Cut(after, "}")
		if !ok || !r.pattern.has(name) {
			return nil, fmt.Errorf("resource %q: the path has no {%s}", r.Resource, name)
		}
		pieces = append(pieces, piece{text: name, name: true})
		text = rest
	}
	return pieces, nil
}

// resourceOf is the rule's resource with the values of a path.
func (r *Rule) resourceOf(v values) string {
	if len(r.resource) == 1 && !r.resource[0].name {
		return r.resource[0].text
	}
	var b strings.Builder
	for _, p := range r.resource {
		if p.name {
			b.WriteString(v[p.text])
		} else {
			b.WriteString(p.text)
		}
	}
	return b.String()
}
