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
		roleOp(api.OpDeleteRole, func(in *api.DeleteRoleInput) *string { return in.RoleName }, deleteRole),
		roleOp(api.OpListRoleTags, func(in *api.ListRoleTagsInput) *string { return in.RoleName }, listRoleTags),
		roleOp(api.OpListInstanceProfilesForRole, func(in *api.ListInstanceProfilesForRoleInput) *string { return in.RoleName }, listInstanceProfilesForRole),
	}
}

func (s *Service) createRole(c *awsapi.Call, in *api.CreateRoleInput) (*api.CreateRoleOutput, error) {
	path := pathOr(in.Path)
	for _, reserved := range reservedPaths {
		if strings.HasPrefix(path, reserved) {
			return nil, api.InvalidInputException("The specified value for path is invalid. Paths that start with %s are reserved for roles that services create.", reserved)
		}
	}
	if err := s.checkTrust(*in.AssumeRolePolicyDocument); err != nil {
		return nil, err
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
		Description: text(in.Description), TrustPolicy: *in.AssumeRolePolicyDocument, MaxSession: defaultSession,
		Boundary: text(in.PermissionsBoundary), Tags: tags, CreatedAt: c.Now,
	}
	if in.MaxSessionDuration != nil {
		r.MaxSession = int(*in.MaxSessionDuration)
	}
	if err := taken(c.Tx.CreateRole(r), api.EntityAlreadyExistsException("Role with name %s already exists.", r.Name)); err != nil {
		return nil, err
	}
	if err := below(s.quotas.Roles, "RolesPerAccount", roles(c)); err != nil {
		return nil, err
	}
	return &api.CreateRoleOutput{Role: new(fullRole(c, r))}, nil
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
	if err := noPolicies(c, store.OwnerRole, r.Name); err != nil {
		return nil, err
	}
	return &api.DeleteRoleOutput{}, c.Tx.DeleteRole(c.Account, r.Name)
}

func listRoleTags(c *awsapi.Call, in *api.ListRoleTagsInput, r *store.Role) (*api.ListRoleTagsOutput, error) {
	tags, truncated, marker, err := pageOfTags(c, r.Tags, in.Marker, in.MaxItems)
	return &api.ListRoleTagsOutput{Tags: tags, IsTruncated: truncated, Marker: marker}, err
}

// listInstanceProfilesForRole: there are none yet, but Terraform asks before it deletes any role.
func listInstanceProfilesForRole(*awsapi.Call, *api.ListInstanceProfilesForRoleInput, *store.Role) (*api.ListInstanceProfilesForRoleOutput, error) {
	return &api.ListInstanceProfilesForRoleOutput{InstanceProfiles: []api.InstanceProfile{}, IsTruncated: new(false)}, nil
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

// roles lists all roles of the account.
func roles(c *awsapi.Call) func(int, string) ([]store.Role, string, error) {
	return func(limit int, after string) ([]store.Role, string, error) {
		return c.Tx.ListRoles(c.Account, "", limit, after)
	}
}

// below enforces a quota on all rows of a list, the new one included; 0 is no quota.
func below[T any](limit int, name string, list func(int, string) ([]T, string, error)) error {
	if limit == 0 {
		return nil
	}
	n := 0
	if err := each(list, func(*T) error { n++; return nil }); err != nil {
		return err
	}
	if n > limit {
		return quota(name, limit)
	}
	return nil
}
