package store

import (
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"math/bits"
	"slices"
)

// Events are found through terms: one row per searchable value in one tree ordered by term and time, so that every filter
// reads a single range, newest first, whatever else is stored.
const (
	termAny          = "*"
	termName         = "n:"
	termSource       = "s:"
	termUsername     = "u:"
	termAccessKey    = "k:"
	termResourceType = "t:"
	termResourceName = "r:"
)

// term bounds the length of a value: trees have page limits, and callers choose names.
func term(prefix, value string) string {
	const longest = 200
	if len(value) <= longest {
		return prefix + value
	}
	sum := sha256.Sum256([]byte(value))
	return prefix + "sha256:" + hex.EncodeToString(sum[:])
}

// terms of a stored event. DeleteEventsBefore relies on getting the same ones from the row.
func (e *Event) terms() []string {
	out := []string{termAny}
	add := func(prefix, value string) {
		if t := term(prefix, value); value != "" && !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	add(termName, e.Name)
	add(termSource, e.Source)
	add(termUsername, e.Username)
	add(termAccessKey, e.AccessKeyID)
	for _, r := range e.Resources {
		add(termResourceType, r.Type)
		add(termResourceName, r.Name)
		add(termResourceName, r.ARN)
	}
	return out
}

// terms of a filter, those first that usually match the fewest events.
func (f *EventFilter) terms() []string {
	var out []string
	add := func(prefix, value string) {
		if value != "" {
			out = append(out, term(prefix, clean(value)))
		}
	}
	add(termResourceName, f.ResourceName)
	add(termAccessKey, f.AccessKeyID)
	add(termUsername, f.Username)
	add(termResourceType, f.ResourceType)
	add(termName, f.Name)
	add(termSource, f.Source)
	if len(out) == 0 {
		out = append(out, termAny)
	}
	return out
}

// chunks splits n rows into runs of descending powers of two, the largest limit: multi-row statements then have a handful
// of texts, which PostgreSQL's connections keep prepared.
func chunks(n, limit int) iter.Seq2[int, int] {
	return func(yield func(at, size int) bool) {
		for at := 0; at < n; {
			size := min(limit, 1<<(bits.Len(uint(n-at))-1))
			if !yield(at, size) {
				return
			}
			at += size
		}
	}
}
