package store

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
)

// eventQuery is an EventFilter with everything worked out. Times are microseconds.
type eventQuery struct {
	EventFilter             // cleaned
	terms       []eventTerm // without the id's
	start, end  int64       // inclusive
	beforeTime  int64       // only events before this key
	beforeID    string
	foreign     bool // only events whose id is a term
}

// LookupEvents pages through the matching events, the newest first. A limit outside 1..MaxEventPage means MaxEventPage.
func (tx *Tx) LookupEvents(f *EventFilter, limit int, after string) ([]Event, string, error) {
	if limit < 1 || limit > MaxEventPage {
		limit = MaxEventPage
	}
	q := eventQuery{EventFilter: f.cleaned(), start: math.MinInt64}
	var err error
	if q.beforeTime, q.beforeID, err = parseEventKey(after); err != nil {
		return nil, "", err
	}
	q.terms = q.EventFilter.terms()
	q.end = q.beforeTime
	if !f.Start.IsZero() {
		q.start = toMicros(f.Start)
	}
	if !f.End.IsZero() {
		q.end = min(q.end, toMicros(f.End))
	}
	found, err := tx.lookup(&q, limit+1)
	if err != nil || len(found) <= limit {
		return found, "", err
	}
	found = found[:limit]
	return found, eventKey(&found[limit-1]), nil
}

func (tx *Tx) lookup(q *eventQuery, n int) ([]Event, error) {
	if q.ID == "" {
		return tx.merge(q, n)
	}
	// An id made by NewEventID says where to look. Only if nothing is there may it still be a foreign one's.
	if ms, ok := eventIDMillis(q.ID); ok {
		near := *q
		near.start, near.end = max(q.start, ms*1000), min(q.end, ms*1000+999)
		if found, err := tx.merge(&near, n); err != nil || len(found) > 0 {
			return found, err
		}
	}
	foreign := *q
	foreign.foreign = true
	foreign.terms = append([]eventTerm{{termID, q.ID}}, q.terms...)
	return tx.merge(&foreign, n)
}

// merge finds the n newest events among rows and blocks.
func (tx *Tx) merge(q *eventQuery, n int) ([]Event, error) {
	if q.start > q.end {
		return nil, nil
	}
	rows, err := tx.lookupRows(q, n)
	if err != nil {
		return nil, err
	}
	best := make([]foundEvent, len(rows), 2*n)
	for i := range rows {
		best[i].Event = rows[i]
	}
	if best, err = tx.lookupBlocks(q, n, best); err != nil {
		return nil, err
	}
	return tx.withRecords(best)
}

func (tx *Tx) lookupRows(q *eventQuery, n int) ([]Event, error) {
	args := []any{q.Account, q.Region, q.start, q.end, q.beforeTime, q.beforeID}
	param := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	var sql strings.Builder
	sql.WriteString(`SELECT e.account, e.region, e.time, e.id, e.name, e.source, e.username, e.access_key_id, e.read_only, e.resources, e.body FROM `)
	t := "e" // the table whose order is followed
	if len(q.terms) > 0 {
		t = "t"
		sql.WriteString(`event_terms t JOIN `)
	}
	sql.WriteString(`events e`)
	if t == "t" {
		sql.WriteString(` ON e.account = t.account AND e.region = t.region AND e.time = t.time AND e.id = t.id`)
	}
	sql.WriteString(strings.ReplaceAll(` WHERE T.account = $1 AND T.region = $2 AND T.time >= $3 AND T.time <= $4 AND (T.time < $5 OR T.id < $6)`, "T.", t+"."))
	for i, term := range q.terms {
		if i == 0 {
			sql.WriteString(` AND t.term = ` + param(term.key()))
			continue
		}
		sql.WriteString(` AND EXISTS (SELECT 1 FROM event_terms x WHERE x.account = $1 AND x.region = $2 AND x.term = ` + param(term.key()) +
			` AND x.time = t.time AND x.id = t.id)`)
	}
	if q.ID != "" {
		sql.WriteString(` AND e.id = ` + param(q.ID))
	}
	if q.ReadOnly != nil {
		sql.WriteString(` AND e.read_only = ` + param(*q.ReadOnly))
	}
	sql.WriteString(` ORDER BY ` + t + `.time DESC, ` + t + `.id DESC LIMIT ` + param(n))
	return all(tx, scanEvent, sql.String(), args...)
}

// foundEvent is a row, or an entry of a block whose record has yet to be read.
type foundEvent struct {
	blockEntry
	block *eventBlock
}

// newestFirst is the order of LookupEvents.
func newestFirst(a, b *Event) int {
	return cmp.Or(cmp.Compare(toMicros(b.Time), toMicros(a.Time)), cmp.Compare(b.ID, a.ID))
}

// withRecords reads the records of what was found in blocks, one block at a time.
func (tx *Tx) withRecords(found []foundEvent) ([]Event, error) {
	out := make([]Event, len(found))
	for i := range found {
		out[i] = found[i].Event
	}
	for i := range found {
		b := found[i].block
		if b == nil {
			continue
		}
		body, err := one(tx, func(s scanner, raw *[]byte) error { return s.Scan(blob{raw}) },
			`SELECT body FROM event_blocks WHERE account = $1 AND region = $2 AND end_time = $3 AND id = $4`, b.account, b.region, b.end, b.id)
		if err != nil {
			return nil, err
		}
		records, err := newBodyReader(*body)
		if err != nil {
			return nil, err
		}
		for j := i; j < len(found); j++ {
			if found[j].block != b {
				continue
			}
			if out[j].Body, err = records.record(&found[j].blockEntry); err != nil {
				return nil, err
			}
			out[j].CertAt = 0
			found[j].block = nil
		}
	}
	return out, nil
}

// sortFound keeps the n newest.
func sortFound(found []foundEvent, n int) []foundEvent {
	slices.SortFunc(found, func(a, b foundEvent) int { return newestFirst(&a.Event, &b.Event) })
	return found[:min(n, len(found))]
}

func eventKey(e *Event) string { return strconv.FormatInt(toMicros(e.Time), 10) + "/" + e.ID }

var errEventKey = errors.New("store: not a key of LookupEvents")

// parseEventKey: "" starts at the newest event.
func parseEventKey(key string) (micros int64, id string, err error) {
	if key == "" {
		return math.MaxInt64, "", nil
	}
	digits, id, ok := strings.Cut(key, "/")
	micros, err = strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || clean(id) != id {
		return 0, "", errEventKey
	}
	return micros, id, nil
}
