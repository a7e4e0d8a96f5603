package sts

import (
	"context"
	"time"

	"github.com/rolecall/rolecall/internal/awsapi"
	model "github.com/rolecall/rolecall/internal/awsapi/model/sts"
	"github.com/rolecall/rolecall/internal/sessiontoken"
)

// Durations of GetSessionToken. Root is held to an hour, whatever it asks for.
const (
	defaultTokenDuration = 12 * time.Hour
	rootTokenDuration    = time.Hour
)

// GetSessionToken gives a user, or root, temporary credentials with its own permissions. Only long-term keys may call it.
func (s *Service) GetSessionToken(ctx context.Context, call *awsapi.Call, in *model.GetSessionTokenInput) (*model.GetSessionTokenOutput, error) {
	p := call.Principal
	if err := s.cfg.Gate.LongTermOnly(call); err != nil {
		return nil, err
	}
	if in.SerialNumber != nil || in.TokenCode != nil {
		return nil, awsapi.AccessDenied("MultiFactorAuthentication failed with invalid MFA one time pass code.: MFA devices are not supported")
	}
	duration := defaultTokenDuration
	if in.DurationSeconds != nil {
		duration = time.Duration(*in.DurationSeconds) * time.Second
	}
	sess := &sessiontoken.Session{
		Type: sessiontoken.SessionToken, Account: call.Account, Partition: s.cfg.Gate.Partition(), UserID: p.UserID,
		IssuedAt: call.Now,
	}
	if p.Type == awsapi.Root {
		duration = min(duration, rootTokenDuration)
	} else {
		user, err := s.cfg.View.User(ctx, call.Account, p.UserName)
		if err != nil {
			return nil, err
		}
		sess.UserName, sess.UserPath = user.Row.User.Name, user.Row.User.Path
	}
	sess.ExpiresAt = call.Now.Add(duration)
	creds, _, err := s.cfg.Sealer.Mint(call.Now, sess)
	if err != nil {
		return nil, err
	}
	return &model.GetSessionTokenOutput{Credentials: wireCredentials(&creds)}, nil
}

func wireCredentials(c *sessiontoken.Credentials) *model.Credentials {
	return &model.Credentials{AccessKeyId: &c.AccessKeyID, SecretAccessKey: &c.SecretAccessKey, SessionToken: &c.SessionToken, Expiration: &c.Expiration}
}
