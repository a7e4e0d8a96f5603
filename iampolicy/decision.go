package iampolicy

import (
	"fmt"
	"strconv"
)

// PolicyType names the kind of policy that decided, in the words of AWS's messages.
type PolicyType string

// The policy types of decisions.
const (
	IdentityBased PolicyType = "identity-based policy"
	SessionBased  PolicyType = "session policy"
	BoundaryBased PolicyType = "permissions boundary"
	ResourceBased PolicyType = "resource-based policy"
	RoleTrust     PolicyType = "role trust policy"
)

// article is the type with the article that AWS's sentences give it.
func (t PolicyType) article() string {
	switch t {
	case IdentityBased:
		return "an identity-based policy"
	case RoleTrust:
		return "the role trust policy"
	}
	return "a " + string(t)
}

// Decision is the answer to a request.
type Decision struct {
	Allowed bool
	// Explicit is set when a Deny statement decided.
	Explicit bool
	// By is the type of policy that decided: for an implicit deny, the type that allowed
	// nothing.
	By PolicyType
	// Policy and Statement (an index from 0) name the statement that decided; nil and -1
	// when none did.
	Policy    *Policy
	Statement int
	Sid       string
}

// Message is AWS's AccessDenied sentence, or "" for an allowed request. The resource is
// left out when it is empty.
func (d Decision) Message(principalARN, action, resource string) string {
	if d.Allowed {
		return ""
	}
	s := "User: " + principalARN + " is not authorized to perform: " + action
	if resource != "" {
		s += " on resource: " + resource
	}
	if d.Explicit {
		return s + " with an explicit deny in " + d.By.article()
	}
	return s + " because no " + string(d.By) + " allows the " + action + " action"
}

// Explain says which statement decided. It names policies and statements, so it is for
// the audit event and the policy's owner rather than for the caller.
func (d Decision) Explain() string {
	verb := "implicit deny: no " + string(d.By) + " allows the action"
	switch {
	case d.Allowed && d.Policy == nil:
		return "allowed: the root user of the account"
	case d.Allowed:
		verb = "allowed by " + d.By.article()
	case d.Explicit:
		verb = "explicit deny in " + d.By.article()
	}
	if d.Policy == nil || d.Statement < 0 {
		return verb
	}
	verb += ": statement " + strconv.Itoa(d.Statement+1)
	if d.Sid != "" {
		verb += fmt.Sprintf(" (Sid %q)", d.Sid)
	}
	if d.Policy.name != "" {
		verb += " of " + d.Policy.name
	}
	return verb
}
