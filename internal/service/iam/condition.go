package iam

import (
	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/store"
)

// cond adds the condition keys that an operation's policies may ask for.
type cond[In any] func(in *In, ctx *awsapi.ConditionContext)

// requestTags adds aws:RequestTag/… and aws:TagKeys.
func requestTags[In any](tags func(*In) []api.Tag) cond[In] {
	return func(in *In, ctx *awsapi.ConditionContext) {
		var keys []string
		for _, t := range tags(in) {
			ctx.Set(iampolicy.KeyRequestTagPrefix+text(t.Key), text(t.Value))
			keys = append(keys, text(t.Key))
		}
		if keys != nil {
			ctx.SetMulti(iampolicy.KeyTagKeys, keys...)
		}
	}
}

// tagKeys adds aws:TagKeys of a request that removes tags.
func tagKeys[In any](keys func(*In) []string) cond[In] {
	return func(in *In, ctx *awsapi.ConditionContext) { ctx.SetMulti(iampolicy.KeyTagKeys, keys(in)...) }
}

// requestBoundary adds the boundary that the request asks for as iam:PermissionsBoundary. It stands in for that of the
// role or user, which holds otherwise.
func requestBoundary[In any](boundary func(*In) *string) cond[In] {
	return func(in *In, ctx *awsapi.ConditionContext) {
		if b := boundary(in); b != nil {
			ctx.Set(iampolicy.KeyPermissionsBoundary, *b)
		}
	}
}

// policyARN adds iam:PolicyARN.
func policyARN[In any](name func(*In) *string) cond[In] {
	return func(in *In, ctx *awsapi.ConditionContext) {
		ctx.Set(iampolicy.KeyPolicyARN, text(name(in)))
	}
}

// setTags adds aws:ResourceTag/… and its older name.
func setTags(ctx *awsapi.ConditionContext, tags []store.Tag) {
	for _, t := range tags {
		ctx.Set(iampolicy.KeyResourceTagPrefix+t.Key, t.Value)
		ctx.Set("iam:ResourceTag/"+t.Key, t.Value)
	}
}

func setIdentity(ctx *awsapi.ConditionContext, boundary string, tags []store.Tag) {
	setTags(ctx, tags)
	if boundary != "" {
		ctx.Set(iampolicy.KeyPermissionsBoundary, boundary)
	}
}

func oneNeed[In any](resource string, in *In, base func(*awsapi.ConditionContext), conds []cond[In]) []awsapi.Need {
	return []awsapi.Need{{Resource: resource, Context: func(ctx *awsapi.ConditionContext) {
		if base != nil {
			base(ctx)
		}
		for _, add := range conds {
			add(in, ctx)
		}
	}}}
}
