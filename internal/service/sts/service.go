// Package sts implements the Security Token Service as far as sessions need it: who a key belongs to, and how one set of
// credentials becomes another. Sessions are sealed by package sessiontoken and kept nowhere.
//
// It does not turn certificates into credentials: that is CreateSession, in package rolesanywhere. Web identity and SAML
// are not served. Start with [Service.Bindings] and assumerole.go.
package sts

import (
	"github.com/rolecall/rolecall/internal/awsapi"
	model "github.com/rolecall/rolecall/internal/awsapi/model/sts"
	"github.com/rolecall/rolecall/internal/gate"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
)

// Config is what the service works with. All fields are required.
type Config struct {
	View   *store.View
	Gate   *gate.Gate
	Sealer *sessiontoken.Sealer
}

// Service implements the operations. It is safe for concurrent use.
type Service struct{ cfg Config }

// New makes the service.
func New(cfg Config) *Service { return &Service{cfg: cfg} }

// Bindings are the operations for the router. AssumeRole authorizes by itself: the role's trust policy takes part.
func (s *Service) Bindings() []awsapi.Binding {
	return []awsapi.Binding{
		awsapi.Bind(model.OpGetCallerIdentity, nil, s.GetCallerIdentity, awsapi.NoTx()),
		awsapi.Bind(model.OpAssumeRole, nil, s.AssumeRole, awsapi.NoTx(), awsapi.Record(assumeRoleResources)),
		awsapi.Bind(model.OpGetSessionToken, nil, s.GetSessionToken, awsapi.NoTx()),
		awsapi.Bind(model.OpGetAccessKeyInfo, anyResource[model.GetAccessKeyInfoInput], s.GetAccessKeyInfo, awsapi.NoTx()),
		awsapi.Bind(model.OpDecodeAuthorizationMessage, anyResource[model.DecodeAuthorizationMessageInput], s.DecodeAuthorizationMessage, awsapi.NoTx()),
	}
}
