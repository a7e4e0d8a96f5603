package iam

import (
	"errors"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/store"
)

// The texts are AWS's, word for word: Terraform and scripts match on them.

func noRole(name string) error {
	return api.NoSuchEntityException("The role with name %s cannot be found.", name)
}

func noUser(name string) error {
	return api.NoSuchEntityException("The user with name %s cannot be found.", name)
}

func noGroup(name string) error {
	return api.NoSuchEntityException("The group with name %s cannot be found.", name)
}

func notMember(user, group string) error {
	return api.NoSuchEntityException("User %s is not in group %s.", user, group)
}

func groupExists(name string) error {
	return api.EntityAlreadyExistsException("Group with name %s already exists.", name)
}

func noInstanceProfile(name string) error {
	return api.NoSuchEntityException("Instance Profile %s cannot be found.", name)
}

func noPolicy(policyARN string) error {
	return api.NoSuchEntityException("Policy %s was not found.", policyARN)
}

func noVersion(policyARN, version string) error {
	return api.NoSuchEntityException("Policy %s version %s does not exist or is not attachable.", policyARN, version)
}

func notAttachable(policyARN string) error {
	return api.NoSuchEntityException("Policy %s does not exist or is not attachable.", policyARN)
}

func noBoundary(policyARN string) error {
	return api.NoSuchEntityException("Scope ARN: %s does not exist or is not attachable.", policyARN)
}

func noAccessKey(id string) error {
	return api.NoSuchEntityException("The Access Key with id %s cannot be found.", id)
}

func quota(name string, limit int) error {
	return api.LimitExceededException("Cannot exceed quota for %s: %d", name, limit)
}

func badARN(s string) error { return api.InvalidInputException("ARN %s is not valid.", s) }

// missing turns the store's "not found" into the API's.
func missing(err, public error) error {
	if errors.Is(err, store.ErrNotFound) {
		return public
	}
	return err
}

// taken turns the store's "exists" into the API's.
func taken(err, public error) error {
	if errors.Is(err, store.ErrExists) {
		return public
	}
	return err
}

// malformed gives the policy engine's finding its public face.
func malformed(err error) error {
	var p *iampolicy.Error
	if errors.As(err, &p) {
		return api.MalformedPolicyDocumentException("%s", p.Error())
	}
	return awsapi.Internal(err)
}
