package rolesanywhere

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/rolecall/rolecall/internal/awsapi"
	ra "github.com/rolecall/rolecall/internal/awsapi/model/rolesanywhere"
	"github.com/rolecall/rolecall/internal/revocation"
	"github.com/rolecall/rolecall/internal/store"
)

// maxTags is how many tags a resource holds: AWS's norm, as the service documents none of its own.
const maxTags = 50

// newTags checks the tags of a request. Characters and lengths were checked against the model.
func newTags(given []ra.Tag) ([]store.Tag, error) {
	if len(given) > maxTags {
		return nil, ra.TooManyTagsException("A resource can have at most %d tags", maxTags)
	}
	tags := make([]store.Tag, 0, len(given))
	for _, t := range given {
		key := *t.Key
		if reservedTag(key) {
			return nil, ra.ValidationException("aws: prefixed tag key names are not allowed for external use.")
		}
		if indexTag(tags, key) >= 0 {
			return nil, ra.ValidationException("Duplicate tag keys found. Please note that tag keys are case sensitive.")
		}
		tags = append(tags, store.Tag{Key: key, Value: *t.Value})
	}
	return tags, nil
}

// checkSettings refuses tags of a trust anchor that look like settings and are none (docs/revocation.md).
func checkSettings(tags []store.Tag) error {
	if _, err := revocation.OptionsOf(tags); err != nil {
		return ra.ValidationException("%s", err)
	}
	return nil
}

func reservedTag(key string) bool { return len(key) >= 4 && strings.EqualFold(key[:4], "aws:") }

func indexTag(tags []store.Tag, key string) int {
	return slices.IndexFunc(tags, func(t store.Tag) bool { return t.Key == key })
}

// tagged is a resource that carries tags: its tags, and how to write it back.
type tagged struct {
	tags *[]store.Tag
	put  func() error
}

// findTagged reads a resource of any kind for its tags; store.ErrNotFound if it is not there.
func findTagged(call *awsapi.Call, k resourceKind, id string) (*tagged, error) {
	tx := call.Tx
	switch k {
	case kindTrustAnchor:
		r, err := tx.GetTrustAnchor(call.Account, call.Region, id)
		if err != nil {
			return nil, err
		}
		return &tagged{&r.Tags, func() error {
			if err := checkSettings(r.Tags); err != nil {
				return err
			}
			return tx.PutTrustAnchor(r)
		}}, nil
	case kindProfile:
		r, err := tx.GetProfile(call.Account, call.Region, id)
		if err != nil {
			return nil, err
		}
		return &tagged{&r.Tags, func() error { return tx.PutProfile(r) }}, nil
	case kindCRL:
		r, err := tx.GetCRL(call.Account, call.Region, id)
		if err != nil {
			return nil, err
		}
		return &tagged{&r.Tags, func() error { return tx.PutCRL(r) }}, nil
	case kindSubject:
		r, err := tx.GetSubject(call.Account, call.Region, id)
		if err != nil {
			return nil, err
		}
		return &tagged{&r.Tags, func() error { return tx.PutSubject(r) }}, nil
	}
	return nil, store.ErrNotFound
}

func resourceTags(call *awsapi.Call, k resourceKind, id string) ([]store.Tag, error) {
	t, err := findTagged(call, k, id)
	if err != nil {
		return nil, err
	}
	return *t.tags, nil
}

// taggedByARN finds what a tagging call names.
func taggedByARN(call *awsapi.Call, text string) (*tagged, error) {
	k, id, err := parseResource(call, text)
	if err != nil {
		return nil, err
	}
	t, err := findTagged(call, k, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound(k, id)
	}
	return t, err
}

// tagResource adds tags and replaces the values of keys that are there.
func tagResource(_ context.Context, call *awsapi.Call, in *ra.TagResourceInput) (*ra.TagResourceOutput, error) {
	given, err := newTags(in.Tags)
	if err != nil {
		return nil, err
	}
	t, err := taggedByARN(call, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	tags := slices.Clone(*t.tags)
	for _, g := range given {
		if i := indexTag(tags, g.Key); i >= 0 {
			tags[i] = g
		} else {
			tags = append(tags, g)
		}
	}
	if len(tags) > maxTags {
		return nil, ra.TooManyTagsException("A resource can have at most %d tags", maxTags)
	}
	*t.tags = tags
	return &ra.TagResourceOutput{}, t.put()
}

// untagResource removes tags; keys that are not there are passed over.
func untagResource(_ context.Context, call *awsapi.Call, in *ra.UntagResourceInput) (*ra.UntagResourceOutput, error) {
	t, err := taggedByARN(call, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	*t.tags = slices.DeleteFunc(*t.tags, func(tag store.Tag) bool { return slices.Contains(in.TagKeys, tag.Key) })
	return &ra.UntagResourceOutput{}, t.put()
}

func listTagsForResource(_ context.Context, call *awsapi.Call, in *ra.ListTagsForResourceInput) (*ra.ListTagsForResourceOutput, error) {
	t, err := taggedByARN(call, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	out := &ra.ListTagsForResourceOutput{Tags: make([]ra.Tag, len(*t.tags))}
	for i, tag := range *t.tags {
		out.Tags[i] = ra.Tag{Key: new(tag.Key), Value: new(tag.Value)}
	}
	return out, nil
}
