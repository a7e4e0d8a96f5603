package iam

import (
	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/store"
)

func (s *Service) userPolicyBindings() []awsapi.Binding {
	return []awsapi.Binding{
		userOp(api.OpPutUserPolicy, func(in *api.PutUserPolicyInput) *string { return in.UserName }, s.putUserPolicy),
		userOp(api.OpGetUserPolicy, func(in *api.GetUserPolicyInput) *string { return in.UserName }, s.getUserPolicy),
		userOp(api.OpListUserPolicies, func(in *api.ListUserPoliciesInput) *string { return in.UserName }, s.listUserPolicies),
		userOp(api.OpDeleteUserPolicy, func(in *api.DeleteUserPolicyInput) *string { return in.UserName }, s.deleteUserPolicy),
		userOp(api.OpAttachUserPolicy, func(in *api.AttachUserPolicyInput) *string { return in.UserName }, s.attachUserPolicy,
			policyARN(func(in *api.AttachUserPolicyInput) *string { return in.PolicyArn })),
		userOp(api.OpDetachUserPolicy, func(in *api.DetachUserPolicyInput) *string { return in.UserName }, s.detachUserPolicy,
			policyARN(func(in *api.DetachUserPolicyInput) *string { return in.PolicyArn })),
		userOp(api.OpListAttachedUserPolicies, func(in *api.ListAttachedUserPoliciesInput) *string { return in.UserName }, s.listAttachedUserPolicies),
	}
}

func (s *Service) putUserPolicy(c *awsapi.Call, in *api.PutUserPolicyInput, u *store.User) (*api.PutUserPolicyOutput, error) {
	return &api.PutUserPolicyOutput{}, s.userIdentity(u).putInline(c, *in.PolicyName, *in.PolicyDocument)
}

func (s *Service) getUserPolicy(c *awsapi.Call, in *api.GetUserPolicyInput, u *store.User) (*api.GetUserPolicyOutput, error) {
	p, err := s.userIdentity(u).getInline(c, *in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &api.GetUserPolicyOutput{UserName: &u.Name, PolicyName: &p.Name, PolicyDocument: encodeDocument(p.Document)}, nil
}

func (s *Service) listUserPolicies(c *awsapi.Call, in *api.ListUserPoliciesInput, u *store.User) (*api.ListUserPoliciesOutput, error) {
	names, truncated, marker, err := s.userIdentity(u).inlineNames(c, in.Marker, in.MaxItems)
	return &api.ListUserPoliciesOutput{PolicyNames: names, IsTruncated: truncated, Marker: marker}, err
}

func (s *Service) deleteUserPolicy(c *awsapi.Call, in *api.DeleteUserPolicyInput, u *store.User) (*api.DeleteUserPolicyOutput, error) {
	return &api.DeleteUserPolicyOutput{}, s.userIdentity(u).deleteInline(c, *in.PolicyName)
}

func (s *Service) attachUserPolicy(c *awsapi.Call, in *api.AttachUserPolicyInput, u *store.User) (*api.AttachUserPolicyOutput, error) {
	return &api.AttachUserPolicyOutput{}, s.userIdentity(u).attach(c, *in.PolicyArn)
}

func (s *Service) detachUserPolicy(c *awsapi.Call, in *api.DetachUserPolicyInput, u *store.User) (*api.DetachUserPolicyOutput, error) {
	return &api.DetachUserPolicyOutput{}, s.userIdentity(u).detach(c, *in.PolicyArn)
}

func (s *Service) listAttachedUserPolicies(c *awsapi.Call, in *api.ListAttachedUserPoliciesInput, u *store.User) (*api.ListAttachedUserPoliciesOutput, error) {
	policies, truncated, marker, err := s.userIdentity(u).attachedPolicies(c, in.PathPrefix, in.Marker, in.MaxItems)
	return &api.ListAttachedUserPoliciesOutput{AttachedPolicies: policies, IsTruncated: truncated, Marker: marker}, err
}
