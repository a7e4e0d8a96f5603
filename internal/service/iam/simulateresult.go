package iam

import (
	"strings"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/arn"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
)

// How AWS names the types of policies in results; the enumeration in its model has other values.
const (
	sourceIdentity = api.PolicySourceType("IAM Policy")
	sourceBoundary = api.PolicySourceType("Permissions Boundary Policy")
	sourceResource = api.PolicySourceType("Resource Policy")
)

// evaluate decides one action on one resource.
func (s *simulation) evaluate(action, resource string) api.EvaluationResult {
	set := s.set
	set.ResourceAccount = s.resourceAccount(resource)
	r := &iampolicy.Request{Action: action, Resource: resource, Principal: s.caller, Context: s.keys}
	d := iampolicy.Evaluate(&set, r)
	decision := decisionType(d)
	result := api.EvaluationResult{
		EvalActionName: &action, EvalResourceName: &resource, EvalDecision: &decision,
		MatchedStatements: matched(&set, r, d), MissingContextValues: s.missing,
		EvalDecisionDetails: s.details(&set, r),
	}
	if set.HasBoundary {
		// By itself: does the boundary let the action pass?
		alone := iampolicy.Evaluate(&iampolicy.Set{Identity: []*iampolicy.Policy{set.Boundary}}, r)
		result.PermissionsBoundaryDecisionDetail = &api.PermissionsBoundaryDecisionDetail{AllowedByPermissionsBoundary: &alone.Allowed}
	}
	if len(s.in.ResourceArns) > 0 {
		result.ResourceSpecificResults = []api.ResourceSpecificResult{{
			EvalResourceName: &resource, EvalResourceDecision: &decision, MatchedStatements: result.MatchedStatements,
			MissingContextValues: result.MissingContextValues, EvalDecisionDetails: result.EvalDecisionDetails,
			PermissionsBoundaryDecisionDetail: result.PermissionsBoundaryDecisionDetail,
		}}
	}
	return result
}

// resourceAccount is who owns the resource; "" if nobody says.
func (s *simulation) resourceAccount(resource string) string {
	if s.caller == nil {
		return ""
	}
	if a, err := arn.Parse(resource); err == nil && a.Account != "" {
		return string(a.Account)
	}
	return s.owner
}

func decisionType(d iampolicy.Decision) api.PolicyEvaluationDecisionType {
	switch {
	case d.Allowed:
		return api.PolicyEvaluationDecisionTypeAllowed
	case d.Explicit:
		return api.PolicyEvaluationDecisionTypeExplicitDeny
	}
	return api.PolicyEvaluationDecisionTypeImplicitDeny
}

// matched lists the statements that made the decision: those that allow, or those that deny. A boundary grants nothing, so
// that its allowing statements are not among them.
func matched(set *iampolicy.Set, r *iampolicy.Request, d iampolicy.Decision) []api.Statement {
	out := []api.Statement{}
	for _, m := range iampolicy.Matches(set, r) {
		allows := m.Effect == iampolicy.Allow
		if allows != d.Allowed || !d.Allowed && !d.Explicit || allows && m.By == iampolicy.BoundaryBased {
			continue
		}
		id, kind := m.Policy.Name(), sourceIdentity
		switch m.By {
		case iampolicy.BoundaryBased:
			kind = sourceBoundary
		case iampolicy.ResourceBased:
			kind = sourceResource
		}
		info := m.Policy.Statements()[m.Statement]
		// AWS's statements begin where what stands before them ends.
		before := strings.TrimRight(m.Policy.Source()[:info.Start], " \t\r\n")
		out = append(out, api.Statement{
			SourcePolicyId: &id, SourcePolicyType: &kind,
			StartPosition: position(m.Policy, len(before)), EndPosition: position(m.Policy, info.End),
		})
	}
	return out
}

func position(p *iampolicy.Policy, offset int) *api.Position {
	line, column := p.Position(offset)
	return &api.Position{Line: new(int32(line)), Column: new(int32(column))}
}

// details says what each side decides when the caller and the resource belong to different accounts; otherwise nothing.
func (s *simulation) details(set *iampolicy.Set, r *iampolicy.Request) map[string]api.PolicyEvaluationDecisionType {
	out := map[string]api.PolicyEvaluationDecisionType{}
	if s.caller == nil || set.ResourceAccount == "" || set.ResourceAccount == s.caller.Account {
		return out
	}
	identity := *set
	identity.Resource, identity.ResourceAccount = nil, ""
	out[string(sourceIdentity)] = decisionType(iampolicy.Evaluate(&identity, r))
	out[string(sourceResource)] = decisionType(iampolicy.ResourceSide(set.Resource, r))
	return out
}
