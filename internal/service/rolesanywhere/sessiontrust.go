package rolesanywhere

import (
	"context"
	"errors"
	"strconv"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/gate"
	"github.com/rolecall/rolecall/internal/store"
)

// assumeActions are what the role's trust policy must allow the service to do, each on its own.
var assumeActions = [...]string{"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"}

// assumer is who does it. It is not changed.
var assumer = &iampolicy.Principal{Service: EventSource}

// checkTrustPolicy asks the role whether it may be assumed with this certificate, through this anchor, for this long.
func (s *Service) checkTrustPolicy(ctx context.Context, a *attempt) error {
	if err := s.findRole(ctx, a); err != nil {
		return err
	}
	trust, err := s.cfg.Gate.TrustPolicy(a.role)
	if err != nil {
		return err
	}
	err = gate.WithContext(func(c *iampolicy.Context) error {
		c.CopyFrom(a.plan.keys)
		c.Set(iampolicy.KeySTSDurationSeconds, strconv.Itoa(int(a.duration.Seconds())))
		gate.SetRequest(c, &gate.Caller{Now: a.raw.Now, SourceIP: a.raw.SourceIP, UserAgent: a.raw.UserAgent, Region: string(a.anchor.Row.Region), TLS: a.raw.TLS})
		a.set = iampolicy.Set{Resource: trust, ResourceAccount: string(a.role.Row.Role.Account), Trust: true}
		a.ask = iampolicy.Request{Resource: a.request.roleARN, Principal: assumer, Context: c}
		for _, action := range assumeActions {
			a.ask.Action = action
			if d := iampolicy.Evaluate(&a.set, &a.ask); !d.Allowed {
				return s.unableToAssume(a, "the role's trust policy does not allow "+action).Explained(action + ": " + d.Explain())
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if limit := a.role.Row.Role.MaxSession; int(a.duration.Seconds()) > limit {
		return denied("Unable to assume role for %s. The requested DurationSeconds exceeds the MaxSessionDuration set for this role.: %d against %d seconds", a.request.roleARN, int(a.duration.Seconds()), limit)
	}
	return s.checkSessionPolicies(ctx, a)
}

// findRole finds the role by its exact ARN, and the plan with it. A role that is not there and one that refuses look alike
// from outside.
func (s *Service) findRole(ctx context.Context, a *attempt) error {
	req := a.request
	name, _ := req.role.RoleName()
	if req.role.Account != a.anchor.Row.Account {
		return s.unableToAssume(a, "the role is in another account")
	}
	role, err := s.view.Role(ctx, req.role.Account, name)
	if errors.Is(err, store.ErrNotFound) {
		return s.unableToAssume(a, "")
	}
	if err != nil {
		return err
	}
	if a.plan = findPlan(a, role); a.plan != nil {
		a.role = role
		return nil
	}
	r := &role.Row.Role
	if arn.Role(s.cfg.Gate.Partition(), r.Account, r.Path, r.Name).String() != req.roleARN {
		return s.unableToAssume(a, "")
	}
	a.role = role
	a.plan = makePlan(a)
	return nil
}

// unableToAssume is AWS's text for every refusal by the role, with the hint about unmappable attributes.
func (s *Service) unableToAssume(a *attempt, reason string) *awsapi.Error {
	if reason != "" {
		reason = ": " + reason
	}
	return denied("Unable to assume role for %s.%s%s", a.request.roleARN, a.attrs.Hint(), reason)
}

// fixedKeys is how many keys trustKeys sets beside those of tags.
const fixedKeys = 7

// trustKeys sets the condition keys that a trust policy may test beside the duration's and those of the moment.
func trustKeys(c *iampolicy.Context, a *attempt) {
	c.Set(iampolicy.KeySourceArn, a.request.trustAnchorARN)
	c.Set(iampolicy.KeySourceAccount, string(a.anchor.Row.Account))
	c.Set(iampolicy.KeyPrincipalIsAWSService, "true")
	c.Set(iampolicy.KeyPrincipalServiceName, EventSource)
	c.Set(iampolicy.KeySTSRoleSessionName, a.sessionName)
	c.Set(iampolicy.KeySTSSourceIdentity, a.attrs.SourceIdentity)
	keys := make([]string, len(a.attrs.Tags))
	for i, t := range a.attrs.Tags {
		c.Set(iampolicy.KeyPrincipalTagPrefix+t.Key, t.Value)
		c.Set(iampolicy.KeyRequestTagPrefix+t.Key, t.Value)
		keys[i] = t.Key
	}
	c.SetMulti(iampolicy.KeyTagKeys, keys...)
}

// checkSessionPolicies refuses a profile whose managed session policies are not there: a session without them would be
// denied everything later, with a less helpful text.
func (s *Service) checkSessionPolicies(ctx context.Context, a *attempt) error {
	for _, p := range a.profile.Row.ManagedPolicyARNs {
		_, err := s.view.Policy(ctx, a.anchor.Row.Account, p)
		if errors.Is(err, store.ErrNotFound) {
			return s.unableToAssume(a, "the profile's managed session policy "+p+" does not exist")
		}
		if err != nil {
			return err
		}
	}
	return nil
}
