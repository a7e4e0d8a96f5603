package iam

import (
	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/store"
)

func (s *Service) rolePolicyBindings() []awsapi.Binding {
	return []awsapi.Binding{
		roleOp(api.OpPutRolePolicy, func(in *api.PutRolePolicyInput) *string { return in.RoleName }, modifiable(s.putRolePolicy)),
		roleOp(api.OpGetRolePolicy, func(in *api.GetRolePolicyInput) *string { return in.RoleName }, s.getRolePolicy),
		roleOp(api.OpListRolePolicies, func(in *api.ListRolePoliciesInput) *string { return in.RoleName }, s.listRolePolicies),
		roleOp(api.OpDeleteRolePolicy, func(in *api.DeleteRolePolicyInput) *string { return in.RoleName }, modifiable(s.deleteRolePolicy)),
		roleOp(api.OpAttachRolePolicy, func(in *api.AttachRolePolicyInput) *string { return in.RoleName }, modifiable(s.attachRolePolicy),
			policyARN(func(in *api.AttachRolePolicyInput) *string { return in.PolicyArn })),
		roleOp(api.OpDetachRolePolicy, func(in *api.DetachRolePolicyInput) *string { return in.RoleName }, modifiable(s.detachRolePolicy),
			policyARN(func(in *api.DetachRolePolicyInput) *string { return in.PolicyArn })),
		roleOp(api.OpListAttachedRolePolicies, func(in *api.ListAttachedRolePoliciesInput) *string { return in.RoleName }, s.listAttachedRolePolicies),
	}
}

func (s *Service) putRolePolicy(c *awsapi.Call, in *api.PutRolePolicyInput, r *store.Role) (*api.PutRolePolicyOutput, error) {
	return &api.PutRolePolicyOutput{}, s.roleIdentity(r).putInline(c, *in.PolicyName, *in.PolicyDocument)
}

func (s *Service) getRolePolicy(c *awsapi.Call, in *api.GetRolePolicyInput, r *store.Role) (*api.GetRolePolicyOutput, error) {
	p, err := s.roleIdentity(r).getInline(c, *in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &api.GetRolePolicyOutput{RoleName: &r.Name, PolicyName: &p.Name, PolicyDocument: encodeDocument(p.Document)}, nil
}

func (s *Service) listRolePolicies(c *awsapi.Call, in *api.ListRolePoliciesInput, r *store.Role) (*api.ListRolePoliciesOutput, error) {
	names, truncated, marker, err := s.roleIdentity(r).inlineNames(c, in.Marker, in.MaxItems)
	return &api.ListRolePoliciesOutput{PolicyNames: names, IsTruncated: truncated, Marker: marker}, err
}

func (s *Service) deleteRolePolicy(c *awsapi.Call, in *api.DeleteRolePolicyInput, r *store.Role) (*api.DeleteRolePolicyOutput, error) {
	return &api.DeleteRolePolicyOutput{}, s.roleIdentity(r).deleteInline(c, *in.PolicyName)
}

func (s *Service) attachRolePolicy(c *awsapi.Call, in *api.AttachRolePolicyInput, r *store.Role) (*api.AttachRolePolicyOutput, error) {
	return &api.AttachRolePolicyOutput{}, s.roleIdentity(r).attach(c, *in.PolicyArn)
}

func (s *Service) detachRolePolicy(c *awsapi.Call, in *api.DetachRolePolicyInput, r *store.Role) (*api.DetachRolePolicyOutput, error) {
	return &api.DetachRolePolicyOutput{}, s.roleIdentity(r).detach(c, *in.PolicyArn)
}

func (s *Service) listAttachedRolePolicies(c *awsapi.Call, in *api.ListAttachedRolePoliciesInput, r *store.Role) (*api.ListAttachedRolePoliciesOutput, error) {
	policies, truncated, marker, err := s.roleIdentity(r).attachedPolicies(c, in.PathPrefix, in.Marker, in.MaxItems)
	return &api.ListAttachedRolePoliciesOutput{AttachedPolicies: policies, IsTruncated: truncated, Marker: marker}, err
}
