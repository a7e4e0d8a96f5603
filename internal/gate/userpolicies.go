package gate

import (
	"context"
	"errors"
	"fmt"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/store"
)

func compileUser(b *store.UserBundle) (any, error) { return compileInline(b.Inline) }

func compileGroup(b *store.GroupBundle) (any, error) { return compileInline(b.Inline) }

// userSet gathers what a user may do: its own policies, those of its groups, and its boundary.
func (g *Gate) userSet(ctx context.Context, p *awsapi.Principal) (*iampolicy.Set, error) {
	user, groups, err := g.userGroups(ctx, p.Account, p.UserName)
	if err != nil {
		return nil, err
	}
	inline, err := user.Compiled(compileUser)
	if err != nil {
		return nil, err
	}
	set := &iampolicy.Set{}
	if set.Identity, err = g.withManaged(ctx, p.Account, inline.([]*iampolicy.Policy), user.Row.Attached); err != nil {
		return nil, err
	}
	if len(groups) > 0 {
		// The list may be the cached entry's own.
		set.Identity = append([]*iampolicy.Policy(nil), set.Identity...)
	}
	for _, group := range groups {
		if set.Identity, err = g.addGroup(ctx, set.Identity, group); err != nil {
			return nil, err
		}
	}
	return set, g.setBoundary(ctx, set, p.Account, user.Row.User.Boundary)
}

// addGroup appends the policies of a group.
func (g *Gate) addGroup(ctx context.Context, to []*iampolicy.Policy, group *store.Cached[store.GroupBundle]) ([]*iampolicy.Policy, error) {
	inline, err := group.Compiled(compileGroup)
	if err != nil {
		return nil, err
	}
	to = append(to, inline.([]*iampolicy.Policy)...)
	for _, a := range group.Row.Attached {
		p, err := g.managed(ctx, group.Row.Group.Account, a)
		if err != nil {
			return nil, fmt.Errorf("group %s: %w", group.Row.Group.Name, err)
		}
		to = append(to, p)
	}
	return to, nil
}

// userGroups reads a user and every group it is in. The view's entries may be of different moments, so that a group which
// another node has just renamed or made can seem to be missing: the store is asked once more then. A group that is missing
// even so is an error, never an absence: it may hold a Deny.
func (g *Gate) userGroups(ctx context.Context, account arn.AccountID, name string) (*store.Cached[store.UserBundle], []*store.Cached[store.GroupBundle], error) {
	for again := false; ; again = true {
		user, err := g.view.User(ctx, account, name)
		if err != nil {
			return nil, nil, err
		}
		groups, err := g.groups(ctx, account, user.Row.Groups)
		if !errors.Is(err, store.ErrNotFound) || again {
			return user, groups, err
		}
		g.view.ForgetUser(account, name, user.Row.Groups)
	}
}

func (g *Gate) groups(ctx context.Context, account arn.AccountID, names []string) ([]*store.Cached[store.GroupBundle], error) {
	if len(names) == 0 {
		return nil, nil
	}
	out := make([]*store.Cached[store.GroupBundle], len(names))
	for i, name := range names {
		group, err := g.view.Group(ctx, account, name)
		if err != nil {
			return nil, fmt.Errorf("group %s: %w", name, err)
		}
		out[i] = group
	}
	return out, nil
}
