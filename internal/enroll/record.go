package enroll

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/rolecall/rolecall/internal/audit"
	"github.com/rolecall/rolecall/internal/enroll/hresult"
	"github.com/rolecall/rolecall/internal/enroll/kerberos"
	"github.com/rolecall/rolecall/internal/enroll/xcep"
)

// event is the audit event of an attempt, as far as the attempt came.
func (h *Handler) event(a *attempt) *audit.Event {
	e := &audit.Event{
		EventTime: a.now, RequestID: a.id, EventSource: EventSource, EventName: a.operation, UserAgent: a.r.UserAgent(),
		UserIdentity: audit.UserIdentity{Type: audit.IdentityUnknown}, ReadOnly: a.operation != "RequestSecurityToken",
		Account: a.site.row.Account, Region: a.site.row.Region,
	}
	if host, _, err := net.SplitHostPort(a.r.RemoteAddr); err == nil {
		e.SourceIP = host
	}
	if s := a.r.TLS; s != nil {
		e.TLS = &audit.TLSDetails{
			Version: strings.Replace(tls.VersionName(s.Version), "TLS ", "TLSv", 1), CipherSuite: tls.CipherSuiteName(s.CipherSuite), ClientProvidedHostHeader: a.r.Host,
		}
	}
	if a.caller != nil {
		e.UserIdentity = audit.UserIdentity{Type: audit.IdentityService, InvokedBy: EventSource, PrincipalID: a.caller.sid, UserName: a.caller.name, Account: e.Account}
	}
	params := map[string]any{"directoryId": a.site.row.ID, "authentication": "UsernamePassword"}
	if a.endpoint.authentication == xcep.Kerberos {
		params["authentication"] = "Kerberos"
	}
	if a.connector != nil {
		params["connectorArn"] = a.connector.arn()
		e.Resources = append(e.Resources, audit.Resource{Type: "AWS::PCAConnectorAD::Connector", Name: a.connector.row.ID, ARN: a.connector.arn()})
	}
	if a.form != "" {
		params["format"], params["renewal"] = a.form, a.renewal
	}
	if a.template != nil {
		params["template"] = a.template.Name
		e.Resources = append(e.Resources, audit.Resource{Type: "AWS::PCAConnectorAD::Template", Name: a.template.ID, ARN: a.connector.arn() + "/template/" + a.template.ID})
	}
	e.RequestParameters = object(params)
	if a.cert != nil {
		serial := fmt.Sprintf("%032x", a.cert.leaf.SerialNumber)
		e.ResponseElements = object(map[string]any{"certificateArn": a.cert.arn, "serialNumber": serial, "requestId": a.requestID})
		e.Resources = append(e.Resources, audit.Resource{Type: "AWS::ACMPCA::Certificate", Name: serial, ARN: a.cert.arn})
	}
	return e
}

func object(m map[string]any) json.RawMessage {
	b, err := json.Marshal(m)
	if err != nil {
		return nil // cannot be: texts and truth values
	}
	return b
}

// record writes the event of a known caller's attempt. What handed out a certificate and what was refused is durable
// before the answer; a list of policies only looked.
func (h *Handler) record(ctx context.Context, a *attempt, failure error) error {
	ctx = context.WithoutCancel(ctx) // the client may be gone; what happened is recorded all the same
	e := h.event(a)
	if failure == nil && e.ReadOnly {
		return h.cfg.Audit.Note(ctx, e)
	}
	if failure != nil {
		describe(e, failure)
	}
	return h.cfg.Audit.Append(ctx, e, nil)
}

// recordStranger makes the refusal of somebody unknown durable, within a rate: otherwise anyone could fill the disk.
func (h *Handler) recordStranger(ctx context.Context, a *attempt, failure error) error {
	if a.site == nil || errors.Is(failure, errUnauthenticated) || !h.refusals.Allow() {
		return nil
	}
	e := h.event(a)
	e.ErrorCode, e.ErrorMessage = "AccessDenied", "The caller could not be authenticated"
	e.AdditionalEventData = map[string]string{"explanation": failure.Error()}
	return h.cfg.Audit.Append(context.WithoutCancel(ctx), e, nil)
}

// recordStatus makes an answer durable that is a status alone, within the rate of strangers' records: it costs a client nothing
// to provoke.
func (h *Handler) recordStatus(ctx context.Context, a *attempt, status int, text string) error {
	if a.site == nil || !h.refusals.Allow() {
		return nil
	}
	e := h.event(a)
	e.ErrorCode, e.ErrorMessage = strings.ReplaceAll(http.StatusText(status), " ", ""), text
	return h.cfg.Audit.Append(context.WithoutCancel(ctx), e, nil)
}

// ticketCode is the metric's code of a refused ticket: a bounded set.
func ticketCode(err error) string {
	var refused *kerberos.Error
	if errors.As(err, &refused) {
		return "ticket_" + string(refused.Reason)
	}
	return "AccessDenied"
}

func describe(e *audit.Event, failure error) {
	if refusal := hresult.Of(failure); refusal != nil {
		e.ErrorCode, e.ErrorMessage = refusal.Code.String(), refusal.Text
		return
	}
	e.ErrorCode, e.ErrorMessage = "InternalFailure", "The request could not be processed"
}
