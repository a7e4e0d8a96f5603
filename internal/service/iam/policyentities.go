package iam

import (
	"strings"

	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/store"
)

// entityLister gathers who uses a policy, page by page.
type entityLister struct {
	call   *awsapi.Call
	in     *api.ListEntitiesForPolicyInput
	policy string
	out    *api.ListEntitiesForPolicyOutput
}

func listEntitiesForPolicy(c *awsapi.Call, in *api.ListEntitiesForPolicyInput, policy *store.ManagedPolicy) (*api.ListEntitiesForPolicyOutput, error) {
	p, err := newPage(c, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	l := &entityLister{call: c, in: in, policy: policy.ARN, out: &api.ListEntitiesForPolicyOutput{
		PolicyGroups: []api.PolicyGroup{}, PolicyUsers: []api.PolicyUser{}, PolicyRoles: []api.PolicyRole{},
	}}
	next, err := p.run(l.phases())
	if err != nil {
		return nil, err
	}
	l.out.IsTruncated, l.out.Marker = p.end(next)
	return l.out, nil
}

// phases are the lists that the request's filters leave over.
func (l *entityLister) phases() []phase {
	var out []phase
	usage := l.in.PolicyUsageFilter
	if usage == nil || *usage == api.PolicyUsageTypePermissionsPolicy {
		out = append(out, phase{"attached", func(p *page) (string, int, error) { return walk(p, l.attachments, l.attachment) }})
	}
	if usage == nil || *usage == api.PolicyUsageTypePermissionsBoundary {
		out = append(out,
			phase{"bound-role", func(p *page) (string, int, error) { return walk(p, l.boundRoles, l.boundRole) }},
			phase{"bound-user", func(p *page) (string, int, error) { return walk(p, l.boundUsers, l.boundUser) }})
	}
	return out
}

func (l *entityLister) attachments(limit int, after string) ([]store.Attachment, string, error) {
	return l.call.Tx.ListPolicyAttachments(l.call.Account, l.policy, limit, after)
}

func (l *entityLister) attachment(a *store.Attachment) (bool, error) {
	switch a.Owner {
	case store.OwnerRole:
		if !l.asked(api.EntityTypeRole) {
			return false, nil
		}
		r, err := l.call.Tx.GetRole(a.Account, a.OwnerName)
		if err != nil {
			return false, missing(err, nil)
		}
		return l.role(r), nil
	case store.OwnerUser:
		if !l.asked(api.EntityTypeUser) {
			return false, nil
		}
		u, err := l.call.Tx.GetUser(a.Account, a.OwnerName)
		if err != nil {
			return false, missing(err, nil)
		}
		return l.user(u), nil
	case store.OwnerGroup:
		if !l.asked(api.EntityTypeGroup) {
			return false, nil
		}
		g, err := l.call.Tx.GetGroup(a.Account, a.OwnerName)
		if err != nil {
			return false, missing(err, nil)
		}
		return l.group(g), nil
	}
	return false, nil
}

func (l *entityLister) boundRoles(limit int, after string) ([]store.Role, string, error) {
	return l.call.Tx.ListBoundedRoles(l.call.Account, l.policy, limit, after)
}

func (l *entityLister) boundUsers(limit int, after string) ([]store.User, string, error) {
	return l.call.Tx.ListBoundedUsers(l.call.Account, l.policy, limit, after)
}

func (l *entityLister) boundRole(r *store.Role) (bool, error) {
	return l.asked(api.EntityTypeRole) && l.role(r), nil
}

func (l *entityLister) boundUser(u *store.User) (bool, error) {
	return l.asked(api.EntityTypeUser) && l.user(u), nil
}

func (l *entityLister) asked(kind api.EntityType) bool {
	return l.in.EntityFilter == nil || *l.in.EntityFilter == kind
}

func (l *entityLister) group(g *store.Group) bool {
	if !strings.HasPrefix(g.Path, text(l.in.PathPrefix)) {
		return false
	}
	l.out.PolicyGroups = append(l.out.PolicyGroups, api.PolicyGroup{GroupName: &g.Name, GroupId: &g.ID})
	return true
}

func (l *entityLister) role(r *store.Role) bool {
	if !strings.HasPrefix(r.Path, text(l.in.PathPrefix)) {
		return false
	}
	l.out.PolicyRoles = append(l.out.PolicyRoles, api.PolicyRole{RoleName: &r.Name, RoleId: &r.ID})
	return true
}

func (l *entityLister) user(u *store.User) bool {
	if !strings.HasPrefix(u.Path, text(l.in.PathPrefix)) {
		return false
	}
	l.out.PolicyUsers = append(l.out.PolicyUsers, api.PolicyUser{UserName: &u.Name, UserId: &u.ID})
	return true
}
