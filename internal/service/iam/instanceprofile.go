package iam

import (
	"context"
	"errors"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
)

func (s *Service) instanceProfileBindings() []awsapi.Binding {
	return []awsapi.Binding{
		createOp(api.OpCreateInstanceProfile, "instance-profile", "iam:TagInstanceProfile",
			func(in *api.CreateInstanceProfileInput) *string { return in.InstanceProfileName },
			func(in *api.CreateInstanceProfileInput) *string { return in.Path },
			func(in *api.CreateInstanceProfileInput) []api.Tag { return in.Tags },
			s.createInstanceProfile),
		instanceProfileOp(api.OpGetInstanceProfile, func(in *api.GetInstanceProfileInput) *string { return in.InstanceProfileName }, nil, getInstanceProfile),
		listOp(api.OpListInstanceProfiles, "instance-profile", func(in *api.ListInstanceProfilesInput) *string { return in.PathPrefix }, listInstanceProfiles),
		instanceProfileOp(api.OpDeleteInstanceProfile, func(in *api.DeleteInstanceProfileInput) *string { return in.InstanceProfileName }, nil, deleteInstanceProfile),
		instanceProfileOp(api.OpAddRoleToInstanceProfile, func(in *api.AddRoleToInstanceProfileInput) *string { return in.InstanceProfileName }, passToInstances, addRoleToInstanceProfile),
		instanceProfileOp(api.OpRemoveRoleFromInstanceProfile, func(in *api.RemoveRoleFromInstanceProfileInput) *string { return in.InstanceProfileName }, nil, removeRoleFromInstanceProfile),
		instanceProfileOp(api.OpTagInstanceProfile, func(in *api.TagInstanceProfileInput) *string { return in.InstanceProfileName }, nil, tagInstanceProfile,
			requestTags(func(in *api.TagInstanceProfileInput) []api.Tag { return in.Tags })),
		instanceProfileOp(api.OpUntagInstanceProfile, func(in *api.UntagInstanceProfileInput) *string { return in.InstanceProfileName }, nil, untagInstanceProfile,
			tagKeys(func(in *api.UntagInstanceProfileInput) []string { return in.TagKeys })),
		instanceProfileOp(api.OpListInstanceProfileTags, func(in *api.ListInstanceProfileTagsInput) *string { return in.InstanceProfileName }, nil, listInstanceProfileTags),
		roleOp(api.OpListInstanceProfilesForRole, func(in *api.ListInstanceProfilesForRoleInput) *string { return in.RoleName }, listInstanceProfilesForRole),
	}
}

func instanceProfileARN(c *awsapi.Call, p *store.InstanceProfile) string {
	return globalARN(c, "instance-profile"+p.Path+p.Name)
}

// instanceProfileOp binds an operation on an instance profile that the request names. more says what it needs beside its
// own action; nil is nothing.
func instanceProfileOp[In, Out any](op *awsapi.Operation, name func(*In) *string, more func(*awsapi.Call, *In) ([]awsapi.Need, error),
	fn func(*awsapi.Call, *In, *store.InstanceProfile) (*Out, error), conds ...cond[In],
) awsapi.Binding {
	need := func(_ context.Context, c *awsapi.Call, in *In) ([]awsapi.Need, error) {
		p, err := c.Tx.GetInstanceProfile(c.Account, text(name(in)))
		switch {
		case errors.Is(err, store.ErrNotFound):
			p = &store.InstanceProfile{Account: c.Account, Path: "/", Name: text(name(in))}
		case err != nil:
			return nil, err
		default:
			c.Touch(awsapi.Resource{Type: typeInstanceProfile, Name: p.Name, ARN: instanceProfileARN(c, p)})
		}
		needs := oneNeed(instanceProfileARN(c, p), in, func(ctx *awsapi.ConditionContext) { setTags(ctx, p.Tags) }, conds)
		if more == nil {
			return needs, nil
		}
		others, err := more(c, in)
		return append(needs, others...), err
	}
	handle := func(_ context.Context, c *awsapi.Call, in *In) (*Out, error) {
		p, err := c.Tx.GetInstanceProfile(c.Account, text(name(in)))
		if err != nil {
			return nil, missing(err, noInstanceProfile(text(name(in))))
		}
		return fn(c, in, p)
	}
	return awsapi.Bind(op, need, handle, record[In, Out](typeInstanceProfile, name))
}

// passToInstances is the permission to hand the role to whoever runs with the profile.
func passToInstances(c *awsapi.Call, in *api.AddRoleToInstanceProfileInput) ([]awsapi.Need, error) {
	r, err := findRole(c, *in.RoleName)
	if err != nil {
		return nil, err
	}
	return []awsapi.Need{{Action: "iam:PassRole", Resource: roleARN(c, r), Context: func(ctx *awsapi.ConditionContext) {
		setIdentity(ctx, r.Boundary, r.Tags)
		ctx.Set(iampolicy.KeyPassedToService, "ec2.amazonaws.com")
	}}}, nil
}

func (s *Service) createInstanceProfile(c *awsapi.Call, in *api.CreateInstanceProfileInput) (*api.CreateInstanceProfileOutput, error) {
	tags, err := withTags(nil, in.Tags, "InstanceProfile")
	if err != nil {
		return nil, err
	}
	p := &store.InstanceProfile{
		Account: c.Account, Name: *in.InstanceProfileName, Path: pathOr(in.Path), ID: sessiontoken.NewID(sessiontoken.InstanceProfileIDPrefix),
		Tags: tags, CreatedAt: c.Now,
	}
	if err := taken(c.Tx.CreateInstanceProfile(p), api.EntityAlreadyExistsException("Instance Profile %s already exists.", p.Name)); err != nil {
		return nil, err
	}
	if err := below(s.quotas.InstanceProfiles, "InstanceProfilesPerAccount", func() (int, error) { return c.Tx.CountInstanceProfiles(c.Account) }); err != nil {
		return nil, err
	}
	out, err := fullInstanceProfile(c, p)
	return &api.CreateInstanceProfileOutput{InstanceProfile: out}, err
}

func getInstanceProfile(c *awsapi.Call, _ *api.GetInstanceProfileInput, p *store.InstanceProfile) (*api.GetInstanceProfileOutput, error) {
	out, err := fullInstanceProfile(c, p)
	return &api.GetInstanceProfileOutput{InstanceProfile: out}, err
}

func listInstanceProfiles(c *awsapi.Call, in *api.ListInstanceProfilesInput) (*api.ListInstanceProfilesOutput, error) {
	p, err := newPage(c, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	rows, next, err := c.Tx.ListInstanceProfiles(c.Account, text(in.PathPrefix), p.limit, p.after)
	if err != nil {
		return nil, err
	}
	out := &api.ListInstanceProfilesOutput{}
	if out.InstanceProfiles, err = briefInstanceProfiles(c, rows); err != nil {
		return nil, err
	}
	out.IsTruncated, out.Marker = p.end(next)
	return out, nil
}

func listInstanceProfilesForRole(c *awsapi.Call, in *api.ListInstanceProfilesForRoleInput, r *store.Role) (*api.ListInstanceProfilesForRoleOutput, error) {
	p, err := newPage(c, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	rows, next, err := c.Tx.ListRoleInstanceProfiles(c.Account, r.Name, p.limit, p.after)
	if err != nil {
		return nil, err
	}
	out := &api.ListInstanceProfilesForRoleOutput{}
	if out.InstanceProfiles, err = briefInstanceProfiles(c, rows); err != nil {
		return nil, err
	}
	out.IsTruncated, out.Marker = p.end(next)
	return out, nil
}

func deleteInstanceProfile(c *awsapi.Call, _ *api.DeleteInstanceProfileInput, p *store.InstanceProfile) (*api.DeleteInstanceProfileOutput, error) {
	if p.RoleKey != "" {
		return nil, inInstanceProfile()
	}
	return &api.DeleteInstanceProfileOutput{}, c.Tx.DeleteInstanceProfile(c.Account, p.Name)
}

// inInstanceProfile is the conflict of an instance profile that has a role, and of a role that is in one.
func inInstanceProfile() error {
	return api.DeleteConflictException("Cannot delete entity, must remove roles from instance profile first.")
}

func addRoleToInstanceProfile(c *awsapi.Call, in *api.AddRoleToInstanceProfileInput, p *store.InstanceProfile) (*api.AddRoleToInstanceProfileOutput, error) {
	r, err := c.Tx.GetRole(c.Account, *in.RoleName)
	if err != nil {
		return nil, missing(err, noRole(*in.RoleName))
	}
	touchRole(c, r)
	if isServiceLinked(r) {
		return nil, unmodifiable(r)
	}
	if p.RoleKey != "" {
		return nil, quota("InstanceSessionsPerInstanceProfile", 1)
	}
	p.RoleKey = r.Name
	return &api.AddRoleToInstanceProfileOutput{}, c.Tx.PutInstanceProfile(p)
}

func removeRoleFromInstanceProfile(c *awsapi.Call, in *api.RemoveRoleFromInstanceProfileInput, p *store.InstanceProfile) (*api.RemoveRoleFromInstanceProfileOutput, error) {
	r, err := c.Tx.GetRole(c.Account, *in.RoleName)
	if err != nil {
		return nil, missing(err, noRole(*in.RoleName))
	}
	touchRole(c, r)
	holds, err := roleOf(c, p)
	if err != nil {
		return nil, err
	}
	if holds == nil || holds.ID != r.ID {
		return nil, noRole(*in.RoleName)
	}
	p.RoleKey = ""
	return &api.RemoveRoleFromInstanceProfileOutput{}, c.Tx.PutInstanceProfile(p)
}

// roleOf is the role of an instance profile, nil if it has none.
func roleOf(c *awsapi.Call, p *store.InstanceProfile) (*store.Role, error) {
	if p.RoleKey == "" {
		return nil, nil
	}
	return c.Tx.GetRole(c.Account, p.RoleKey)
}

func tagInstanceProfile(c *awsapi.Call, in *api.TagInstanceProfileInput, p *store.InstanceProfile) (_ *api.TagInstanceProfileOutput, err error) {
	if p.Tags, err = withTags(p.Tags, in.Tags, "InstanceProfile"); err != nil {
		return nil, err
	}
	return &api.TagInstanceProfileOutput{}, c.Tx.PutInstanceProfile(p)
}

func untagInstanceProfile(c *awsapi.Call, in *api.UntagInstanceProfileInput, p *store.InstanceProfile) (*api.UntagInstanceProfileOutput, error) {
	p.Tags = withoutTags(p.Tags, in.TagKeys)
	return &api.UntagInstanceProfileOutput{}, c.Tx.PutInstanceProfile(p)
}

func listInstanceProfileTags(c *awsapi.Call, in *api.ListInstanceProfileTagsInput, p *store.InstanceProfile) (*api.ListInstanceProfileTagsOutput, error) {
	tags, truncated, marker, err := pageOfTags(c, p.Tags, in.Marker, in.MaxItems)
	return &api.ListInstanceProfileTagsOutput{Tags: tags, IsTruncated: truncated, Marker: marker}, err
}

func briefInstanceProfiles(c *awsapi.Call, rows []store.InstanceProfile) ([]api.InstanceProfile, error) {
	out := make([]api.InstanceProfile, len(rows))
	for i := range rows {
		p, err := briefInstanceProfile(c, &rows[i])
		if err != nil {
			return nil, err
		}
		out[i] = *p
	}
	return out, nil
}

// briefInstanceProfile is an instance profile as lists show it: with its role, without tags.
func briefInstanceProfile(c *awsapi.Call, p *store.InstanceProfile) (*api.InstanceProfile, error) {
	out := &api.InstanceProfile{
		Path: &p.Path, InstanceProfileName: &p.Name, InstanceProfileId: &p.ID, Arn: new(instanceProfileARN(c, p)), CreateDate: &p.CreatedAt, Roles: []api.Role{},
	}
	r, err := roleOf(c, p)
	if r != nil {
		out.Roles = []api.Role{briefRole(c, r)}
	}
	return out, err
}

func fullInstanceProfile(c *awsapi.Call, p *store.InstanceProfile) (*api.InstanceProfile, error) {
	out, err := briefInstanceProfile(c, p)
	if err == nil && len(p.Tags) > 0 {
		out.Tags = apiTags(p.Tags)
	}
	return out, err
}
