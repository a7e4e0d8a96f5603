package iam

import (
	"context"
	"errors"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/store"
)

// Quotas of OpenID Connect providers that AWS does not change for anyone, but for the providers per account (100).
const (
	maxClientIDs   = 100
	maxThumbprints = 5

	typeOIDCProvider = "AWS::IAM::OIDCProvider"
	oidcKind         = "oidc-provider/"
)

var thumbprintForm = regexp.MustCompile(`^[0-9a-fA-F]{40}$`)

func (s *Service) oidcBindings() []awsapi.Binding {
	return []awsapi.Binding{
		awsapi.Bind(api.OpCreateOpenIDConnectProvider, needCreateOIDC, s.createOIDC, awsapi.Record(func(in *api.CreateOpenIDConnectProviderInput, out *api.CreateOpenIDConnectProviderOutput) []awsapi.Resource {
			if out == nil {
				return nil
			}
			return oidcResource(out.OpenIDConnectProviderArn)
		})),
		oidcOp(api.OpGetOpenIDConnectProvider, func(in *api.GetOpenIDConnectProviderInput) *string { return in.OpenIDConnectProviderArn }, getOIDC),
		awsapi.Bind(api.OpListOpenIDConnectProviders, allOf[api.ListOpenIDConnectProvidersInput]("oidc-provider/*"), listOIDC),
		oidcOp(api.OpDeleteOpenIDConnectProvider, func(in *api.DeleteOpenIDConnectProviderInput) *string { return in.OpenIDConnectProviderArn }, deleteOIDC),
		oidcOp(api.OpAddClientIDToOpenIDConnectProvider, func(in *api.AddClientIDToOpenIDConnectProviderInput) *string { return in.OpenIDConnectProviderArn }, addClientID),
		oidcOp(api.OpRemoveClientIDFromOpenIDConnectProvider, func(in *api.RemoveClientIDFromOpenIDConnectProviderInput) *string { return in.OpenIDConnectProviderArn }, removeClientID),
		oidcOp(api.OpUpdateOpenIDConnectProviderThumbprint, func(in *api.UpdateOpenIDConnectProviderThumbprintInput) *string { return in.OpenIDConnectProviderArn }, updateThumbprint),
		oidcOp(api.OpTagOpenIDConnectProvider, func(in *api.TagOpenIDConnectProviderInput) *string { return in.OpenIDConnectProviderArn }, tagOIDC,
			requestTags(func(in *api.TagOpenIDConnectProviderInput) []api.Tag { return in.Tags })),
		oidcOp(api.OpUntagOpenIDConnectProvider, func(in *api.UntagOpenIDConnectProviderInput) *string { return in.OpenIDConnectProviderArn }, untagOIDC,
			tagKeys(func(in *api.UntagOpenIDConnectProviderInput) []string { return in.TagKeys })),
		oidcOp(api.OpListOpenIDConnectProviderTags, func(in *api.ListOpenIDConnectProviderTagsInput) *string { return in.OpenIDConnectProviderArn }, listOIDCTags),
	}
}

func noOIDC(providerARN string) error {
	return api.NoSuchEntityException("OpenIDConnect Provider not found for arn %s", providerARN)
}

func oidcARN(c *awsapi.Call, url string) string {
	return arn.OIDCProvider(c.HomePartition, c.Account, url).String()
}

func oidcResource(providerARN *string) []awsapi.Resource {
	return []awsapi.Resource{{Type: typeOIDCProvider, Name: text(providerARN), ARN: text(providerARN)}}
}

// oidcURL reads the provider's URL out of its ARN; another account's is no provider of this one.
func oidcURL(c *awsapi.Call, providerARN string) (string, error) {
	a, err := arn.Parse(providerARN)
	if err != nil || a.Service != "iam" || a.Region != "" {
		return "", badARN(providerARN)
	}
	url, ok := strings.CutPrefix(a.Resource, oidcKind)
	if !ok || url == "" {
		return "", badARN(providerARN)
	}
	if a.Account != c.Account || a.Partition != c.HomePartition {
		return "", noOIDC(providerARN)
	}
	return url, nil
}

// oidcOp binds an operation on a provider that the request names by ARN. What is missing is decided on like what is there.
func oidcOp[In, Out any](op *awsapi.Operation, name func(*In) *string, fn func(*awsapi.Call, *In, *store.OIDCProvider) (*Out, error), conds ...cond[In]) awsapi.Binding {
	need := func(_ context.Context, c *awsapi.Call, in *In) ([]awsapi.Need, error) {
		url, err := oidcURL(c, text(name(in)))
		if err != nil {
			return nil, err
		}
		p, err := c.Tx.GetOIDCProvider(c.Account, url)
		if errors.Is(err, store.ErrNotFound) {
			p = &store.OIDCProvider{URL: url}
		} else if err != nil {
			return nil, err
		}
		return oneNeed(oidcARN(c, p.URL), in, func(ctx *awsapi.ConditionContext) { setTags(ctx, p.Tags) }, conds), nil
	}
	handle := func(_ context.Context, c *awsapi.Call, in *In) (*Out, error) {
		url, err := oidcURL(c, text(name(in)))
		if err != nil {
			return nil, err
		}
		p, err := c.Tx.GetOIDCProvider(c.Account, url)
		if err != nil {
			return nil, missing(err, noOIDC(text(name(in))))
		}
		return fn(c, in, p)
	}
	return awsapi.Bind(op, need, handle, awsapi.Record(func(in *In, _ *Out) []awsapi.Resource { return oidcResource(name(in)) }))
}

// parseOIDCURL checks a new provider's URL and returns it without the scheme, as ARNs and answers have it. A port is
// allowed, unlike in AWS: what runs on premises often has one.
func parseOIDCURL(s string) (string, error) {
	invalid := awsapi.Validation("Invalid Open ID Connect Provider URL")
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok {
		return "", invalid
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(s, "#") {
		return "", invalid
	}
	for _, r := range rest { // it becomes part of ARNs and condition keys
		if r <= ' ' || r >= 0x7f || strings.ContainsRune(`*?"\<>{}|^`+"`", r) {
			return "", invalid
		}
	}
	if u.Host != strings.ToLower(u.Host) || strings.Contains(u.Path, "//") || strings.Contains("/"+u.Path+"/", "/../") {
		return "", invalid
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && a.Is6() {
		return "", awsapi.Validation("Invalid Open ID Connect Provider URL: an IPv6 address does not fit into an ARN, use a name")
	}
	return rest, nil
}

func needCreateOIDC(_ context.Context, c *awsapi.Call, in *api.CreateOpenIDConnectProviderInput) ([]awsapi.Need, error) {
	url, err := parseOIDCURL(*in.Url)
	if err != nil {
		return nil, err
	}
	needs := oneNeed(oidcARN(c, url), in, nil, []cond[api.CreateOpenIDConnectProviderInput]{requestTags(func(in *api.CreateOpenIDConnectProviderInput) []api.Tag { return in.Tags })})
	if len(in.Tags) > 0 {
		needs = append(needs, awsapi.Need{Action: "iam:TagOpenIDConnectProvider", Resource: needs[0].Resource, Context: needs[0].Context})
	}
	return needs, nil
}

func (s *Service) createOIDC(_ context.Context, c *awsapi.Call, in *api.CreateOpenIDConnectProviderInput) (*api.CreateOpenIDConnectProviderOutput, error) {
	url, err := parseOIDCURL(*in.Url)
	if err != nil {
		return nil, err
	}
	p := &store.OIDCProvider{Account: c.Account, URL: url, CreatedAt: c.Now}
	for _, id := range in.ClientIDList {
		if !slices.Contains(p.ClientIDs, id) {
			p.ClientIDs = append(p.ClientIDs, id)
		}
	}
	if len(p.ClientIDs) > maxClientIDs {
		return nil, quota("ClientIdsPerOpenIdConnectProvider", maxClientIDs)
	}
	if p.Thumbprints, err = thumbprints(in.ThumbprintList); err != nil {
		return nil, err
	}
	if p.Tags, err = withTags(nil, in.Tags, "OpenIdConnectProvider"); err != nil {
		return nil, err
	}
	if err := taken(c.Tx.CreateOIDCProvider(p), api.EntityAlreadyExistsException("Provider with url %s already exists.", *in.Url)); err != nil {
		return nil, err
	}
	if err := below(s.quotas.OIDCProviders, "OpenIdConnectProvidersPerAccount", func() (int, error) { return c.Tx.CountOIDCProviders(c.Account) }); err != nil {
		return nil, err
	}
	out := &api.CreateOpenIDConnectProviderOutput{OpenIDConnectProviderArn: new(oidcARN(c, url))}
	if len(p.Tags) > 0 {
		out.Tags = apiTags(p.Tags)
	}
	return out, nil
}

// thumbprints checks a list and folds it to lower case.
func thumbprints(given []string) ([]string, error) {
	if len(given) > maxThumbprints {
		return nil, api.InvalidInputException("Thumbprint list must contain fewer than %d entries.", maxThumbprints)
	}
	var out []string
	for _, t := range given {
		if !thumbprintForm.MatchString(t) {
			return nil, api.InvalidInputException("The thumbprint %s is not valid: it has 40 hexadecimal digits.", t)
		}
		if t = strings.ToLower(t); !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out, nil
}

func getOIDC(_ *awsapi.Call, _ *api.GetOpenIDConnectProviderInput, p *store.OIDCProvider) (*api.GetOpenIDConnectProviderOutput, error) {
	out := &api.GetOpenIDConnectProviderOutput{Url: &p.URL, ClientIDList: p.ClientIDs, ThumbprintList: p.Thumbprints, CreateDate: &p.CreatedAt}
	if out.ClientIDList == nil {
		out.ClientIDList = []string{}
	}
	if out.ThumbprintList == nil {
		out.ThumbprintList = []string{}
	}
	if len(p.Tags) > 0 {
		out.Tags = apiTags(p.Tags)
	}
	return out, nil
}

func listOIDC(_ context.Context, c *awsapi.Call, _ *api.ListOpenIDConnectProvidersInput) (*api.ListOpenIDConnectProvidersOutput, error) {
	out := &api.ListOpenIDConnectProvidersOutput{OpenIDConnectProviderList: []api.OpenIDConnectProviderListEntry{}}
	err := each(oidcProviders(c), func(p *store.OIDCProvider) error {
		out.OpenIDConnectProviderList = append(out.OpenIDConnectProviderList, api.OpenIDConnectProviderListEntry{Arn: new(oidcARN(c, p.URL))})
		return nil
	})
	return out, err
}

func oidcProviders(c *awsapi.Call) func(int, string) ([]store.OIDCProvider, string, error) {
	return func(limit int, after string) ([]store.OIDCProvider, string, error) {
		return c.Tx.ListOIDCProviders(c.Account, limit, after)
	}
}

func deleteOIDC(c *awsapi.Call, _ *api.DeleteOpenIDConnectProviderInput, p *store.OIDCProvider) (*api.DeleteOpenIDConnectProviderOutput, error) {
	return &api.DeleteOpenIDConnectProviderOutput{}, c.Tx.DeleteOIDCProvider(c.Account, p.URL)
}

// addClientID: one that is there already is no error.
func addClientID(c *awsapi.Call, in *api.AddClientIDToOpenIDConnectProviderInput, p *store.OIDCProvider) (*api.AddClientIDToOpenIDConnectProviderOutput, error) {
	out := &api.AddClientIDToOpenIDConnectProviderOutput{}
	if slices.Contains(p.ClientIDs, *in.ClientID) {
		return out, nil
	}
	if len(p.ClientIDs) >= maxClientIDs {
		return nil, quota("ClientIdsPerOpenIdConnectProvider", maxClientIDs)
	}
	p.ClientIDs = append(p.ClientIDs, *in.ClientID)
	return out, c.Tx.PutOIDCProvider(p)
}

// removeClientID: one that is not there is no error.
func removeClientID(c *awsapi.Call, in *api.RemoveClientIDFromOpenIDConnectProviderInput, p *store.OIDCProvider) (*api.RemoveClientIDFromOpenIDConnectProviderOutput, error) {
	p.ClientIDs = slices.DeleteFunc(p.ClientIDs, func(id string) bool { return id == *in.ClientID })
	return &api.RemoveClientIDFromOpenIDConnectProviderOutput{}, c.Tx.PutOIDCProvider(p)
}

// updateThumbprint replaces the whole list.
func updateThumbprint(c *awsapi.Call, in *api.UpdateOpenIDConnectProviderThumbprintInput, p *store.OIDCProvider) (*api.UpdateOpenIDConnectProviderThumbprintOutput, error) {
	list, err := thumbprints(in.ThumbprintList)
	if err != nil {
		return nil, err
	}
	p.Thumbprints = list
	return &api.UpdateOpenIDConnectProviderThumbprintOutput{}, c.Tx.PutOIDCProvider(p)
}

func tagOIDC(c *awsapi.Call, in *api.TagOpenIDConnectProviderInput, p *store.OIDCProvider) (*api.TagOpenIDConnectProviderOutput, error) {
	tags, err := withTags(p.Tags, in.Tags, "OpenIdConnectProvider")
	if err != nil {
		return nil, err
	}
	p.Tags = tags
	return &api.TagOpenIDConnectProviderOutput{}, c.Tx.PutOIDCProvider(p)
}

func untagOIDC(c *awsapi.Call, in *api.UntagOpenIDConnectProviderInput, p *store.OIDCProvider) (*api.UntagOpenIDConnectProviderOutput, error) {
	p.Tags = withoutTags(p.Tags, in.TagKeys)
	return &api.UntagOpenIDConnectProviderOutput{}, c.Tx.PutOIDCProvider(p)
}

func listOIDCTags(c *awsapi.Call, in *api.ListOpenIDConnectProviderTagsInput, p *store.OIDCProvider) (*api.ListOpenIDConnectProviderTagsOutput, error) {
	tags, truncated, marker, err := pageOfTags(c, p.Tags, in.Marker, in.MaxItems)
	return &api.ListOpenIDConnectProviderTagsOutput{Tags: tags, IsTruncated: truncated, Marker: marker}, err
}
