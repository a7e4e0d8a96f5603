// Package sts implements the Security Token Service as far as sessions need it: who a key belongs to, and how one set of
// credentials becomes another. Sessions are sealed by package sessiontoken and kept nowhere.
//
// It does not turn certificates into credentials: that is CreateSession, in package rolesanywhere. It verifies no tokens of
// identity providers and signs none (packages webidentity and webissuer), and SAML is not served. Start with
// [Service.Bindings], assumerole.go and webidentity.go.
package sts

import (
	"github.com/rolecall/rolecall/internal/awsapi"
	model "github.com/rolecall/rolecall/internal/awsapi/model/sts"
	"github.com/rolecall/rolecall/internal/gate"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/internal/webidentity"
	"github.com/rolecall/rolecall/internal/webissuer"
	"golang.org/x/time/rate"
)

// Config is what the service works with. All fields are required.
type Config struct {
	DB       *store.DB
	View     *store.View
	Gate     *gate.Gate
	Sealer   *sessiontoken.Sealer
	Verifier *webidentity.Verifier // of tokens that come in
	Issuer   *webissuer.Issuer     // of tokens that go out
}

// Service implements the operations. It is safe for concurrent use.
type Service struct {
	cfg Config
	web *rate.Limiter // of unsigned calls
}

// New makes the service.
func New(cfg Config) *Service {
	return &Service{cfg: cfg, web: rate.NewLimiter(webPerSecond, webPerSecond)}
}

// Bindings are the operations for the router. Those that assume a role authorize by themselves: the role's trust policy
// takes part.
func (s *Service) Bindings() []awsapi.Binding {
	return []awsapi.Binding{
		awsapi.Bind(model.OpGetCallerIdentity, nil, s.GetCallerIdentity, awsapi.NoTx()),
		awsapi.Bind(model.OpAssumeRole, nil, s.AssumeRole, awsapi.NoTx(), awsapi.Record(assumeRoleResources)),
		awsapi.Bind(model.OpAssumeRoleWithWebIdentity, nil, s.AssumeRoleWithWebIdentity, awsapi.NoTx(), awsapi.Unsigned(), awsapi.Record(webResources)),
		awsapi.Bind(model.OpGetFederationToken, s.needFederation, s.GetFederationToken, awsapi.NoTx()),
		awsapi.Bind(model.OpGetWebIdentityToken, needWebToken, s.GetWebIdentityToken, awsapi.NoTx()),
		awsapi.Bind(model.OpGetSessionToken, nil, s.GetSessionToken, awsapi.NoTx()),
		awsapi.Bind(model.OpGetAccessKeyInfo, anyResource[model.GetAccessKeyInfoInput], s.GetAccessKeyInfo, awsapi.NoTx()),
		awsapi.Bind(model.OpDecodeAuthorizationMessage, anyResource[model.DecodeAuthorizationMessageInput], s.DecodeAuthorizationMessage, awsapi.NoTx()),
	}
}
