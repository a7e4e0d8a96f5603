package sts

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	model "github.com/rolecall/rolecall/internal/awsapi/model/sts"
	"github.com/rolecall/rolecall/internal/webissuer"
)

// defaultWebTokenDuration is how long a web identity token lives that asks for nothing else. The model allows 60 s to 1 h.
const defaultWebTokenDuration = 5 * time.Minute

// awsClaims is the claim under which AWS puts what OpenID Connect has no claim for (IAM User Guide, "Understanding token
// claims").
const awsClaims = "https://sts.amazonaws.com/"

// Condition keys of GetWebIdentityToken.
const (
	keyTokenAudience    = "sts:IdentityTokenAudience" // multivalued
	keySigningAlgorithm = "sts:SigningAlgorithm"
)

func needWebToken(_ context.Context, call *awsapi.Call, in *model.GetWebIdentityTokenInput) ([]awsapi.Need, error) {
	if call.Principal.Type == awsapi.Root {
		return nil, awsapi.AccessDenied("Cannot call GetWebIdentityToken as the root of an account: tokens are for users and roles")
	}
	tags, err := requestTags(in.Tags)
	if err != nil {
		return nil, err
	}
	need := awsapi.Need{Context: func(c *iampolicy.Context) {
		c.SetMulti(keyTokenAudience, in.Audience...)
		c.Set(keySigningAlgorithm, *in.SigningAlgorithm)
		c.Set(iampolicy.KeySTSDurationSeconds, strconv.Itoa(int(webTokenDuration(in).Seconds())))
		setRequestTags(c, tags)
	}}
	needs := []awsapi.Need{need}
	if len(tags) > 0 {
		need.Action = "sts:TagGetWebIdentityToken"
		needs = append(needs, need)
	}
	return needs, nil
}

func webTokenDuration(in *model.GetWebIdentityTokenInput) time.Duration {
	if in.DurationSeconds == nil {
		return defaultWebTokenDuration
	}
	return time.Duration(*in.DurationSeconds) * time.Second
}

// GetWebIdentityToken gives the caller a signed token that says who it is, for services outside that trust the account's
// issuer. The account must have enabled that.
func (s *Service) GetWebIdentityToken(ctx context.Context, call *awsapi.Call, in *model.GetWebIdentityTokenInput) (*model.GetWebIdentityTokenOutput, error) {
	alg := jose.SignatureAlgorithm(*in.SigningAlgorithm)
	if !slices.Contains(webissuer.Algorithms, alg) {
		return nil, awsapi.Validation("1 validation error detected: Value '%s' at 'signingAlgorithm' failed to satisfy constraint: Member must satisfy enum value set: [RS256, ES384]", *in.SigningAlgorithm)
	}
	issued := call.Now.Truncate(time.Second)
	expires := issued.Add(webTokenDuration(in))
	if sess := call.Principal.Session; sess != nil && expires.After(sess.ExpiresAt) {
		return nil, model.SessionDurationEscalationException("The requested token duration would extend the session beyond its original expiration time.")
	}
	tags, err := requestTags(in.Tags)
	if err != nil {
		return nil, err
	}
	own := map[string]any{"aws_account": string(call.Account), "source_region": string(call.Region), "principal_id": subjectOf(call.Principal)}
	if len(call.Principal.Tags) > 0 {
		m := map[string]string{}
		for _, t := range call.Principal.Tags {
			m[t.Key] = t.Value
		}
		own["principal_tags"] = m
	}
	if len(tags) > 0 {
		m := map[string]string{}
		for _, t := range tags {
			m[t.Key] = t.Value
		}
		own["request_tags"] = m
	}
	if sess := call.Principal.Session; sess != nil {
		own["original_session_exp"] = sess.ExpiresAt.UTC().Format(time.RFC3339)
		if sess.SourceIdentity != "" {
			own["source_identity"] = sess.SourceIdentity
		}
		if sess.Provider != "" {
			own["federated_provider"] = sess.Provider
		}
	}
	claims := map[string]any{
		"iss": s.cfg.Issuer.URL(call.Account), "sub": subjectOf(call.Principal), "aud": any(in.Audience), "iat": issued.Unix(), "exp": expires.Unix(),
		"jti": arn.NewUUID(), awsClaims: own,
	}
	if len(in.Audience) == 1 {
		claims["aud"] = in.Audience[0]
	}
	token, err := s.cfg.Issuer.Sign(ctx, call.Now, call.Account, alg, claims)
	switch {
	case errors.Is(err, webissuer.ErrDisabled):
		return nil, model.OutboundWebIdentityFederationDisabledException("Outbound web identity federation is not enabled for your account: call iam:EnableOutboundWebIdentityFederation")
	case errors.Is(err, webissuer.ErrTooLarge):
		return nil, model.JWTPayloadSizeExceededException("The requested token payload size exceeds the maximum allowed size: %d bytes", webissuer.MaxPayload)
	case err != nil:
		return nil, err
	}
	return &model.GetWebIdentityTokenOutput{WebIdentityToken: &token, Expiration: &expires}, nil
}

// subjectOf is the user, or the role of a session: the session's name would give every session another subject.
func subjectOf(p *awsapi.Principal) string {
	if p.RoleARN != "" {
		return p.RoleARN
	}
	return p.ARN
}
