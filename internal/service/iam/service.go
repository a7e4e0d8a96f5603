// Package iam implements the IAM API as far as roles, users, groups, their policies, access keys, managed policies,
// instance profiles and account aliases go: what an account's administrator needs so that sessions have something to be
// allowed, what Terraform asks for on the way, and the simulation of policies.
//
// It does not evaluate policies (package iampolicy) nor decide whether a caller may do something (package gate does,
// before a handler runs): each binding only says which permission on which resource a call needs. SAML
// providers are not there.
//
// IAM is global: the region that a request is signed for plays no part in what it sees. Start with [Service.Bindings];
// bind.go holds the few ways in which an operation finds its role, user or policy, and one file per resource has the rest.
package iam

import (
	"slices"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/keyring"
)

// Config is what the service works with.
type Config struct {
	Ring   *keyring.Ring // seals the secrets of access keys; required
	Quotas Quotas
	// Issuer is the URL of an account's OpenID Connect issuer; required.
	Issuer func(arn.AccountID) string
}

// Service implements the operations. It is safe for concurrent use.
type Service struct {
	ring   *keyring.Ring
	quotas Quotas
	issuer func(arn.AccountID) string
}

// New makes the service.
func New(cfg Config) *Service {
	return &Service{ring: cfg.Ring, quotas: cfg.Quotas.withDefaults(), issuer: cfg.Issuer}
}

// Bindings are all operations of the service.
func (s *Service) Bindings() []awsapi.Binding {
	return slices.Concat(
		s.roleBindings(), s.roleUpdateBindings(), s.rolePolicyBindings(),
		s.userBindings(), s.userPolicyBindings(), s.accessKeyBindings(),
		s.groupBindings(), s.groupPolicyBindings(), s.instanceProfileBindings(), s.serviceLinkedBindings(),
		s.policyBindings(), s.policyVersionBindings(), s.accountBindings(), s.aliasBindings(), s.nothingBindings(),
		s.simulateBindings(), s.detailBindings(), s.serviceAccessBindings(),
		s.oidcBindings(), s.outboundBindings(),
	)
}
