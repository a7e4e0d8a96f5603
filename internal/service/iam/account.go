package iam

import (
	"context"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
)

func (s *Service) accountBindings() []awsapi.Binding {
	return []awsapi.Binding{
		awsapi.Bind(api.OpGetAccountSummary, anyResource[api.GetAccountSummaryInput], s.getAccountSummary),
	}
}

// allOf is the need of lists that AWS gives no resource in its reference, but this one in its denials.
func allOf[In any](resource string) func(context.Context, *awsapi.Call, *In) ([]awsapi.Need, error) {
	return func(_ context.Context, c *awsapi.Call, _ *In) ([]awsapi.Need, error) {
		return []awsapi.Need{{Resource: globalARN(c, resource)}}, nil
	}
}

// anyResource is the need of operations that concern no resource in particular.
func anyResource[In any](context.Context, *awsapi.Call, *In) ([]awsapi.Need, error) {
	return []awsapi.Need{{Resource: "*"}}, nil
}

// getAccountSummary counts what is there. Quotas that are off are left out.
func (s *Service) getAccountSummary(_ context.Context, c *awsapi.Call, _ *api.GetAccountSummaryInput) (*api.GetAccountSummaryOutput, error) {
	m := map[string]int32{
		string(api.SummaryKeyTypeProviders):          0,
		string(api.SummaryKeyTypeServerCertificates): 0, string(api.SummaryKeyTypeMFADevices): 0, string(api.SummaryKeyTypeMFADevicesInUse): 0,
		string(api.SummaryKeyTypeAccountMFAEnabled): 0, string(api.SummaryKeyTypeAccountPasswordPresent): 0,
		string(api.SummaryKeyTypeAccountSigningCertificatesPresent): 0,
		string(api.SummaryKeyTypeUserPolicySizeQuota):               maxUserInlineSize,
		string(api.SummaryKeyTypeGroupPolicySizeQuota):              maxGroupInlineSize,
		string(api.SummaryKeyTypeAttachedPoliciesPerGroupQuota):     int32(s.quotas.AttachedPerGroup),
		string(api.SummaryKeyTypeGroupsPerUserQuota):                int32(s.quotas.GroupsPerUser),
		string(api.SummaryKeyTypeRolePolicySizeQuota):               maxRoleInlineSize,
		string(api.SummaryKeyTypePolicySizeQuota):                   maxManagedPolicySize,
		string(api.SummaryKeyTypeAssumeRolePolicySizeQuota):         int32(s.quotas.TrustPolicySize),
		string(api.SummaryKeyTypeAttachedPoliciesPerRoleQuota):      int32(s.quotas.AttachedPerRole),
		string(api.SummaryKeyTypeAttachedPoliciesPerUserQuota):      int32(s.quotas.AttachedPerUser),
		string(api.SummaryKeyTypeVersionsPerPolicyQuota):            maxVersions,
		string(api.SummaryKeyTypeAccessKeysPerUserQuota):            maxAccessKeys,
		string(api.SummaryKeyTypeGlobalEndpointTokenVersion):        2, // tokens are valid in all regions
	}
	for key, limit := range map[api.SummaryKeyType]int{
		api.SummaryKeyTypeRolesQuota: s.quotas.Roles, api.SummaryKeyTypeUsersQuota: s.quotas.Users, api.SummaryKeyTypePoliciesQuota: s.quotas.Policies,
		api.SummaryKeyTypeGroupsQuota: s.quotas.Groups, api.SummaryKeyTypeInstanceProfilesQuota: s.quotas.InstanceProfiles,
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
	for _, n := range []struct {
		key   api.SummaryKeyType
		count func(arn.AccountID) (int, error)
	}{
		{api.SummaryKeyTypeRoles, c.Tx.CountRoles},
		{api.SummaryKeyTypeUsers, c.Tx.CountUsers},
		{api.SummaryKeyTypeGroups, c.Tx.CountGroups},
		{api.SummaryKeyTypePolicies, c.Tx.CountPolicies},
		{api.SummaryKeyTypePolicyVersionsInUse, c.Tx.CountVersions},
		{api.SummaryKeyTypeProviders, c.Tx.CountOIDCProviders},
		{api.SummaryKeyTypeInstanceProfiles, c.Tx.CountInstanceProfiles},
		{api.SummaryKeyTypeAccountAccessKeysPresent, func(a arn.AccountID) (int, error) {
			keys, err := c.Tx.CountAccessKeys(a, "")
			return min(keys, 1), err
		}},
	} {
		count, err := n.count(c.Account)
		if err != nil {
			return err
		}
		m[string(n.key)] = int32(count)
	}
	return nil
}
