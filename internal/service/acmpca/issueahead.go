package acmpca

import (
	"context"
	"errors"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/awsapi"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/gate"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/store"
)

// signed is what IssueCertificate has done before its transaction.
type signed struct{ *issuance.Signed }

// ready finds the CA of a call in the cached view.
func (s *Service) ready(ctx context.Context, call *awsapi.Call, name string) (*issuance.Ready, error) {
	owner, id, err := parseShared(call, name)
	if err != nil {
		return nil, err
	}
	return s.cfg.Issuer.Ready(ctx, s.cfg.DB.View(), owner, call.Region, id)
}

// needIssueAhead is needIssue on the cached view.
func (s *Service) needIssueAhead(ctx context.Context, call *awsapi.Call, in *pca.IssueCertificateInput) ([]awsapi.Need, error) {
	name := *in.CertificateAuthorityArn
	r, err := s.ready(ctx, call, name)
	if err != nil {
		return nil, err
	}
	template, err := authority.FindTemplate(deref(in.TemplateArn))
	if err != nil {
		return nil, err
	}
	var tags []store.Tag
	if r.CA.Account == call.Account || r.Policy != nil {
		tags = r.CA.Tags
	}
	return []awsapi.Need{{Resource: name, Policy: r.Policy, Owner: r.CA.Account, Context: func(c *awsapi.ConditionContext) {
		gate.SetTags(c, iampolicy.KeyResourceTagPrefix, tags)
		c.Set(keyTemplateARN, template.ARN(call.Partition))
	}}}, nil
}

// issueAhead signs before the transaction. What it would refuse is left to issue, whose transaction sees the present.
func (s *Service) issueAhead(ctx context.Context, call *awsapi.Call, in *pca.IssueCertificateInput) (*signed, *pca.IssueCertificateOutput, error) {
	r, err := s.ready(ctx, call, *in.CertificateAuthorityArn)
	if err != nil {
		return nil, nil, awsapi.ErrUnprepared
	}
	template, err := authority.FindTemplate(deref(in.TemplateArn))
	if err != nil || !issuance.MayIssue(r.CA, template, call.Now) {
		return nil, nil, awsapi.ErrUnprepared
	}
	if in.IdempotencyToken != nil && s.seen(ctx, call, *in.IdempotencyToken) {
		return nil, nil, awsapi.ErrUnprepared
	}
	req, err := toRequest(call, template, in)
	if err != nil {
		return nil, nil, awsapi.ErrUnprepared
	}
	done, err := s.cfg.Issuer.Sign(ctx, s.cfg.DB, r, req)
	if errors.Is(err, authority.ErrUnavailable) {
		return nil, nil, public(err) // a transaction must not wait for a token that is not there
	}
	if err != nil {
		return nil, nil, awsapi.ErrUnprepared
	}
	return &signed{done}, &pca.IssueCertificateOutput{CertificateArn: &done.ARN}, nil
}

// seen reports that there is something under the token, so that nothing needs to be signed.
func (s *Service) seen(ctx context.Context, call *awsapi.Call, token string) bool {
	return s.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		_, err := tx.GetIdempotencyToken(call.Account, call.Region, call.Op.Name, token)
		return err
	}) == nil
}

// issueCommit stores what issueAhead has signed, unless the same request was answered before.
func (s *Service) issueCommit(_ context.Context, call *awsapi.Call, in *pca.IssueCertificateInput, done *signed) (*pca.IssueCertificateOutput, error) {
	bare := *in
	bare.IdempotencyToken = nil
	replay, err := replayed(call, in.IdempotencyToken, bare)
	if err != nil {
		return nil, err
	}
	if replay != "" {
		return &pca.IssueCertificateOutput{CertificateArn: &replay}, nil
	}
	err = s.cfg.Issuer.Store(call.Tx, done.Signed)
	if errors.Is(err, issuance.ErrChanged) {
		return nil, awsapi.ErrUnprepared
	}
	if err != nil {
		return nil, err
	}
	return nil, remember(call, in.IdempotencyToken, bare, done.ARN)
}
