package iam

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
)

func (s *Service) simulateBindings() []awsapi.Binding {
	return []awsapi.Binding{
		awsapi.Bind(api.OpSimulateCustomPolicy, anyResource[api.SimulateCustomPolicyInput], simulateCustomPolicy),
		awsapi.Bind(api.OpSimulatePrincipalPolicy,
			sourceNeed(func(in *api.SimulatePrincipalPolicyInput) *string { return in.PolicySourceArn }), s.simulatePrincipalPolicy),
		awsapi.Bind(api.OpGetContextKeysForCustomPolicy, anyResource[api.GetContextKeysForCustomPolicyInput], getContextKeysForCustomPolicy),
		awsapi.Bind(api.OpGetContextKeysForPrincipalPolicy,
			sourceNeed(func(in *api.GetContextKeysForPrincipalPolicyInput) *string { return in.PolicySourceArn }), s.getContextKeysForPrincipalPolicy),
	}
}

// sourceNeed is the permission on the identity whose policies are looked at.
func sourceNeed[In any](source func(*In) *string) func(context.Context, *awsapi.Call, *In) ([]awsapi.Need, error) {
	return func(_ context.Context, _ *awsapi.Call, in *In) ([]awsapi.Need, error) {
		return []awsapi.Need{{Resource: text(source(in))}}, nil
	}
}

// simulation is what both operations evaluate.
type simulation struct {
	call    *awsapi.Call
	in      *api.SimulateCustomPolicyInput
	set     iampolicy.Set
	caller  *iampolicy.Principal // nil if the request names none
	owner   string               // account of resources whose ARN names none
	keys    *iampolicy.Context
	missing []string // keys that the policies read and the request does not give
}

func simulateCustomPolicy(_ context.Context, c *awsapi.Call, in *api.SimulateCustomPolicyInput) (*api.SimulateCustomPolicyOutput, error) {
	s := &simulation{call: c, in: in}
	if err := s.prepare(&policySource{}); err != nil {
		return nil, err
	}
	results, truncated, marker, err := s.run()
	return &api.SimulateCustomPolicyOutput{EvaluationResults: results, IsTruncated: truncated, Marker: marker}, err
}

func (s *Service) simulatePrincipalPolicy(_ context.Context, c *awsapi.Call, in *api.SimulatePrincipalPolicyInput) (*api.SimulatePrincipalPolicyOutput, error) {
	source, err := s.findSource(c, *in.PolicySourceArn)
	if err != nil {
		return nil, err
	}
	sim := &simulation{call: c, in: &api.SimulateCustomPolicyInput{
		PolicyInputList: in.PolicyInputList, PermissionsBoundaryPolicyInputList: in.PermissionsBoundaryPolicyInputList,
		ActionNames: in.ActionNames, ResourceArns: in.ResourceArns, ResourcePolicy: in.ResourcePolicy, ResourceOwner: in.ResourceOwner,
		CallerArn: in.CallerArn, ContextEntries: in.ContextEntries, ResourceHandlingOption: in.ResourceHandlingOption,
		MaxItems: in.MaxItems, Marker: in.Marker,
	}}
	if err := sim.prepare(source); err != nil {
		return nil, err
	}
	results, truncated, marker, err := sim.run()
	return &api.SimulatePrincipalPolicyOutput{EvaluationResults: results, IsTruncated: truncated, Marker: marker}, err
}

// prepare reads everything that is the same for all actions and resources.
func (s *simulation) prepare(source *policySource) (err error) {
	in := s.in
	input, err := inputPolicies("PolicyInputList", in.PolicyInputList, iampolicy.Identity)
	if err != nil {
		return err
	}
	s.set.Identity = append(source.policies, input...)
	s.set.Boundary, s.set.HasBoundary = source.boundary, source.boundary != nil
	if len(in.PermissionsBoundaryPolicyInputList) > 1 {
		return api.InvalidInputException("Only one permissions boundary policy can be given.")
	}
	boundary, err := inputPolicies("PermissionsBoundaryPolicyInputList", in.PermissionsBoundaryPolicyInputList, iampolicy.Boundary)
	if err != nil {
		return err
	}
	if len(boundary) == 1 { // instead of the identity's own
		s.set.Boundary, s.set.HasBoundary = boundary[0], true
	}
	if in.ResourcePolicy != nil {
		if s.set.Resource, err = inputPolicy("ResourcePolicy", *in.ResourcePolicy, iampolicy.Resource); err != nil {
			return err
		}
	}
	if err := s.findCaller(source); err != nil {
		return err
	}
	if err := s.setContext(source); err != nil {
		return err
	}
	all := slices.Clone(s.set.Identity)
	for _, p := range []*iampolicy.Policy{s.set.Boundary, s.set.Resource} {
		if p != nil {
			all = append(all, p)
		}
	}
	s.missing = slices.DeleteFunc(contextKeys(all), func(k string) bool {
		_, given := s.keys.Get(k)
		return given
	})
	return nil
}

// findCaller decides who is simulated: the one named, else the user whose policies they are.
func (s *simulation) findCaller(source *policySource) error {
	s.caller = source.principal
	if s.in.CallerArn != nil {
		p, ok := callerPrincipal(*s.in.CallerArn)
		if !ok {
			return api.InvalidInputException("Invalid caller ARN: %s", *s.in.CallerArn)
		}
		s.caller = p
	}
	if s.in.ResourcePolicy != nil && (s.caller == nil || s.in.CallerArn == nil && !source.isUser) {
		return api.InvalidInputException("CallerArn must be specified when a resource policy is given.")
	}
	if s.caller != nil {
		s.owner = s.caller.Account
	}
	if s.in.ResourceOwner == nil {
		return nil
	}
	owner := *s.in.ResourceOwner
	if a, err := arn.Parse(owner); err == nil {
		owner = string(a.Account)
	}
	if _, err := arn.ParseAccountID(owner); err != nil {
		return api.InvalidInputException("Invalid resource owner: %s", *s.in.ResourceOwner)
	}
	s.owner = owner
	return nil
}

// callerPrincipal reads the ARN of a user, root, role or role session. AWS takes users only.
func callerPrincipal(text string) (*iampolicy.Principal, bool) {
	a, err := arn.Parse(text)
	if err != nil || a.Account == "" {
		return nil, false
	}
	p := &iampolicy.Principal{Account: string(a.Account), ARN: text}
	kind, name, _ := strings.Cut(a.Resource, "/")
	switch {
	case a.Service == "iam" && (kind == "user" && name != "" || a.Resource == "root"):
		return p, true
	case a.Service == "iam" && kind == "role" && name != "":
		p.RoleARN = text
		return p, true
	case a.Service == "sts" && kind == "assumed-role" && strings.Count(name, "/") == 1:
		role, _, _ := strings.Cut(name, "/")
		p.RoleARN = arn.Role(a.Partition, a.Account, "/", role).String()
		return p, true
	}
	return nil, false
}

// setContext takes the entries of the request; what the caller's ARN says by itself is there unless an entry says otherwise.
func (s *simulation) setContext(source *policySource) error {
	s.keys = iampolicy.NewContext(len(s.in.ContextEntries) + 8)
	if s.caller != nil {
		principal := s.caller.ARN
		if s.caller.RoleARN != "" {
			principal = s.caller.RoleARN
		}
		s.keys.Set(iampolicy.KeyPrincipalArn, principal)
		s.keys.Set(iampolicy.KeyPrincipalAccount, s.caller.Account)
		if _, name, ok := strings.Cut(s.caller.ARN, ":user/"); ok {
			s.keys.Set(iampolicy.KeyUsername, lastSegment(name))
		}
	}
	if source.principal != nil && (s.in.CallerArn == nil || *s.in.CallerArn == source.principal.ARN) {
		for _, t := range source.tags {
			s.keys.Set(iampolicy.KeyPrincipalTagPrefix+t.Key, t.Value)
		}
	}
	for i, e := range s.in.ContextEntries {
		if e.ContextKeyName == nil {
			return api.InvalidInputException("Context entry %d has no key name.", i+1)
		}
		list := e.ContextKeyType != nil && strings.HasSuffix(string(*e.ContextKeyType), "List")
		switch {
		case list:
			s.keys.SetMulti(*e.ContextKeyName, e.ContextKeyValues...)
		case len(e.ContextKeyValues) > 1:
			return api.InvalidInputException("Context key %s has several values but is of no list type.", *e.ContextKeyName)
		default:
			s.keys.Set(*e.ContextKeyName, e.ContextKeyValues...)
		}
	}
	return nil
}

// inputPolicies parses a list of documents, named as AWS names their sources.
func inputPolicies(list string, documents []string, kind iampolicy.Kind) ([]*iampolicy.Policy, error) {
	out := make([]*iampolicy.Policy, len(documents))
	for i, d := range documents {
		p, err := inputPolicy(list+"."+strconv.Itoa(i+1), d, kind)
		if err != nil {
			return nil, err
		}
		out[i] = p
	}
	return out, nil
}

func inputPolicy(name, document string, kind iampolicy.Kind) (*iampolicy.Policy, error) {
	p, err := iampolicy.Parse(document, kind)
	if err != nil {
		return nil, api.InvalidInputException("Invalid entity found for %s: %s", name, err.Error())
	}
	return p.Named(name), nil
}

// checkNames validates the actions and resources, and returns the latter with their default.
func (s *simulation) checkNames() ([]string, error) {
	for _, a := range s.in.ActionNames {
		service, name, ok := strings.Cut(a, ":")
		if !ok || service == "" || name == "" || strings.ContainsAny(a, "*? ") || strings.Contains(name, ":") {
			return nil, api.InvalidInputException("Invalid action name: %s", a)
		}
	}
	for _, r := range s.in.ResourceArns {
		if r != "*" && (!strings.HasPrefix(r, "arn:") || strings.Count(r, ":") < 5) {
			return nil, api.InvalidInputException("Invalid resource ARN: %s", r)
		}
	}
	if len(s.in.ResourceArns) == 0 {
		return []string{"*"}, nil
	}
	return s.in.ResourceArns, nil
}

// run evaluates one page: every action on every resource, the resources changing first.
func (s *simulation) run() (results []api.EvaluationResult, truncated *bool, marker *string, err error) {
	p, err := newPage(s.call, s.in.Marker, s.in.MaxItems)
	if err != nil {
		return nil, nil, nil, err
	}
	resources, err := s.checkNames()
	if err != nil {
		return nil, nil, nil, err
	}
	at, next, err := p.count(len(s.in.ActionNames) * len(resources))
	if err != nil {
		return nil, nil, nil, err
	}
	results = []api.EvaluationResult{}
	for i := at.from; i < at.to; i++ {
		results = append(results, s.evaluate(s.in.ActionNames[i/len(resources)], resources[i%len(resources)]))
	}
	truncated, marker = p.end(next)
	return results, truncated, marker, nil
}

func getContextKeysForCustomPolicy(_ context.Context, _ *awsapi.Call, in *api.GetContextKeysForCustomPolicyInput) (*api.GetContextKeysForCustomPolicyOutput, error) {
	policies, err := inputPolicies("PolicyInputList", in.PolicyInputList, iampolicy.Identity)
	return &api.GetContextKeysForCustomPolicyOutput{ContextKeyNames: contextKeys(policies)}, err
}

func (s *Service) getContextKeysForPrincipalPolicy(_ context.Context, c *awsapi.Call, in *api.GetContextKeysForPrincipalPolicyInput) (*api.GetContextKeysForPrincipalPolicyOutput, error) {
	source, err := s.findSource(c, *in.PolicySourceArn)
	if err != nil {
		return nil, err
	}
	policies, err := inputPolicies("PolicyInputList", in.PolicyInputList, iampolicy.Identity)
	return &api.GetContextKeysForPrincipalPolicyOutput{ContextKeyNames: contextKeys(append(source.policies, policies...))}, err
}

// contextKeys are the keys that any of the policies reads, each once.
func contextKeys(policies []*iampolicy.Policy) []string {
	names := []string{}
	seen := map[string]bool{}
	for _, p := range policies {
		for _, k := range p.ContextKeys() {
			if lower := strings.ToLower(k); !seen[lower] {
				seen[lower] = true
				names = append(names, k)
			}
		}
	}
	return names
}
