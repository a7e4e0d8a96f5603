package iam

import (
	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
)

func (s *Service) userBindings() []awsapi.Binding {
	return []awsapi.Binding{
		createOp(api.OpCreateUser, "user", "iam:TagUser",
			func(in *api.CreateUserInput) *string { return in.UserName },
			func(in *api.CreateUserInput) *string { return in.Path },
			func(in *api.CreateUserInput) []api.Tag { return in.Tags },
			s.createUser, requestBoundary(func(in *api.CreateUserInput) *string { return in.PermissionsBoundary })),
		selfOp(api.OpGetUser, typeUser, func(in *api.GetUserInput) *string { return in.UserName },
			func(in *api.GetUserInput) *string { return in.UserName }, getUser),
		listOp(api.OpListUsers, "user", func(in *api.ListUsersInput) *string { return in.PathPrefix }, listUsers),
		renameOp(),
		userOp(api.OpDeleteUser, func(in *api.DeleteUserInput) *string { return in.UserName }, deleteUser),
		userOp(api.OpTagUser, func(in *api.TagUserInput) *string { return in.UserName }, tagUser,
			requestTags(func(in *api.TagUserInput) []api.Tag { return in.Tags })),
		userOp(api.OpUntagUser, func(in *api.UntagUserInput) *string { return in.UserName }, untagUser,
			tagKeys(func(in *api.UntagUserInput) []string { return in.TagKeys })),
		userOp(api.OpListUserTags, func(in *api.ListUserTagsInput) *string { return in.UserName }, listUserTags),
		userOp(api.OpPutUserPermissionsBoundary, func(in *api.PutUserPermissionsBoundaryInput) *string { return in.UserName }, putUserBoundary,
			requestBoundary(func(in *api.PutUserPermissionsBoundaryInput) *string { return in.PermissionsBoundary })),
		userOp(api.OpDeleteUserPermissionsBoundary, func(in *api.DeleteUserPermissionsBoundaryInput) *string { return in.UserName }, deleteUserBoundary),
	}
}

func (s *Service) createUser(c *awsapi.Call, in *api.CreateUserInput) (*api.CreateUserOutput, error) {
	tags, err := withTags(nil, in.Tags, "User")
	if err != nil {
		return nil, err
	}
	if err := checkBoundary(c, in.PermissionsBoundary); err != nil {
		return nil, err
	}
	u := &store.User{
		Account: c.Account, Name: *in.UserName, Path: pathOr(in.Path), ID: sessiontoken.NewID(sessiontoken.UserIDPrefix),
		Boundary: text(in.PermissionsBoundary), Tags: tags, CreatedAt: c.Now,
	}
	if err := taken(c.Tx.CreateUser(u), userExists(u.Name)); err != nil {
		return nil, err
	}
	if err := below(s.quotas.Users, "UsersPerAccount", func() (int, error) { return c.Tx.CountUsers(c.Account) }); err != nil {
		return nil, err
	}
	return &api.CreateUserOutput{User: new(fullUser(c, u))}, nil
}

func userExists(name string) error {
	return api.EntityAlreadyExistsException("User with name %s already exists.", name)
}

// getUser: u is nil for the root of the account, whom it shows without a name, as AWS does.
func getUser(c *awsapi.Call, _ *api.GetUserInput, u *store.User) (*api.GetUserOutput, error) {
	if u != nil {
		return &api.GetUserOutput{User: new(fullUser(c, u))}, nil
	}
	account, err := c.Tx.GetAccount(c.Account)
	if err != nil {
		return nil, err
	}
	id := string(c.Account)
	return &api.GetUserOutput{User: &api.User{UserId: &id, Arn: new(rootARN(c)), CreateDate: &account.CreatedAt}}, nil
}

func listUsers(c *awsapi.Call, in *api.ListUsersInput) (*api.ListUsersOutput, error) {
	p, err := newPage(c, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	rows, next, err := c.Tx.ListUsers(c.Account, text(in.PathPrefix), p.limit, p.after)
	if err != nil {
		return nil, err
	}
	out := &api.ListUsersOutput{Users: make([]api.User, len(rows))}
	for i := range rows {
		out.Users[i] = briefUser(c, &rows[i])
	}
	out.IsTruncated, out.Marker = p.end(next)
	return out, nil
}

func deleteUser(c *awsapi.Call, _ *api.DeleteUserInput, u *store.User) (*api.DeleteUserOutput, error) {
	groups, err := c.Tx.CountUserGroups(c.Account, u.Name)
	if err != nil {
		return nil, err
	}
	if groups > 0 {
		return nil, inGroup()
	}
	if err := noPolicies(c, store.OwnerUser, u.Name); err != nil {
		return nil, err
	}
	keys, _, err := c.Tx.ListAccessKeys(c.Account, u.Name, 1, "")
	if err != nil {
		return nil, err
	}
	if len(keys) > 0 {
		return nil, api.DeleteConflictException("Cannot delete entity, must delete access keys first.")
	}
	return &api.DeleteUserOutput{}, c.Tx.DeleteUser(c.Account, u.Name)
}

func tagUser(c *awsapi.Call, in *api.TagUserInput, u *store.User) (_ *api.TagUserOutput, err error) {
	if u.Tags, err = withTags(u.Tags, in.Tags, "User"); err != nil {
		return nil, err
	}
	return &api.TagUserOutput{}, c.Tx.PutUser(u)
}

func untagUser(c *awsapi.Call, in *api.UntagUserInput, u *store.User) (*api.UntagUserOutput, error) {
	u.Tags = withoutTags(u.Tags, in.TagKeys)
	return &api.UntagUserOutput{}, c.Tx.PutUser(u)
}

func listUserTags(c *awsapi.Call, in *api.ListUserTagsInput, u *store.User) (*api.ListUserTagsOutput, error) {
	tags, truncated, marker, err := pageOfTags(c, u.Tags, in.Marker, in.MaxItems)
	return &api.ListUserTagsOutput{Tags: tags, IsTruncated: truncated, Marker: marker}, err
}

func putUserBoundary(c *awsapi.Call, in *api.PutUserPermissionsBoundaryInput, u *store.User) (*api.PutUserPermissionsBoundaryOutput, error) {
	if err := checkBoundary(c, in.PermissionsBoundary); err != nil {
		return nil, err
	}
	u.Boundary = *in.PermissionsBoundary
	return &api.PutUserPermissionsBoundaryOutput{}, c.Tx.PutUser(u)
}

func deleteUserBoundary(c *awsapi.Call, _ *api.DeleteUserPermissionsBoundaryInput, u *store.User) (*api.DeleteUserPermissionsBoundaryOutput, error) {
	u.Boundary = ""
	return &api.DeleteUserPermissionsBoundaryOutput{}, c.Tx.PutUser(u)
}

// briefUser is a user as lists show it.
func briefUser(c *awsapi.Call, u *store.User) api.User {
	return api.User{Path: &u.Path, UserName: &u.Name, UserId: &u.ID, Arn: new(userARN(c, u)), CreateDate: &u.CreatedAt}
}

// fullUser is a user as GetUser shows it.
func fullUser(c *awsapi.Call, u *store.User) api.User {
	out := briefUser(c, u)
	out.PermissionsBoundary = attachedBoundary(u.Boundary)
	if len(u.Tags) > 0 {
		out.Tags = apiTags(u.Tags)
	}
	return out
}
