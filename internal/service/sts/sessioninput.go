package sts

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	model "github.com/rolecall/rolecall/internal/awsapi/model/sts"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
)

func invalidParameter(format string, args ...any) error {
	return awsapi.Errorf("InvalidParameterValue", http.StatusBadRequest, format, args...)
}

// takeTags joins the request's tags with the transitive ones of the caller's session. Keys are compared without case.
func (a *assume) takeTags() error {
	tags, err := requestTags(a.in.Tags)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, t := range tags {
		seen[strings.ToLower(t.Key)] = true
		a.passed = append(a.passed, t.Key)
	}
	a.tags = tags
	for _, k := range a.in.TransitiveTagKeys {
		if !seen[strings.ToLower(k)] {
			return invalidParameter("The specified transitive tag key must be included in the requested tags: %s", k)
		}
		a.handOn = append(a.handOn, k)
	}
	if err := a.inheritTags(seen); err != nil {
		return err
	}
	if len(a.tags) > maxSessionTags {
		return invalidParameter("A session has at most %d tags, transitive ones included", maxSessionTags)
	}
	return nil
}

// requestTags checks the tags of a request. Keys are compared without case.
func requestTags(given []model.Tag) ([]sessiontoken.Tag, error) {
	seen := map[string]bool{}
	var out []sessiontoken.Tag
	for _, t := range given {
		key := strings.ToLower(*t.Key)
		if seen[key] {
			return nil, invalidParameter("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		if strings.HasPrefix(key, "aws:") {
			return nil, invalidParameter("Tag keys that begin with aws: are reserved for internal use.")
		}
		seen[key] = true
		out = append(out, sessiontoken.Tag{Key: *t.Key, Value: *t.Value})
	}
	return out, nil
}

// setRequestTags adds the condition keys of a request's tags.
func setRequestTags(c *iampolicy.Context, tags []sessiontoken.Tag) {
	keys := make([]string, len(tags))
	for i, t := range tags {
		keys[i] = t.Key
		c.Set(iampolicy.KeyRequestTagPrefix+t.Key, t.Value)
	}
	if len(keys) > 0 {
		c.SetMulti(iampolicy.KeyTagKeys, keys...)
	}
}

// inheritTags takes the caller's transitive tags over. A request cannot override them.
func (a *assume) inheritTags(passed map[string]bool) error {
	sess := a.call.Principal.Session
	if sess == nil {
		return nil
	}
	for _, k := range sess.TransitiveKeys {
		if passed[strings.ToLower(k)] {
			return invalidParameter("One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.: %s", k)
		}
		for _, t := range sess.Tags {
			if strings.EqualFold(t.Key, k) {
				a.tags = append(a.tags, t)
				a.handOn = append(a.handOn, t.Key)
			}
		}
	}
	return nil
}

// takeSourceIdentity keeps the caller's source identity: once set, it stays for the whole chain.
func (a *assume) takeSourceIdentity() error {
	if a.in.SourceIdentity != nil {
		a.source = *a.in.SourceIdentity
		if strings.HasPrefix(strings.ToLower(a.source), "aws:") {
			return invalidParameter("Source identities that begin with aws: are reserved for internal use.")
		}
	}
	sess := a.call.Principal.Session
	if sess == nil || sess.SourceIdentity == "" {
		return nil
	}
	if a.source != "" && a.source != sess.SourceIdentity {
		return awsapi.AccessDenied("The source identity of the calling session cannot be changed")
	}
	a.source = sess.SourceIdentity
	return nil
}

// checkSessionPolicies validates what narrows the session: an inline policy, and managed policies of the session's account.
func (s *Service) checkSessionPolicies(ctx context.Context, account arn.AccountID, policy *string, arns []model.PolicyDescriptorType) error {
	if policy != nil {
		if n := iampolicy.Size(*policy); n > maxSessionPolicy {
			return model.PackedPolicyTooLargeException("Session policy has %d characters, at most %d are allowed", n, maxSessionPolicy)
		}
		if _, err := iampolicy.Parse(*policy, iampolicy.Session); err != nil {
			return model.MalformedPolicyDocumentException("%s", err.Error())
		}
	}
	if len(arns) > maxPolicyARNs {
		return awsapi.Validation("1 validation error detected: Value at 'policyArns' failed to satisfy constraint: Member must have length less than or equal to %d", maxPolicyARNs)
	}
	for _, p := range arns {
		if p.Arn == nil {
			return awsapi.Validation("1 validation error detected: Value null at 'policyArns.1.member.arn' failed to satisfy constraint: Member must not be null")
		}
		_, err := s.cfg.View.Policy(ctx, account, *p.Arn)
		if errors.Is(err, store.ErrNotFound) {
			return awsapi.Validation("Policy %s does not exist or is not attachable.", *p.Arn)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
