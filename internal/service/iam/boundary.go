package iam

import (
	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
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
