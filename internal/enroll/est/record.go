package est

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"strings"

	"github.com/rolecall/rolecall/internal/audit"
	"github.com/rolecall/rolecall/internal/enroll/bounds"
)

// describe is the names of a request as text.
func describe(n *bounds.Names) string {
	var parts []string
	for _, a := range n.Subject {
		parts = append(parts, a.Type.Label()+"="+a.Value)
	}
	for _, a := range n.Alternatives {
		parts = append(parts, a.String())
	}
	return strings.Join(parts, ", ")
}

// record makes what was issued and what was refused durable. Refusals of strangers are recorded within a rate: otherwise
// anyone could fill the disk.
func (h *Handler) record(ctx context.Context, a *attempt, failure error) error {
	if !a.known && !h.refusals.Allow() {
		return nil
	}
	e := &audit.Event{
		EventTime: a.now, RequestID: a.id, EventSource: EventSource, EventName: map[string]string{"simpleenroll": "SimpleEnroll", "simplereenroll": "SimpleReenroll"}[a.operation],
		UserAgent: a.r.UserAgent(), UserIdentity: audit.UserIdentity{Type: audit.IdentityUnknown}, Account: a.profile.Account, Region: a.profile.Region,
	}
	if host, _, err := net.SplitHostPort(a.r.RemoteAddr); err == nil {
		e.SourceIP = host
	}
	if s := a.r.TLS; s != nil {
		e.TLS = &audit.TLSDetails{Version: tlsVersion(s), CipherSuite: tls.CipherSuiteName(s.CipherSuite), ClientProvidedHostHeader: a.r.Host}
	}
	if a.known {
		e.UserIdentity = audit.UserIdentity{Type: audit.IdentityService, InvokedBy: EventSource, PrincipalID: a.caller, Account: e.Account}
	}
	params := map[string]string{"profile": a.profile.Name}
	for name, v := range map[string]string{"authentication": a.method, "names": a.names} {
		if v != "" {
			params[name] = v
		}
	}
	if a.caller != "" {
		params[map[string]string{"token": "tokenId", "certificate": "clientSerialNumber"}[a.method]] = a.caller
	}
	e.RequestParameters = object(params)
	if a.issued != nil {
		e.ResponseElements = object(map[string]string{"certificateArn": a.issued.ARN, "serialNumber": a.issued.Serial})
		e.Resources = append(e.Resources, audit.Resource{Type: "AWS::ACMPCA::Certificate", Name: a.issued.Serial, ARN: a.issued.ARN})
	}
	var r *refusal
	switch {
	case errors.As(failure, &r):
		e.ErrorCode, e.ErrorMessage = r.code, r.text
		if r.cause != "" {
			e.AdditionalEventData = map[string]string{"explanation": r.cause}
		}
	case failure != nil:
		e.ErrorCode, e.ErrorMessage = "InternalFailure", "The request could not be processed"
	}
	return h.cfg.Audit.Append(context.WithoutCancel(ctx), e, nil)
}

func object(m map[string]string) json.RawMessage {
	b, err := json.Marshal(m)
	if err != nil {
		return nil // cannot be: texts
	}
	return b
}
