package iam

import (
	"context"
	"errors"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/store"
)

func (s *Service) aliasBindings() []awsapi.Binding {
	return []awsapi.Binding{
		awsapi.Bind(api.OpCreateAccountAlias, anyResource[api.CreateAccountAliasInput], createAccountAlias),
		awsapi.Bind(api.OpDeleteAccountAlias, anyResource[api.DeleteAccountAliasInput], deleteAccountAlias),
		awsapi.Bind(api.OpListAccountAliases, anyResource[api.ListAccountAliasesInput], listAccountAliases),
	}
}

// createAccountAlias takes the place of the alias that the account has, as in AWS.
func createAccountAlias(_ context.Context, c *awsapi.Call, in *api.CreateAccountAliasInput) (*api.CreateAccountAliasOutput, error) {
	if _, err := arn.ParseAccountID(*in.AccountAlias); err == nil {
		return nil, api.InvalidInputException("The account alias %s is not valid. It would read like the number of an account.", *in.AccountAlias)
	}
	err := c.Tx.CreateAccountAlias(&store.AccountAlias{Account: c.Account, Alias: *in.AccountAlias})
	return &api.CreateAccountAliasOutput{}, taken(err, api.EntityAlreadyExistsException("The account alias %s already exists.", *in.AccountAlias))
}

func deleteAccountAlias(_ context.Context, c *awsapi.Call, in *api.DeleteAccountAliasInput) (*api.DeleteAccountAliasOutput, error) {
	err := c.Tx.DeleteAccountAlias(c.Account, *in.AccountAlias)
	return &api.DeleteAccountAliasOutput{}, missing(err, api.NoSuchEntityException("The account alias %s cannot be found.", *in.AccountAlias))
}

// listAccountAliases is a list of at most one.
func listAccountAliases(_ context.Context, c *awsapi.Call, in *api.ListAccountAliasesInput) (*api.ListAccountAliasesOutput, error) {
	if _, err := newPage(c, in.Marker, in.MaxItems); err != nil {
		return nil, err
	}
	out := &api.ListAccountAliasesOutput{AccountAliases: []string{}, IsTruncated: new(false)}
	a, err := c.Tx.GetAccountAlias(c.Account)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return out, nil
	case err != nil:
		return nil, err
	}
	out.AccountAliases = []string{a.Alias}
	return out, nil
}
