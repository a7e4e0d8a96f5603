package iampolicy

import "strings"

// AllowsService reports whether an Allow statement of the policy names an action of the service, such as "s3", compared
// without regard to case. Resources and conditions may still keep every request from matching, and a Deny, in this
// policy or another one, may take it all back: the answer says where access could come from.
func (p *Policy) AllowsService(namespace string) bool {
	if namespace == "" {
		return false
	}
	namespace = lowerText(namespace)
	for _, s := range p.allows {
		if s.coversSome(namespace) {
			return true
		}
	}
	return false
}

// coversSome is about all actions of a service: the statement covers one of them at least.
func (s *statement) coversSome(namespace string) bool {
	for i := range s.actions {
		some, all := s.actions[i].ofService(namespace)
		if some && !s.notAction {
			return true
		}
		if all && s.notAction {
			return false // nothing of the service is left over
		}
	}
	return s.notAction
}

// ofService reports whether the pattern can match an action of the service, and whether it matches all of them. A
// service's name has no wildcards, but may be * as a whole.
func (p *actionPattern) ofService(namespace string) (some, all bool) {
	if p.shape == shapeAny {
		return true, true
	}
	service, name, _ := strings.Cut(p.text, ":")
	if service != namespace && service != "*" {
		return false, false
	}
	// A prefix has lost its star: "s3:" was "s3:*".
	return true, p.shape != shapeExact && strings.Trim(name, "*") == ""
}
