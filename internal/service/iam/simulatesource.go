package iam

import (
	"fmt"
	"strings"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/store"
)

// policySource is an identity whose policies are simulated; the zero value has none.
type policySource struct {
	principal *iampolicy.Principal
	isUser    bool
	tags      []store.Tag
	policies  []*iampolicy.Policy
	boundary  *iampolicy.Policy
}

// carriers are those whose policies count for a user, group or role: itself and, of a user, its groups.
type carriers struct {
	principal  *iampolicy.Principal // nil for a group, which is no principal
	isUser     bool
	tags       []store.Tag
	boundary   string // ARN
	identities []*identity
}

// findSource reads a user (with its groups), group or role of the caller's account with its policies, each named as AWS names it in results: a
// managed policy by its name, an inline one as KIND_OWNER_POLICY.
func (s *Service) findSource(c *awsapi.Call, source string) (*policySource, error) {
	found, err := s.findCarriers(c, source)
	if err != nil {
		return nil, err
	}
	out := &policySource{principal: found.principal, isUser: found.isUser, tags: found.tags}
	for _, id := range found.identities {
		if err := out.read(c, id); err != nil {
			return nil, err
		}
	}
	if found.boundary != "" {
		out.boundary, err = managedPolicy(c, found.boundary, iampolicy.Boundary)
	}
	return out, err
}

// findCarriers looks the user, group or role with exactly this ARN up.
func (s *Service) findCarriers(c *awsapi.Call, source string) (*carriers, error) {
	a, err := arn.Parse(source)
	if err != nil || a.Service != "iam" || a.Region != "" || a.Account == "" {
		return nil, badARN(source)
	}
	kind, path, _ := strings.Cut(a.Resource, "/")
	name := lastSegment(path)
	switch {
	case name == "":
		return nil, badARN(source)
	case kind == "role":
		r, err := c.Tx.GetRole(c.Account, name)
		if err != nil {
			return nil, missing(err, noRole(name))
		}
		if roleARN(c, r) != source {
			return nil, noRole(name)
		}
		return &carriers{
			tags: r.Tags, boundary: r.Boundary, identities: []*identity{s.roleIdentity(r)},
			principal: &iampolicy.Principal{Account: string(c.Account), ARN: source, RoleARN: source},
		}, nil
	case kind == "user":
		u, err := c.Tx.GetUser(c.Account, name)
		if err != nil {
			return nil, missing(err, noUser(name))
		}
		if userARN(c, u) != source {
			return nil, noUser(name)
		}
		out := &carriers{
			isUser: true, tags: u.Tags, boundary: u.Boundary, identities: []*identity{s.userIdentity(u)},
			principal: &iampolicy.Principal{Account: string(c.Account), ARN: source},
		}
		return out, each(userGroups(c, u.Name), func(g *store.Group) error {
			out.identities = append(out.identities, s.groupIdentity(g))
			return nil
		})
	case kind == "group":
		g, err := c.Tx.GetGroup(c.Account, name)
		if err != nil {
			return nil, missing(err, noGroup(name))
		}
		if groupARN(c, g) != source {
			return nil, noGroup(name)
		}
		return &carriers{identities: []*identity{s.groupIdentity(g)}}, nil
	}
	return nil, badARN(source)
}

// userGroups lists the groups that a user is in.
func userGroups(c *awsapi.Call, user string) func(int, string) ([]store.Group, string, error) {
	return func(limit int, after string) ([]store.Group, string, error) {
		return c.Tx.ListUserGroups(c.Account, user, limit, after)
	}
}

// read adds the policies of an identity.
func (p *policySource) read(c *awsapi.Call, id *identity) error {
	inline, err := collect(id.inline(c))
	if err != nil {
		return err
	}
	for i := range inline {
		policy, err := id.parseInline(&inline[i])
		if err != nil {
			return err
		}
		p.policies = append(p.policies, policy.Named(fmt.Sprintf("%s_%s_%s", id.kind, id.name, inline[i].Name)))
	}
	attached, err := collect(id.attached(c))
	if err != nil {
		return err
	}
	for i := range attached {
		policy, err := managedPolicy(c, attached[i].PolicyARN, iampolicy.Managed)
		if err != nil {
			return err
		}
		p.policies = append(p.policies, policy)
	}
	return nil
}

func (id *identity) parseInline(p *store.InlinePolicy) (*iampolicy.Policy, error) {
	policy, err := iampolicy.Parse(p.Document, iampolicy.Identity)
	if err != nil {
		return nil, fmt.Errorf("inline policy %s of %s: %w", p.Name, id.name, err)
	}
	return policy, nil
}

// managedPolicy reads the default version of a managed policy that is in use: one that is missing is an error.
func managedPolicy(c *awsapi.Call, policyARN string, kind iampolicy.Kind) (*iampolicy.Policy, error) {
	row, err := c.Tx.GetPolicy(c.Account, policyARN)
	if err != nil {
		return nil, fmt.Errorf("managed policy %s: %w", policyARN, err)
	}
	v, err := c.Tx.GetPolicyVersion(c.Account, policyARN, row.DefaultVersion)
	if err != nil {
		return nil, fmt.Errorf("managed policy %s %s: %w", policyARN, row.DefaultVersion, err)
	}
	policy, err := iampolicy.Parse(v.Document, kind)
	if err != nil {
		return nil, fmt.Errorf("managed policy %s %s: %w", policyARN, row.DefaultVersion, err)
	}
	return policy.Named(row.Name), nil
}
