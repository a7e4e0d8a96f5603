package gate

import (
	"context"
	"strings"
	"sync"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
)

var contexts = sync.Pool{New: func() any { return iampolicy.NewContext(32) }}

// WithContext lends fn an empty condition context.
func WithContext(fn func(*iampolicy.Context) error) error {
	c := contexts.Get().(*iampolicy.Context)
	defer func() {
		c.Reset()
		contexts.Put(c)
	}()
	return fn(c)
}

// Authorize returns nil only if the principal's policies allow what n asks for. The root of the account may do
// everything in it.
func (g *Gate) Authorize(ctx context.Context, p *awsapi.Principal, call *awsapi.Call, n awsapi.Need) error {
	action, resource := n.Action, n.Resource
	if action == "" {
		action = call.Op.Action()
	}
	if resource == "" {
		resource = "*"
	}
	if err := g.sessionMayCall(p, callerOf(call), n.Context, action, resource); err != nil {
		return err
	}
	set := &iampolicy.Set{}
	crosses := n.Owner != "" && n.Owner != p.Account
	if p.Type == awsapi.Root && (!crosses && n.Policy == nil) {
		return g.sameAccount(p, callerOf(call), n.Context, resource, action)
	}
	if p.Type != awsapi.Root { // a root has no policies of its own, and needs none
		var err error
		if set, err = g.PolicySet(ctx, p); err != nil {
			return err
		}
	}
	set.Resource = n.Policy
	if crosses {
		set.ResourceAccount = string(n.Owner)
	}
	return g.decide(set, p, policyPrincipal(p), callerOf(call), n.Context, action, resource)
}

// AuthorizeProxied decides one action on a resource of another service, whose proxy asks. The root of the account may do
// everything in it. A denial is an *awsapi.Error as [Gate.Authorize] returns it.
func (g *Gate) AuthorizeProxied(ctx context.Context, p *awsapi.Principal, caller *Caller, extra func(*iampolicy.Context), action, resource string) error {
	if p.Session != nil && p.Session.Type == sessiontoken.SessionToken {
		if err := g.sessionMayCall(p, caller, extra, action, resource); err != nil {
			return err
		}
	}
	if p.Type == awsapi.Root {
		return g.sameAccount(p, caller, extra, resource, action)
	}
	set, err := g.PolicySet(ctx, p)
	if err != nil {
		return err
	}
	return g.decide(set, p, policyPrincipal(p), caller, extra, action, resource)
}

func callerOf(call *awsapi.Call) *Caller {
	return &Caller{Now: call.Now, SourceIP: call.SourceIP, UserAgent: call.UserAgent, Region: string(call.Region), TLS: call.TLS}
}

// sameAccount keeps a root in its account, whatever ARN a request names.
func (g *Gate) sameAccount(p *awsapi.Principal, caller *Caller, extra func(*awsapi.ConditionContext), resource, action string) error {
	if a, err := arn.Parse(resource); err == nil && a.Account != "" && a.Account != p.Account {
		d := iampolicy.Decision{By: iampolicy.ResourceBased, Statement: -1}
		return WithContext(func(c *iampolicy.Context) error {
			requestContext(c, p, caller, extra)
			return g.denied(p, d, action, resource, c)
		})
	}
	return nil
}

// decide evaluates set for one action and turns a denial into AWS's words, with an encoded message for whoever may
// decode it. as is the caller in the eyes of policies that name principals.
func (g *Gate) decide(set *iampolicy.Set, p *awsapi.Principal, as *iampolicy.Principal, caller *Caller, extra func(*awsapi.ConditionContext), action, resource string) error {
	owner := set.ResourceAccount
	if owner == "" {
		owner = string(p.Account)
	}
	return WithContext(func(c *iampolicy.Context) error {
		requestContext(c, p, caller, extra)
		c.Set(iampolicy.KeyResourceAccount, owner)
		d := iampolicy.Evaluate(set, &iampolicy.Request{Action: action, Resource: resource, Principal: as, Context: c})
		if d.Allowed {
			return nil
		}
		return g.denied(p, d, action, resource, c)
	})
}

func requestContext(c *iampolicy.Context, p *awsapi.Principal, caller *Caller, extra func(*awsapi.ConditionContext)) {
	SetRequest(c, caller)
	SetPrincipal(c, p)
	if extra != nil {
		extra(c)
	}
}

// denied is the error for a decision that does not allow.
func (g *Gate) denied(p *awsapi.Principal, d iampolicy.Decision, action, resource string, c *iampolicy.Context) *awsapi.Error {
	m := newDenial(p, action, resource, c)
	m.decided(d)
	return g.refusal(p, d.Message(p.ARN, action, resource), m)
}

// refusal is AccessDenied in AWS's words, with the encoded message behind them.
func (g *Gate) refusal(p *awsapi.Principal, sentence string, m *denial) *awsapi.Error {
	return awsapi.AccessDenied("%s. Encoded authorization failure message: %s", sentence, g.encodeDenial(p.Account, m)).Explained(m.Explanation)
}

// NoSuchRole denies assuming a role that is not there in the form of one whose trust policy refuses: who asks does not learn
// which it was.
func (g *Gate) NoSuchRole(call *awsapi.Call, roleARN, action string, extra func(*iampolicy.Context)) error {
	if err := g.sessionMayCall(call.Principal, callerOf(call), extra, action, roleARN); err != nil {
		return err
	}
	return WithContext(func(c *iampolicy.Context) error {
		requestContext(c, call.Principal, callerOf(call), extra)
		d := iampolicy.Decision{By: iampolicy.RoleTrust, Statement: -1}
		return g.denied(call.Principal, d, action, roleARN, c).Explained("no such role")
	})
}

// AuthorizeAssume decides one action of assuming a role (sts:AssumeRole, sts:TagSession, sts:SetSourceIdentity): the
// role's trust policy must allow the caller, and so must the caller's own policies where the trust policy only names
// its account, or where the role belongs to another account.
func (g *Gate) AuthorizeAssume(ctx context.Context, call *awsapi.Call, role *store.Cached[store.RoleBundle], action string, extra func(*iampolicy.Context)) error {
	p := call.Principal
	r := &role.Row.Role
	resource := arn.Role(g.partition, r.Account, r.Path, r.Name).String()
	if err := g.sessionMayCall(p, callerOf(call), extra, action, resource); err != nil {
		return err
	}
	trust, err := g.TrustPolicy(role)
	if err != nil {
		return err
	}
	set, err := g.PolicySet(ctx, p)
	if err != nil {
		return err
	}
	set.Resource, set.ResourceAccount, set.Trust = trust, string(r.Account), true
	as := policyPrincipal(p)
	if err := g.decide(set, p, as, callerOf(call), extra, action, resource); err != nil || sameAsTrusted(r, p) {
		return err
	}
	// The trust policy means someone else who had this ARN before. What is left is what it says about the caller's account.
	if p.Type == awsapi.AssumedRole {
		as.RoleARN = ""
	} else {
		as.ARN = ""
	}
	return g.decide(set, p, as, callerOf(call), extra, action, resource)
}

// sameAsTrusted is false if the trust policy was saved when the caller's ARN was that of another user or role.
func sameAsTrusted(r *store.Role, p *awsapi.Principal) bool {
	principal, id := p.ARN, p.UserID
	if p.Type == awsapi.AssumedRole {
		principal = p.RoleARN
		id, _, _ = strings.Cut(p.UserID, ":")
	}
	for _, t := range r.Trusted {
		if t.ARN == principal {
			return t.ID == id
		}
	}
	return true
}
