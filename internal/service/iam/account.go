package iam

import (
	"context"

	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/store"
)

func (s *Service) accountBindings() []awsapi.Binding {
	return []awsapi.Binding{
		awsapi.Bind(api.OpListAccountAliases, anyResource[api.ListAccountAliasesInput], listAccountAliases),
		awsapi.Bind(api.OpGetAccountSummary, anyResource[api.GetAccountSummaryInput], s.getAccountSummary),
		listOp(api.OpListInstanceProfiles, "instance-profile", func(in *api.ListInstanceProfilesInput) *string { return in.PathPrefix }, listInstanceProfiles),
	}
}

// anyResource is the need of operations that concern no resource in particular.
func anyResource[In any](context.Context, *awsapi.Call, *In) ([]awsapi.Need, error) {
	return []awsapi.Need{{Resource: "*"}}, nil
}

// listAccountAliases: there are none yet, but a provider that starts asks.
func listAccountAliases(context.Context, *awsapi.Call, *api.ListAccountAliasesInput) (*api.ListAccountAliasesOutput, error) {
	return &api.ListAccountAliasesOutput{AccountAliases: []string{}, IsTruncated: new(false)}, nil
}

func listInstanceProfiles(*awsapi.Call, *api.ListInstanceProfilesInput) (*api.ListInstanceProfilesOutput, error) {
	return &api.ListInstanceProfilesOutput{InstanceProfiles: []api.InstanceProfile{}, IsTruncated: new(false)}, nil
}

// getAccountSummary counts what is there. Quotas that are off are left out.
func (s *Service) getAccountSummary(_ context.Context, c *awsapi.Call, _ *api.GetAccountSummaryInput) (*api.GetAccountSummaryOutput, error) {
	m := map[string]int32{
		string(api.SummaryKeyTypeGroups): 0, string(api.SummaryKeyTypeInstanceProfiles): 0, string(api.SummaryKeyTypeProviders): 0,
		string(api.SummaryKeyTypeServerCertificates): 0, string(api.SummaryKeyTypeMFADevices): 0, string(api.SummaryKeyTypeMFADevicesInUse): 0,
		string(api.SummaryKeyTypeAccountMFAEnabled): 0, string(api.SummaryKeyTypeAccountPasswordPresent): 0,
		string(api.SummaryKeyTypeAccountSigningCertificatesPresent): 0,
		string(api.SummaryKeyTypeUserPolicySizeQuota):               maxUserInlineSize,
		string(api.SummaryKeyTypeRolePolicySizeQuota):               maxRoleInlineSize,
		string(api.SummaryKeyTypePolicySizeQuota):                   maxManagedPolicySize,
		string(api.SummaryKeyTypeAssumeRolePolicySizeQuota):         int32(s.quotas.TrustPolicySize),
		string(api.SummaryKeyTypeAttachedPoliciesPerRoleQuota):      int32(s.quotas.AttachedPerRole),
		string(api.SummaryKeyTypeAttachedPoliciesPerUserQuota):      int32(s.quotas.AttachedPerUser),
		string(api.SummaryKeyTypeVersionsPerPolicyQuota):            maxVersions,
		string(api.SummaryKeyTypeAccessKeysPerUserQuota):            maxAccessKeys,
	}
	for key, limit := range map[api.SummaryKeyType]int{
		api.SummaryKeyTypeRolesQuota: s.quotas.Roles, api.SummaryKeyTypeUsersQuota: s.quotas.Users, api.SummaryKeyTypePoliciesQuota: s.quotas.Policies,
	} {
		if limit > 0 {
			m[string(key)] = int32(limit)
		}
	}
	if err := countAll(c, m); err != nil {
		return nil, err
	}
	return &api.GetAccountSummaryOutput{SummaryMap: m}, nil
}

func countAll(c *awsapi.Call, m map[string]int32) error {
	var nRoles, nUsers, nPolicies, nVersions, nKeys int32
	err := each(roles(c), func(*store.Role) error { nRoles++; return nil })
	if err == nil {
		err = each(users(c), func(*store.User) error { nUsers++; return nil })
	}
	if err == nil {
		err = each(policies(c), func(p *store.ManagedPolicy) error {
			nPolicies++
			n, err := c.Tx.CountPolicyVersions(c.Account, p.ARN)
			nVersions += int32(n)
			return err
		})
	}
	if err == nil {
		err = each(accessKeys(c, ""), func(*store.AccessKey) error { nKeys++; return nil })
	}
	m[string(api.SummaryKeyTypeRoles)], m[string(api.SummaryKeyTypeUsers)], m[string(api.SummaryKeyTypePolicies)] = nRoles, nUsers, nPolicies
	m[string(api.SummaryKeyTypePolicyVersionsInUse)] = nVersions
	m[string(api.SummaryKeyTypeAccountAccessKeysPresent)] = min(nKeys, 1)
	return err
}
