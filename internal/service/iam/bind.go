package iam

import (
	"context"
	"errors"
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/store"
)

// Types of resources in audit events.
const (
	typeRole      = "AWS::IAM::Role"
	typeUser      = "AWS::IAM::User"
	typePolicy    = "AWS::IAM::Policy"
	typeAccessKey = "AWS::IAM::AccessKey"
	typeGroup     = "AWS::IAM::Group"

	typeInstanceProfile = "AWS::IAM::InstanceProfile"
)

func roleARN(c *awsapi.Call, r *store.Role) string {
	return arn.Role(c.HomePartition, r.Account, r.Path, r.Name).String()
}

func userARN(c *awsapi.Call, u *store.User) string {
	return arn.User(c.HomePartition, u.Account, u.Path, u.Name).String()
}

// touchRole names a role in the audit event, if it is there.
func touchRole(c *awsapi.Call, r *store.Role) {
	if r.ID != "" {
		c.Touch(awsapi.Resource{Type: typeRole, Name: r.Name, ARN: roleARN(c, r)})
	}
}

func touchUser(c *awsapi.Call, u *store.User) {
	if u.ID != "" {
		c.Touch(awsapi.Resource{Type: typeUser, Name: u.Name, ARN: userARN(c, u)})
	}
}

// findRole reads a role for a decision: one that is missing is decided on as if it were at the root path, so that only
// who may see a role learns whether it is there.
func findRole(c *awsapi.Call, name string) (*store.Role, error) {
	r, err := c.Tx.GetRole(c.Account, name)
	if errors.Is(err, store.ErrNotFound) {
		return &store.Role{Account: c.Account, Path: "/", Name: name}, nil
	}
	return r, err
}

func findUser(c *awsapi.Call, name string) (*store.User, error) {
	u, err := c.Tx.GetUser(c.Account, name)
	if errors.Is(err, store.ErrNotFound) {
		return &store.User{Account: c.Account, Path: "/", Name: name}, nil
	}
	return u, err
}

// roleOp binds an operation on a role that the request names.
func roleOp[In, Out any](op *awsapi.Operation, name func(*In) *string, fn func(*awsapi.Call, *In, *store.Role) (*Out, error), conds ...cond[In]) awsapi.Binding {
	need := func(_ context.Context, c *awsapi.Call, in *In) ([]awsapi.Need, error) {
		r, err := findRole(c, text(name(in)))
		if err != nil {
			return nil, err
		}
		touchRole(c, r)
		return oneNeed(roleARN(c, r), in, func(ctx *awsapi.ConditionContext) { setIdentity(ctx, r.Boundary, r.Tags) }, conds), nil
	}
	handle := func(_ context.Context, c *awsapi.Call, in *In) (*Out, error) {
		r, err := c.Tx.GetRole(c.Account, text(name(in)))
		if err != nil {
			return nil, missing(err, noRole(text(name(in))))
		}
		return fn(c, in, r)
	}
	return awsapi.Bind(op, need, handle, record[In, Out](typeRole, name))
}

// userOp binds an operation on a user that the request names.
func userOp[In, Out any](op *awsapi.Operation, name func(*In) *string, fn func(*awsapi.Call, *In, *store.User) (*Out, error), conds ...cond[In]) awsapi.Binding {
	need := func(_ context.Context, c *awsapi.Call, in *In) ([]awsapi.Need, error) {
		u, err := findUser(c, text(name(in)))
		if err != nil {
			return nil, err
		}
		touchUser(c, u)
		return oneNeed(userARN(c, u), in, func(ctx *awsapi.ConditionContext) { setIdentity(ctx, u.Boundary, u.Tags) }, conds), nil
	}
	handle := func(_ context.Context, c *awsapi.Call, in *In) (*Out, error) {
		u, err := c.Tx.GetUser(c.Account, text(name(in)))
		if err != nil {
			return nil, missing(err, noUser(text(name(in))))
		}
		return fn(c, in, u)
	}
	return awsapi.Bind(op, need, handle, record[In, Out](typeUser, name))
}

// policyOp binds an operation on a managed policy that the request names by ARN.
func policyOp[In, Out any](op *awsapi.Operation, name func(*In) *string, fn func(*awsapi.Call, *In, *store.ManagedPolicy) (*Out, error), conds ...cond[In]) awsapi.Binding {
	need := func(_ context.Context, c *awsapi.Call, in *In) ([]awsapi.Need, error) {
		policy := text(name(in))
		if !isPolicyARN(policy) {
			return nil, badARN(policy)
		}
		p, err := c.Tx.GetPolicy(c.Account, policy)
		if errors.Is(err, store.ErrNotFound) {
			return oneNeed(policy, in, nil, conds), nil
		}
		if err != nil {
			return nil, err
		}
		return oneNeed(p.ARN, in, func(ctx *awsapi.ConditionContext) { setTags(ctx, p.Tags) }, conds), nil
	}
	handle := func(_ context.Context, c *awsapi.Call, in *In) (*Out, error) {
		p, err := c.Tx.GetPolicy(c.Account, text(name(in)))
		if err != nil {
			return nil, missing(err, noPolicy(text(name(in))))
		}
		return fn(c, in, p)
	}
	return awsapi.Bind(op, need, handle, awsapi.Record(func(in *In, _ *Out) []awsapi.Resource {
		return []awsapi.Resource{{Type: typePolicy, Name: lastSegment(text(name(in))), ARN: text(name(in))}}
	}))
}

// ownPolicyOp binds an operation that changes a managed policy: those of AWS stay as they are.
func ownPolicyOp[In, Out any](op *awsapi.Operation, name func(*In) *string, fn func(*awsapi.Call, *In, *store.ManagedPolicy) (*Out, error), conds ...cond[In]) awsapi.Binding {
	return policyOp(op, name, func(c *awsapi.Call, in *In, p *store.ManagedPolicy) (*Out, error) {
		if p.Account != c.Account {
			return nil, awsapi.AccessDenied("Policy is outside your own account.")
		}
		return fn(c, in, p)
	}, conds...)
}

// listOp binds a list over the account; kind and prefix make the resource that the caller needs it for.
func listOp[In, Out any](op *awsapi.Operation, kind string, prefix func(*In) *string, fn func(*awsapi.Call, *In) (*Out, error)) awsapi.Binding {
	need := func(_ context.Context, c *awsapi.Call, in *In) ([]awsapi.Need, error) {
		path := "/"
		if p := prefix(in); p != nil {
			path = *p
		}
		if kind == "policy" {
			// As AWS has it, and says in its denials: not an ARN, so that only "*" allows it.
			return oneNeed[In]("policy path "+path, in, nil, nil), nil
		}
		return oneNeed[In](globalARN(c, kind+path), in, nil, nil), nil
	}
	return awsapi.Bind(op, need, func(_ context.Context, c *awsapi.Call, in *In) (*Out, error) { return fn(c, in) })
}

// createOp binds the creation of a resource: fn runs after the permission for the ARN it will have. With tags, the
// permission to tag is needed as well.
func createOp[In, Out any](op *awsapi.Operation, kind, tagAction string, name, path func(*In) *string, tags func(*In) []api.Tag, fn func(*awsapi.Call, *In) (*Out, error), conds ...cond[In]) awsapi.Binding {
	need := func(_ context.Context, c *awsapi.Call, in *In) ([]awsapi.Need, error) {
		needs := oneNeed(globalARN(c, kind+pathOr(path(in))+text(name(in))), in, nil, append(conds, requestTags(tags)))
		if len(tags(in)) > 0 {
			needs = append(needs, awsapi.Need{Action: tagAction, Resource: needs[0].Resource, Context: needs[0].Context})
		}
		return needs, nil
	}
	types := map[string]string{"role": typeRole, "user": typeUser, "policy": typePolicy, "group": typeGroup, "instance-profile": typeInstanceProfile}
	handle := func(_ context.Context, c *awsapi.Call, in *In) (*Out, error) {
		out, err := fn(c, in)
		if err == nil {
			c.Touch(awsapi.Resource{Type: types[kind], Name: text(name(in)), ARN: globalARN(c, kind+pathOr(path(in))+text(name(in)))})
		}
		return out, err
	}
	return awsapi.Bind(op, need, handle, record[In, Out](types[kind], name))
}

// record names a resource of the request in the audit event.
func record[In, Out any](kind string, name func(*In) *string) awsapi.BindOption {
	return awsapi.Record(func(in *In, _ *Out) []awsapi.Resource {
		if in == nil || name(in) == nil {
			return nil
		}
		return []awsapi.Resource{{Type: kind, Name: *name(in)}}
	})
}

func globalARN(c *awsapi.Call, resource string) string {
	return arn.ARN{Partition: c.HomePartition, Service: "iam", Account: c.Account, Resource: resource}.String()
}

func pathOr(path *string) string {
	if path == nil {
		return "/"
	}
	return *path
}

func lastSegment(s string) string { return s[strings.LastIndexByte(s, '/')+1:] }

// isPolicyARN reports whether s has the form of a managed policy's ARN, an account's own or one of AWS's.
func isPolicyARN(s string) bool {
	if lastSegment(s) == "" || len(s) > arn.MaxLength {
		return false
	}
	if store.IsAWSPolicy(s) {
		return true
	}
	a, err := arn.Parse(s)
	return err == nil && a.Service == "iam" && a.Region == "" && a.Account != "" && strings.HasPrefix(a.Resource, "policy/")
}
