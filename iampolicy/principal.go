package iampolicy

import (
	"strconv"
	"strings"
)

// Principal is who makes a request. Exactly one of Service, Federated, Anonymous and ARN
// says what it is.
type Principal struct {
	// Service is a service principal, such as rolesanywhere.amazonaws.com.
	Service string
	// Account is the 12-digit account of a user, root user or session.
	Account string
	// ARN is the ARN of the session (assumed-role or federated-user), user or root user.
	ARN string
	// RoleARN is the ARN of an assumed-role session's role, with its path.
	RoleARN string
	// Federated is the identity provider that vouches for the caller of
	// AssumeRoleWithWebIdentity: its ARN, or its name for the built-in ones.
	Federated string
	// Anonymous is an unsigned request.
	Anonymous bool
}

// isRoot reports whether the principal is an account's root user.
func (p *Principal) isRoot() bool {
	return p != nil && strings.HasSuffix(p.ARN, ":root") && rootAccount(p.ARN) != ""
}

// hasIdentity reports whether identity-based policies can apply to the principal at all.
func (p *Principal) hasIdentity() bool {
	return p == nil || (p.Service == "" && p.Federated == "" && !p.Anonymous)
}

// grant says how a resource-based policy names a principal, which decides what else must
// allow (evaluation logic, "resource-based policies").
type grant uint8

const (
	grantNone     grant = iota
	grantAccount        // account id or root ARN: delegates to the account's policies
	grantWildcard       // "*"
	grantRole           // role ARN: stands in for identity policies
	grantUser           // user ARN: stands in for identity policies and boundary
	grantSession        // session ARN: grants directly
	grantOutside        // service or identity provider: has no other policies
)

// principalSet is a compiled Principal or NotPrincipal element.
type principalSet struct {
	any       bool
	accounts  []string
	roles     []string
	users     []string
	sessions  []string // assumed-role and federated-user ARNs
	services  []string
	providers []string
}

// match is how the element names p; the strongest grant wins.
func (s *principalSet) match(p *Principal) grant {
	switch {
	case p == nil:
		return grantNone
	case p.Anonymous:
	case p.Service != "":
		if contains(s.services, p.Service) {
			return grantOutside
		}
	case p.Federated != "":
		if contains(s.providers, p.Federated) {
			return grantOutside
		}
	case p.ARN != "" && contains(s.sessions, p.ARN):
		return grantSession
	case p.ARN != "" && contains(s.users, p.ARN):
		return grantUser
	case p.RoleARN != "" && contains(s.roles, p.RoleARN):
		return grantRole
	}
	switch {
	case s.any:
		return grantWildcard
	case p.hasIdentity() && p.Account != "" && contains(s.accounts, p.Account):
		return grantAccount
	}
	return grantNone
}

// exempts reports whether a NotPrincipal element names p itself. Naming its account or its
// role is not enough: AWS asks for the session or user ARN too, and exempting fewer
// principals from a Deny is the safe side.
func (s *principalSet) exempts(p *Principal) bool {
	if p == nil {
		return false
	}
	switch g := s.match(p); g {
	case grantSession, grantUser, grantOutside, grantWildcard:
		return true
	case grantAccount:
		return p.isRoot()
	}
	return false
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

// principalError names the member at fault in the form of AWS's message.
type principalError struct{ kind, value string }

func (e *principalError) message() string {
	if e.value == "" {
		return "Invalid principal in policy: " + strconv.Quote(clip(e.kind))
	}
	return "Invalid principal in policy: " + strconv.Quote(e.kind) + ":" + strconv.Quote(clip(e.value))
}

// compilePrincipal checks and sorts a Principal element.
func compilePrincipal(n *principalNode) (*principalSet, *principalError) {
	s := &principalSet{}
	if n.any {
		if n.text != "*" {
			return nil, &principalError{kind: n.text}
		}
		s.any = true
		return s, nil
	}
	for _, g := range n.groups {
		for _, v := range g.values {
			var ok bool
			switch g.kind {
			case "AWS":
				ok = s.addAWS(v)
			case "Service":
				ok = validService(v)
				s.services = append(s.services, v)
			case "Federated":
				ok = validProvider(v)
				s.providers = append(s.providers, v)
			}
			if !ok {
				return nil, &principalError{g.kind, v}
			}
		}
		switch g.kind {
		case "AWS", "Service", "Federated":
		default: // CanonicalUser included: no such ids exist here
			return nil, &principalError{kind: g.kind}
		}
	}
	return s, nil
}

func (s *principalSet) addAWS(v string) bool {
	switch {
	case v == "*":
		s.any = true
		return true
	case isAccount(v):
		s.accounts = append(s.accounts, v)
		return true
	case isUniqueID(v):
		return true // what AWS shows for a deleted role or user; it names nobody any more
	}
	if account := rootAccount(v); account != "" {
		s.accounts = append(s.accounts, account)
		return true
	}
	f, ok := splitARN(v)
	if !ok || f[0] != "arn" || !validPartition(f[1]) || f[3] != "" || !isAccount(f[4]) || strings.ContainsAny(f[5], "*?") {
		return false
	}
	kind, name, _ := strings.Cut(f[5], "/")
	switch {
	case name == "" || strings.HasSuffix(name, "/"):
		return false
	case f[2] == "iam" && kind == "role":
		s.roles = append(s.roles, v)
	case f[2] == "iam" && kind == "user":
		s.users = append(s.users, v)
	case f[2] == "sts" && kind == "assumed-role" && strings.Count(name, "/") == 1 && name[0] != '/':
		s.sessions = append(s.sessions, v)
	case f[2] == "sts" && kind == "federated-user":
		s.sessions = append(s.sessions, v)
	default:
		return false
	}
	return true
}

func isAccount(s string) bool { return len(s) == 12 && allDigits(s) }

// rootAccount is the account of arn:PARTITION:iam::ACCOUNT:root, or "".
func rootAccount(s string) string {
	f, ok := splitARN(s)
	if !ok || f[0] != "arn" || !validPartition(f[1]) || f[2] != "iam" || f[3] != "" || f[5] != "root" || !isAccount(f[4]) {
		return ""
	}
	return f[4]
}

// isUniqueID recognises the ids of roles (AROA…) and users (AIDA…).
func isUniqueID(s string) bool {
	if len(s) < 16 || len(s) > 128 || (s[:4] != "AROA" && s[:4] != "AIDA") {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// validService recognises service principals: a host name under a service domain.
func validService(s string) bool {
	name := ""
	for _, suffix := range [...]string{".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".aws.internal"} {
		if rest, ok := strings.CutSuffix(s, suffix); ok {
			name = rest
		}
	}
	if name == "" {
		return false
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

// validProvider recognises identity providers: IAM provider ARNs and the built-in names.
func validProvider(s string) bool {
	switch s {
	case "accounts.google.com", "www.amazon.com", "graph.facebook.com", "cognito-identity.amazonaws.com":
		return true
	}
	f, ok := splitARN(s)
	if !ok || f[0] != "arn" || !validPartition(f[1]) || f[2] != "iam" || f[3] != "" || !isAccount(f[4]) || strings.ContainsAny(f[5], "*?") {
		return false
	}
	kind, name, _ := strings.Cut(f[5], "/")
	return name != "" && (kind == "oidc-provider" || kind == "saml-provider")
}

func validPartition(s string) bool {
	switch s {
	case "aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc":
		return true
	}
	return false
}

// PrincipalARNs are the user and role ARNs in the policy's Principal and NotPrincipal elements, each once. IAM ties them
// to the unique ids of the moment; whoever keeps the policy can do the same.
func (p *Policy) PrincipalARNs() []string {
	var out []string
	for i := range p.statements {
		set := p.statements[i].principals
		if set == nil {
			continue
		}
		for _, list := range [][]string{set.roles, set.users} {
			for _, arn := range list {
				if !contains(out, arn) {
					out = append(out, arn)
				}
			}
		}
	}
	return out
}
