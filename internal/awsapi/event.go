package awsapi

import (
	"crypto/tls"
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/audit"
	"github.com/rolecall/rolecall/internal/sessiontoken"
)

// event builds the audit record of a call; e is nil for a success.
func (rt *Router) event(ex *exchange, b *Binding, c *Call, in, out any, e *Error) *audit.Event {
	ev := &audit.Event{
		EventTime: c.Now, RequestID: c.RequestID, EventSource: b.op.EventSource, EventName: b.op.Name,
		Account: c.Account, Region: c.Region, UserIdentity: AuditIdentity(c.Principal),
		SourceIP: c.SourceIP, UserAgent: c.UserAgent, ReadOnly: b.op.ReadOnly, TLS: tlsDetails(ex),
	}
	if in != nil && b.plan.HasInput() {
		ev.RequestParameters = b.plan.AuditInput(nil, in)
	}
	explain := c.explain
	if e != nil {
		ev.ErrorCode, _ = public(ex.protocol, e)
		ev.ErrorMessage = e.Message
		if e.Explain != "" {
			explain = e.Explain
		}
	} else if b.op.RecordOutput && b.plan.HasOutput() {
		ev.ResponseElements = b.plan.AuditOutput(nil, out)
	}
	if explain != "" {
		ev.AdditionalEventData = map[string]string{"explanation": explain}
	}
	touched := c.touched
	if touched == nil && b.record != nil && in != nil {
		touched = b.record(in, out)
	}
	for _, r := range touched {
		ev.Resources = append(ev.Resources, audit.Resource{Type: r.Type, Name: r.Name, ARN: r.ARN})
	}
	return ev
}

var identityTypes = map[PrincipalType]audit.IdentityType{
	Root: audit.IdentityRoot, User: audit.IdentityUser, AssumedRole: audit.IdentityAssumedRole,
	FederatedUser: audit.IdentityFederated, Service: audit.IdentityService,
	WebIdentity: audit.IdentityWebIdentity,
}

// AuditIdentity is how audit events name a caller.
func AuditIdentity(p *Principal) audit.UserIdentity {
	u := audit.UserIdentity{
		Type: identityTypes[p.Type], PrincipalID: p.UserID, ARN: p.ARN, Account: p.Account, AccessKeyID: p.AccessKeyID,
	}
	if p.Type == User || p.Type == WebIdentity {
		u.UserName = p.UserName
	}
	u.IdentityProvider = p.Provider
	if s := p.Session; s != nil {
		u.Session = &audit.SessionContext{
			SessionName: s.SessionName, SourceIdentity: s.SourceIdentity, CreatedAt: s.IssuedAt, MFAAuthenticated: s.MFA,
			FederatedProvider: s.Provider,
		}
		if s.Type == sessiontoken.AssumedRole {
			u.Session.IssuerType, u.Session.IssuerID, u.Session.IssuerName = audit.IssuerRole, s.RoleID, s.RoleName
			u.Session.IssuerARN, u.Session.IssuerAccount = p.RoleARN, s.Account
		}
		if s.Type == sessiontoken.Federated {
			u.Session.IssuerType, u.Session.IssuerID, u.Session.IssuerName = audit.IssuerUser, s.UserID, s.UserName
			u.Session.IssuerAccount = s.Account
			if s.UserName != "" {
				u.Session.IssuerARN = arn.User(s.Partition, s.Account, s.UserPath, s.UserName).String()
			} else {
				u.Session.IssuerType, u.Session.IssuerARN = audit.IssuerRoot, arn.Root(s.Partition, s.Account).String()
			}
		}
	}
	return u
}

func tlsDetails(ex *exchange) *audit.TLSDetails {
	s := ex.r.TLS
	if s == nil {
		return nil
	}
	return &audit.TLSDetails{
		// CloudTrail writes TLSv1.3 where Go says "TLS 1.3".
		Version:                  strings.Replace(tls.VersionName(s.Version), "TLS ", "TLSv", 1),
		CipherSuite:              tls.CipherSuiteName(s.CipherSuite),
		ClientProvidedHostHeader: ex.r.Host,
	}
}
