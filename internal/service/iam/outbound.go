package iam

import (
	"context"
	"errors"

	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/store"
)

// outboundBindings switch the account's own tokens (STS GetWebIdentityToken) on and off.
func (s *Service) outboundBindings() []awsapi.Binding {
	return []awsapi.Binding{
		awsapi.Bind(api.OpEnableOutboundWebIdentityFederation, anyResource[api.EnableOutboundWebIdentityFederationInput], s.enableOutbound),
		awsapi.Bind(api.OpDisableOutboundWebIdentityFederation, anyResource[api.DisableOutboundWebIdentityFederationInput], disableOutbound),
		awsapi.Bind(api.OpGetOutboundWebIdentityFederationInfo, anyResource[api.GetOutboundWebIdentityFederationInfoInput], s.getOutbound),
	}
}

// outbound is the account's issuer, or nil if it has never been one.
func outbound(c *awsapi.Call) (*store.OIDCIssuer, error) {
	row, err := c.Tx.GetOIDCIssuer(c.Account)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return row, err
}

func errOutboundDisabled() error {
	return api.FeatureDisabledException("Outbound web identity federation is disabled for this account.")
}

func (s *Service) enableOutbound(_ context.Context, c *awsapi.Call, _ *api.EnableOutboundWebIdentityFederationInput) (*api.EnableOutboundWebIdentityFederationOutput, error) {
	row, err := outbound(c)
	if err != nil {
		return nil, err
	}
	if row == nil {
		row = &store.OIDCIssuer{Account: c.Account, CreatedAt: c.Now}
	}
	if row.Enabled {
		return nil, api.FeatureEnabledException("Outbound web identity federation is already enabled for this account.")
	}
	row.Enabled = true
	return &api.EnableOutboundWebIdentityFederationOutput{IssuerIdentifier: new(s.issuer(c.Account))}, c.Tx.PutOIDCIssuer(row)
}

// disableOutbound ends the making of tokens. Those that are out stay valid until they expire: the keys stay published.
func disableOutbound(_ context.Context, c *awsapi.Call, _ *api.DisableOutboundWebIdentityFederationInput) (*api.DisableOutboundWebIdentityFederationOutput, error) {
	row, err := outbound(c)
	if err != nil {
		return nil, err
	}
	if row == nil || !row.Enabled {
		return nil, errOutboundDisabled()
	}
	row.Enabled = false
	return &api.DisableOutboundWebIdentityFederationOutput{}, c.Tx.PutOIDCIssuer(row)
}

func (s *Service) getOutbound(_ context.Context, c *awsapi.Call, _ *api.GetOutboundWebIdentityFederationInfoInput) (*api.GetOutboundWebIdentityFederationInfoOutput, error) {
	row, err := outbound(c)
	if err != nil {
		return nil, err
	}
	if row == nil || !row.Enabled {
		return nil, errOutboundDisabled()
	}
	return &api.GetOutboundWebIdentityFederationInfoOutput{IssuerIdentifier: new(s.issuer(c.Account)), JwtVendingEnabled: new(true)}, nil
}
