package iam

import (
	"context"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/store"
)

// Some operations leave the user's name out to mean whoever signs the request. For the root of the account that is the
// root itself, and it is the only way to name it: nobody else reaches the root or its access keys.

// self is the name of the user that a request concerns, "" for the root.
func self(c *awsapi.Call, name *string) (string, error) {
	switch {
	case name != nil:
		return *name, nil // at least one character, says the model
	case c.Principal.Type == awsapi.Root:
		return "", nil
	case c.Principal.Type == awsapi.User && c.Principal.UserName != "":
		return c.Principal.UserName, nil
	}
	return "", awsapi.Validation("Must specify userName when calling with non-User credentials")
}

func rootARN(c *awsapi.Call) string { return arn.Root(c.HomePartition, c.Account).String() }

// selfNeed is the need for the user that a request names, or for the caller.
func selfNeed[In any](c *awsapi.Call, in *In, kind string, name *string) ([]awsapi.Need, error) {
	who, err := self(c, name)
	if err != nil {
		return nil, err
	}
	if who == "" {
		return []awsapi.Need{{Resource: rootARN(c)}}, nil
	}
	u, err := findUser(c, who)
	if err != nil {
		return nil, err
	}
	if kind == typeUser {
		touchUser(c, u)
	}
	return oneNeed[In](userARN(c, u), in, func(ctx *awsapi.ConditionContext) { setIdentity(ctx, u.Boundary, u.Tags) }, nil), nil
}

// selfUser reads the user that a request names, or the caller; nil is the root.
func selfUser(c *awsapi.Call, name *string) (*store.User, error) {
	who, err := self(c, name)
	if err != nil || who == "" {
		return nil, err
	}
	u, err := c.Tx.GetUser(c.Account, who)
	return u, missing(err, noUser(who))
}

// selfOp binds an operation on the user that the request names, or on the caller; fn gets nil for the root. resource is
// what the audit event names.
func selfOp[In, Out any](op *awsapi.Operation, kind string, resource, name func(*In) *string, fn func(*awsapi.Call, *In, *store.User) (*Out, error)) awsapi.Binding {
	need := func(_ context.Context, c *awsapi.Call, in *In) ([]awsapi.Need, error) {
		return selfNeed(c, in, kind, name(in))
	}
	handle := func(_ context.Context, c *awsapi.Call, in *In) (*Out, error) {
		u, err := selfUser(c, name(in))
		if err != nil {
			return nil, err
		}
		return fn(c, in, u)
	}
	return awsapi.Bind(op, need, handle, record[In, Out](kind, resource))
}
