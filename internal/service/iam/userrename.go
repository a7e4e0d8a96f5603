package iam

import (
	"context"
	"strings"

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
	if !strings.EqualFold(to.Name, u.Name) {
		if _, err := c.Tx.GetUser(c.Account, to.Name); err == nil {
			return userExists(to.Name)
		} else if missing(err, nil) != nil {
			return err
		}
	}
	move, err := belongings(c, u.Name)
	if err != nil {
		return err
	}
	if err := c.Tx.DeleteUser(c.Account, u.Name); err != nil {
		return err
	}
	if err := taken(c.Tx.CreateUser(&to), userExists(to.Name)); err != nil {
		return err
	}
	return move(to.Name)
}

// belongings reads what a user has and returns how to give it to the user's new name.
func belongings(c *awsapi.Call, name string) (func(to string) error, error) {
	id := &identity{kind: store.OwnerUser, name: name}
	inline, err := collect(id.inline(c))
	if err != nil {
		return nil, err
	}
	attached, err := collect(id.attached(c))
	if err != nil {
		return nil, err
	}
	keys, err := collect(accessKeys(c, name))
	if err != nil {
		return nil, err
	}
	return func(to string) error {
		for i := range inline {
			if err := c.Tx.DeleteInlinePolicy(c.Account, store.OwnerUser, name, inline[i].Name); err != nil {
				return err
			}
			inline[i].OwnerName = to
			if err := c.Tx.PutInlinePolicy(&inline[i]); err != nil {
				return err
			}
		}
		for i := range attached {
			if err := c.Tx.DeleteAttachment(c.Account, store.OwnerUser, name, attached[i].PolicyARN); err != nil {
				return err
			}
			attached[i].OwnerName = to
			if err := c.Tx.PutAttachment(&attached[i]); err != nil {
				return err
			}
		}
		for i := range keys {
			keys[i].UserName = to
			if err := c.Tx.PutAccessKey(&keys[i]); err != nil {
				return err
			}
		}
		return nil
	}, nil
}
