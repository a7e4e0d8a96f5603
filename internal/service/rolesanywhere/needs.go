package rolesanywhere

import (
	"context"
	"errors"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/awsapi"
	ra "github.com/rolecall/rolecall/internal/awsapi/model/rolesanywhere"
	"github.com/rolecall/rolecall/internal/gate"
	"github.com/rolecall/rolecall/internal/store"
)

// moreNeeds is what an operation requires beside its own action.
type moreNeeds[In any] func(*awsapi.Call, *In) ([]awsapi.Need, error)

// needOn requires the operation's own action on one resource, with the resource's tags as condition keys. A resource
// that is not there has none: the caller must be allowed the action before it learns so.
func needOn(call *awsapi.Call, k resourceKind, id string) (awsapi.Need, error) {
	tags, err := resourceTags(call, k, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return awsapi.Need{}, err
	}
	return awsapi.Need{
		Resource: resourceARN(call, k, id),
		Context:  func(c *awsapi.ConditionContext) { gate.SetTags(c, iampolicy.KeyResourceTagPrefix, tags) },
	}, nil
}

// needCreate requires the operation's own action, and TagResource when tags come along. The resource has no id yet, so
// that both are asked for every id of its kind, as AWS's denials and AWSRolesAnywhereFullAccess have it.
func needCreate(call *awsapi.Call, k resourceKind, tags []ra.Tag) []awsapi.Need {
	given := make([]store.Tag, len(tags))
	for i, t := range tags {
		given[i] = store.Tag{Key: deref(t.Key), Value: deref(t.Value)}
	}
	keys := func(c *awsapi.ConditionContext) { setRequestTags(c, given) }
	every := resourceARN(call, k, "*")
	needs := []awsapi.Need{{Resource: every, Context: keys}}
	if len(given) > 0 {
		needs = append(needs, awsapi.Need{Action: ra.OpTagResource.Action(), Resource: every, Context: keys})
	}
	return needs
}

// passRoles requires that the caller may hand each role to this service. profileARN is "" while there is no profile.
func passRoles(roles []string, profileARN string) []awsapi.Need {
	needs := make([]awsapi.Need, len(roles))
	for i, role := range roles {
		needs[i] = awsapi.Need{Action: "iam:PassRole", Resource: role, Context: func(c *awsapi.ConditionContext) {
			c.Set(iampolicy.KeyPassedToService, EventSource)
			if profileARN != "" {
				c.Set(iampolicy.KeyAssociatedResource, profileARN)
			}
		}}
	}
	return needs
}

// passStoredRoles is passRoles for the roles that a profile already lists.
func passStoredRoles(call *awsapi.Call, id string) ([]awsapi.Need, error) {
	p, err := call.Tx.GetProfile(call.Account, call.Region, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil // the handler says so, once the caller is allowed to know
	}
	if err != nil {
		return nil, err
	}
	return passRoles(p.RoleARNs, resourceARN(call, kindProfile, id)), nil
}

func setRequestTags(c *awsapi.ConditionContext, tags []store.Tag) {
	if len(tags) == 0 {
		return
	}
	gate.SetTags(c, iampolicy.KeyRequestTagPrefix, tags)
	keys := make([]string, len(tags))
	for i, t := range tags {
		keys[i] = t.Key
	}
	c.SetMulti(iampolicy.KeyTagKeys, keys...)
}

// both runs two context functions.
func both(a, b func(*awsapi.ConditionContext)) func(*awsapi.ConditionContext) {
	return func(c *awsapi.ConditionContext) { a(c); b(c) }
}

// tagNeed is what TagResource requires.
func tagNeed(_ context.Context, call *awsapi.Call, in *ra.TagResourceInput) ([]awsapi.Need, error) {
	k, id, err := parseResource(call, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	need, err := needOn(call, k, id)
	if err != nil {
		return nil, err
	}
	given := make([]store.Tag, len(in.Tags))
	for i, t := range in.Tags {
		given[i] = store.Tag{Key: *t.Key, Value: *t.Value}
	}
	need.Context = both(need.Context, func(c *awsapi.ConditionContext) { setRequestTags(c, given) })
	return []awsapi.Need{need}, nil
}

// untagNeed is what UntagResource requires.
func untagNeed(_ context.Context, call *awsapi.Call, in *ra.UntagResourceInput) ([]awsapi.Need, error) {
	k, id, err := parseResource(call, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	need, err := needOn(call, k, id)
	if err != nil {
		return nil, err
	}
	need.Context = both(need.Context, func(c *awsapi.ConditionContext) {
		if len(in.TagKeys) > 0 {
			c.SetMulti(iampolicy.KeyTagKeys, in.TagKeys...)
		}
	})
	return []awsapi.Need{need}, nil
}

// needList requires the operation's own action on every id of a kind: AWS's reference gives the lists no resource, but
// AWSRolesAnywhereReadOnly allows them on profile/* and the like, and works.
func needList(k resourceKind) func(context.Context, *awsapi.Call, *ra.ListRequest) ([]awsapi.Need, error) {
	return func(_ context.Context, call *awsapi.Call, _ *ra.ListRequest) ([]awsapi.Need, error) {
		return []awsapi.Need{{Resource: resourceARN(call, k, "*")}}, nil
	}
}

// anyResource is what operations require that concern no particular resource.
func anyResource[In any](context.Context, *awsapi.Call, *In) ([]awsapi.Need, error) {
	return []awsapi.Need{{}}, nil
}
