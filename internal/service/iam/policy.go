package iam

import (
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
)

func (s *Service) policyBindings() []awsapi.Binding {
	return []awsapi.Binding{
		createOp(api.OpCreatePolicy, "policy", "iam:TagPolicy",
			func(in *api.CreatePolicyInput) *string { return in.PolicyName },
			func(in *api.CreatePolicyInput) *string { return in.Path },
			func(in *api.CreatePolicyInput) []api.Tag { return in.Tags },
			s.createPolicy),
		policyOp(api.OpGetPolicy, func(in *api.GetPolicyInput) *string { return in.PolicyArn }, getPolicy),
		listOp(api.OpListPolicies, "policy", func(in *api.ListPoliciesInput) *string { return in.PathPrefix }, listPolicies),
		ownPolicyOp(api.OpDeletePolicy, func(in *api.DeletePolicyInput) *string { return in.PolicyArn }, deletePolicy),
		ownPolicyOp(api.OpTagPolicy, func(in *api.TagPolicyInput) *string { return in.PolicyArn }, tagPolicy,
			requestTags(func(in *api.TagPolicyInput) []api.Tag { return in.Tags })),
		ownPolicyOp(api.OpUntagPolicy, func(in *api.UntagPolicyInput) *string { return in.PolicyArn }, untagPolicy,
			tagKeys(func(in *api.UntagPolicyInput) []string { return in.TagKeys })),
		policyOp(api.OpListPolicyTags, func(in *api.ListPolicyTagsInput) *string { return in.PolicyArn }, listPolicyTags),
		policyOp(api.OpListEntitiesForPolicy, func(in *api.ListEntitiesForPolicyInput) *string { return in.PolicyArn }, listEntitiesForPolicy),
	}
}

func (s *Service) createPolicy(c *awsapi.Call, in *api.CreatePolicyInput) (*api.CreatePolicyOutput, error) {
	if err := checkManaged(*in.PolicyDocument); err != nil {
		return nil, err
	}
	tags, err := withTags(nil, in.Tags, "Policy")
	if err != nil {
		return nil, err
	}
	path := pathOr(in.Path)
	p := &store.ManagedPolicy{
		Account: c.Account, ARN: arn.Policy(c.HomePartition, c.Account, path, *in.PolicyName).String(), Name: *in.PolicyName, Path: path,
		ID: sessiontoken.NewID(sessiontoken.PolicyIDPrefix), Description: text(in.Description),
		DefaultVersion: "v1", NextVersion: 2, Tags: tags, CreatedAt: c.Now, UpdatedAt: c.Now,
	}
	exists := api.EntityAlreadyExistsException("A policy called %s already exists. Duplicate names are not allowed.", p.Name)
	if err := taken(c.Tx.CreatePolicy(p), exists); err != nil {
		return nil, err
	}
	if err := below(s.quotas.Policies, "PoliciesPerAccount", func() (int, error) { return c.Tx.CountPolicies(c.Account) }); err != nil {
		return nil, err
	}
	v := &store.PolicyVersion{Account: c.Account, ARN: p.ARN, Version: p.DefaultVersion, Document: *in.PolicyDocument, CreatedAt: c.Now}
	if err := c.Tx.CreatePolicyVersion(v); err != nil {
		return nil, err
	}
	return &api.CreatePolicyOutput{Policy: new(fullPolicy(p, 0, 0))}, nil
}

func getPolicy(c *awsapi.Call, _ *api.GetPolicyInput, p *store.ManagedPolicy) (*api.GetPolicyOutput, error) {
	attached, err := c.Tx.CountAttachments(c.Account, p.ARN)
	if err != nil {
		return nil, err
	}
	bounded, err := c.Tx.CountBounded(c.Account, p.ARN)
	if err != nil {
		return nil, err
	}
	return &api.GetPolicyOutput{Policy: new(fullPolicy(p, attached, bounded))}, nil
}

// listPolicies lists the account's own policies, then those of AWS.
func listPolicies(c *awsapi.Call, in *api.ListPoliciesInput) (*api.ListPoliciesOutput, error) {
	p, err := newPage(c, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &api.ListPoliciesOutput{Policies: []api.Policy{}}
	keep := func(row *store.ManagedPolicy) (bool, error) {
		attached, err := c.Tx.CountAttachments(c.Account, row.ARN)
		if err != nil {
			return false, err
		}
		bounded, err := c.Tx.CountBounded(c.Account, row.ARN)
		if err != nil || !wanted(in, attached, bounded) {
			return false, err
		}
		out.Policies = append(out.Policies, briefPolicy(row, attached, bounded))
		return true, nil
	}
	local := phase{"local", func(p *page) (string, int, error) {
		return walk(p, func(limit int, after string) ([]store.ManagedPolicy, string, error) {
			return c.Tx.ListPolicies(c.Account, text(in.PathPrefix), limit, after)
		}, keep)
	}}
	aws := phase{"aws", func(p *page) (string, int, error) {
		return walk(p, func(limit int, after string) ([]store.ManagedPolicy, string, error) {
			return c.Tx.ListAWSPolicies(text(in.PathPrefix), limit, after)
		}, keep)
	}}
	phases := []phase{local, aws}
	if in.Scope != nil && *in.Scope == api.PolicyScopeTypeLocal {
		phases = phases[:1]
	}
	if in.Scope != nil && *in.Scope == api.PolicyScopeTypeAws {
		phases = phases[1:]
	}
	next, err := p.run(phases)
	if err != nil {
		return nil, err
	}
	out.IsTruncated, out.Marker = p.end(next)
	return out, nil
}

// wanted applies OnlyAttached and PolicyUsageFilter. A policy that nothing uses counts as a permissions policy.
func wanted(in *api.ListPoliciesInput, attached, bounded int) bool {
	onlyAttached := in.OnlyAttached != nil && *in.OnlyAttached
	switch {
	case in.PolicyUsageFilter == nil:
		return !onlyAttached || attached > 0 || bounded > 0
	case *in.PolicyUsageFilter == api.PolicyUsageTypePermissionsBoundary:
		return bounded > 0
	}
	return attached > 0 || !onlyAttached && bounded == 0
}

func deletePolicy(c *awsapi.Call, _ *api.DeletePolicyInput, p *store.ManagedPolicy) (*api.DeletePolicyOutput, error) {
	attached, err := c.Tx.CountAttachments(c.Account, p.ARN)
	if err != nil {
		return nil, err
	}
	if attached > 0 {
		return nil, api.DeleteConflictException("Cannot delete a policy attached to entities.")
	}
	// An identity whose boundary is gone may do nothing at all any more.
	bounded, err := c.Tx.CountBounded(c.Account, p.ARN)
	if err != nil {
		return nil, err
	}
	if bounded > 0 {
		return nil, api.DeleteConflictException("Cannot delete a policy attached to entities.: it is a permissions boundary")
	}
	versions, err := c.Tx.CountPolicyVersions(c.Account, p.ARN)
	if err != nil {
		return nil, err
	}
	if versions > 1 {
		return nil, api.DeleteConflictException("This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
	}
	return &api.DeletePolicyOutput{}, c.Tx.DeletePolicy(c.Account, p.ARN)
}

func tagPolicy(c *awsapi.Call, in *api.TagPolicyInput, p *store.ManagedPolicy) (_ *api.TagPolicyOutput, err error) {
	if p.Tags, err = withTags(p.Tags, in.Tags, "Policy"); err != nil {
		return nil, err
	}
	return &api.TagPolicyOutput{}, c.Tx.PutPolicy(p)
}

func untagPolicy(c *awsapi.Call, in *api.UntagPolicyInput, p *store.ManagedPolicy) (*api.UntagPolicyOutput, error) {
	p.Tags = withoutTags(p.Tags, in.TagKeys)
	return &api.UntagPolicyOutput{}, c.Tx.PutPolicy(p)
}

func listPolicyTags(c *awsapi.Call, in *api.ListPolicyTagsInput, p *store.ManagedPolicy) (*api.ListPolicyTagsOutput, error) {
	tags, truncated, marker, err := pageOfTags(c, p.Tags, in.Marker, in.MaxItems)
	return &api.ListPolicyTagsOutput{Tags: tags, IsTruncated: truncated, Marker: marker}, err
}

// briefPolicy is a policy as lists show it: without description and tags.
func briefPolicy(p *store.ManagedPolicy, attached, bounded int) api.Policy {
	return api.Policy{
		PolicyName: &p.Name, PolicyId: &p.ID, Arn: &p.ARN, Path: &p.Path, DefaultVersionId: &p.DefaultVersion,
		AttachmentCount: new(int32(attached)), PermissionsBoundaryUsageCount: new(int32(bounded)), IsAttachable: new(true),
		CreateDate: &p.CreatedAt, UpdateDate: &p.UpdatedAt,
	}
}

// fullPolicy is a policy as GetPolicy shows it.
func fullPolicy(p *store.ManagedPolicy, attached, bounded int) api.Policy {
	out := briefPolicy(p, attached, bounded)
	if p.Description != "" {
		out.Description = &p.Description
	}
	if len(p.Tags) > 0 {
		out.Tags = apiTags(p.Tags)
	}
	return out
}

// underPath reports whether a policy's ARN lies below a path; no path is above all.
func underPath(policy string, prefix *string) bool {
	_, path, ok := strings.Cut(policy, ":policy/")
	return prefix == nil || ok && strings.HasPrefix("/"+path, *prefix)
}
