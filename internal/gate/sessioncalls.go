package gate

import (
	"net/http"
	"strings"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/sessiontoken"
)

// assuming are the permissions that assuming a role amounts to.
var assuming = map[string]bool{"assumerole": true, "tagsession": true, "setsourceidentity": true}

// sessionMayCall holds what no policy can give to a session of a user. GetSessionToken's: without MFA no IAM call, and of
// STS only AssumeRole and GetCallerIdentity. GetFederationToken's: no IAM call, and of STS only GetCallerIdentity.
// AWS calls the token invalid if the service is IAM.
func (g *Gate) sessionMayCall(p *awsapi.Principal, caller *Caller, extra func(*iampolicy.Context), action, resource string) error {
	s := p.Session
	if s == nil || s.Type == sessiontoken.AssumedRole {
		return nil
	}
	service, op, _ := strings.Cut(strings.ToLower(action), ":")
	federated := s.Type == sessiontoken.Federated
	switch {
	case service == "iam" && federated:
		return invalidForIAM("a session of GetFederationToken calls no IAM operation")
	case service == "iam" && !s.MFA:
		return invalidForIAM("a session of GetSessionToken without MFA calls no IAM operation")
	case service != "sts" || op == "getcalleridentity" || !federated && assuming[op]:
		return nil
	case federated:
		return g.cannotCall(p, caller, extra, action, resource, "a session of GetFederationToken calls of STS only GetCallerIdentity")
	}
	return g.cannotCall(p, caller, extra, action, resource, "a session of GetSessionToken calls of STS only AssumeRole and GetCallerIdentity")
}

// LongTermOnly refuses a session of any kind to an STS operation that makes another one.
func (g *Gate) LongTermOnly(call *awsapi.Call) error {
	if call.Principal.Session == nil {
		return nil
	}
	return g.cannotCall(call.Principal, callerOf(call), nil, call.Op.Action(), "*", "only long-term keys call "+call.Op.Name)
}

func invalidForIAM(reason string) error {
	return awsapi.Errorf("InvalidClientTokenId", http.StatusForbidden, "The security token included in the request is invalid: %s", reason).Explained(reason)
}

// cannotCall is AWS's sentence for a session that a call is not made for. AWS has no encoded message there, since no policy
// decides; ours says why.
func (g *Gate) cannotCall(p *awsapi.Principal, caller *Caller, extra func(*iampolicy.Context), action, resource, reason string) error {
	return WithContext(func(c *iampolicy.Context) error {
		requestContext(c, p, caller, extra)
		m := newDenial(p, action, resource, c)
		m.Explanation = reason
		_, op, _ := strings.Cut(action, ":")
		return g.refusal(p, "Cannot call "+op+" with session credentials", m)
	})
}
