package iam

import (
	"context"

	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/store"
)

// nothingBindings are the questions that read-only tools, and Terraform before it deletes a user, ask about things that
// this server does not have: passwords, second factors, keys and certificates of other services. The true answer is that
// there are none.
func (s *Service) nothingBindings() []awsapi.Binding {
	return []awsapi.Binding{
		awsapi.Bind(api.OpGetAccountPasswordPolicy, anyResource[api.GetAccountPasswordPolicyInput], getAccountPasswordPolicy),
		ownOp(api.OpGetLoginProfile, func(in *api.GetLoginProfileInput) *string { return in.UserName },
			func(c *awsapi.Call, _ *api.GetLoginProfileInput, u *store.User) (*api.GetLoginProfileOutput, error) {
				return nil, noLoginProfile(u)
			}),
		ownOp(api.OpDeleteLoginProfile, func(in *api.DeleteLoginProfileInput) *string { return in.UserName },
			func(c *awsapi.Call, _ *api.DeleteLoginProfileInput, u *store.User) (*api.DeleteLoginProfileOutput, error) {
				return nil, noLoginProfile(u)
			}),
		ownOp(api.OpListMFADevices, func(in *api.ListMFADevicesInput) *string { return in.UserName },
			func(*awsapi.Call, *api.ListMFADevicesInput, *store.User) (*api.ListMFADevicesOutput, error) {
				return &api.ListMFADevicesOutput{MFADevices: []api.MFADevice{}, IsTruncated: new(false)}, nil
			}),
		awsapi.Bind(api.OpListVirtualMFADevices, allOf[api.ListVirtualMFADevicesInput]("mfa/"),
			func(context.Context, *awsapi.Call, *api.ListVirtualMFADevicesInput) (*api.ListVirtualMFADevicesOutput, error) {
				return &api.ListVirtualMFADevicesOutput{VirtualMFADevices: []api.VirtualMFADevice{}, IsTruncated: new(false)}, nil
			}),
		ownOp(api.OpListSSHPublicKeys, func(in *api.ListSSHPublicKeysInput) *string { return in.UserName },
			func(*awsapi.Call, *api.ListSSHPublicKeysInput, *store.User) (*api.ListSSHPublicKeysOutput, error) {
				return &api.ListSSHPublicKeysOutput{SSHPublicKeys: []api.SSHPublicKeyMetadata{}, IsTruncated: new(false)}, nil
			}),
		ownOp(api.OpListSigningCertificates, func(in *api.ListSigningCertificatesInput) *string { return in.UserName },
			func(*awsapi.Call, *api.ListSigningCertificatesInput, *store.User) (*api.ListSigningCertificatesOutput, error) {
				return &api.ListSigningCertificatesOutput{Certificates: []api.SigningCertificate{}, IsTruncated: new(false)}, nil
			}),
		awsapi.Bind(api.OpListServiceSpecificCredentials, needServiceCredentials, listServiceCredentials,
			record[api.ListServiceSpecificCredentialsInput, api.ListServiceSpecificCredentialsOutput](typeUser,
				func(in *api.ListServiceSpecificCredentialsInput) *string { return in.UserName })),
		ownOp(api.OpDeleteServiceSpecificCredential, func(in *api.DeleteServiceSpecificCredentialInput) *string { return in.UserName },
			func(_ *awsapi.Call, in *api.DeleteServiceSpecificCredentialInput, _ *store.User) (*api.DeleteServiceSpecificCredentialOutput, error) {
				return nil, noServiceCredential(*in.ServiceSpecificCredentialId)
			}),
		ownOp(api.OpResetServiceSpecificCredential, func(in *api.ResetServiceSpecificCredentialInput) *string { return in.UserName },
			func(_ *awsapi.Call, in *api.ResetServiceSpecificCredentialInput, _ *store.User) (*api.ResetServiceSpecificCredentialOutput, error) {
				return nil, noServiceCredential(*in.ServiceSpecificCredentialId)
			}),
		ownOp(api.OpUpdateServiceSpecificCredential, func(in *api.UpdateServiceSpecificCredentialInput) *string { return in.UserName },
			func(_ *awsapi.Call, in *api.UpdateServiceSpecificCredentialInput, _ *store.User) (*api.UpdateServiceSpecificCredentialOutput, error) {
				return nil, noServiceCredential(*in.ServiceSpecificCredentialId)
			}),
		awsapi.Bind(api.OpDeleteAccountPasswordPolicy, anyResource[api.DeleteAccountPasswordPolicyInput],
			func(context.Context, *awsapi.Call, *api.DeleteAccountPasswordPolicyInput) (*api.DeleteAccountPasswordPolicyOutput, error) {
				return nil, api.NoSuchEntityException("The account policy with name PasswordPolicy cannot be found.")
			}),
		awsapi.Bind(api.OpSetSecurityTokenServicePreferences, anyResource[api.SetSecurityTokenServicePreferencesInput], setTokenPreferences),
	}
}

func noServiceCredential(id string) error {
	return api.NoSuchEntityException("No such credential %s exists", id)
}

// setTokenPreferences takes what is always so: session tokens are good in every region, which AWS calls version 2.
func setTokenPreferences(_ context.Context, _ *awsapi.Call, in *api.SetSecurityTokenServicePreferencesInput) (*api.SetSecurityTokenServicePreferencesOutput, error) {
	if *in.GlobalEndpointTokenVersion != api.GlobalEndpointTokenVersionV2Token {
		return nil, awsapi.Validation("The token version %s is not supported: session tokens are valid in all regions, which is %s", *in.GlobalEndpointTokenVersion, api.GlobalEndpointTokenVersionV2Token)
	}
	return &api.SetSecurityTokenServicePreferencesOutput{}, nil
}

// needServiceCredentials is for the user that the request names, for the caller, or for everyone.
func needServiceCredentials(_ context.Context, c *awsapi.Call, in *api.ListServiceSpecificCredentialsInput) ([]awsapi.Need, error) {
	if in.AllUsers != nil && *in.AllUsers {
		return []awsapi.Need{{Resource: "*"}}, nil
	}
	return selfNeed(c, in, typeUser, in.UserName)
}

func listServiceCredentials(_ context.Context, c *awsapi.Call, in *api.ListServiceSpecificCredentialsInput) (*api.ListServiceSpecificCredentialsOutput, error) {
	if in.AllUsers == nil || !*in.AllUsers {
		if _, err := selfUser(c, in.UserName); err != nil {
			return nil, err
		}
	}
	return &api.ListServiceSpecificCredentialsOutput{ServiceSpecificCredentials: []api.ServiceSpecificCredentialMetadata{}}, nil
}

// ownOp is selfOp for an operation on what a user has.
func ownOp[In, Out any](op *awsapi.Operation, name func(*In) *string, fn func(*awsapi.Call, *In, *store.User) (*Out, error)) awsapi.Binding {
	return selfOp(op, typeUser, name, name, fn)
}

func noLoginProfile(u *store.User) error {
	name := "root"
	if u != nil {
		name = u.Name
	}
	return api.NoSuchEntityException("Login Profile for User %s cannot be found.", name)
}

func getAccountPasswordPolicy(_ context.Context, c *awsapi.Call, _ *api.GetAccountPasswordPolicyInput) (*api.GetAccountPasswordPolicyOutput, error) {
	return nil, api.NoSuchEntityException("The Password Policy with domain name %s cannot be found.", c.Account)
}
