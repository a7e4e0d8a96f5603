package iam

// Quotas bound what one account keeps. A zero is the default in the comment; "off" means no bound. Sizes are in
// characters, white space not counted (IAM and STS quotas).
type Quotas struct {
	Roles    int // off; AWS: 1000
	Users    int // off; AWS: 5000
	Policies int // off; AWS: 1500
	Groups   int // off; AWS: 300

	InstanceProfiles int // off; AWS: 1000
	OIDCProviders    int // off; AWS: 100

	AttachedPerRole  int // 10; AWS raises it to 20 on request
	AttachedPerUser  int // 10
	AttachedPerGroup int // 10
	GroupsPerUser    int // 10; AWS does not raise it
	TrustPolicySize  int // 2048; AWS raises it to 4096 on request
}

// AWSQuotas are AWS's defaults.
func AWSQuotas() Quotas {
	return Quotas{Roles: 1000, Users: 5000, Policies: 1500, Groups: 300, InstanceProfiles: 1000, OIDCProviders: 100}
}

func (q Quotas) withDefaults() Quotas {
	for _, d := range []struct {
		field *int
		value int
	}{
		{&q.AttachedPerRole, 10},
		{&q.AttachedPerUser, 10},
		{&q.AttachedPerGroup, 10},
		{&q.GroupsPerUser, 10},
		{&q.TrustPolicySize, 2048},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return q
}

// Quotas that AWS does not change for anyone.
const (
	maxTags              = 50
	maxVersions          = 5
	maxAccessKeys        = 2
	maxManagedPolicySize = 6144
	maxRoleInlineSize    = 10240 // all inline policies of a role together
	maxUserInlineSize    = 2048
	maxGroupInlineSize   = 5120
)
