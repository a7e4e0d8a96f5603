package iam

import (
	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/store"
)

func (s *Service) roleUpdateBindings() []awsapi.Binding {
	return []awsapi.Binding{
		roleOp(api.OpUpdateRole, func(in *api.UpdateRoleInput) *string { return in.RoleName }, updateRole),
		roleOp(api.OpUpdateRoleDescription, func(in *api.UpdateRoleDescriptionInput) *string { return in.RoleName }, updateRoleDescription),
		roleOp(api.OpUpdateAssumeRolePolicy, func(in *api.UpdateAssumeRolePolicyInput) *string { return in.RoleName }, modifiable(s.updateAssumeRolePolicy)),
		roleOp(api.OpTagRole, func(in *api.TagRoleInput) *string { return in.RoleName }, tagRole,
			requestTags(func(in *api.TagRoleInput) []api.Tag { return in.Tags })),
		roleOp(api.OpUntagRole, func(in *api.UntagRoleInput) *string { return in.RoleName }, untagRole,
			tagKeys(func(in *api.UntagRoleInput) []string { return in.TagKeys })),
		roleOp(api.OpPutRolePermissionsBoundary, func(in *api.PutRolePermissionsBoundaryInput) *string { return in.RoleName }, modifiable(putRoleBoundary),
			requestBoundary(func(in *api.PutRolePermissionsBoundaryInput) *string { return in.PermissionsBoundary })),
		roleOp(api.OpDeleteRolePermissionsBoundary, func(in *api.DeleteRolePermissionsBoundaryInput) *string { return in.RoleName }, modifiable(deleteRoleBoundary)),
	}
}

// updateRole: of a service-linked role, the description alone can change.
func updateRole(c *awsapi.Call, in *api.UpdateRoleInput, r *store.Role) (*api.UpdateRoleOutput, error) {
	if in.Description != nil {
		r.Description = *in.Description
	}
	if in.MaxSessionDuration != nil {
		if isServiceLinked(r) {
			return nil, unmodifiable(r)
		}
		r.MaxSession = int(*in.MaxSessionDuration)
	}
	return &api.UpdateRoleOutput{}, c.Tx.PutRole(r)
}

func updateRoleDescription(c *awsapi.Call, in *api.UpdateRoleDescriptionInput, r *store.Role) (*api.UpdateRoleDescriptionOutput, error) {
	r.Description = *in.Description
	return &api.UpdateRoleDescriptionOutput{Role: new(fullRole(c, r))}, c.Tx.PutRole(r)
}

func (s *Service) updateAssumeRolePolicy(c *awsapi.Call, in *api.UpdateAssumeRolePolicyInput, r *store.Role) (*api.UpdateAssumeRolePolicyOutput, error) {
	if err := s.setTrust(c, r, *in.PolicyDocument); err != nil {
		return nil, err
	}
	return &api.UpdateAssumeRolePolicyOutput{}, c.Tx.PutRole(r)
}

func tagRole(c *awsapi.Call, in *api.TagRoleInput, r *store.Role) (_ *api.TagRoleOutput, err error) {
	if r.Tags, err = withTags(r.Tags, in.Tags, "Role"); err != nil {
		return nil, err
	}
	return &api.TagRoleOutput{}, c.Tx.PutRole(r)
}

func untagRole(c *awsapi.Call, in *api.UntagRoleInput, r *store.Role) (*api.UntagRoleOutput, error) {
	r.Tags = withoutTags(r.Tags, in.TagKeys)
	return &api.UntagRoleOutput{}, c.Tx.PutRole(r)
}

func putRoleBoundary(c *awsapi.Call, in *api.PutRolePermissionsBoundaryInput, r *store.Role) (*api.PutRolePermissionsBoundaryOutput, error) {
	if err := checkBoundary(c, in.PermissionsBoundary); err != nil {
		return nil, err
	}
	r.Boundary = *in.PermissionsBoundary
	return &api.PutRolePermissionsBoundaryOutput{}, c.Tx.PutRole(r)
}

func deleteRoleBoundary(c *awsapi.Call, _ *api.DeleteRolePermissionsBoundaryInput, r *store.Role) (*api.DeleteRolePermissionsBoundaryOutput, error) {
	r.Boundary = ""
	return &api.DeleteRolePermissionsBoundaryOutput{}, c.Tx.PutRole(r)
}
