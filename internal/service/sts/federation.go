package sts

import (
	"context"
	"time"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	model "github.com/rolecall/rolecall/internal/awsapi/model/sts"
	"github.com/rolecall/rolecall/internal/sessiontoken"
)

// needFederation asks for the permission on the federated user that the call makes.
func (s *Service) needFederation(_ context.Context, call *awsapi.Call, in *model.GetFederationTokenInput) ([]awsapi.Need, error) {
	if err := s.cfg.Gate.LongTermOnly(call); err != nil {
		return nil, err
	}
	tags, err := requestTags(in.Tags)
	if err != nil {
		return nil, err
	}
	need := awsapi.Need{
		Resource: arn.FederatedUser(s.cfg.Gate.Partition(), call.Account, *in.Name).String(),
		Context:  func(c *iampolicy.Context) { setRequestTags(c, tags) },
	}
	needs := []awsapi.Need{need}
	if len(tags) > 0 {
		need.Action = "sts:TagSession"
		needs = append(needs, need)
	}
	return needs, nil
}

// GetFederationToken gives a user, or root, temporary credentials for somebody else, who may do what both the caller and
// the session policies of the request allow. Only long-term keys may call it.
func (s *Service) GetFederationToken(ctx context.Context, call *awsapi.Call, in *model.GetFederationTokenInput) (*model.GetFederationTokenOutput, error) {
	p := call.Principal
	if err := s.cfg.Gate.LongTermOnly(call); err != nil {
		return nil, err
	}
	tags, err := requestTags(in.Tags)
	if err != nil {
		return nil, err
	}
	if err := s.checkSessionPolicies(ctx, call.Account, in.Policy, in.PolicyArns); err != nil {
		return nil, err
	}
	duration := defaultTokenDuration
	if in.DurationSeconds != nil {
		duration = time.Duration(*in.DurationSeconds) * time.Second
	}
	sess := &sessiontoken.Session{
		Type: sessiontoken.Federated, Account: call.Account, Partition: s.cfg.Gate.Partition(), UserID: p.UserID,
		SessionName: *in.Name, Tags: tags, IssuedAt: call.Now,
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
	creds, packed, err := s.seal(call.Now, sess, in.Policy, in.PolicyArns)
	if err != nil {
		return nil, err
	}
	return &model.GetFederationTokenOutput{
		Credentials: creds, PackedPolicySize: packed,
		FederatedUser: &model.FederatedUser{
			Arn:             new(arn.FederatedUser(sess.Partition, call.Account, *in.Name).String()),
			FederatedUserId: new(string(call.Account) + ":" + *in.Name),
		},
	}, nil
}
