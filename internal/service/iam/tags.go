package iam

import (
	"slices"
	"strings"

	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/store"
)

// withTags is have with the given tags added or changed. Keys are compared without regard to case and keep the case
// they were last given in.
func withTags(have []store.Tag, given []api.Tag, entity string) ([]store.Tag, error) {
	out := slices.Clone(have)
	for i, t := range given {
		key := text(t.Key)
		if strings.HasPrefix(strings.ToLower(key), "aws:") {
			return nil, api.InvalidInputException("Tag keys that start with aws: are reserved: %s", key)
		}
		if slices.ContainsFunc(given[:i], func(o api.Tag) bool { return strings.EqualFold(text(o.Key), key) }) {
			return nil, api.InvalidInputException("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		tag := store.Tag{Key: key, Value: text(t.Value)}
		if at := slices.IndexFunc(out, func(o store.Tag) bool { return strings.EqualFold(o.Key, key) }); at >= 0 {
			out[at] = tag
		} else {
			out = append(out, tag)
		}
	}
	if len(out) > maxTags {
		return nil, quota("TagsPer"+entity, maxTags)
	}
	return out, nil
}

// withoutTags is have without the given keys; keys that are not there are no error.
func withoutTags(have []store.Tag, keys []string) []store.Tag {
	return slices.DeleteFunc(slices.Clone(have), func(t store.Tag) bool {
		return slices.ContainsFunc(keys, func(k string) bool { return strings.EqualFold(k, t.Key) })
	})
}

func apiTags(tags []store.Tag) []api.Tag {
	out := make([]api.Tag, len(tags))
	for i, t := range tags {
		out[i] = api.Tag{Key: new(t.Key), Value: new(t.Value)}
	}
	return out
}

// pageOfTags pages through a resource's tags by key.
func pageOfTags(c *awsapi.Call, tags []store.Tag, marker *string, items *int32) ([]api.Tag, *bool, *string, error) {
	p, err := newPage(c, marker, items)
	if err != nil {
		return nil, nil, nil, err
	}
	sorted := slices.SortedFunc(slices.Values(tags), func(a, b store.Tag) int { return strings.Compare(a.Key, b.Key) })
	rows, next := p.slice(len(sorted), func(i int) string { return sorted[i].Key }, strings.Compare)
	truncated, m := p.end(next)
	return apiTags(sorted[rows.from:rows.to]), truncated, m, nil
}

// text is the value of an optional member.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
