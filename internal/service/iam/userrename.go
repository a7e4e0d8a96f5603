package iam

import (
	"context"

	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/store"
)

// renameOp binds UpdateUser, which needs its permission on what the user is and on what it becomes: otherwise whoever
// may change one user could make it another that policies trust.
func renameOp() awsapi.Binding {
	need := func(_ context.Context, c *awsapi.Call, in *api.UpdateUserInput) ([]awsapi.Need, error) {
		u, err := findUser(c, *in.UserName)
		if err != nil {
			return nil, err
		}
		touchUser(c, u)
		ctx := func(ctx *awsapi.ConditionContext) { setIdentity(ctx, u.Boundary, u.Tags) }
		target := renamed(u, in)
		return []awsapi.Need{{Resource: userARN(c, u), Context: ctx}, {Resource: userARN(c, &target), Context: ctx}}, nil
	}
	handle := func(_ context.Context, c *awsapi.Call, in *api.UpdateUserInput) (*api.UpdateUserOutput, error) {
		u, err := c.Tx.GetUser(c.Account, *in.UserName)
		if err != nil {
			return nil, missing(err, noUser(*in.UserName))
		}
		return &api.UpdateUserOutput{}, rename(c, u, in)
	}
	return awsapi.Bind(api.OpUpdateUser, need, handle,
		record[api.UpdateUserInput, api.UpdateUserOutput](typeUser, func(in *api.UpdateUserInput) *string { return in.UserName }))
}

func renamed(u *store.User, in *api.UpdateUserInput) store.User {
	out := *u
	if in.NewUserName != nil {
		out.Name = *in.NewUserName
	}
	if in.NewPath != nil {
		out.Path = *in.NewPath
	}
	return out
}

// rename moves a user with everything that hangs on its name.
func rename(c *awsapi.Call, u *store.User, in *api.UpdateUserInput) error {
	to := renamed(u, in)
	if to.Name == u.Name {
		return c.Tx.PutUser(&to)
	}
	return taken(c.Tx.RenameUser(u.Name, &to), userExists(to.Name))
}
