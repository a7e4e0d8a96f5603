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

// findSource reads a user (with its groups), group or role of the caller's account with its policies, each named as AWS names it in results: a
// managed policy by its name, an inline one as KIND_OWNER_POLICY.
func (s *Service) findSource(c *awsapi.Call, source string) (*policySource, error) {
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
		out := &policySource{tags: r.Tags, principal: &iampolicy.Principal{Account: string(c.Account), ARN: source, RoleARN: source}}
		return out, out.read(c, s.roleIdentity(r), r.Boundary)
	case kind == "user":
		u, err := c.Tx.GetUser(c.Account, name)
		if err != nil {
			return nil, missing(err, noUser(name))
		}
		if userARN(c, u) != source {
			return nil, noUser(name)
		}
		out := &policySource{isUser: true, tags: u.Tags, principal: &iampolicy.Principal{Account: string(c.Account), ARN: source}}
		if err := out.read(c, s.userIdentity(u), u.Boundary); err != nil {
			return nil, err
		}
		return out, each(userGroups(c, u.Name), func(g *store.Group) error { return out.read(c, s.groupIdentity(g), "") })
	case kind == "group":
		g, err := c.Tx.GetGroup(c.Account, name)
		if err != nil {
			return nil, missing(err, noGroup(name))
		}
		if groupARN(c, g) != source {
			return nil, noGroup(name)
		}
		out := &policySource{} // a group is no principal
		return out, out.read(c, s.groupIdentity(g), "")
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
func (p *policySource) read(c *awsapi.Call, id *identity, boundary string) error {
	inline, err := collect(id.inline(c))
	if err != nil {
		return err
	}
	for i := range inline {
		policy, err := iampolicy.Parse(inline[i].Document, iampolicy.Identity)
		if err != nil {
			return fmt.Errorf("inline policy %s of %s: %w", inline[i].Name, id.name, err)
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
	if boundary == "" {
		return nil
	}
	p.boundary, err = managedPolicy(c, boundary, iampolicy.Boundary)
	return err
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
