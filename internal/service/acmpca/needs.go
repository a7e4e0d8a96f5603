package acmpca

import (
	"context"
	"errors"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/awsapi"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/gate"
	"github.com/rolecall/rolecall/internal/store"
)

// keyTemplateARN is the condition key that restricts the templates a caller may issue by.
const keyTemplateARN = "acm-pca:TemplateArn"

// needOn requires the operation's own action on a CA, with its tags as condition keys. A CA that is not there has none:
// the caller must be allowed the action before it learns so.
func needOn(call *awsapi.Call, text string) (awsapi.Need, error) {
	id, err := parseCA(call, text)
	if err != nil {
		return awsapi.Need{}, err
	}
	return needAt(call, text, call.Account, id)
}

// needShared is needOn for what a CA's policy may grant to other accounts: the caller's account and the policy must
// both allow it.
func needShared(call *awsapi.Call, text string) (awsapi.Need, error) {
	owner, id, err := parseShared(call, text)
	if err != nil {
		return awsapi.Need{}, err
	}
	return needAt(call, text, owner, id)
}

func needAt(call *awsapi.Call, text string, owner arn.AccountID, id string) (awsapi.Need, error) {
	policy, err := resourcePolicy(call.Tx, owner, call.Region, id)
	if err != nil {
		return awsapi.Need{}, err
	}
	ca, err := call.Tx.GetAuthority(owner, call.Region, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return awsapi.Need{}, err
	}
	var tags []store.Tag
	// What nobody shared is denied whatever its tags are, and the denial, which its caller can decode, must not tell them.
	if ca != nil && (owner == call.Account || policy != nil) {
		tags = ca.Tags
	}
	return awsapi.Need{Resource: text, Policy: policy, Owner: owner, Context: func(c *awsapi.ConditionContext) { gate.SetTags(c, iampolicy.KeyResourceTagPrefix, tags) }}, nil
}

// needCreate requires TagCertificateAuthority as well when tags come along.
func needCreate(_ context.Context, call *awsapi.Call, in *pca.CreateCertificateAuthorityInput) ([]awsapi.Need, error) {
	given := plainTags(in.Tags)
	keys := func(c *awsapi.ConditionContext) { setRequestTags(c, given) }
	needs := []awsapi.Need{{Context: keys}}
	if len(given) > 0 {
		all := arn.ARN{Partition: call.Partition, Service: service, Region: call.Region, Account: call.Account, Resource: resourcePrefix + "*"}
		needs = append(needs, awsapi.Need{Action: pca.OpTagCertificateAuthority.Action(), Resource: all.String(), Context: keys})
	}
	return needs, nil
}

func needIssue(_ context.Context, call *awsapi.Call, in *pca.IssueCertificateInput) ([]awsapi.Need, error) {
	n, err := needShared(call, *in.CertificateAuthorityArn)
	if err != nil {
		return nil, err
	}
	template := deref(in.TemplateArn)
	if t, err := authority.FindTemplate(template); err == nil {
		template = t.ARN(call.Partition) // the one form of a name that policies are written for
	}
	tags := n.Context
	n.Context = func(c *awsapi.ConditionContext) { tags(c); c.Set(keyTemplateARN, template) }
	return []awsapi.Need{n}, nil
}

func needTag(_ context.Context, call *awsapi.Call, in *pca.TagCertificateAuthorityInput) ([]awsapi.Need, error) {
	return needTags(call, *in.CertificateAuthorityArn, in.Tags, true)
}

func needUntag(_ context.Context, call *awsapi.Call, in *pca.UntagCertificateAuthorityInput) ([]awsapi.Need, error) {
	return needTags(call, *in.CertificateAuthorityArn, in.Tags, false)
}

func needTags(call *awsapi.Call, name string, tags []pca.Tag, values bool) ([]awsapi.Need, error) {
	n, err := needOn(call, name)
	if err != nil {
		return nil, err
	}
	given, own := plainTags(tags), n.Context
	n.Context = func(c *awsapi.ConditionContext) {
		own(c)
		if values {
			setRequestTags(c, given)
			return
		}
		c.SetMulti(iampolicy.KeyTagKeys, tagKeys(given)...)
	}
	return []awsapi.Need{n}, nil
}

func setRequestTags(c *awsapi.ConditionContext, tags []store.Tag) {
	if len(tags) == 0 {
		return
	}
	gate.SetTags(c, iampolicy.KeyRequestTagPrefix, tags)
	c.SetMulti(iampolicy.KeyTagKeys, tagKeys(tags)...)
}

func tagKeys(tags []store.Tag) []string {
	keys := make([]string, len(tags))
	for i, t := range tags {
		keys[i] = t.Key
	}
	return keys
}
