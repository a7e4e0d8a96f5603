package iam

import (
	"context"
	"slices"

	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/store"
)

func (s *Service) detailBindings() []awsapi.Binding {
	return []awsapi.Binding{
		awsapi.Bind(api.OpGetAccountAuthorizationDetails, anyResource[api.GetAccountAuthorizationDetailsInput], s.getAccountAuthorizationDetails),
	}
}

// detailer gathers the account's identities and policies, page by page.
type detailer struct {
	service *Service
	call    *awsapi.Call
	out     *api.GetAccountAuthorizationDetailsOutput
}

// getAccountAuthorizationDetails shows, of AWS's policies, those that the account uses.
func (s *Service) getAccountAuthorizationDetails(_ context.Context, c *awsapi.Call, in *api.GetAccountAuthorizationDetailsInput) (*api.GetAccountAuthorizationDetailsOutput, error) {
	p, err := newPage(c, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	d := &detailer{service: s, call: c, out: &api.GetAccountAuthorizationDetailsOutput{
		UserDetailList: []api.UserDetail{}, GroupDetailList: []api.GroupDetail{}, RoleDetailList: []api.RoleDetail{}, Policies: []api.ManagedPolicyDetail{},
	}}
	phases := slices.DeleteFunc(d.phases(), func(ph phase) bool {
		return len(in.Filter) > 0 && !slices.Contains(in.Filter, api.EntityType(ph.name))
	})
	next, err := p.run(phases)
	if err != nil {
		return nil, err
	}
	d.out.IsTruncated, d.out.Marker = p.end(next)
	return d.out, nil
}

func (d *detailer) phases() []phase {
	tx, account := d.call.Tx, d.call.Account
	return []phase{
		{string(api.EntityTypeUser), func(p *page) (string, int, error) {
			return walk(p, func(limit int, after string) ([]store.User, string, error) {
				return tx.ListUsers(account, "", limit, after)
			}, d.user)
		}},
		{string(api.EntityTypeGroup), func(p *page) (string, int, error) {
			return walk(p, func(limit int, after string) ([]store.Group, string, error) {
				return tx.ListGroups(account, "", limit, after)
			}, d.group)
		}},
		{string(api.EntityTypeRole), func(p *page) (string, int, error) {
			return walk(p, func(limit int, after string) ([]store.Role, string, error) {
				return tx.ListRoles(account, "", limit, after)
			}, d.role)
		}},
		{string(api.EntityTypeLocalManagedPolicy), func(p *page) (string, int, error) {
			return walk(p, func(limit int, after string) ([]store.ManagedPolicy, string, error) {
				return tx.ListPolicies(account, "", limit, after)
			}, func(row *store.ManagedPolicy) (bool, error) { return d.policy(row, false) })
		}},
		{string(api.EntityTypeAWSManagedPolicy), func(p *page) (string, int, error) {
			return walk(p, func(limit int, after string) ([]store.ManagedPolicy, string, error) {
				return tx.ListAWSPolicies("", limit, after)
			}, func(row *store.ManagedPolicy) (bool, error) { return d.policy(row, true) })
		}},
	}
}

func (d *detailer) group(g *store.Group) (bool, error) {
	inline, attached, err := d.identity(d.service.groupIdentity(g))
	d.out.GroupDetailList = append(d.out.GroupDetailList, api.GroupDetail{
		Path: &g.Path, GroupName: &g.Name, GroupId: &g.ID, Arn: new(groupARN(d.call, g)), CreateDate: &g.CreatedAt,
		GroupPolicyList: inline, AttachedManagedPolicies: attached,
	})
	return true, err
}

func (d *detailer) user(u *store.User) (bool, error) {
	inline, attached, err := d.identity(d.service.userIdentity(u))
	if err != nil {
		return false, err
	}
	groups := []string{}
	err = each(userGroups(d.call, u.Name), func(g *store.Group) error { groups = append(groups, g.Name); return nil })
	d.out.UserDetailList = append(d.out.UserDetailList, api.UserDetail{
		Path: &u.Path, UserName: &u.Name, UserId: &u.ID, Arn: new(userARN(d.call, u)), CreateDate: &u.CreatedAt,
		UserPolicyList: inline, GroupList: groups, AttachedManagedPolicies: attached,
		PermissionsBoundary: attachedBoundary(u.Boundary), Tags: apiTags(u.Tags),
	})
	return true, err
}

func (d *detailer) role(r *store.Role) (bool, error) {
	inline, attached, err := d.identity(d.service.roleIdentity(r))
	if err != nil {
		return false, err
	}
	profiles := []api.InstanceProfile{}
	err = each(func(limit int, after string) ([]store.InstanceProfile, string, error) {
		return d.call.Tx.ListRoleInstanceProfiles(d.call.Account, r.Name, limit, after)
	}, func(row *store.InstanceProfile) error {
		p, err := briefInstanceProfile(d.call, row)
		if err == nil {
			profiles = append(profiles, *p)
		}
		return err
	})
	d.out.RoleDetailList = append(d.out.RoleDetailList, api.RoleDetail{
		Path: &r.Path, RoleName: &r.Name, RoleId: &r.ID, Arn: new(roleARN(d.call, r)), CreateDate: &r.CreatedAt,
		AssumeRolePolicyDocument: encodeDocument(r.TrustPolicy), InstanceProfileList: profiles,
		RolePolicyList: inline, AttachedManagedPolicies: attached,
		PermissionsBoundary: attachedBoundary(r.Boundary), Tags: apiTags(r.Tags), RoleLastUsed: &api.RoleLastUsed{},
	})
	return true, err
}

// identity is what an identity carries: its inline policies with their documents, and the names of those attached.
func (d *detailer) identity(id *identity) ([]api.PolicyDetail, []api.AttachedPolicy, error) {
	inline, attached := []api.PolicyDetail{}, []api.AttachedPolicy{}
	err := each(id.inline(d.call), func(p *store.InlinePolicy) error {
		inline = append(inline, api.PolicyDetail{PolicyName: &p.Name, PolicyDocument: encodeDocument(p.Document)})
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	err = each(id.attached(d.call), func(a *store.Attachment) error {
		attached = append(attached, api.AttachedPolicy{PolicyName: new(lastSegment(a.PolicyARN)), PolicyArn: &a.PolicyARN})
		return nil
	})
	return inline, attached, err
}

func (d *detailer) policy(row *store.ManagedPolicy, onlyUsed bool) (bool, error) {
	attached, err := d.call.Tx.CountAttachments(d.call.Account, row.ARN)
	if err != nil {
		return false, err
	}
	bounded, err := d.call.Tx.CountBounded(d.call.Account, row.ARN)
	if err != nil || onlyUsed && attached == 0 && bounded == 0 {
		return false, err
	}
	brief := fullPolicy(row, attached, bounded)
	out := api.ManagedPolicyDetail{
		PolicyName: brief.PolicyName, PolicyId: brief.PolicyId, Arn: brief.Arn, Path: brief.Path, DefaultVersionId: brief.DefaultVersionId,
		AttachmentCount: brief.AttachmentCount, PermissionsBoundaryUsageCount: brief.PermissionsBoundaryUsageCount, IsAttachable: brief.IsAttachable,
		Description: brief.Description, CreateDate: brief.CreateDate, UpdateDate: brief.UpdateDate, PolicyVersionList: []api.PolicyVersion{},
	}
	versions, err := collect(func(limit int, after string) ([]store.PolicyVersion, string, error) {
		return d.call.Tx.ListPolicyVersions(d.call.Account, row.ARN, limit, after)
	})
	if err != nil {
		return false, err
	}
	slices.Reverse(versions) // the newest first
	for i := range versions {
		v := describeVersion(&versions[i], row)
		v.Document = encodeDocument(versions[i].Document)
		out.PolicyVersionList = append(out.PolicyVersionList, v)
	}
	d.out.Policies = append(d.out.Policies, out)
	return true, nil
}
