package rolesanywhere

import (
	"errors"
	"regexp"
	"unicode/utf8"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	ra "github.com/rolecall/rolecall/internal/awsapi/model/rolesanywhere"
	"github.com/rolecall/rolecall/internal/store"
)

// maxSessionPolicy is UpdateProfile's bound in characters; CreateProfile's model has none, and one policy must fit both.
const maxSessionPolicy = 100_000

// Resource parts of IAM ARNs: a path of printable ASCII characters (at most 512 long, which the ARN's own bound covers
// well enough) and a name, as in CreateRole and CreatePolicy.
var (
	rolePattern   = regexp.MustCompile(`^role/([\x21-\x7e]+/)?[\w+=,.@-]{1,64}$`)
	policyPattern = regexp.MustCompile(`^policy/([\x21-\x7e]+/)?[\w+=,.@-]{1,128}$`)
)

// checkProfile validates what the model cannot: ARNs and the session policy. The numbers and lengths of lists and the
// duration have been checked against the model.
func checkProfile(call *awsapi.Call, p *store.Profile) error {
	for _, r := range p.RoleARNs {
		if err := checkRoleARN(call, r); err != nil {
			return err
		}
	}
	for _, m := range p.ManagedPolicyARNs {
		if err := checkPolicyARN(call, m); err != nil {
			return err
		}
	}
	return checkSessionPolicy(p.SessionPolicy)
}

// checkRoleARN accepts roles of the caller's account. That the role exists is not required: it may be made later.
func checkRoleARN(call *awsapi.Call, text string) error {
	a, err := arn.Parse(text)
	switch {
	case err != nil || a.Service != "iam" || a.Region != "" || a.Account == "" || !rolePattern.MatchString(a.Resource):
		return ra.ValidationException("Invalid role ARN: %s", clip(text))
	case a.Partition != call.HomePartition:
		return ra.ValidationException("Invalid role ARN: %s is not in partition %s", clip(text), call.HomePartition)
	case a.Account != call.Account:
		return ra.AccessDeniedException("Cross-account pass role is not allowed.")
	}
	return nil
}

// checkPolicyARN accepts managed policies of the caller's account and of AWS. That the policy exists is checked when a
// session is made, which is refused without it.
func checkPolicyARN(call *awsapi.Call, text string) error {
	const prefix = "Invalid managed policy ARN: "
	// AWS's own policies have the account "aws", which is no account id.
	own := "arn:" + call.HomePartition + ":iam::" + string(call.Account) + ":"
	vendor := "arn:" + call.HomePartition + ":iam::aws:"
	for _, owner := range []string{own, vendor} {
		if len(text) > len(owner) && text[:len(owner)] == owner && policyPattern.MatchString(text[len(owner):]) {
			return nil
		}
	}
	return ra.ValidationException(prefix+"%s names no policy of this account or of AWS", clip(text))
}

// checkSessionPolicy accepts no policy at all, or one that AssumeRole would accept.
func checkSessionPolicy(text string) error {
	if text == "" {
		return nil
	}
	if utf8.RuneCountInString(text) > maxSessionPolicy {
		return ra.ValidationException("1 validation error detected: Value at 'sessionPolicy' failed to satisfy constraint: Member must have length less than or equal to %d", maxSessionPolicy)
	}
	_, err := iampolicy.Parse(text, iampolicy.Session)
	if bad, ok := errors.AsType[*iampolicy.Error](err); ok {
		return ra.ValidationException("Malformed session policy: %s", bad.Error())
	}
	if err == nil && !storable(text) {
		return ra.ValidationException("Malformed session policy: it holds a NUL character")
	}
	return err
}
