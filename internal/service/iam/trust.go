package iam

import (
	"errors"
	"strings"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/store"
)

// setTrust validates a trust policy and gives it to the role, with the unique ids of the users and roles that it names by
// ARN: one that is deleted and made again under the same name is not trusted until the policy is saved again, as in AWS.
// A name that nobody has yet is no error, unlike in AWS, and is tied to no id.
func (s *Service) setTrust(c *awsapi.Call, r *store.Role, text string) error {
	p, err := iampolicy.Parse(text, iampolicy.Trust)
	if err != nil {
		return malformed(err)
	}
	if iampolicy.Size(text) > s.quotas.TrustPolicySize {
		return quota("ACLSizePerRole", s.quotas.TrustPolicySize)
	}
	r.TrustPolicy, r.Trusted = text, nil
	for _, a := range p.PrincipalARNs() {
		id, err := principalID(c, a)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		r.Trusted = append(r.Trusted, store.TrustedPrincipal{ARN: a, ID: id})
	}
	return nil
}

// principalID is the unique id of the user or role with exactly this ARN.
func principalID(c *awsapi.Call, principal string) (string, error) {
	a, err := arn.Parse(principal)
	if err != nil {
		return "", store.ErrNotFound
	}
	name := lastSegment(a.Resource)
	if strings.HasPrefix(a.Resource, "user/") {
		u, err := c.Tx.GetUser(a.Account, name)
		if err == nil && userARN(c, u) != principal {
			err = store.ErrNotFound
		}
		if err != nil {
			return "", err
		}
		return u.ID, nil
	}
	r, err := c.Tx.GetRole(a.Account, name)
	if err == nil && roleARN(c, r) != principal {
		err = store.ErrNotFound
	}
	if err != nil {
		return "", err
	}
	return r.ID, nil
}
