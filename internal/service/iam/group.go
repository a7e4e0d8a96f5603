package iam

import (
	"context"
	"errors"

	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
)

func (s *Service) groupBindings() []awsapi.Binding {
	return []awsapi.Binding{
		createOp(api.OpCreateGroup, "group", "",
			func(in *api.CreateGroupInput) *string { return in.GroupName },
			func(in *api.CreateGroupInput) *string { return in.Path },
			func(*api.CreateGroupInput) []api.Tag { return nil }, // groups have no tags
			s.createGroup),
		groupOp(api.OpGetGroup, func(in *api.GetGroupInput) *string { return in.GroupName }, getGroup),
		listOp(api.OpListGroups, "group", func(in *api.ListGroupsInput) *string { return in.PathPrefix }, listGroups),
		updateGroupOp(),
		groupOp(api.OpDeleteGroup, func(in *api.DeleteGroupInput) *string { return in.GroupName }, deleteGroup),
		groupOp(api.OpAddUserToGroup, func(in *api.AddUserToGroupInput) *string { return in.GroupName }, s.addUserToGroup),
		groupOp(api.OpRemoveUserFromGroup, func(in *api.RemoveUserFromGroupInput) *string { return in.GroupName }, removeUserFromGroup),
		userOp(api.OpListGroupsForUser, func(in *api.ListGroupsForUserInput) *string { return in.UserName }, listGroupsForUser),
	}
}

func groupARN(c *awsapi.Call, g *store.Group) string { return globalARN(c, "group"+g.Path+g.Name) }

func touchGroup(c *awsapi.Call, g *store.Group) {
	if g.ID != "" {
		c.Touch(awsapi.Resource{Type: typeGroup, Name: g.Name, ARN: groupARN(c, g)})
	}
}

func findGroup(c *awsapi.Call, name string) (*store.Group, error) {
	g, err := c.Tx.GetGroup(c.Account, name)
	if errors.Is(err, store.ErrNotFound) {
		return &store.Group{Account: c.Account, Path: "/", Name: name}, nil
	}
	return g, err
}

// groupOp binds an operation on a group that the request names.
func groupOp[In, Out any](op *awsapi.Operation, name func(*In) *string, fn func(*awsapi.Call, *In, *store.Group) (*Out, error), conds ...cond[In]) awsapi.Binding {
	need := func(_ context.Context, c *awsapi.Call, in *In) ([]awsapi.Need, error) {
		g, err := findGroup(c, text(name(in)))
		if err != nil {
			return nil, err
		}
		touchGroup(c, g)
		return oneNeed(groupARN(c, g), in, nil, conds), nil
	}
	handle := func(_ context.Context, c *awsapi.Call, in *In) (*Out, error) {
		g, err := c.Tx.GetGroup(c.Account, text(name(in)))
		if err != nil {
			return nil, missing(err, noGroup(text(name(in))))
		}
		return fn(c, in, g)
	}
	return awsapi.Bind(op, need, handle, record[In, Out](typeGroup, name))
}

func (s *Service) createGroup(c *awsapi.Call, in *api.CreateGroupInput) (*api.CreateGroupOutput, error) {
	g := &store.Group{
		Account: c.Account, Name: *in.GroupName, Path: pathOr(in.Path), ID: sessiontoken.NewID(sessiontoken.GroupIDPrefix), CreatedAt: c.Now,
	}
	if err := taken(c.Tx.CreateGroup(g), groupExists(g.Name)); err != nil {
		return nil, err
	}
	if err := below(s.quotas.Groups, "GroupsPerAccount", func() (int, error) { return c.Tx.CountGroups(c.Account) }); err != nil {
		return nil, err
	}
	return &api.CreateGroupOutput{Group: new(describeGroup(c, g))}, nil
}

// getGroup also lists the members, a page at a time.
func getGroup(c *awsapi.Call, in *api.GetGroupInput, g *store.Group) (*api.GetGroupOutput, error) {
	p, err := newPage(c, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	rows, next, err := c.Tx.ListMembers(c.Account, g.Name, p.limit, p.after)
	if err != nil {
		return nil, err
	}
	out := &api.GetGroupOutput{Group: new(describeGroup(c, g)), Users: make([]api.User, len(rows))}
	for i := range rows {
		out.Users[i] = briefUser(c, &rows[i])
	}
	out.IsTruncated, out.Marker = p.end(next)
	return out, nil
}

func listGroups(c *awsapi.Call, in *api.ListGroupsInput) (*api.ListGroupsOutput, error) {
	p, err := newPage(c, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	rows, next, err := c.Tx.ListGroups(c.Account, text(in.PathPrefix), p.limit, p.after)
	if err != nil {
		return nil, err
	}
	out := &api.ListGroupsOutput{Groups: describeGroups(c, rows)}
	out.IsTruncated, out.Marker = p.end(next)
	return out, nil
}

// updateGroupOp binds UpdateGroup, which needs its permission on what the group is and on what it becomes, like UpdateUser.
func updateGroupOp() awsapi.Binding {
	need := func(_ context.Context, c *awsapi.Call, in *api.UpdateGroupInput) ([]awsapi.Need, error) {
		g, err := findGroup(c, *in.GroupName)
		if err != nil {
			return nil, err
		}
		touchGroup(c, g)
		return []awsapi.Need{{Resource: groupARN(c, g)}, {Resource: groupARN(c, updatedGroup(g, in))}}, nil
	}
	handle := func(_ context.Context, c *awsapi.Call, in *api.UpdateGroupInput) (*api.UpdateGroupOutput, error) {
		g, err := c.Tx.GetGroup(c.Account, *in.GroupName)
		if err != nil {
			return nil, missing(err, noGroup(*in.GroupName))
		}
		to := updatedGroup(g, in)
		return &api.UpdateGroupOutput{}, taken(c.Tx.RenameGroup(g.Name, to), groupExists(to.Name))
	}
	return awsapi.Bind(api.OpUpdateGroup, need, handle,
		record[api.UpdateGroupInput, api.UpdateGroupOutput](typeGroup, func(in *api.UpdateGroupInput) *string { return in.GroupName }))
}

func updatedGroup(g *store.Group, in *api.UpdateGroupInput) *store.Group {
	to := *g
	if in.NewGroupName != nil {
		to.Name = *in.NewGroupName
	}
	if in.NewPath != nil {
		to.Path = *in.NewPath
	}
	return &to
}

func deleteGroup(c *awsapi.Call, _ *api.DeleteGroupInput, g *store.Group) (*api.DeleteGroupOutput, error) {
	members, _, err := c.Tx.ListMembers(c.Account, g.Name, 1, "")
	if err != nil {
		return nil, err
	}
	if len(members) > 0 {
		return nil, inGroup()
	}
	if err := noPolicies(c, store.OwnerGroup, g.Name); err != nil {
		return nil, err
	}
	return &api.DeleteGroupOutput{}, c.Tx.DeleteGroup(c.Account, g.Name)
}

// inGroup is the conflict of a group that has members, and of a user who is one.
func inGroup() error {
	return api.DeleteConflictException("Cannot delete entity, must remove users from group first.")
}

// addUserToGroup is no error if the user is in the group already.
func (s *Service) addUserToGroup(c *awsapi.Call, in *api.AddUserToGroupInput, g *store.Group) (*api.AddUserToGroupOutput, error) {
	u, err := c.Tx.GetUser(c.Account, *in.UserName)
	if err != nil {
		return nil, missing(err, noUser(*in.UserName))
	}
	touchUser(c, u)
	if err := c.Tx.AddMember(c.Account, g.Name, u.Name); err != nil {
		return nil, err
	}
	return &api.AddUserToGroupOutput{}, below(s.quotas.GroupsPerUser, "GroupsPerUser", func() (int, error) { return c.Tx.CountUserGroups(c.Account, u.Name) })
}

func removeUserFromGroup(c *awsapi.Call, in *api.RemoveUserFromGroupInput, g *store.Group) (*api.RemoveUserFromGroupOutput, error) {
	u, err := c.Tx.GetUser(c.Account, *in.UserName)
	if err != nil {
		return nil, missing(err, noUser(*in.UserName))
	}
	touchUser(c, u)
	return &api.RemoveUserFromGroupOutput{}, missing(c.Tx.RemoveMember(c.Account, g.Name, u.Name), notMember(u.Name, g.Name))
}

func listGroupsForUser(c *awsapi.Call, in *api.ListGroupsForUserInput, u *store.User) (*api.ListGroupsForUserOutput, error) {
	p, err := newPage(c, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	rows, next, err := c.Tx.ListUserGroups(c.Account, u.Name, p.limit, p.after)
	if err != nil {
		return nil, err
	}
	out := &api.ListGroupsForUserOutput{Groups: describeGroups(c, rows)}
	out.IsTruncated, out.Marker = p.end(next)
	return out, nil
}

func describeGroup(c *awsapi.Call, g *store.Group) api.Group {
	return api.Group{Path: &g.Path, GroupName: &g.Name, GroupId: &g.ID, Arn: new(groupARN(c, g)), CreateDate: &g.CreatedAt}
}

func describeGroups(c *awsapi.Call, rows []store.Group) []api.Group {
	out := make([]api.Group, len(rows))
	for i := range rows {
		out[i] = describeGroup(c, &rows[i])
	}
	return out
}
