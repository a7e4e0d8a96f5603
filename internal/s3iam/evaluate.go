package s3iam

import (
	"context"
	"strings"
	"time"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/gate"
	"github.com/rolecall/rolecall/internal/metrics"
)

// everything stands for the identity policies where only what bounds them is asked for.
var everything = mustParse(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`)

func mustParse(document string) *iampolicy.Policy {
	p, err := iampolicy.Parse(document, iampolicy.Identity)
	if err != nil {
		panic(err) // a constant of this package
	}
	return p
}

// evaluate decides every action on every resource.
func (h *Handler) evaluate(ctx context.Context, body []byte, now time.Time) (any, error) {
	var q evaluateRequest
	if err := decode(body, &q); err != nil {
		return nil, err
	}
	if err := q.check(); err != nil {
		return nil, err
	}
	p, err := h.identify(ctx, q.AccessKeyID, q.SessionToken, now)
	if err != nil {
		return nil, err
	}
	m := &matrix{handler: h, principal: p, request: &q, caller: q.caller(now)}
	if err := m.gather(ctx); err != nil {
		return nil, err
	}
	out, err := m.decide()
	if err != nil {
		return nil, err
	}
	m.count(time.Since(now))
	if err := m.record(ctx); err != nil {
		return nil, err
	}
	return out, nil
}

// matrix is the decision of one request of the gateway's client: each action on each resource.
type matrix struct {
	handler   *Handler
	principal *awsapi.Principal
	request   *evaluateRequest
	caller    *gate.Caller

	root     bool
	set      *iampolicy.Set // all that the principal brings; nil for the root
	identity iampolicy.Set  // its identity policies alone
	bounds   iampolicy.Set  // its boundary and session policies alone
	bounded  bool

	verdicts []verdict // of all cells, row by row
}

// verdict is the decision on one cell by all policies that this server knows.
type verdict struct {
	resource, action int // indexes into the request
	decision         iampolicy.Decision
}

// gather finds the policies. The root of the account has none and may do everything.
func (m *matrix) gather(ctx context.Context) (err error) {
	if m.principal.Type == awsapi.Root {
		m.root = true
		return nil
	}
	if m.set, err = m.handler.cfg.Gate.PolicySet(ctx, m.principal); err != nil {
		return err
	}
	m.identity.Identity = m.set.Identity
	m.bounds = *m.set
	m.bounds.Identity = []*iampolicy.Policy{everything}
	m.bounded = m.set.HasBoundary || m.set.Boundary != nil || m.set.HasSession || len(m.set.Session) > 0
	return nil
}

// decide fills the gateway's two tables and keeps the verdicts for the audit trail.
func (m *matrix) decide() (*evaluateResponse, error) {
	q := m.request
	out := &evaluateResponse{Decisions: table(len(q.Resources), len(q.Actions)), HasSessionPolicy: m.bounded, PrincipalARN: m.principal.ARN}
	if m.bounded {
		out.SessionDecisions = table(len(q.Resources), len(q.Actions))
	}
	m.verdicts = make([]verdict, 0, len(q.Resources)*len(q.Actions))
	err := gate.WithContext(func(c *iampolicy.Context) error {
		gate.SetRequest(c, m.caller)
		gate.SetPrincipal(c, m.principal)
		m.handler.setKeys(c, q)
		_, hasPrefix := c.Get("s3:prefix")
		req := &iampolicy.Request{Principal: gate.PolicyPrincipal(m.principal), Context: c}
		for j, action := range q.Actions {
			req.Action = action
			if !hasPrefix && listsBucket(action) {
				c.Set("s3:prefix", "")
			}
			for i, resource := range q.Resources {
				req.Resource = m.handler.localise(resource)
				d := m.cell(req)
				out.Decisions[i][j] = m.wire(&m.identity, req)
				if m.bounded {
					out.SessionDecisions[i][j] = m.wire(&m.bounds, req)
				}
				m.verdicts = append(m.verdicts, verdict{i, j, d})
			}
			if !hasPrefix {
				c.Set("s3:prefix")
			}
		}
		return nil
	})
	return out, err
}

// cell decides with all policies at once.
func (m *matrix) cell(req *iampolicy.Request) iampolicy.Decision {
	if m.root {
		return iampolicy.Decision{Allowed: true, By: iampolicy.IdentityBased, Statement: -1}
	}
	return iampolicy.Evaluate(m.set, req)
}

// wire decides with a part of the policies, in the protocol's words.
func (m *matrix) wire(s *iampolicy.Set, req *iampolicy.Request) string {
	if m.root {
		return allow
	}
	switch d := iampolicy.Evaluate(s, req); {
	case d.Allowed:
		return allow
	case d.Explicit:
		return deny
	}
	return noMatch
}

func table(rows, columns int) [][]string {
	out := make([][]string, rows)
	cells := make([]string, rows*columns)
	for i := range out {
		out[i] = cells[i*columns : (i+1)*columns : (i+1)*columns]
	}
	return out
}

// localise writes the gateway's arn:aws:s3:::… in the partition that policies of this server are written for.
func (h *Handler) localise(resource string) string {
	partition := h.cfg.Gate.Partition()
	if rest, ok := strings.CutPrefix(resource, "arn:aws:s3:::"); ok && partition != "aws" {
		return "arn:" + partition + ":s3:::" + rest
	}
	return resource
}

// count adds the request to the metrics, under its first action and, if anything of it was denied, as denied.
func (m *matrix) count(took time.Duration) {
	if m.handler.cfg.Metrics == nil {
		return
	}
	code := metrics.CodeOK
	if _, denied := m.firstDenied(); denied {
		code = "AccessDenied"
	}
	m.handler.cfg.Metrics.Request("s3", operation(m.request.Actions[0]), code, took)
}

func (m *matrix) firstDenied() (verdict, bool) {
	for _, v := range m.verdicts {
		if !v.decision.Allowed {
			return v, true
		}
	}
	return verdict{}, false
}

// operation is an action without its service.
func operation(action string) string {
	_, name, _ := strings.Cut(action, ":")
	return name
}
