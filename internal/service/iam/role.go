package iam

import (
	"strings"

	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
)

// defaultSession is MaxSessionDuration, in seconds, of a role that does not say. The model bounds it to 3600..43200.
const defaultSession = 3600

// reservedPaths belong to roles that services make for themselves.
var reservedPaths = [...]string{"/aws-service-role/", "/aws-reserved/"}

func (s *Service) roleBindings() []awsapi.Binding {
	return []awsapi.Binding{
		createOp(api.OpCreateRole, "role", "iam:TagRole",
			func(in *api.CreateRoleInput) *string { return in.RoleName },
			func(in *api.CreateRoleInput) *string { return in.Path },
			func(in *api.CreateRoleInput) []api.Tag { return in.Tags },
			s.createRole, requestBoundary(func(in *api.CreateRoleInput) *string { return in.PermissionsBoundary })),
		roleOp(api.OpGetRole, func(in *api.GetRoleInput) *string { return in.RoleName }, getRole),
		listOp(api.OpListRoles, "role", func(in *api.ListRolesInput) *string { return in.PathPrefix }, listRoles),
		roleOp(api.OpDeleteRole, func(in *api.DeleteRoleInput) *string { return in.RoleName }, modifiable(deleteRole)),
		roleOp(api.OpListRoleTags, func(in *api.ListRoleTagsInput) *string { return in.RoleName }, listRoleTags),
	}
}

func (s *Service) createRole(c *awsapi.Call, in *api.CreateRoleInput) (*api.CreateRoleOutput, error) {
	path := pathOr(in.Path)
	for _, reserved := range reservedPaths {
		if strings.HasPrefix(path, reserved) {
			return nil, api.InvalidInputException("The specified value for path is invalid. Paths that start with %s are reserved for roles that services create.", reserved)
		}
	}
	tags, err := withTags(nil, in.Tags, "Role")
	if err != nil {
		return nil, err
	}
	if err := checkBoundary(c, in.PermissionsBoundary); err != nil {
		return nil, err
	}
	r := &store.Role{
		Account: c.Account, Name: *in.RoleName, Path: path, ID: sessiontoken.NewID(sessiontoken.RoleIDPrefix),
		Description: text(in.Description), MaxSession: defaultSession,
		Boundary: text(in.PermissionsBoundary), Tags: tags, CreatedAt: c.Now,
	}
	if err := s.setTrust(c, r, *in.AssumeRolePolicyDocument); err != nil {
		return nil, err
	}
	if in.MaxSessionDuration != nil {
		r.MaxSession = int(*in.MaxSessionDuration)
	}
	if err := taken(c.Tx.CreateRole(r), api.EntityAlreadyExistsException("Role with name %s already exists.", r.Name)); err != nil {
		return nil, err
	}
	return &api.CreateRoleOutput{Role: new(fullRole(c, r))}, s.countRoles(c)
}

// countRoles enforces the quota on roles once there is a new one.
func (s *Service) countRoles(c *awsapi.Call) error {
	return below(s.quotas.Roles, "RolesPerAccount", func() (int, error) { return c.Tx.CountRoles(c.Account) })
}

func getRole(c *awsapi.Call, _ *api.GetRoleInput, r *store.Role) (*api.GetRoleOutput, error) {
	out := fullRole(c, r)
	out.RoleLastUsed = &api.RoleLastUsed{} // not tracked
	return &api.GetRoleOutput{Role: &out}, nil
}

func listRoles(c *awsapi.Call, in *api.ListRolesInput) (*api.ListRolesOutput, error) {
	p, err := newPage(c, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	rows, next, err := c.Tx.ListRoles(c.Account, text(in.PathPrefix), p.limit, p.after)
	if err != nil {
		return nil, err
	}
	out := &api.ListRolesOutput{Roles: make([]api.Role, len(rows))}
	for i := range rows {
		out.Roles[i] = briefRole(c, &rows[i])
	}
	out.IsTruncated, out.Marker = p.end(next)
	return out, nil
}

func deleteRole(c *awsapi.Call, _ *api.DeleteRoleInput, r *store.Role) (*api.DeleteRoleOutput, error) {
	profiles, _, err := c.Tx.ListRoleInstanceProfiles(c.Account, r.Name, 1, "")
	if err != nil {
		return nil, err
	}
	if len(profiles) > 0 {
		return nil, inInstanceProfile()
	}
	if err := noPolicies(c, store.OwnerRole, r.Name); err != nil {
		return nil, err
	}
	return &api.DeleteRoleOutput{}, c.Tx.DeleteRole(c.Account, r.Name)
}

func listRoleTags(c *awsapi.Call, in *api.ListRoleTagsInput, r *store.Role) (*api.ListRoleTagsOutput, error) {
	tags, truncated, marker, err := pageOfTags(c, r.Tags, in.Marker, in.MaxItems)
	return &api.ListRoleTagsOutput{Tags: tags, IsTruncated: truncated, Marker: marker}, err
}

// briefRole is a role as lists show it.
func briefRole(c *awsapi.Call, r *store.Role) api.Role {
	out := api.Role{
		Path: &r.Path, RoleName: &r.Name, RoleId: &r.ID, Arn: new(roleARN(c, r)), CreateDate: &r.CreatedAt,
		AssumeRolePolicyDocument: encodeDocument(r.TrustPolicy), MaxSessionDuration: new(int32(r.MaxSession)),
	}
	if r.Description != "" {
		out.Description = &r.Description
	}
	return out
}

// fullRole is a role as GetRole shows it: with its tags and its boundary.
func fullRole(c *awsapi.Call, r *store.Role) api.Role {
	out := briefRole(c, r)
	out.PermissionsBoundary = attachedBoundary(r.Boundary)
	if len(r.Tags) > 0 {
		out.Tags = apiTags(r.Tags)
	}
	return out
}

// below enforces a quota on what there is, the new one included; 0 is no quota.
func below(limit int, name string, count func() (int, error)) error {
	if limit == 0 {
		return nil
	}
	n, err := count()
	if err != nil {
		return err
	}
	if n > limit {
		return quota(name, limit)
	}
	return nil
}
