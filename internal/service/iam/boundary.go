package iam

import (
	"errors"

	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/store"
)

// checkBoundary makes sure that a permissions boundary is a managed policy that exists.
func checkBoundary(c *awsapi.Call, boundary *string) error {
	if boundary == nil {
		return nil
	}
	if !isPolicyARN(*boundary) {
		return badARN(*boundary)
	}
	_, err := c.Tx.GetPolicy(c.Account, *boundary)
	return missing(err, noBoundary(*boundary))
}

func attachedBoundary(policy string) *api.AttachedPermissionsBoundary {
	if policy == "" {
		return nil
	}
	return &api.AttachedPermissionsBoundary{
		PermissionsBoundaryType: new(api.PermissionsBoundaryAttachmentTypePermissionsBoundaryPolicy), PermissionsBoundaryArn: &policy,
	}
}

// boundaryUses counts, for every policy, the roles and users it bounds. The store keeps no index of that: it reads all
// of them.
func boundaryUses(c *awsapi.Call) (map[string]int32, error) {
	uses := make(map[string]int32)
	err := each(roles(c), func(r *store.Role) error { uses[r.Boundary]++; return nil })
	if err == nil {
		err = each(users(c), func(u *store.User) error { uses[u.Boundary]++; return nil })
	}
	return uses, err
}

var errStop = errors.New("stop")

// bounds reports whether the policy is anyone's boundary.
func bounds(c *awsapi.Call, policy string) (bool, error) {
	err := each(roles(c), func(r *store.Role) error { return stopIf(r.Boundary == policy) })
	if err == nil {
		err = each(users(c), func(u *store.User) error { return stopIf(u.Boundary == policy) })
	}
	if errors.Is(err, errStop) {
		return true, nil
	}
	return false, err
}

func stopIf(stop bool) error {
	if stop {
		return errStop
	}
	return nil
}
