package s3iam

import (
	"context"
	"strconv"
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/audit"
	"github.com/rolecall/rolecall/internal/awsapi"
)

const eventSource = "s3.amazonaws.com"

// record writes what was decided to the audit trail: a denial always, and durably before the answer; an allowed request
// only where the operator wants all of them. One request of an S3 client is one event, also when it names 1,000 keys.
func (m *matrix) record(ctx context.Context) error {
	first, denied := m.firstDenied()
	log := m.handler.cfg.Audit
	switch {
	case denied:
		return log.Append(ctx, m.event(first, true), nil)
	case m.handler.cfg.AllDecisions:
		return log.Note(ctx, m.event(m.verdicts[0], false))
	}
	return nil
}

// event describes the cells that were denied, or all of them.
func (m *matrix) event(first verdict, denied bool) *audit.Event {
	q := m.request
	action := q.Actions[first.action]
	e := &audit.Event{
		EventTime: m.caller.Now, RequestID: arn.NewUUID(), EventSource: eventSource, EventName: operation(action),
		Account: m.handler.cfg.Account, Region: arn.Region(q.Region), UserIdentity: awsapi.AuditIdentity(m.principal),
		SourceIP: m.caller.SourceIP, UserAgent: m.caller.UserAgent, ReadOnly: readOnly(action),
		AdditionalEventData: map[string]string{"explanation": first.decision.Explain()},
	}
	if denied {
		e.ErrorCode = "AccessDenied"
		e.ErrorMessage = first.decision.Message(m.principal.ARN, action, q.Resources[first.resource])
	}
	count := 0
	for _, v := range m.verdicts {
		if denied && v.decision.Allowed || v.action != first.action {
			continue
		}
		if count++; count <= maxNamed {
			e.Resources = append(e.Resources, resource(q.Resources[v.resource]))
		}
	}
	if count > maxNamed {
		e.AdditionalEventData["resourceCount"] = strconv.Itoa(count)
	}
	return e
}

// maxNamed is how many resources an event names; it is the audit log's own bound.
const maxNamed = 32

func resource(name string) audit.Resource {
	r := audit.Resource{Type: "AWS::S3::Bucket", ARN: name}
	_, r.Name, _ = strings.Cut(name, ":::")
	if strings.Contains(r.Name, "/") {
		r.Type = "AWS::S3::Object"
	}
	return r
}

// readOnly tells by the action's name, as S3's own actions allow.
func readOnly(action string) bool {
	name := operation(action)
	return strings.HasPrefix(name, "Get") || strings.HasPrefix(name, "List")
}
