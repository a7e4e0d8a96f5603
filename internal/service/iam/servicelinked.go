package iam

import (
	"context"
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
)

// A service-linked role belongs to a service: nobody else changes it. The only service here that has one in AWS is Roles
// Anywhere. Setup scripts and Terraform make it; nothing in this server acts through it, so it carries no policy.
const (
	linkedService  = "rolesanywhere.amazonaws.com"
	linkedRoleName = "AWSServiceRoleForRolesAnywhere"
	linkedPath     = "/aws-service-role/"
	linkedTrust    = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + linkedService + `"},"Action":"sts:AssumeRole"}]}`

	// keyAWSServiceName is the condition key with the service that a role is to be linked to.
	keyAWSServiceName = "iam:AWSServiceName"
)

func (s *Service) serviceLinkedBindings() []awsapi.Binding {
	return []awsapi.Binding{
		awsapi.Bind(api.OpCreateServiceLinkedRole, needLinkedRole, s.createServiceLinkedRole),
		roleOp(api.OpDeleteServiceLinkedRole, func(in *api.DeleteServiceLinkedRoleInput) *string { return in.RoleName }, deleteServiceLinkedRole),
		awsapi.Bind(api.OpGetServiceLinkedRoleDeletionStatus, needDeletionStatus, deletionStatus),
	}
}

func isServiceLinked(r *store.Role) bool { return strings.HasPrefix(r.Path, linkedPath) }

func unmodifiable(r *store.Role) error {
	return api.UnmodifiableEntityException("Cannot perform the operation on the protected role '%s' - this role is only modifiable by AWS", r.Name)
}

// modifiable keeps an operation off service-linked roles.
func modifiable[In, Out any](fn func(*awsapi.Call, *In, *store.Role) (*Out, error)) func(*awsapi.Call, *In, *store.Role) (*Out, error) {
	return func(c *awsapi.Call, in *In, r *store.Role) (*Out, error) {
		if isServiceLinked(r) {
			return nil, unmodifiable(r)
		}
		return fn(c, in, r)
	}
}

func needLinkedRole(_ context.Context, c *awsapi.Call, in *api.CreateServiceLinkedRoleInput) ([]awsapi.Need, error) {
	name := ""
	if *in.AWSServiceName == linkedService {
		name = linkedRoleName
	}
	return []awsapi.Need{{
		Resource: globalARN(c, "role"+linkedPath+*in.AWSServiceName+"/"+name),
		Context:  func(ctx *awsapi.ConditionContext) { ctx.Set(keyAWSServiceName, *in.AWSServiceName) },
	}}, nil
}

func (s *Service) createServiceLinkedRole(_ context.Context, c *awsapi.Call, in *api.CreateServiceLinkedRoleInput) (*api.CreateServiceLinkedRoleOutput, error) {
	if *in.AWSServiceName != linkedService {
		return nil, api.InvalidInputException("Service-linked roles are not supported for %s. This server has one for %s only.", *in.AWSServiceName, linkedService)
	}
	if in.CustomSuffix != nil {
		return nil, api.InvalidInputException("Custom suffix is not allowed for %s", linkedService)
	}
	r := &store.Role{
		Account: c.Account, Name: linkedRoleName, Path: linkedPath + linkedService + "/", ID: sessiontoken.NewID(sessiontoken.RoleIDPrefix),
		Description: text(in.Description), TrustPolicy: linkedTrust, MaxSession: defaultSession, CreatedAt: c.Now,
	}
	exists := api.InvalidInputException("Service role name %s has been taken in this account, please try a different suffix.", r.Name)
	if err := taken(c.Tx.CreateRole(r), exists); err != nil {
		return nil, err
	}
	touchRole(c, r)
	return &api.CreateServiceLinkedRoleOutput{Role: new(fullRole(c, r))}, s.countRoles(c)
}

// deleteServiceLinkedRole deletes at once: nothing uses the role. The task is kept for whoever asks how it went.
func deleteServiceLinkedRole(c *awsapi.Call, _ *api.DeleteServiceLinkedRoleInput, r *store.Role) (*api.DeleteServiceLinkedRoleOutput, error) {
	if !isServiceLinked(r) {
		return nil, api.NoSuchEntityException("The role with name %s cannot be found. There is a role of that name, but it is not linked to a service.", r.Name)
	}
	task := "task" + r.Path + r.Name + "/" + arn.NewUUID()
	if err := c.Tx.CreateRoleDeletion(&store.RoleDeletion{Account: c.Account, Task: task, DeletedAt: c.Now}); err != nil {
		return nil, err
	}
	return &api.DeleteServiceLinkedRoleOutput{DeletionTaskId: &task}, c.Tx.DeleteRole(c.Account, r.Name)
}

// needDeletionStatus is for the role that a task was about, task/aws-service-role/SERVICE/NAME/UUID.
func needDeletionStatus(_ context.Context, c *awsapi.Call, in *api.GetServiceLinkedRoleDeletionStatusInput) ([]awsapi.Need, error) {
	role, ok := strings.CutPrefix(*in.DeletionTaskId, "task"+linkedPath)
	end := strings.LastIndexByte(role, '/')
	if !ok || end < 0 {
		return []awsapi.Need{{Resource: globalARN(c, "role"+linkedPath)}}, nil
	}
	return []awsapi.Need{{Resource: globalARN(c, "role"+linkedPath+role[:end])}}, nil
}

func deletionStatus(_ context.Context, c *awsapi.Call, in *api.GetServiceLinkedRoleDeletionStatusInput) (*api.GetServiceLinkedRoleDeletionStatusOutput, error) {
	if _, err := c.Tx.GetRoleDeletion(c.Account, *in.DeletionTaskId); err != nil {
		return nil, missing(err, api.NoSuchEntityException("The deletion task with id %s cannot be found.", *in.DeletionTaskId))
	}
	return &api.GetServiceLinkedRoleDeletionStatusOutput{Status: new(api.DeletionTaskStatusTypeSucceeded)}, nil
}
