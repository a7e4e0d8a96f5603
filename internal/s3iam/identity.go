package s3iam

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/sigv4"
)

// signingKey answers with the key that a request has to be signed with, and whom it would come from.
func (h *Handler) signingKey(ctx context.Context, body []byte, now time.Time) (any, error) {
	var q signingKeyRequest
	if err := decode(body, &q); err != nil {
		return nil, err
	}
	if err := q.check(); err != nil {
		return nil, err
	}
	scope := sigv4.Claims{Date: q.Date, Region: q.Region, Service: q.Service}
	p, key, err := h.cfg.Gate.SigningKey(ctx, q.AccessKeyID, q.SessionToken, &scope, now)
	if err := h.known(q.AccessKeyID, q.SessionToken, p, err); err != nil {
		return nil, err
	}
	return &signingKeyResponse{DerivedKey: key[:], PrincipalARN: p.ARN, RoleARN: p.RoleARN}, nil
}

// identify is whom an access key speaks for, in the gateway's account.
func (h *Handler) identify(ctx context.Context, keyID, token string, now time.Time) (*awsapi.Principal, error) {
	p, err := h.cfg.Gate.Identify(ctx, keyID, token, now)
	return p, h.known(keyID, token, p, err)
}

// known turns the gate's answer about a key into the protocol's. An identity of another account is as good as none.
func (h *Handler) known(keyID, token string, p *awsapi.Principal, err error) error {
	if err == nil && p.Account == h.cfg.Account {
		return nil
	}
	if _, refused := errors.AsType[*awsapi.Error](err); err != nil && !refused {
		return err
	}
	if token != "" || strings.HasPrefix(keyID, string(sessiontoken.Temporary)) {
		return &refusal{status: http.StatusForbidden, code: codeInvalidToken, text: "the session token is missing, invalid or expired, or its role is gone", cause: err}
	}
	return &refusal{status: http.StatusForbidden, code: codeNoSuchIdentity, text: "no active access key of this account", cause: err}
}

// resolveIdentities says which access keys name a user of the account; ACLs name grantees so. Sessions are not found: nothing
// is stored for one, and a grant to one would outlive it.
func (h *Handler) resolveIdentities(ctx context.Context, body []byte, now time.Time) (any, error) {
	var q identitiesRequest
	if err := decode(body, &q); err != nil {
		return nil, err
	}
	if len(q.AccessKeyIDs) > maxPrincipals {
		return nil, badRequest("%d access key ids, at most %d", len(q.AccessKeyIDs), maxPrincipals)
	}
	out := &identitiesResponse{Identities: make([]foundIdentity, len(q.AccessKeyIDs))}
	for i, id := range q.AccessKeyIDs {
		if strings.HasPrefix(id, string(sessiontoken.Temporary)) {
			continue
		}
		p, err := h.identify(ctx, id, "", now)
		if _, refused := errors.AsType[*refusal](err); refused {
			continue
		}
		if err != nil {
			return nil, err
		}
		out.Identities[i] = foundIdentity{Found: true, Kind: kindUser, PrincipalARN: p.ARN}
	}
	return out, nil
}

// resolvePrincipals says which principals of a bucket policy name nobody.
func (h *Handler) resolvePrincipals(ctx context.Context, body []byte, _ time.Time) (any, error) {
	var q principalsRequest
	if err := decode(body, &q); err != nil {
		return nil, err
	}
	if len(q.Principals) > maxPrincipals {
		return nil, badRequest("%d principals, at most %d", len(q.Principals), maxPrincipals)
	}
	out := &principalsResponse{Invalid: []string{}}
	for _, name := range q.Principals {
		named, err := h.names(ctx, name)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if !named || err != nil {
			out.Invalid = append(out.Invalid, name)
		}
	}
	return out, nil
}
