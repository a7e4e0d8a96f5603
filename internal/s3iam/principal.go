package s3iam

import (
	"context"
	"regexp"
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
)

// sessionName is the grammar of a session's name (STS AssumeRole, RoleSessionName).
var sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

// names reports whether a principal, as a bucket policy writes it, is of the gateway's account and exists: the account,
// a user, a role, or a session of a role. The gateway compares ARNs byte by byte, so what differs in a letter's case or
// in its path names nobody. A missing role or user is store.ErrNotFound.
func (h *Handler) names(ctx context.Context, principal string) (bool, error) {
	account := h.cfg.Account
	if principal == string(account) {
		return true, nil
	}
	partition := h.cfg.Gate.Partition()
	if principal == arn.Root(partition, account).String() {
		return true, nil
	}
	a, err := arn.Parse(principal)
	if err != nil || a.Account != account {
		return false, nil
	}
	kind, rest, _ := strings.Cut(a.Resource, "/")
	name := rest[strings.LastIndexByte(rest, '/')+1:]
	if name == "" {
		return false, nil
	}
	switch {
	case a.Service == "iam" && kind == "user":
		user, err := h.cfg.View.User(ctx, account, name)
		if err != nil {
			return false, err
		}
		return arn.User(partition, account, user.Row.User.Path, user.Row.User.Name).String() == principal, nil
	case a.Service == "iam" && kind == "role":
		role, err := h.cfg.View.Role(ctx, account, name)
		if err != nil {
			return false, err
		}
		return arn.Role(partition, account, role.Row.Role.Path, role.Row.Role.Name).String() == principal, nil
	case a.Service == "sts" && kind == "assumed-role":
		roleName, session, _ := strings.Cut(rest, "/")
		if !sessionName.MatchString(session) {
			return false, nil
		}
		role, err := h.cfg.View.Role(ctx, account, roleName)
		if err != nil {
			return false, err
		}
		return arn.AssumedRole(partition, account, role.Row.Role.Name, session).String() == principal, nil
	}
	return false, nil
}
