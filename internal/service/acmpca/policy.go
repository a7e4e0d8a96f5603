package acmpca

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/store"
)

// sharedActions is what a CA's policy can let other accounts do.
func sharedActions() []string {
	return []string{"IssueCertificate", "GetCertificate", "GetCertificateAuthorityCertificate", "DescribeCertificateAuthority", "ListPermissions", "ListTags"}
}

// parseShared takes the ARN of a CA of any account and returns its owner and id.
func parseShared(call *awsapi.Call, text string) (arn.AccountID, string, error) {
	a, err := arn.Parse(text)
	if err == nil && a.Account != call.Account && a.Partition == call.Partition && a.Region == call.Region {
		if id, ok := strings.CutPrefix(a.Resource, resourcePrefix); ok && a.Service == service && isUUID(id) {
			return a.Account, id, nil
		}
	}
	id, err := parseCA(call, text)
	return call.Account, id, err
}

// findShared reads a CA for an operation whose permission names its owner: see needShared.
func findShared(call *awsapi.Call, text string) (*store.CertificateAuthority, error) {
	owner, id, err := parseShared(call, text)
	if err != nil {
		return nil, err
	}
	ca, err := call.Tx.GetAuthority(owner, call.Region, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && issuance.Gone(ca, call.Now) {
		return nil, notFound(text)
	}
	return ca, err
}

// resourcePolicy is the CA's policy, compiled; nil if it has none.
func resourcePolicy(tx *awsapi.Tx, account arn.AccountID, region arn.Region, id string) (*iampolicy.Policy, error) {
	row, err := tx.GetAuthorityPolicy(account, region, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p, err := iampolicy.Parse(row.Document, iampolicy.Resource)
	if err != nil {
		return nil, errors.New("the stored policy of certificate authority " + id + " cannot be read") // fail closed
	}
	return p.Named("resource policy of " + id), nil
}

// maxPolicy bounds a policy in bytes, as AWS does.
const maxPolicy = 20480

func putPolicy(_ context.Context, call *awsapi.Call, in *pca.PutPolicyInput) (*pca.PutPolicyOutput, error) {
	ca, err := findCA(call, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	if err := inState(call, ca, creating, pending, active, disabled, expired, failed); err != nil {
		return nil, err
	}
	policy, err := checkPolicy(*in.Policy, issuance.ARN(ca))
	if err != nil {
		return nil, err
	}
	if locksOut(call, policy, issuance.ARN(ca)) {
		return nil, pca.LockoutPreventedException("The policy would deny its author PutPolicy and DeletePolicy: nobody could change it again")
	}
	return &pca.PutPolicyOutput{}, call.Tx.PutAuthorityPolicy(&store.AuthorityPolicy{Account: ca.Account, Region: ca.Region, Authority: ca.ID, Document: *in.Policy, ChangedAt: call.Now})
}

// checkPolicy refuses a policy that says more than a CA can share: a statement that had no effect would look as if it had.
func checkPolicy(text, resource string) (*iampolicy.Policy, error) {
	if len(text) > maxPolicy {
		return nil, pca.InvalidPolicyException("The policy is larger than %d bytes", maxPolicy)
	}
	p, err := iampolicy.Parse(text, iampolicy.Resource)
	if err != nil {
		return nil, pca.InvalidPolicyException("%s", clip(err.Error()))
	}
	for _, st := range p.Statements() {
		var body struct{ Action, Resource, NotAction, NotResource oneOrMany }
		if err := json.Unmarshal([]byte(p.Source()[st.Start:st.End]), &body); err != nil {
			return nil, pca.InvalidPolicyException("A statement of the policy cannot be read")
		}
		if len(body.NotAction)+len(body.NotResource) > 0 {
			return nil, pca.InvalidPolicyException("NotAction and NotResource are not supported in the policy of a certificate authority")
		}
		for _, r := range body.Resource {
			if r != resource {
				return nil, pca.InvalidPolicyException("The policy's resource must be %s, not %s", resource, clip(r))
			}
		}
		for _, a := range body.Action {
			if st.Effect == iampolicy.Allow && !shareable(a) {
				return nil, pca.InvalidPolicyException("The action %s cannot be shared: the actions are acm-pca:%s", clip(a), strings.Join(sharedActions(), ", acm-pca:"))
			}
		}
	}
	return p, nil
}

// oneOrMany is a JSON string or a list of them.
type oneOrMany []string

// UnmarshalJSON implements [json.Unmarshaler].
func (o *oneOrMany) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		*o = make([]string, 1)
		return json.Unmarshal(text, &(*o)[0])
	}
	return json.Unmarshal(text, (*[]string)(o))
}

func shareable(action string) bool {
	for _, a := range sharedActions() {
		if strings.EqualFold(action, service+":"+a) {
			return true
		}
	}
	return false
}

// locksOut reports whether the policy denies the caller to change it.
func locksOut(call *awsapi.Call, p *iampolicy.Policy, resource string) bool {
	who := &iampolicy.Principal{Account: string(call.Account), ARN: call.Principal.ARN, RoleARN: call.Principal.RoleARN}
	for _, action := range []string{"acm-pca:PutPolicy", "acm-pca:DeletePolicy"} {
		if d := iampolicy.Evaluate(&iampolicy.Set{Resource: p}, &iampolicy.Request{Action: action, Resource: resource, Principal: who}); d.Explicit {
			return true
		}
	}
	return false
}

func getPolicy(_ context.Context, call *awsapi.Call, in *pca.GetPolicyInput) (*pca.GetPolicyOutput, error) {
	ca, err := findCA(call, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	row, err := call.Tx.GetAuthorityPolicy(ca.Account, ca.Region, ca.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, pca.ResourceNotFoundException("Could not find a policy of %s", issuance.ARN(ca))
	}
	if err != nil {
		return nil, err
	}
	return &pca.GetPolicyOutput{Policy: &row.Document}, nil
}

// deletePolicy ends all sharing. A CA without a policy stays as it is, as in AWS.
func deletePolicy(_ context.Context, call *awsapi.Call, in *pca.DeletePolicyInput) (*pca.DeletePolicyOutput, error) {
	ca, err := findCA(call, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	err = call.Tx.DeleteAuthorityPolicy(ca.Account, ca.Region, ca.ID)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return &pca.DeletePolicyOutput{}, err
}
