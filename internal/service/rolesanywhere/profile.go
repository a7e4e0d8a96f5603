package rolesanywhere

import (
	"context"
	"errors"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	ra "github.com/rolecall/rolecall/internal/awsapi/model/rolesanywhere"
	"github.com/rolecall/rolecall/internal/store"
)

// defaultDuration is how long a profile's sessions last unless it says otherwise, in seconds.
const defaultDuration = 3600

func (s *Service) createProfile(_ context.Context, call *awsapi.Call, in *ra.CreateProfileInput) (*ra.CreateProfileOutput, error) {
	p := &store.Profile{
		Account: call.Account, Region: call.Region, ID: arn.NewUUID(), Name: *in.Name,
		// What is not asked for does not let anybody in.
		Enabled: deref(in.Enabled), RequireInstanceProperties: deref(in.RequireInstanceProperties),
		SessionPolicy: deref(in.SessionPolicy), RoleARNs: in.RoleArns, ManagedPolicyARNs: in.ManagedPolicyArns,
		Duration: defaultDuration, AcceptRoleSessionName: deref(in.AcceptRoleSessionName),
		Mappings: defaultMappings(), CreatedBy: call.Principal.ARN,
		CreatedAt: call.Now, UpdatedAt: call.Now,
	}
	if in.DurationSeconds != nil {
		p.Duration = int(*in.DurationSeconds)
	}
	if err := checkProfile(call, p); err != nil {
		return nil, err
	}
	var err error
	if p.Tags, err = newTags(in.Tags); err != nil {
		return nil, err
	}
	if quota := s.cfg.Quotas.Profiles; quota > 0 {
		n, err := call.Tx.CountProfiles(call.Account, call.Region)
		if err != nil {
			return nil, err
		}
		if n >= quota {
			return nil, overLimit("profiles in an account and region", quota)
		}
	}
	if err := call.Tx.CreateProfile(p); err != nil {
		return nil, err
	}
	return &ra.CreateProfileOutput{Profile: profileDetail(p)}, nil
}

// findProfile reads a profile of the caller's account in the call's region.
func findProfile(call *awsapi.Call, id string) (*store.Profile, error) {
	p, err := call.Tx.GetProfile(call.Account, call.Region, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound(kindProfile, id)
	}
	return p, err
}

// changeProfile reads a profile, lets change edit it and writes it back, all in the call's transaction.
func changeProfile(call *awsapi.Call, id string, change func(*store.Profile) error) (*ra.ProfileDetail, error) {
	p, err := findProfile(call, id)
	if err != nil {
		return nil, err
	}
	if err := change(p); err != nil {
		return nil, err
	}
	p.UpdatedAt = call.Now
	if err := call.Tx.PutProfile(p); err != nil {
		return nil, err
	}
	return profileDetail(p), nil
}

func getProfile(_ context.Context, call *awsapi.Call, in *ra.GetProfileInput) (*ra.GetProfileOutput, error) {
	p, err := findProfile(call, *in.ProfileId)
	if err != nil {
		return nil, err
	}
	return &ra.GetProfileOutput{Profile: profileDetail(p)}, nil
}

// updateProfile keeps what the request leaves out; an empty list empties.
func updateProfile(_ context.Context, call *awsapi.Call, in *ra.UpdateProfileInput) (*ra.UpdateProfileOutput, error) {
	d, err := changeProfile(call, *in.ProfileId, func(p *store.Profile) error {
		if in.Name != nil {
			p.Name = *in.Name
		}
		if in.SessionPolicy != nil {
			p.SessionPolicy = *in.SessionPolicy
		}
		if in.RoleArns != nil {
			p.RoleARNs = in.RoleArns
		}
		if in.ManagedPolicyArns != nil {
			p.ManagedPolicyARNs = in.ManagedPolicyArns
		}
		if in.DurationSeconds != nil {
			p.Duration = int(*in.DurationSeconds)
		}
		if in.AcceptRoleSessionName != nil {
			p.AcceptRoleSessionName = *in.AcceptRoleSessionName
		}
		return checkProfile(call, p)
	})
	if err != nil {
		return nil, err
	}
	return &ra.UpdateProfileOutput{Profile: d}, nil
}

// passUpdatedRoles requires iam:PassRole for the roles that the profile will list, given or kept: an update can widen
// what the kept ones grant (session policy, duration).
func passUpdatedRoles(call *awsapi.Call, in *ra.UpdateProfileInput) ([]awsapi.Need, error) {
	if in.RoleArns != nil {
		return passRoles(in.RoleArns, resourceARN(call, kindProfile, *in.ProfileId)), nil
	}
	return passStoredRoles(call, *in.ProfileId)
}

func setProfileEnabled(enabled bool) handler[ra.ScalarProfileRequest, ra.ProfileDetailResponse] {
	return func(_ context.Context, call *awsapi.Call, in *ra.ScalarProfileRequest) (*ra.ProfileDetailResponse, error) {
		d, err := changeProfile(call, *in.ProfileId, func(p *store.Profile) error {
			p.Enabled = enabled
			return nil
		})
		if err != nil {
			return nil, err
		}
		return &ra.ProfileDetailResponse{Profile: d}, nil
	}
}

func deleteProfile(_ context.Context, call *awsapi.Call, in *ra.DeleteProfileInput) (*ra.DeleteProfileOutput, error) {
	p, err := findProfile(call, *in.ProfileId)
	if err != nil {
		return nil, err
	}
	if err := call.Tx.DeleteProfile(call.Account, call.Region, p.ID); err != nil {
		return nil, err
	}
	return &ra.DeleteProfileOutput{Profile: profileDetail(p)}, nil
}

func listProfiles(_ context.Context, call *awsapi.Call, in *ra.ListRequest) (*ra.ListProfilesOutput, error) {
	details, next, err := listPage(call, in, kindProfile, call.Tx.ListProfiles, func(p *store.Profile) item[ra.ProfileDetail] {
		return item[ra.ProfileDetail]{*profileDetail(p), p.ID, profileSize(p)}
	})
	if err != nil {
		return nil, err
	}
	return &ra.ListProfilesOutput{Profiles: details, NextToken: next}, nil
}

func profileSize(p *store.Profile) int {
	n := len(p.SessionPolicy)
	for _, r := range p.RoleARNs {
		n += len(r)
	}
	for _, m := range p.ManagedPolicyARNs {
		n += len(m)
	}
	return n
}

func profileDetail(p *store.Profile) *ra.ProfileDetail {
	d := &ra.ProfileDetail{
		ProfileId: &p.ID, ProfileArn: new(arn.RolesAnywhere(p.Region, p.Account, string(kindProfile), p.ID).String()),
		Name: &p.Name, RequireInstanceProperties: &p.RequireInstanceProperties, Enabled: &p.Enabled, CreatedBy: &p.CreatedBy,
		RoleArns: list(p.RoleARNs), ManagedPolicyArns: list(p.ManagedPolicyARNs),
		CreatedAt: &p.CreatedAt, UpdatedAt: &p.UpdatedAt,
		DurationSeconds: new(int32(p.Duration)), AcceptRoleSessionName: &p.AcceptRoleSessionName,
		AttributeMappings: mappingDetails(p.Mappings),
	}
	if p.SessionPolicy != "" {
		d.SessionPolicy = &p.SessionPolicy
	}
	return d
}
