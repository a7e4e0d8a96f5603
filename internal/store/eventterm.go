package store

import (
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"math/bits"
	"slices"
)

// Events are found through terms, one per searchable value. Of an event that is a row, each is a row of event_terms, in one tree
// ordered by term and time, so that every filter reads a single range. A block has a Bloom filter of its events' terms.
const (
	termID           = "i:" // only of ids that do not tell the time, see foreignID
	termName         = "n:"
	termSource       = "s:"
	termUsername     = "u:"
	termAccessKey    = "k:"
	termResourceType = "t:"
	termResourceName = "r:"
)

type eventTerm struct{ prefix, value string }

func (t eventTerm) hash() uint64 { return termHash(t.prefix, t.value) }

// key is the term as a row has it. Its length is bounded: trees have page limits, and callers choose names.
func (t eventTerm) key() string {
	const longest = 200
	if len(t.value) <= longest {
		return t.prefix + t.value
	}
	sum := sha256.Sum256([]byte(t.value))
	return t.prefix + "sha256:" + hex.EncodeToString(sum[:])
}

// terms are the keys of a stored row. DeleteEventsBefore relies on getting the same ones from the row.
func (e *Event) terms() []string {
	var out []string
	add := func(prefix, value string) {
		if value == "" {
			return
		}
		if t := (eventTerm{prefix, value}).key(); !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	if e.foreignID() {
		add(termID, e.ID)
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

// terms of a filter but for the id, those first that usually match the fewest events.
func (f *EventFilter) terms() []eventTerm {
	var out []eventTerm
	add := func(prefix, value string) {
		if value != "" {
			out = append(out, eventTerm{prefix, value})
		}
	}
	add(termResourceName, f.ResourceName)
	add(termAccessKey, f.AccessKeyID)
	add(termUsername, f.Username)
	add(termResourceType, f.ResourceType)
	add(termName, f.Name)
	add(termSource, f.Source)
	return out
}

// cleaned is f as it can match: what is stored has been cleaned too.
func (f *EventFilter) cleaned() EventFilter {
	out := *f
	for _, s := range []*string{&out.ID, &out.Name, &out.Source, &out.Username, &out.AccessKeyID, &out.ResourceType, &out.ResourceName} {
		*s = clean(*s)
	}
	return out
}

// matches tests a cleaned event of f's account and region against everything in f but the times; f is cleaned.
func (f *EventFilter) matches(e *Event) bool {
	if f.ID != "" && e.ID != f.ID || f.Name != "" && e.Name != f.Name || f.Source != "" && e.Source != f.Source ||
		f.Username != "" && e.Username != f.Username || f.AccessKeyID != "" && e.AccessKeyID != f.AccessKeyID ||
		f.ReadOnly != nil && e.ReadOnly != *f.ReadOnly {
		return false
	}
	// The type and the name may be those of two resources, as with terms.
	return (f.ResourceType == "" || slices.ContainsFunc(e.Resources, func(r EventResource) bool { return r.Type == f.ResourceType })) &&
		(f.ResourceName == "" || slices.ContainsFunc(e.Resources, func(r EventResource) bool {
			return r.Name == f.ResourceName || r.ARN == f.ResourceName
		}))
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
