package iam

import (
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/store"
	"strings"
)

func (s *Service) userBindings() []awsapi.Binding          { return nil }
func (s *Service) userPolicyBindings() []awsapi.Binding    { return nil }
func (s *Service) accessKeyBindings() []awsapi.Binding     { return nil }
func (s *Service) policyBindings() []awsapi.Binding        { return nil }
func (s *Service) policyVersionBindings() []awsapi.Binding { return nil }
func (s *Service) accountBindings() []awsapi.Binding       { return nil }

func users(c *awsapi.Call) func(int, string) ([]store.User, string, error) {
	return func(limit int, after string) ([]store.User, string, error) {
		return c.Tx.ListUsers(c.Account, "", limit, after)
	}
}

func underPath(policy string, prefix *string) bool {
	_, rest, _ := strings.Cut(policy, ":policy")
	return prefix == nil || strings.HasPrefix(rest, *prefix)
}
