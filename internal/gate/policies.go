package gate

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/store"
)

// compiledRole is what a cached role yields once.
type compiledRole struct {
	trust  *iampolicy.Policy
	inline []*iampolicy.Policy
}

func compileRole(b *store.RoleBundle) (any, error) {
	trust, err := iampolicy.Parse(b.Role.TrustPolicy, iampolicy.Trust)
	if err != nil {
		return nil, fmt.Errorf("trust policy of role %s: %w", b.Role.Name, err)
	}
	inline, err := compileInline(b.Inline)
	if err != nil {
		return nil, err
	}
	return &compiledRole{trust: trust.Named("trust policy of role " + b.Role.Name), inline: inline}, nil
}

func compileInline(docs []store.InlinePolicy) ([]*iampolicy.Policy, error) {
	out := make([]*iampolicy.Policy, 0, len(docs))
	for _, d := range docs {
		p, err := iampolicy.Parse(d.Document, iampolicy.Identity)
		if err != nil {
			return nil, fmt.Errorf("inline policy %s of %s: %w", d.Name, d.OwnerName, err)
		}
		out = append(out, p.Named(d.Name))
	}
	return out, nil
}

// TrustPolicy is the compiled trust policy of a cached role.
func (g *Gate) TrustPolicy(role *store.Cached[store.RoleBundle]) (*iampolicy.Policy, error) {
	c, err := role.Compiled(compileRole)
	if err != nil {
		return nil, err
	}
	return c.(*compiledRole).trust, nil
}

// managed is a managed policy's default version, compiled. A policy that is attached but cannot be read is an error,
// never an absence: it may hold a Deny.
func (g *Gate) managed(ctx context.Context, account arn.AccountID, policyARN string) (*iampolicy.Policy, error) {
	entry, err := g.view.Policy(ctx, account, policyARN)
	if err != nil {
		return nil, fmt.Errorf("managed policy %s: %w", policyARN, err)
	}
	p, err := entry.Compiled(func(b *store.PolicyBundle) (any, error) {
		p, err := iampolicy.Parse(b.Document, iampolicy.Managed)
		if err != nil {
			return nil, err
		}
		return p.Named(policyARN), nil
	})
	if err != nil {
		return nil, fmt.Errorf("managed policy %s: %w", policyARN, err)
	}
	return p.(*iampolicy.Policy), nil
}

func (g *Gate) withManaged(ctx context.Context, account arn.AccountID, inline []*iampolicy.Policy, attached []string) ([]*iampolicy.Policy, error) {
	if len(attached) == 0 {
		return inline, nil
	}
	out := make([]*iampolicy.Policy, 0, len(inline)+len(attached))
	out = append(out, inline...)
	for _, a := range attached {
		p, err := g.managed(ctx, account, a)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// PolicySet gathers what applies to a principal by itself: identity policies, boundary, session policies. Root has
// none and needs none; asking for its set is an error.
func (g *Gate) PolicySet(ctx context.Context, p *awsapi.Principal) (*iampolicy.Set, error) {
	switch p.Type {
	case awsapi.AssumedRole:
		return g.roleSet(ctx, p)
	case awsapi.User:
		return g.userSet(ctx, p)
	case awsapi.FederatedUser:
		return g.federatedSet(ctx, p)
	}
	return nil, fmt.Errorf("principals of type %s have no policies", p.Type)
}

func (g *Gate) roleSet(ctx context.Context, p *awsapi.Principal) (*iampolicy.Set, error) {
	role, err := g.view.Role(ctx, p.Account, p.Session.RoleName)
	if err != nil {
		return nil, err
	}
	c, err := role.Compiled(compileRole)
	if err != nil {
		return nil, err
	}
	set := &iampolicy.Set{}
	if set.Identity, err = g.withManaged(ctx, p.Account, c.(*compiledRole).inline, role.Row.Attached); err != nil {
		return nil, err
	}
	if err := g.setBoundary(ctx, set, p.Account, role.Row.Role.Boundary); err != nil {
		return nil, err
	}
	return set, g.setSession(ctx, set, p)
}

// everything is what the root of an account may do in it, for federated users whose session policies narrow it.
var everything = sync.OnceValues(func() (*iampolicy.Policy, error) {
	p, err := iampolicy.Parse(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, iampolicy.Identity)
	if err != nil {
		return nil, err
	}
	return p.Named("root of the account"), nil
})

// federatedSet is what the user behind a federated user may do, narrowed by the session's policies. Without any of those
// the session may do nothing on its own (STS API, GetFederationToken, "Permissions").
func (g *Gate) federatedSet(ctx context.Context, p *awsapi.Principal) (*iampolicy.Set, error) {
	set := &iampolicy.Set{}
	if p.Session.UserName == "" {
		all, err := everything()
		if err != nil {
			return nil, err
		}
		set.Identity = []*iampolicy.Policy{all}
	} else {
		var err error
		if set, err = g.userSet(ctx, p); err != nil {
			return nil, err
		}
	}
	set.HasSession = true
	return set, g.setSession(ctx, set, p)
}

func (g *Gate) setBoundary(ctx context.Context, set *iampolicy.Set, account arn.AccountID, boundary string) error {
	if boundary == "" {
		return nil
	}
	set.HasBoundary = true
	p, err := g.managed(ctx, account, boundary)
	if errors.Is(err, store.ErrNotFound) {
		return nil // HasBoundary without a policy allows nothing
	}
	set.Boundary = p
	return err
}

// setSession adds the policies that the session was narrowed by.
func (g *Gate) setSession(ctx context.Context, set *iampolicy.Set, p *awsapi.Principal) error {
	sess := p.Session
	if sess.SessionPolicy == "" && len(sess.PolicyARNs) == 0 {
		return nil
	}
	set.HasSession = true
	if sess.SessionPolicy != "" {
		policy, err := memoOf(sess).policy(sess)
		if err != nil {
			return err
		}
		set.Session = append(set.Session, policy)
	}
	for _, a := range sess.PolicyARNs {
		policy, err := g.managed(ctx, p.Account, a)
		if errors.Is(err, store.ErrNotFound) {
			set.Session = nil // it may have held a Deny: a session that lost a policy may do nothing
			return nil
		}
		if err != nil {
			return err
		}
		set.Session = append(set.Session, policy)
	}
	return nil
}
