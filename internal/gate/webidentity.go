package gate

import (
	"context"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/store"
)

// AuthorizeWebIdentity decides one action (sts:AssumeRoleWithWebIdentity, sts:TagSession, sts:SetSourceIdentity) for
// whom an identity provider vouches. Such a caller has no policies: the role's trust policy alone decides. provider is
// the provider's ARN; extra adds the token's and the request's condition keys.
func (g *Gate) AuthorizeWebIdentity(_ context.Context, call *awsapi.Call, role *store.Cached[store.RoleBundle], provider, action string, extra func(*iampolicy.Context)) error {
	trust, err := g.TrustPolicy(role)
	if err != nil {
		return err
	}
	r := &role.Row.Role
	set := &iampolicy.Set{Resource: trust, ResourceAccount: string(r.Account), Trust: true}
	return WithContext(func(c *iampolicy.Context) error {
		SetRequest(c, &Caller{Now: call.Now, SourceIP: call.SourceIP, UserAgent: call.UserAgent, Region: string(call.Region), TLS: call.TLS})
		c.Set(iampolicy.KeyFederatedProvider, provider)
		extra(c)
		d := iampolicy.Evaluate(set, &iampolicy.Request{
			Action: action, Resource: arn.Role(g.partition, r.Account, r.Path, r.Name).String(),
			Principal: &iampolicy.Principal{Federated: provider}, Context: c,
		})
		if d.Allowed {
			return nil
		}
		return awsapi.AccessDenied("Not authorized to perform %s", action).Explained(d.Explain())
	})
}
