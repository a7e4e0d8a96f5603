package iampolicy

// StatementMatch is a statement that applies to a request.
type StatementMatch struct {
	Policy    *Policy
	Statement int // index from 0
	Sid       string
	Effect    Effect
	By        PolicyType
}

// Matches lists every statement that applies to the request, in the order in which the
// policies are considered: what Evaluate decided from. It is for simulation and audit, not
// for the hot path.
func Matches(s *Set, r *Request) []StatementMatch {
	var e evaluation
	if !e.init(s, r) {
		return nil
	}
	var out []StatementMatch
	add := func(p *Policy, by PolicyType) {
		if p == nil {
			return
		}
		for i := range p.statements {
			st := &p.statements[i]
			applies := e.applies(st)
			if st.principals != nil && !st.deny {
				applies = applies && st.principals.match(r.Principal) != grantNone
			}
			if applies {
				out = append(out, StatementMatch{p, st.index, st.sid, st.effect(), by})
			}
		}
	}
	add(s.Resource, e.resourceType())
	for _, p := range s.Identity {
		add(p, IdentityBased)
	}
	add(s.Boundary, BoundaryBased)
	for _, p := range s.Session {
		add(p, SessionBased)
	}
	return out
}

// ResourceSide decides a request by a resource-based policy alone, as in another account: whether it allows the principal
// by whatever name, and whether it denies explicitly. A nil policy allows nothing.
func ResourceSide(p *Policy, r *Request) Decision {
	s := &Set{Resource: p}
	var e evaluation
	if !e.init(s, r) {
		return implicit(ResourceBased)
	}
	if d, denied := e.explicitDeny(); denied {
		return d
	}
	_, d := e.resourceGrant()
	return d.or(ResourceBased)
}

// MissingKeys lists the condition keys that the policy reads and the context lacks.
func (p *Policy) MissingKeys(c *Context) []string {
	var out []string
	for _, k := range p.ContextKeys() {
		if _, ok := c.Get(k); !ok {
			out = append(out, k)
		}
	}
	return out
}
