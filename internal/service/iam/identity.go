package iam

import (
	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/store"
)

// identity is a role, user or group as a carrier of policies.
type identity struct {
	kind      store.OwnerKind
	name      string // as created
	maxInline int
	maxPolicy int    // attached managed policies
	quota     string // name of the quota on them
}

func (s *Service) roleIdentity(r *store.Role) *identity {
	return &identity{store.OwnerRole, r.Name, maxRoleInlineSize, s.quotas.AttachedPerRole, "PoliciesPerRole"}
}

func (s *Service) userIdentity(u *store.User) *identity {
	return &identity{store.OwnerUser, u.Name, maxUserInlineSize, s.quotas.AttachedPerUser, "PoliciesPerUser"}
}

func (s *Service) groupIdentity(g *store.Group) *identity {
	return &identity{store.OwnerGroup, g.Name, maxGroupInlineSize, s.quotas.AttachedPerGroup, "PoliciesPerGroup"}
}

func (id *identity) inline(c *awsapi.Call) func(int, string) ([]store.InlinePolicy, string, error) {
	return func(limit int, after string) ([]store.InlinePolicy, string, error) {
		return c.Tx.ListInlinePolicies(c.Account, id.kind, id.name, limit, after)
	}
}

func (id *identity) attached(c *awsapi.Call) func(int, string) ([]store.Attachment, string, error) {
	return func(limit int, after string) ([]store.Attachment, string, error) {
		return c.Tx.ListAttachments(c.Account, id.kind, id.name, limit, after)
	}
}

func (id *identity) putInline(c *awsapi.Call, name, document string) error {
	if _, err := iampolicy.Parse(document, iampolicy.Identity); err != nil {
		return malformed(err)
	}
	existing, err := collect(id.inline(c))
	if err != nil {
		return err
	}
	if inlineSize(existing, name, document) > id.maxInline {
		return api.LimitExceededException("Maximum policy size of %d bytes exceeded for %s %s", id.maxInline, id.kind, id.name)
	}
	return c.Tx.PutInlinePolicy(&store.InlinePolicy{Account: c.Account, Owner: id.kind, OwnerName: id.name, Name: name, Document: document})
}

func (id *identity) getInline(c *awsapi.Call, name string) (*store.InlinePolicy, error) {
	p, err := c.Tx.GetInlinePolicy(c.Account, id.kind, id.name, name)
	return p, missing(err, id.noInline(name))
}

func (id *identity) deleteInline(c *awsapi.Call, name string) error {
	return missing(c.Tx.DeleteInlinePolicy(c.Account, id.kind, id.name, name), id.noInline(name))
}

func (id *identity) noInline(name string) error {
	return api.NoSuchEntityException("The %s policy with name %s cannot be found.", id.kind, name)
}

// inlineNames is a page of the names of the inline policies.
func (id *identity) inlineNames(c *awsapi.Call, marker *string, items *int32) (names []string, truncated *bool, next *string, err error) {
	p, err := newPage(c, marker, items)
	if err != nil {
		return nil, nil, nil, err
	}
	rows, after, err := id.inline(c)(p.limit, p.after)
	if err != nil {
		return nil, nil, nil, err
	}
	names = make([]string, len(rows))
	for i := range rows {
		names[i] = rows[i].Name
	}
	truncated, next = p.end(after)
	return names, truncated, next, nil
}

// attach is no error if the policy is attached already.
func (id *identity) attach(c *awsapi.Call, policy string) error {
	if !isPolicyARN(policy) {
		return badARN(policy)
	}
	if _, err := c.Tx.GetPolicy(c.Account, policy); err != nil {
		return missing(err, notAttachable(policy))
	}
	if err := c.Tx.PutAttachment(&store.Attachment{Account: c.Account, Owner: id.kind, OwnerName: id.name, PolicyARN: policy}); err != nil {
		return err
	}
	return below(id.maxPolicy, id.quota, func() (int, error) { return c.Tx.CountOwnerAttachments(c.Account, id.kind, id.name) })
}

func (id *identity) detach(c *awsapi.Call, policy string) error {
	if !isPolicyARN(policy) {
		return badARN(policy)
	}
	return missing(c.Tx.DeleteAttachment(c.Account, id.kind, id.name, policy), noPolicy(policy))
}

// attachedPolicies is a page of the attached managed policies below a path.
func (id *identity) attachedPolicies(c *awsapi.Call, prefix, marker *string, items *int32) (out []api.AttachedPolicy, truncated *bool, next *string, err error) {
	p, err := newPage(c, marker, items)
	if err != nil {
		return nil, nil, nil, err
	}
	out = []api.AttachedPolicy{}
	after, err := fill(p, id.attached(c), func(a *store.Attachment) (bool, error) {
		name := lastSegment(a.PolicyARN)
		if !underPath(a.PolicyARN, prefix) {
			return false, nil
		}
		out = append(out, api.AttachedPolicy{PolicyName: &name, PolicyArn: &a.PolicyARN})
		return true, nil
	})
	if err != nil {
		return nil, nil, nil, err
	}
	truncated, next = p.end(after)
	return out, truncated, next, nil
}

// noPolicies fails while an identity that is to be deleted still carries policies.
func noPolicies(c *awsapi.Call, kind store.OwnerKind, name string) error {
	id := &identity{kind: kind, name: name}
	attached, _, err := id.attached(c)(1, "")
	if err != nil {
		return err
	}
	if len(attached) > 0 {
		return api.DeleteConflictException("Cannot delete entity, must detach all policies first.")
	}
	inline, _, err := id.inline(c)(1, "")
	if err != nil {
		return err
	}
	if len(inline) > 0 {
		return api.DeleteConflictException("Cannot delete entity, must delete policies first.")
	}
	return nil
}
