package pcaconnectorad

import (
	"context"
	"errors"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	ad "github.com/rolecall/rolecall/internal/awsapi/model/pcaconnectorad"
	"github.com/rolecall/rolecall/internal/gate"
	"github.com/rolecall/rolecall/internal/store"
)

// needOn requires the operation's own action on a resource, with its tags as condition keys. One that is not there has
// none: the caller must be allowed the action before it learns so.
func needOn(call *awsapi.Call, text string, kinds ...kind) (awsapi.Need, error) {
	r, err := parse(call, text, kinds...)
	if err != nil {
		return awsapi.Need{}, err
	}
	t, err := findTagged(call, r)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return awsapi.Need{}, err
	}
	var tags []store.Tag
	if t != nil {
		tags = *t.tags
	}
	return awsapi.Need{Resource: r.arn(call), Context: func(c *awsapi.ConditionContext) { gate.SetTags(c, iampolicy.KeyResourceTagPrefix, tags) }}, nil
}

// on is what an operation on one resource requires.
func on[In any](name func(*In) *string, k kind) func(context.Context, *awsapi.Call, *In) ([]awsapi.Need, error) {
	return func(_ context.Context, call *awsapi.Call, in *In) ([]awsapi.Need, error) {
		n, err := needOn(call, *name(in), k)
		if err != nil {
			return nil, err
		}
		return []awsapi.Need{n}, nil
	}
}

// onPair is what an operation on a service principal name requires: the action on its registration and its connector.
func onPair[In any](names func(*In) (registration, connector *string)) func(context.Context, *awsapi.Call, *In) ([]awsapi.Need, error) {
	return func(_ context.Context, call *awsapi.Call, in *In) ([]awsapi.Need, error) {
		registration, connector := names(in)
		first, err := needOn(call, *registration, kindRegistration)
		if err != nil {
			return nil, err
		}
		second, err := needOn(call, *connector, kindConnector)
		if err != nil {
			return nil, err
		}
		return []awsapi.Need{first, second}, nil
	}
}

// anyResource is what operations require that concern no particular resource.
func anyResource[In any](context.Context, *awsapi.Call, *In) ([]awsapi.Need, error) {
	return []awsapi.Need{{}}, nil
}

// withTags adds to a creation what its tags require. The resource has no id yet: TagResource is asked for pattern, which
// stands for every id.
func withTags(need awsapi.Need, tags map[string]string, pattern string) []awsapi.Need {
	if len(tags) == 0 {
		return []awsapi.Need{need}
	}
	keys := requestTags(tags)
	own := need.Context
	need.Context = func(c *awsapi.ConditionContext) {
		if own != nil {
			own(c)
		}
		keys(c)
	}
	return []awsapi.Need{need, {Action: ad.OpTagResource.Action(), Resource: pattern, Context: keys}}
}

func requestTags(tags map[string]string) func(*awsapi.ConditionContext) {
	given := plainTags(tags)
	return func(c *awsapi.ConditionContext) {
		if len(given) == 0 {
			return
		}
		gate.SetTags(c, iampolicy.KeyRequestTagPrefix, given)
		keys := make([]string, len(given))
		for i, t := range given {
			keys[i] = t.Key
		}
		c.SetMulti(iampolicy.KeyTagKeys, keys...)
	}
}

// directoryNeed requires an action of Directory Service on a directory.
func directoryNeed(call *awsapi.Call, action, id string) awsapi.Need {
	name := arn.ARN{Partition: call.Partition, Service: "ds", Region: call.Region, Account: call.Account, Resource: "directory/" + id}
	return awsapi.Need{Action: action, Resource: name.String()}
}

func needCreateRegistration(_ context.Context, call *awsapi.Call, in *ad.CreateDirectoryRegistrationInput) ([]awsapi.Need, error) {
	needs := withTags(awsapi.Need{}, in.Tags, registrationRef("*").arn(call))
	return append(needs, directoryNeed(call, "ds:AuthorizeApplication", *in.DirectoryId)), nil
}

func needDeleteRegistration(_ context.Context, call *awsapi.Call, in *ad.DeleteDirectoryRegistrationInput) ([]awsapi.Need, error) {
	r, err := parse(call, *in.DirectoryRegistrationArn, kindRegistration)
	if err != nil {
		return nil, orGone(err)
	}
	own, err := needOn(call, *in.DirectoryRegistrationArn, kindRegistration)
	if err != nil {
		return nil, err
	}
	return []awsapi.Need{own, directoryNeed(call, "ds:UnauthorizeApplication", r.directory)}, nil
}

// issueTemplate is what AWS's connector issues by, and what its documented policies name.
const issueTemplate = "acm-pca:::template/BlankEndEntityCertificate_APIPassthrough/V1"

// needCreateConnector: who connects a CA to a directory lets the directory's members have certificates of it, and must be
// allowed all that the connector will do with the CA, as in AWS's policy for those who create connectors.
func needCreateConnector(_ context.Context, call *awsapi.Call, in *ad.CreateConnectorInput) ([]awsapi.Need, error) {
	needs := withTags(awsapi.Need{}, in.Tags, connectorRef("*").arn(call))
	ca, err := authorityOf(call.Tx, call.Account, call.Region, *in.CertificateAuthorityArn)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	var tags []store.Tag
	if ca != nil {
		tags = ca.Tags
	}
	for _, action := range []string{"DescribeCertificateAuthority", "GetCertificateAuthorityCertificate", "GetCertificate", "IssueCertificate"} {
		needs = append(needs, awsapi.Need{Action: "acm-pca:" + action, Resource: *in.CertificateAuthorityArn, Context: func(c *awsapi.ConditionContext) {
			gate.SetTags(c, iampolicy.KeyResourceTagPrefix, tags)
			c.SetMulti(iampolicy.KeyCalledVia, ad.API.EventSource)
			if action == "IssueCertificate" {
				c.Set("acm-pca:TemplateArn", "arn:"+call.Partition+":"+issueTemplate)
			}
		}})
	}
	return needs, nil
}

func needCreateTemplate(_ context.Context, call *awsapi.Call, in *ad.CreateTemplateInput) ([]awsapi.Need, error) {
	need, err := needOn(call, *in.ConnectorArn, kindConnector)
	if err != nil {
		return nil, err
	}
	r, err := parse(call, *in.ConnectorArn, kindConnector)
	if err != nil {
		return nil, err
	}
	return withTags(need, in.Tags, templateRef(r.connector, "*").arn(call)), nil
}

func needTag(_ context.Context, call *awsapi.Call, in *ad.TagResourceInput) ([]awsapi.Need, error) {
	need, err := needOn(call, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	own, keys := need.Context, requestTags(in.Tags)
	need.Context = func(c *awsapi.ConditionContext) { own(c); keys(c) }
	return []awsapi.Need{need}, nil
}

func needUntag(_ context.Context, call *awsapi.Call, in *ad.UntagResourceInput) ([]awsapi.Need, error) {
	need, err := needOn(call, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	own := need.Context
	need.Context = func(c *awsapi.ConditionContext) {
		own(c)
		if len(in.TagKeys) > 0 {
			c.SetMulti(iampolicy.KeyTagKeys, in.TagKeys...)
		}
	}
	return []awsapi.Need{need}, nil
}

func needListTags(_ context.Context, call *awsapi.Call, in *ad.ListTagsForResourceInput) ([]awsapi.Need, error) {
	need, err := needOn(call, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return []awsapi.Need{need}, nil
}
