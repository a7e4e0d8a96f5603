package sts

import (
	"context"

	"github.com/rolecall/rolecall/internal/awsapi"
	model "github.com/rolecall/rolecall/internal/awsapi/model/sts"
	"github.com/rolecall/rolecall/internal/sessiontoken"
)

// anyResource needs the operation's own permission on "*".
func anyResource[In any](context.Context, *awsapi.Call, *In) ([]awsapi.Need, error) {
	return []awsapi.Need{{}}, nil
}

// GetCallerIdentity says whom the credentials belong to. It needs no permission.
func (s *Service) GetCallerIdentity(_ context.Context, call *awsapi.Call, _ *model.GetCallerIdentityInput) (*model.GetCallerIdentityOutput, error) {
	account := string(call.Account)
	return &model.GetCallerIdentityOutput{Account: &account, Arn: &call.Principal.ARN, UserId: &call.Principal.UserID}, nil
}

// GetAccessKeyInfo reads the account out of an access key id; whether the key exists does not matter.
func (s *Service) GetAccessKeyInfo(_ context.Context, _ *awsapi.Call, in *model.GetAccessKeyInfoInput) (*model.GetAccessKeyInfoOutput, error) {
	account, err := sessiontoken.AccountOf(*in.AccessKeyId)
	if err != nil {
		return nil, awsapi.Validation("The specified value for accessKeyId is not valid: %v", err)
	}
	text := string(account)
	return &model.GetAccessKeyInfoOutput{Account: &text}, nil
}

// DecodeAuthorizationMessage opens the encoded part of a denial in the caller's account.
func (s *Service) DecodeAuthorizationMessage(_ context.Context, call *awsapi.Call, in *model.DecodeAuthorizationMessageInput) (*model.DecodeAuthorizationMessageOutput, error) {
	text, err := s.cfg.Gate.DecodeDenial(call.Account, *in.EncodedMessage)
	if err != nil {
		return nil, model.InvalidAuthorizationMessageException("Message is not valid")
	}
	return &model.DecodeAuthorizationMessageOutput{DecodedMessage: &text}, nil
}
