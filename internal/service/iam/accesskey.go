package iam

import (
	"context"
	"errors"

	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/gate"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
)

func (s *Service) accessKeyBindings() []awsapi.Binding {
	return []awsapi.Binding{
		selfOp(api.OpCreateAccessKey, typeUser, func(in *api.CreateAccessKeyInput) *string { return in.UserName },
			func(in *api.CreateAccessKeyInput) *string { return in.UserName }, s.createAccessKey),
		selfOp(api.OpListAccessKeys, typeUser, func(in *api.ListAccessKeysInput) *string { return in.UserName },
			func(in *api.ListAccessKeysInput) *string { return in.UserName }, listAccessKeys),
		selfOp(api.OpUpdateAccessKey, typeAccessKey, func(in *api.UpdateAccessKeyInput) *string { return in.AccessKeyId },
			func(in *api.UpdateAccessKeyInput) *string { return in.UserName }, updateAccessKey),
		selfOp(api.OpDeleteAccessKey, typeAccessKey, func(in *api.DeleteAccessKeyInput) *string { return in.AccessKeyId },
			func(in *api.DeleteAccessKeyInput) *string { return in.UserName }, deleteAccessKey),
		awsapi.Bind(api.OpGetAccessKeyLastUsed, needLastUsed, lastUsed,
			record[api.GetAccessKeyLastUsedInput, api.GetAccessKeyLastUsedOutput](typeAccessKey, func(in *api.GetAccessKeyLastUsedInput) *string { return in.AccessKeyId })),
	}
}

// nameOf is the user's name as the store keeps it with keys: "" for the root.
func nameOf(u *store.User) string {
	if u == nil {
		return ""
	}
	return u.Name
}

// shownName is the user's name in answers: left out for the root.
func shownName(u *store.User) *string {
	if u == nil {
		return nil
	}
	return &u.Name
}

func accessKeys(c *awsapi.Call, user string) func(int, string) ([]store.AccessKey, string, error) {
	return func(limit int, after string) ([]store.AccessKey, string, error) {
		return c.Tx.ListAccessKeys(c.Account, user, limit, after)
	}
}

// createAccessKey returns the secret, for the only time.
func (s *Service) createAccessKey(c *awsapi.Call, _ *api.CreateAccessKeyInput, u *store.User) (*api.CreateAccessKeyOutput, error) {
	id, secret := sessiontoken.NewAccessKeyID(sessiontoken.LongTerm, c.Account), sessiontoken.NewSecret()
	k := &store.AccessKey{
		ID: id, Account: c.Account, UserName: nameOf(u), Active: true, CreatedAt: c.Now,
		Secret: s.ring.Seal(gate.SecretLabel, []byte(id), []byte(secret)),
	}
	if err := c.Tx.CreateAccessKey(k); err != nil {
		return nil, err
	}
	if err := below(maxAccessKeys, "AccessKeysPerUser", func() (int, error) { return c.Tx.CountAccessKeys(c.Account, k.UserName) }); err != nil {
		return nil, err
	}
	return &api.CreateAccessKeyOutput{AccessKey: &api.AccessKey{
		UserName: shownName(u), AccessKeyId: &id, Status: new(api.StatusTypeActive), SecretAccessKey: &secret, CreateDate: &k.CreatedAt,
	}}, nil
}

func listAccessKeys(c *awsapi.Call, in *api.ListAccessKeysInput, u *store.User) (*api.ListAccessKeysOutput, error) {
	p, err := newPage(c, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	rows, next, err := accessKeys(c, nameOf(u))(p.limit, p.after)
	if err != nil {
		return nil, err
	}
	out := &api.ListAccessKeysOutput{AccessKeyMetadata: make([]api.AccessKeyMetadata, len(rows))}
	for i := range rows {
		k := &rows[i]
		status := api.StatusTypeInactive
		if k.Active {
			status = api.StatusTypeActive
		}
		out.AccessKeyMetadata[i] = api.AccessKeyMetadata{UserName: shownName(u), AccessKeyId: &k.ID, Status: &status, CreateDate: &k.CreatedAt}
	}
	out.IsTruncated, out.Marker = p.end(next)
	return out, nil
}

// ownKey reads a key that must belong to u, the root if nil. A key of anyone else is one that is not there.
func ownKey(c *awsapi.Call, id string, u *store.User) (*store.AccessKey, error) {
	keys, err := collect(accessKeys(c, nameOf(u)))
	if err != nil {
		return nil, err
	}
	for i := range keys {
		if keys[i].ID == id {
			return &keys[i], nil
		}
	}
	return nil, noAccessKey(id)
}

func updateAccessKey(c *awsapi.Call, in *api.UpdateAccessKeyInput, u *store.User) (*api.UpdateAccessKeyOutput, error) {
	k, err := ownKey(c, *in.AccessKeyId, u)
	if err != nil {
		return nil, err
	}
	switch *in.Status {
	case api.StatusTypeActive:
		k.Active = true
	case api.StatusTypeInactive:
		if err := keepRootKey(c, u, k); err != nil {
			return nil, err
		}
		k.Active = false
	default:
		return nil, api.InvalidInputException("The status of an access key can be set to Active or Inactive only.")
	}
	return &api.UpdateAccessKeyOutput{}, c.Tx.PutAccessKey(k)
}

func deleteAccessKey(c *awsapi.Call, in *api.DeleteAccessKeyInput, u *store.User) (*api.DeleteAccessKeyOutput, error) {
	k, err := ownKey(c, *in.AccessKeyId, u)
	if err != nil {
		return nil, err
	}
	if err := keepRootKey(c, u, k); err != nil {
		return nil, err
	}
	return &api.DeleteAccessKeyOutput{}, c.Tx.DeleteAccessKey(k.ID)
}

// keepRootKey refuses to take away the last active root key: there is no console to sign in to and make another.
func keepRootKey(c *awsapi.Call, u *store.User, k *store.AccessKey) error {
	if u != nil || !k.Active {
		return nil
	}
	keys, err := collect(accessKeys(c, ""))
	if err != nil {
		return err
	}
	for i := range keys {
		if keys[i].Active && keys[i].ID != k.ID {
			return nil
		}
	}
	return api.DeleteConflictException("Cannot take away the last active access key of the root user: create another one first.")
}

// findKey reads a key of the account for GetAccessKeyLastUsed, with its user. A root key exists for the root only.
func findKey(c *awsapi.Call, id string) (*store.AccessKey, *store.User, error) {
	k, err := c.Tx.GetAccessKey(id)
	if err != nil {
		return nil, nil, missing(err, noAccessKey(id))
	}
	if k.Account != c.Account || k.UserName == "" && c.Principal.Type != awsapi.Root {
		return nil, nil, noAccessKey(id)
	}
	if k.UserName == "" {
		return k, nil, nil
	}
	u, err := c.Tx.GetUser(c.Account, k.UserName)
	if err != nil {
		return nil, nil, missing(err, noAccessKey(id))
	}
	return k, u, nil
}

func needLastUsed(_ context.Context, c *awsapi.Call, in *api.GetAccessKeyLastUsedInput) ([]awsapi.Need, error) {
	_, u, err := findKey(c, *in.AccessKeyId)
	var public *awsapi.Error
	switch {
	case errors.As(err, &public) || err == nil && u == nil:
		return []awsapi.Need{{Resource: globalARN(c, "user/")}}, nil
	case err != nil:
		return nil, err
	}
	return oneNeed(userARN(c, u), in, func(ctx *awsapi.ConditionContext) { setIdentity(ctx, u.Boundary, u.Tags) }, nil), nil
}

// globalRegion is what clients sign IAM and global STS calls for unless they are told otherwise.
const globalRegion = "us-east-1"

// lastUsed reads the audit trail: the events of the request's own region and of us-east-1, where most calls with a
// long-term key are. Use in another region does not show.
func lastUsed(_ context.Context, c *awsapi.Call, in *api.GetAccessKeyLastUsedInput) (*api.GetAccessKeyLastUsedOutput, error) {
	k, u, err := findKey(c, *in.AccessKeyId)
	if err != nil {
		return nil, err
	}
	const none = "N/A"
	use := &api.AccessKeyLastUsed{ServiceName: new(none), Region: new(none)}
	regions := map[string]bool{string(c.Region): true, globalRegion: true}
	for region := range regions {
		if err := latestUse(c, k.ID, region, use); err != nil {
			return nil, err
		}
	}
	return &api.GetAccessKeyLastUsedOutput{UserName: shownName(u), AccessKeyLastUsed: use}, nil
}
