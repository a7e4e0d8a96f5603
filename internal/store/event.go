package store

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// Event is one audit record. Body is the whole record; the other fields are what can be searched.
type Event struct {
	ID          string // UUID
	Account     arn.AccountID
	Region      arn.Region
	Time        time.Time
	Name        string
	Source      string // such as "rolesanywhere.amazonaws.com"
	Username    string
	AccessKeyID string
	ReadOnly    bool
	Resources   []EventResource
	Body        []byte // CloudTrail JSON
}

// EventResource is a resource that an event concerns. Empty fields are not searchable.
type EventResource struct{ Type, Name, ARN string }

// EventFilter selects events of one account and region. Empty fields do not restrict; several are all required.
type EventFilter struct {
	Account      arn.AccountID
	Region       arn.Region
	ID           string
	Name         string
	Source       string
	Username     string
	AccessKeyID  string
	ResourceType string
	ResourceName string // matches a resource's name or ARN
	ReadOnly     *bool
	Start, End   time.Time // both inclusive; zero for open
}

// MaxEventPage bounds a page of events, as in CloudTrail.
const MaxEventPage = 50

const eventColumns = `id, account, region, time, name, source, username, access_key_id, read_only, resources, body`

func scanEvent(s scanner, e *Event) error {
	return s.Scan(&e.ID, &e.Account, &e.Region, micros{&e.Time}, &e.Name, &e.Source, &e.Username, &e.AccessKeyID, &e.ReadOnly,
		list[EventResource]{&e.Resources}, blob{&e.Body})
}

// cleaned is e as it is stored: events carry text from unauthenticated callers, and one bad byte must not stop a batch.
func (e *Event) cleaned() Event {
	out := *e
	for _, s := range []*string{&out.ID, (*string)(&out.Account), (*string)(&out.Region), &out.Name, &out.Source, &out.Username, &out.AccessKeyID} {
		*s = clean(*s)
	}
	out.Resources = make([]EventResource, len(e.Resources))
	for i, r := range e.Resources {
		out.Resources[i] = EventResource{clean(r.Type), clean(r.Name), clean(r.ARN)}
	}
	return out
}

// InsertEvents adds events in few statements. An event whose ID is there already is left alone, so that a batch can be
// sent again. Events are not in the view: no revision is used up.
func (tx *Tx) InsertEvents(events []Event) error {
	const eventWidth, termWidth, eventRows, termRows = 11, 5, 256, 512
	args := make([]any, 0, eventWidth*min(len(events), eventRows))
	var terms []any
	for at, size := range chunks(len(events), eventRows) {
		args = args[:0]
		for i := at; i < at+size; i++ {
			e := events[i].cleaned()
			args = append(args, e.ID, e.Account, e.Region, toMicros(e.Time), e.Name, e.Source, e.Username, e.AccessKeyID, e.ReadOnly,
				toList(e.Resources), notNil(e.Body))
			for _, term := range e.terms() {
				terms = append(terms, e.Account, e.Region, term, toMicros(e.Time), e.ID)
			}
		}
		if err := tx.insertMany(`INSERT INTO events (`+eventColumns+`) VALUES `, size, eventWidth, args); err != nil {
			return err
		}
	}
	for at, size := range chunks(len(terms)/termWidth, termRows) {
		err := tx.insertMany(`INSERT INTO event_terms (account, region, term, time, id) VALUES `, size, termWidth,
			terms[at*termWidth:(at+size)*termWidth])
		if err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) insertMany(insert string, rows, width int, args []any) error {
	var q strings.Builder
	q.Grow(len(insert) + rows*width*6)
	q.WriteString(insert)
	tx.eng.values(&q, rows, width)
	q.WriteString(` ON CONFLICT DO NOTHING`)
	_, err := tx.exec(q.String(), args...)
	return err
}

// LookupEvents pages through the matching events, the newest first. A limit outside 1..MaxEventPage means MaxEventPage.
func (tx *Tx) LookupEvents(f *EventFilter, limit int, after string) ([]Event, string, error) {
	if limit < 1 || limit > MaxEventPage {
		limit = MaxEventPage
	}
	beforeTime, beforeID, err := parseEventKey(after)
	if err != nil {
		return nil, "", err
	}
	start, end := int64(math.MinInt64), beforeTime
	if !f.Start.IsZero() {
		start = toMicros(f.Start)
	}
	if !f.End.IsZero() {
		end = min(end, toMicros(f.End))
	}
	terms := f.terms()
	args := []any{f.Account, f.Region, terms[0], start, end, beforeTime, beforeID}
	param := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	var q strings.Builder
	q.WriteString(`SELECT e.id, e.account, e.region, e.time, e.name, e.source, e.username, e.access_key_id, e.read_only, e.resources, e.body
		FROM event_terms t JOIN events e ON e.id = t.id AND e.time = t.time
		WHERE t.account = $1 AND t.region = $2 AND t.term = $3 AND t.time >= $4 AND t.time <= $5
		AND (t.time < $6 OR t.id < $7)`)
	for _, term := range terms[1:] {
		q.WriteString(` AND EXISTS (SELECT 1 FROM event_terms x WHERE x.account = $1 AND x.region = $2 AND x.term = ` + param(term) +
			` AND x.time = t.time AND x.id = t.id)`)
	}
	if f.ID != "" {
		q.WriteString(` AND e.id = ` + param(clean(f.ID)))
	}
	if f.ReadOnly != nil {
		q.WriteString(` AND e.read_only = ` + param(*f.ReadOnly))
	}
	q.WriteString(` ORDER BY t.time DESC, t.id DESC LIMIT `)
	q.WriteString("$" + strconv.Itoa(len(args)+1))
	return page(tx, scanEvent, eventKey, limit, q.String(), args...)
}

// DeleteEventsBefore removes up to limit events older than t, the oldest first, and returns how many.
func (tx *Tx) DeleteEventsBefore(t time.Time, limit int) (int, error) {
	if !tx.write {
		return 0, ErrReadOnly
	}
	if limit < 1 || limit > MaxPage {
		limit = MaxPage
	}
	old, err := all(tx, scanEvent, `SELECT `+eventColumns+` FROM events WHERE time < $1 ORDER BY time, id LIMIT $2`, toMicros(t), limit)
	if err != nil || len(old) == 0 {
		return 0, err
	}
	// These are the oldest of all: up to the last of them, every row of a term belongs to one of them.
	last := &old[len(old)-1]
	type key struct {
		account arn.AccountID
		region  arn.Region
		term    string
	}
	done := make(map[key]bool)
	for i := range old {
		for _, term := range old[i].terms() {
			k := key{old[i].Account, old[i].Region, term}
			if done[k] {
				continue
			}
			done[k] = true
			if _, err := tx.exec(`DELETE FROM event_terms WHERE account = $1 AND region = $2 AND term = $3
				AND time <= $4 AND (time < $4 OR id <= $5)`, k.account, k.region, k.term, toMicros(last.Time), last.ID); err != nil {
				return 0, err
			}
		}
	}
	_, err = tx.exec(`DELETE FROM events WHERE time <= $1 AND (time < $1 OR id <= $2)`, toMicros(last.Time), last.ID)
	return len(old), err
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
