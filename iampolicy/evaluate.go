package iampolicy

// Request is one thing that a principal asks to do.
type Request struct {
	// Action is "service:Name", compared without regard to case. More than 128 bytes are
	// never allowed.
	Action string
	// Resource is the ARN, or "*" for actions that concern no particular resource.
	Resource string
	// Principal is who asks. With none, no Principal element allows and all deny.
	Principal *Principal
	// Context holds the condition keys; nil is an empty one.
	Context *Context
}

// Set is all policies that apply to a request.
type Set struct {
	// Identity is the principal's inline and managed policies.
	Identity []*Policy
	// Boundary is the principal's permissions boundary. HasBoundary with a nil Boundary is
	// a boundary that cannot be read, which allows nothing.
	Boundary    *Policy
	HasBoundary bool
	// Session is the session's inline and managed session policies. HasSession with none
	// is a session that was granted nothing.
	Session    []*Policy
	HasSession bool
	// Resource is the resource-based policy, or the role's trust policy if Trust is set.
	Resource *Policy
	// ResourceAccount is the account that owns the resource; "" is the principal's own.
	ResourceAccount string
	// Trust says that Resource is a role trust policy, which must itself allow the
	// principal: an identity policy alone is never enough.
	Trust bool
}

// Evaluate decides a request by AWS's policy evaluation logic: an explicit Deny anywhere
// is final; then resource-based policy, identity policies, permissions boundary and
// session policies each have their say. It allocates nothing and may run concurrently.
func Evaluate(s *Set, r *Request) Decision {
	var e evaluation
	if !e.init(s, r) {
		return implicit(IdentityBased)
	}
	if d, denied := e.explicitDeny(); denied {
		return d
	}
	return e.allow()
}

type evaluation struct {
	set *Set
	req *Request
	res target
	act loweredAction
}

// init fails on a request that cannot be evaluated.
func (e *evaluation) init(s *Set, r *Request) bool {
	e.set, e.req = s, r
	e.res.set(r.Resource)
	return e.act.set(r.Action)
}

// resourceType is what Set.Resource is called in messages.
func (e *evaluation) resourceType() PolicyType {
	if e.set.Trust {
		return RoleTrust
	}
	return ResourceBased
}

// explicitDeny looks for a Deny, and for a policy in a place that its kind does not fit:
// its statements cannot be read as meant, so nothing is allowed.
func (e *evaluation) explicitDeny() (Decision, bool) {
	s := e.set
	if p := s.Resource; p != nil {
		if !p.kind.hasPrincipal() || s.Trust != (p.kind == Trust) {
			return implicit(e.resourceType()), true
		}
		if st := e.firstDeny(p); st != nil {
			return decided(p, st, e.resourceType()), true
		}
	}
	for _, p := range s.Identity {
		if d, denied := e.denyIn(p, IdentityBased); denied {
			return d, true
		}
	}
	if s.Boundary != nil {
		if d, denied := e.denyIn(s.Boundary, BoundaryBased); denied {
			return d, true
		}
	}
	for _, p := range s.Session {
		if d, denied := e.denyIn(p, SessionBased); denied {
			return d, true
		}
	}
	return Decision{}, false
}

func (e *evaluation) denyIn(p *Policy, by PolicyType) (Decision, bool) {
	if p == nil || p.kind.hasPrincipal() {
		return implicit(by), true
	}
	if st := e.firstDeny(p); st != nil {
		return decided(p, st, by), true
	}
	return Decision{}, false
}

func (e *evaluation) firstDeny(p *Policy) *statement {
	for _, st := range p.denies {
		if e.applies(st) {
			return st
		}
	}
	return nil
}

// allow decides a request that nothing denies explicitly.
func (e *evaluation) allow() Decision {
	s, p := e.set, e.req.Principal
	how, byResource := e.resourceGrant()
	if !p.hasIdentity() {
		// Services, identity providers and anonymous callers have no policies of their own.
		return byResource.or(e.resourceType())
	}
	crosses := s.ResourceAccount != "" && (p == nil || p.Account != s.ResourceAccount)
	if !crosses && how == grantSession {
		return byResource
	}
	byIdentity := e.firstAllow(s.Identity, IdentityBased)
	if !byIdentity.Allowed && p.isRoot() {
		byIdentity = Decision{Allowed: true, By: IdentityBased, Statement: -1}
	}
	result := byIdentity
	switch {
	case crosses || s.Trust:
		// Both sides must allow; within one account a trust policy that names the
		// principal itself needs no identity policy.
		if s.Trust && !byResource.Allowed {
			return byResource.or(RoleTrust)
		}
		if !byIdentity.Allowed && (crosses || how == grantAccount) {
			return byIdentity
		}
		if !byResource.Allowed {
			return byResource.or(ResourceBased)
		}
		if s.Trust || !byIdentity.Allowed {
			result = byResource
		}
	case byIdentity.Allowed:
	case byResource.Allowed && how != grantAccount:
		result = byResource
	default:
		return byIdentity
	}
	return e.limit(result, how, crosses)
}

// limit applies the permissions boundary and the session policies to an allowed request.
// A user named by the resource's policy in the same account is not limited by the boundary.
func (e *evaluation) limit(d Decision, how grant, crosses bool) Decision {
	s := e.set
	if (s.HasBoundary || s.Boundary != nil) && (crosses || how != grantUser) {
		if s.Boundary == nil || !e.firstAllowIn(s.Boundary) {
			return implicit(BoundaryBased)
		}
	}
	if s.HasSession || len(s.Session) > 0 {
		if !e.firstAllow(s.Session, SessionBased).Allowed {
			return implicit(SessionBased)
		}
	}
	return d
}

// resourceGrant finds the strongest Allow of the resource's policy.
func (e *evaluation) resourceGrant() (grant, Decision) {
	p := e.set.Resource
	best, by := grantNone, Decision{Statement: -1}
	if p == nil {
		return best, by
	}
	for _, st := range p.allows {
		how := st.principals.match(e.req.Principal)
		if how == grantWildcard && st.pinned {
			how = grantSession // "*" with aws:PrincipalArn grants directly
		}
		if how > best && e.appliesTo(st) {
			best, by = how, decided(p, st, e.resourceType())
		}
	}
	return best, by
}

func (e *evaluation) firstAllow(policies []*Policy, by PolicyType) Decision {
	for _, p := range policies {
		for _, st := range p.allows {
			if e.appliesTo(st) {
				return decided(p, st, by)
			}
		}
	}
	return implicit(by)
}

func (e *evaluation) firstAllowIn(p *Policy) bool {
	for _, st := range p.allows {
		if e.appliesTo(st) {
			return true
		}
	}
	return false
}

func implicit(by PolicyType) Decision { return Decision{By: by, Statement: -1} }

func decided(p *Policy, st *statement, by PolicyType) Decision {
	return Decision{Allowed: !st.deny, Explicit: st.deny, By: by, Policy: p, Statement: st.index, Sid: st.sid}
}

// or is the decision if it allows, and an implicit deny of the given type otherwise.
func (d Decision) or(by PolicyType) Decision {
	if d.Allowed {
		return d
	}
	return implicit(by)
}

// applies matches a Deny statement with its principals.
func (e *evaluation) applies(st *statement) bool {
	if st.principals != nil && e.req.Principal != nil {
		if st.notPrinc {
			if st.principals.exempts(e.req.Principal) {
				return false
			}
		} else if st.principals.match(e.req.Principal) == grantNone {
			return false
		}
	}
	return e.appliesTo(st)
}

// appliesTo matches everything of a statement but its principals.
func (e *evaluation) appliesTo(st *statement) bool {
	return e.matchAction(st) && e.matchResource(st) && e.matchConditions(st)
}

func (e *evaluation) matchAction(st *statement) bool {
	for i := range st.actions {
		if st.actions[i].match(&e.act) {
			return !st.notAction
		}
	}
	return st.notAction
}

func (e *evaluation) matchResource(st *statement) bool {
	if st.resources == nil {
		return true // a trust policy is about its own role
	}
	for i := range st.resources {
		matched, known := st.resources[i].match(&e.res, e.req.Context)
		if !matched && st.deny != st.notRes && st.resources[i].wide != nil { // in doubt it is denied
			matched, known = st.resources[i].matchWide(&e.res, e.req.Context)
		}
		if matched {
			return !st.notRes
		}
		if !known && st.notRes && !st.deny {
			return false // what is excluded is not known, so nothing is allowed
		}
	}
	return st.notRes
}

func (e *evaluation) matchConditions(st *statement) bool {
	for _, c := range st.conditions {
		if !c.applies(e.req.Context, st.deny) {
			return false
		}
	}
	return true
}
