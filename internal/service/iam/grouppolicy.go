package iam

import (
	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/store"
)

func (s *Service) groupPolicyBindings() []awsapi.Binding {
	return []awsapi.Binding{
		groupOp(api.OpPutGroupPolicy, func(in *api.PutGroupPolicyInput) *string { return in.GroupName }, s.putGroupPolicy),
		groupOp(api.OpGetGroupPolicy, func(in *api.GetGroupPolicyInput) *string { return in.GroupName }, s.getGroupPolicy),
		groupOp(api.OpListGroupPolicies, func(in *api.ListGroupPoliciesInput) *string { return in.GroupName }, s.listGroupPolicies),
		groupOp(api.OpDeleteGroupPolicy, func(in *api.DeleteGroupPolicyInput) *string { return in.GroupName }, s.deleteGroupPolicy),
		groupOp(api.OpAttachGroupPolicy, func(in *api.AttachGroupPolicyInput) *string { return in.GroupName }, s.attachGroupPolicy,
			policyARN(func(in *api.AttachGroupPolicyInput) *string { return in.PolicyArn })),
		groupOp(api.OpDetachGroupPolicy, func(in *api.DetachGroupPolicyInput) *string { return in.GroupName }, s.detachGroupPolicy,
			policyARN(func(in *api.DetachGroupPolicyInput) *string { return in.PolicyArn })),
		groupOp(api.OpListAttachedGroupPolicies, func(in *api.ListAttachedGroupPoliciesInput) *string { return in.GroupName }, s.listAttachedGroupPolicies),
	}
}

func (s *Service) putGroupPolicy(c *awsapi.Call, in *api.PutGroupPolicyInput, g *store.Group) (*api.PutGroupPolicyOutput, error) {
	return &api.PutGroupPolicyOutput{}, s.groupIdentity(g).putInline(c, *in.PolicyName, *in.PolicyDocument)
}

func (s *Service) getGroupPolicy(c *awsapi.Call, in *api.GetGroupPolicyInput, g *store.Group) (*api.GetGroupPolicyOutput, error) {
	p, err := s.groupIdentity(g).getInline(c, *in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &api.GetGroupPolicyOutput{GroupName: &g.Name, PolicyName: &p.Name, PolicyDocument: encodeDocument(p.Document)}, nil
}

func (s *Service) listGroupPolicies(c *awsapi.Call, in *api.ListGroupPoliciesInput, g *store.Group) (*api.ListGroupPoliciesOutput, error) {
	names, truncated, marker, err := s.groupIdentity(g).inlineNames(c, in.Marker, in.MaxItems)
	return &api.ListGroupPoliciesOutput{PolicyNames: names, IsTruncated: truncated, Marker: marker}, err
}

func (s *Service) deleteGroupPolicy(c *awsapi.Call, in *api.DeleteGroupPolicyInput, g *store.Group) (*api.DeleteGroupPolicyOutput, error) {
	return &api.DeleteGroupPolicyOutput{}, s.groupIdentity(g).deleteInline(c, *in.PolicyName)
}

func (s *Service) attachGroupPolicy(c *awsapi.Call, in *api.AttachGroupPolicyInput, g *store.Group) (*api.AttachGroupPolicyOutput, error) {
	return &api.AttachGroupPolicyOutput{}, s.groupIdentity(g).attach(c, *in.PolicyArn)
}

func (s *Service) detachGroupPolicy(c *awsapi.Call, in *api.DetachGroupPolicyInput, g *store.Group) (*api.DetachGroupPolicyOutput, error) {
	return &api.DetachGroupPolicyOutput{}, s.groupIdentity(g).detach(c, *in.PolicyArn)
}

func (s *Service) listAttachedGroupPolicies(c *awsapi.Call, in *api.ListAttachedGroupPoliciesInput, g *store.Group) (*api.ListAttachedGroupPoliciesOutput, error) {
	policies, truncated, marker, err := s.groupIdentity(g).attachedPolicies(c, in.PathPrefix, in.Marker, in.MaxItems)
	return &api.ListAttachedGroupPoliciesOutput{AttachedPolicies: policies, IsTruncated: truncated, Marker: marker}, err
}
