package pcaconnectorad

import (
	"context"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rolecall/rolecall/internal/awsapi"
	ad "github.com/rolecall/rolecall/internal/awsapi/model/pcaconnectorad"
	"github.com/rolecall/rolecall/internal/store"
)

// AWS's norms for tags; the model has no constraints of its own. Lengths are in characters.
const (
	maxTags  = 50
	maxKey   = 128
	maxValue = 256
)

// plainTags are tags in the order of their keys: the API's map has none.
func plainTags(given map[string]string) []store.Tag {
	out := make([]store.Tag, 0, len(given))
	for k, v := range given {
		out = append(out, store.Tag{Key: k, Value: v})
	}
	slices.SortFunc(out, func(a, b store.Tag) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// mergeTags checks tags and adds them to those that are there; a key that is there gets the new value.
func mergeTags(have []store.Tag, given map[string]string) ([]store.Tag, error) {
	tags := slices.Clone(have)
	for _, t := range plainTags(given) {
		switch {
		case t.Key == "" || utf8.RuneCountInString(t.Key) > maxKey:
			return nil, invalid("A tag key has 1 to %d characters", maxKey)
		case utf8.RuneCountInString(t.Value) > maxValue:
			return nil, invalid("A tag value has at most %d characters", maxValue)
		case len(t.Key) >= 4 && strings.EqualFold(t.Key[:4], "aws:"):
			return nil, invalid("aws: prefixed tag key names are not allowed for external use.")
		case strings.IndexByte(t.Key, 0) >= 0 || strings.IndexByte(t.Value, 0) >= 0:
			return nil, invalid("A tag holds a character that cannot be stored")
		}
		if i := slices.IndexFunc(tags, func(h store.Tag) bool { return h.Key == t.Key }); i >= 0 {
			tags[i] = t
		} else {
			tags = append(tags, t)
		}
	}
	if len(tags) > maxTags {
		return nil, invalid("A resource can have at most %d tags", maxTags)
	}
	return tags, nil
}

// tagged is a resource's tags, and how to write it back.
type tagged struct {
	tags *[]store.Tag
	put  func() error
}

// findTagged reads a resource for its tags; store.ErrNotFound if it is not there.
func findTagged(call *awsapi.Call, r ref) (*tagged, error) {
	tx := call.Tx
	switch r.kind {
	case kindConnector:
		c, err := tx.GetConnector(call.Account, call.Region, r.connector)
		if err != nil {
			return nil, err
		}
		return &tagged{&c.Tags, func() error { return tx.PutConnector(c) }}, nil
	case kindTemplate:
		t, err := tx.GetConnectorTemplate(call.Account, call.Region, r.connector, r.template)
		if err != nil {
			return nil, err
		}
		return &tagged{&t.Tags, func() error { return tx.PutConnectorTemplate(t) }}, nil
	}
	d, err := tx.GetDirectoryRegistration(call.Account, call.Region, r.directory)
	if err != nil {
		return nil, err
	}
	return &tagged{&d.Tags, func() error { return tx.PutDirectoryRegistration(d) }}, nil
}

func taggedByARN(call *awsapi.Call, text string) (*tagged, error) {
	r, err := parse(call, text)
	if err != nil {
		return nil, err
	}
	t, err := findTagged(call, r)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound(r.kind, text)
	}
	return t, err
}

func tagResource(_ context.Context, call *awsapi.Call, in *ad.TagResourceInput) (*ad.TagResourceOutput, error) {
	t, err := taggedByARN(call, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	if *t.tags, err = mergeTags(*t.tags, in.Tags); err != nil {
		return nil, err
	}
	return &ad.TagResourceOutput{}, t.put()
}

// untagResource passes over keys that are not there.
func untagResource(_ context.Context, call *awsapi.Call, in *ad.UntagResourceInput) (*ad.UntagResourceOutput, error) {
	t, err := taggedByARN(call, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	*t.tags = slices.DeleteFunc(*t.tags, func(tag store.Tag) bool { return slices.Contains(in.TagKeys, tag.Key) })
	return &ad.UntagResourceOutput{}, t.put()
}

func listTags(_ context.Context, call *awsapi.Call, in *ad.ListTagsForResourceInput) (*ad.ListTagsForResourceOutput, error) {
	t, err := taggedByARN(call, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	out := &ad.ListTagsForResourceOutput{Tags: map[string]string{}}
	for _, tag := range *t.tags {
		out.Tags[tag.Key] = tag.Value
	}
	return out, nil
}
