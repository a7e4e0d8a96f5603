package httpauthz

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/audit"
	"github.com/rolecall/rolecall/internal/awsapi"
)

// Reasons for which a request is not decided by policies.
var (
	errNoRule   = errors.New("no rule of the operator's table fits the request")
	errQuery    = errors.New("the query string is malformed")
	errTwice    = errors.New("a value that policies ask for is there more than once")
	errUnsigned = errors.New("a header that policies ask for is not signed")
)

// record writes a decision on a caller who is known: denials durably before the answer, and the rest where the table asks
// for all.
func (h *Handler) record(ctx context.Context, q *question, refusal error) error {
	if refusal == nil && h.cfg.Table.Audit != "all" {
		return nil
	}
	o := q.original
	e := &audit.Event{
		EventTime: o.caller.Now, RequestID: q.requestID, EventSource: q.service.Name + ".http-authorization", EventName: "Request",
		Account: q.principal.Account, Region: q.service.Region, UserIdentity: awsapi.AuditIdentity(q.principal),
		SourceIP: o.caller.SourceIP, UserAgent: o.caller.UserAgent,
		ReadOnly:            o.request.Method == http.MethodGet || o.request.Method == http.MethodHead,
		AdditionalEventData: map[string]string{"method": o.request.Method, "path": rawPath(o.request)},
	}
	if q.rule != nil {
		_, e.EventName, _ = strings.Cut(q.rule.Action, ":")
		e.Resources = []audit.Resource{{Type: "AWS::HTTP::Resource", Name: q.resource, ARN: arnOrNothing(q.resource)}}
	}
	if refusal == nil {
		return h.cfg.Audit.Note(ctx, e)
	}
	public := awsapi.AsError(refusal)
	e.ErrorCode, e.ErrorMessage = public.RESTCode(), public.Message
	if public.Explain != "" {
		e.AdditionalEventData["explanation"] = public.Explain
	}
	return h.cfg.Audit.Append(context.WithoutCancel(ctx), e, nil) // the client may be gone; its denied request is recorded
}

func arnOrNothing(resource string) string {
	if _, err := arn.Parse(resource); err != nil {
		return ""
	}
	return resource
}
