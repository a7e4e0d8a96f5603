package iam

import (
	"slices"
	"strconv"
	"strings"

	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/store"
)

func (s *Service) policyVersionBindings() []awsapi.Binding {
	return []awsapi.Binding{
		ownPolicyOp(api.OpCreatePolicyVersion, func(in *api.CreatePolicyVersionInput) *string { return in.PolicyArn }, createPolicyVersion),
		policyOp(api.OpGetPolicyVersion, func(in *api.GetPolicyVersionInput) *string { return in.PolicyArn }, getPolicyVersion),
		policyOp(api.OpListPolicyVersions, func(in *api.ListPolicyVersionsInput) *string { return in.PolicyArn }, listPolicyVersions),
		ownPolicyOp(api.OpSetDefaultPolicyVersion, func(in *api.SetDefaultPolicyVersionInput) *string { return in.PolicyArn }, setDefaultPolicyVersion),
		ownPolicyOp(api.OpDeletePolicyVersion, func(in *api.DeletePolicyVersionInput) *string { return in.PolicyArn }, deletePolicyVersion),
	}
}

// createPolicyVersion may also make the version the default one, by the same permission, as in AWS.
func createPolicyVersion(c *awsapi.Call, in *api.CreatePolicyVersionInput, p *store.ManagedPolicy) (*api.CreatePolicyVersionOutput, error) {
	if err := checkManaged(*in.PolicyDocument); err != nil {
		return nil, err
	}
	n, err := c.Tx.CountPolicyVersions(c.Account, p.ARN)
	if err != nil {
		return nil, err
	}
	if n >= maxVersions {
		return nil, api.LimitExceededException("A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", maxVersions)
	}
	v := &store.PolicyVersion{Account: c.Account, ARN: p.ARN, Version: "v" + strconv.Itoa(p.NextVersion), Document: *in.PolicyDocument, CreatedAt: c.Now}
	if err := c.Tx.CreatePolicyVersion(v); err != nil {
		return nil, err
	}
	p.NextVersion++ // numbers are never used again
	p.UpdatedAt = c.Now
	if in.SetAsDefault != nil && *in.SetAsDefault {
		p.DefaultVersion = v.Version
	}
	return &api.CreatePolicyVersionOutput{PolicyVersion: new(describeVersion(v, p))}, c.Tx.PutPolicy(p)
}

func getPolicyVersion(c *awsapi.Call, in *api.GetPolicyVersionInput, p *store.ManagedPolicy) (*api.GetPolicyVersionOutput, error) {
	v, err := c.Tx.GetPolicyVersion(c.Account, p.ARN, *in.VersionId)
	if err != nil {
		return nil, missing(err, noVersion(p.ARN, *in.VersionId))
	}
	out := describeVersion(v, p)
	out.Document = encodeDocument(v.Document)
	return &api.GetPolicyVersionOutput{PolicyVersion: &out}, nil
}

// listPolicyVersions lists the newest first.
func listPolicyVersions(c *awsapi.Call, in *api.ListPolicyVersionsInput, p *store.ManagedPolicy) (*api.ListPolicyVersionsOutput, error) {
	pg, err := newPage(c, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	rows, err := collect(func(limit int, after string) ([]store.PolicyVersion, string, error) {
		return c.Tx.ListPolicyVersions(c.Account, p.ARN, limit, after)
	})
	if err != nil {
		return nil, err
	}
	slices.Reverse(rows)
	part, next := pg.slice(len(rows), func(i int) string { return rows[i].Version }, newestFirst)
	out := &api.ListPolicyVersionsOutput{Versions: []api.PolicyVersion{}}
	for i := part.from; i < part.to; i++ {
		out.Versions = append(out.Versions, describeVersion(&rows[i], p))
	}
	out.IsTruncated, out.Marker = pg.end(next)
	return out, nil
}

// newestFirst orders version ids; anything else comes first of all.
func newestFirst(a, b string) int {
	x, _ := strconv.Atoi(strings.TrimPrefix(a, "v"))
	y, _ := strconv.Atoi(strings.TrimPrefix(b, "v"))
	return y - x
}

func setDefaultPolicyVersion(c *awsapi.Call, in *api.SetDefaultPolicyVersionInput, p *store.ManagedPolicy) (*api.SetDefaultPolicyVersionOutput, error) {
	v, err := c.Tx.GetPolicyVersion(c.Account, p.ARN, *in.VersionId)
	if err != nil {
		return nil, missing(err, noVersion(p.ARN, *in.VersionId))
	}
	p.DefaultVersion, p.UpdatedAt = v.Version, c.Now
	return &api.SetDefaultPolicyVersionOutput{}, c.Tx.PutPolicy(p)
}

func deletePolicyVersion(c *awsapi.Call, in *api.DeletePolicyVersionInput, p *store.ManagedPolicy) (*api.DeletePolicyVersionOutput, error) {
	v, err := c.Tx.GetPolicyVersion(c.Account, p.ARN, *in.VersionId)
	if err != nil {
		return nil, missing(err, noVersion(p.ARN, *in.VersionId))
	}
	if v.Version == p.DefaultVersion {
		return nil, api.DeleteConflictException("Cannot delete the default version of a policy.")
	}
	if err := c.Tx.DeletePolicyVersion(c.Account, p.ARN, v.Version); err != nil {
		return nil, err
	}
	p.UpdatedAt = c.Now
	return &api.DeletePolicyVersionOutput{}, c.Tx.PutPolicy(p)
}

// describeVersion is a version as everything but GetPolicyVersion shows it: without its document.
func describeVersion(v *store.PolicyVersion, p *store.ManagedPolicy) api.PolicyVersion {
	return api.PolicyVersion{VersionId: &v.Version, IsDefaultVersion: new(v.Version == p.DefaultVersion), CreateDate: &v.CreatedAt}
}
