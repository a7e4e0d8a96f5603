package iam

import (
	"context"
	"strings"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
)

func (s *Service) serviceAccessBindings() []awsapi.Binding {
	return []awsapi.Binding{
		awsapi.Bind(api.OpListPoliciesGrantingServiceAccess,
			sourceNeed(func(in *api.ListPoliciesGrantingServiceAccessInput) *string { return in.Arn }), s.listPoliciesGrantingServiceAccess),
	}
}

// grantingPolicy is a policy of an identity in the words of the answer.
type grantingPolicy struct {
	compiled *iampolicy.Policy
	entry    api.PolicyGrantingServiceAccess
}

// listPoliciesGrantingServiceAccess says which policies let a user, group or role use each service. Boundaries, denials
// and what is not attached to identities play no part, as in AWS.
func (s *Service) listPoliciesGrantingServiceAccess(_ context.Context, c *awsapi.Call, in *api.ListPoliciesGrantingServiceAccessInput) (*api.ListPoliciesGrantingServiceAccessOutput, error) {
	p, err := newPage(c, in.Marker, nil)
	if err != nil {
		return nil, err
	}
	found, err := s.findCarriers(c, *in.Arn)
	if err != nil {
		return nil, err
	}
	policies, err := grantingPolicies(c, found.identities)
	if err != nil {
		return nil, err
	}
	services := unique(in.ServiceNamespaces)
	at, next, err := p.count(len(services))
	if err != nil {
		return nil, err
	}
	out := &api.ListPoliciesGrantingServiceAccessOutput{PoliciesGrantingServiceAccess: []api.ListPoliciesGrantingServiceAccessEntry{}}
	for _, service := range services[at.from:at.to] {
		entry := api.ListPoliciesGrantingServiceAccessEntry{ServiceNamespace: &service, Policies: []api.PolicyGrantingServiceAccess{}}
		for _, policy := range policies {
			if policy.compiled.AllowsService(service) {
				entry.Policies = append(entry.Policies, policy.entry)
			}
		}
		out.PoliciesGrantingServiceAccess = append(out.PoliciesGrantingServiceAccess, entry)
	}
	out.IsTruncated, out.Marker = p.end(next)
	return out, nil
}

// grantingPolicies reads the policies of the identities; a managed one that several of them have stands once.
func grantingPolicies(c *awsapi.Call, identities []*identity) ([]grantingPolicy, error) {
	var out []grantingPolicy
	seen := map[string]bool{}
	for _, id := range identities {
		inline, err := collect(id.inline(c))
		if err != nil {
			return nil, err
		}
		for i := range inline {
			compiled, err := id.parseInline(&inline[i])
			if err != nil {
				return nil, err
			}
			out = append(out, grantingPolicy{compiled, api.PolicyGrantingServiceAccess{
				PolicyName: &inline[i].Name, PolicyType: new(api.PolicyTypeInline), EntityName: &id.name,
				EntityType: new(api.PolicyOwnerEntityType(strings.ToUpper(string(id.kind)))),
			}})
		}
		attached, err := collect(id.attached(c))
		if err != nil {
			return nil, err
		}
		for i := range attached {
			policy := attached[i].PolicyARN
			if seen[policy] {
				continue
			}
			seen[policy] = true
			compiled, err := managedPolicy(c, policy, iampolicy.Managed)
			if err != nil {
				return nil, err
			}
			out = append(out, grantingPolicy{compiled, api.PolicyGrantingServiceAccess{
				PolicyName: new(compiled.Name()), PolicyType: new(api.PolicyTypeManaged), PolicyArn: &policy,
			}})
		}
	}
	return out, nil
}

// unique keeps the first of equal names, in their order.
func unique(names []string) []string {
	seen := map[string]bool{}
	out := make([]string, 0, len(names))
	for _, n := range names {
		if !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}
