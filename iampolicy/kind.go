package iampolicy

// Kind says where a policy document is used, which decides the grammar it must follow.
type Kind int

// The kinds of policy document.
const (
	// Identity is an inline policy of a role, user or group.
	Identity Kind = iota
	// Managed is a managed policy; its Version must be 2012-10-17.
	Managed
	// Trust is a role's trust policy (AssumeRolePolicyDocument).
	Trust
	// Session is an inline session policy.
	Session
	// Boundary is a managed policy used as a permissions boundary.
	Boundary
	// Resource is a resource-based policy, such as a bucket policy.
	Resource
)

// String names the kind as it is named in explanations.
func (k Kind) String() string {
	switch k {
	case Identity:
		return "identity-based policy"
	case Managed:
		return "managed policy"
	case Trust:
		return "role trust policy"
	case Session:
		return "session policy"
	case Boundary:
		return "permissions boundary"
	case Resource:
		return "resource-based policy"
	}
	return "unknown policy"
}

// hasPrincipal reports whether statements of this kind name their principals.
func (k Kind) hasPrincipal() bool { return k == Trust || k == Resource }

// Effect is what a statement does when it applies.
type Effect string

// The two effects; the language spells them in exactly this case.
const (
	Allow Effect = "Allow"
	Deny  Effect = "Deny"
)

// Version is the language version of a document.
type Version string

// The two language versions. A document without one is read as Version2008, in which
// ${…} is literal text.
const (
	Version2008 Version = "2008-10-17"
	Version2012 Version = "2012-10-17"
)
