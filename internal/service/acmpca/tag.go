package acmpca

import (
	"context"
	"slices"
	"strings"

	"github.com/rolecall/rolecall/internal/awsapi"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/store"
)

const maxTags = 50

// plainTags are tags as stored; a value may be left out.
func plainTags(given []pca.Tag) []store.Tag {
	out := make([]store.Tag, len(given))
	for i, t := range given {
		out[i] = store.Tag{Key: deref(t.Key), Value: deref(t.Value)}
	}
	return out
}

// newTags checks tags and adds them to those that are there; a key that is there gets the new value.
func newTags(have []store.Tag, given []pca.Tag) ([]store.Tag, error) {
	tags := slices.Clone(have)
	seen := map[string]bool{}
	for _, t := range plainTags(given) {
		if len(t.Key) >= 4 && strings.EqualFold(t.Key[:4], "aws:") {
			return nil, pca.InvalidTagException("Tag keys that begin with aws: are reserved")
		}
		if seen[t.Key] {
			return nil, pca.InvalidTagException("Tag key %s is there twice", t.Key)
		}
		seen[t.Key] = true
		if i := slices.IndexFunc(tags, func(h store.Tag) bool { return h.Key == t.Key }); i >= 0 {
			tags[i] = t
		} else {
			tags = append(tags, t)
		}
	}
	if len(tags) > maxTags {
		return nil, pca.TooManyTagsException("A certificate authority can have at most %d tags", maxTags)
	}
	return tags, nil
}

func tag(_ context.Context, call *awsapi.Call, in *pca.TagCertificateAuthorityInput) (*pca.TagCertificateAuthorityOutput, error) {
	ca, err := findCA(call, *in.CertificateAuthorityArn)
	if err != nil {
		return nil, err
	}
	if err := inState(call, ca, creating, pending, active, disabled, expired, failed); err != nil {
		return nil, err
	}
	if ca.Tags, err = newTags(ca.Tags, in.Tags); err != nil {
		return nil, err
	}
	return &pca.TagCertificateAuthorityOutput{}, call.Tx.PutAuthority(ca)
}

// untag removes a tag if its value is the one given, or if none is.
func untag(_ context.Context, call *awsapi.Call, in *pca.UntagCertificateAuthorityInput) (*pca.UntagCertificateAuthorityOutput, error) {
	ca, err := findCA(call, *in.CertificateAuthorityArn)
	if err != nil {
		return nil, err
	}
	if err := inState(call, ca, creating, pending, active, disabled, expired, failed); err != nil {
		return nil, err
	}
	ca.Tags = slices.DeleteFunc(ca.Tags, func(have store.Tag) bool {
		return slices.ContainsFunc(in.Tags, func(t pca.Tag) bool {
			return deref(t.Key) == have.Key && (t.Value == nil || *t.Value == have.Value)
		})
	})
	return &pca.UntagCertificateAuthorityOutput{}, call.Tx.PutAuthority(ca)
}

// listTags answers all of at most 50 tags in one page, whatever size was asked for.
func listTags(_ context.Context, call *awsapi.Call, in *pca.ListTagsInput) (*pca.ListTagsOutput, error) {
	if in.NextToken != nil {
		return nil, pca.InvalidArgsException("The next token is not valid")
	}
	ca, err := findShared(call, *in.CertificateAuthorityArn)
	if err != nil {
		return nil, err
	}
	out := &pca.ListTagsOutput{Tags: []pca.Tag{}}
	for _, t := range ca.Tags {
		out.Tags = append(out.Tags, pca.Tag{Key: new(t.Key), Value: new(t.Value)})
	}
	return out, nil
}
