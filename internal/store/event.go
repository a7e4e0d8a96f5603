package store

import (
	"encoding/base64"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// Event is one audit record. Body is the whole record; the other fields are what can be searched.
type Event struct {
	ID          string // unique; best one of NewEventID
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

	// Cert is a certificate (DER) whose base64 text belongs at offset CertAt of Body: blocks keep each certificate once. Events that
	// are read have it in Body, and Cert empty.
	Cert   []byte
	CertAt int
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

const eventColumns = `account, region, time, id, name, source, username, access_key_id, read_only, resources, body`

func scanEvent(s scanner, e *Event) error {
	return s.Scan(&e.Account, &e.Region, micros{&e.Time}, &e.ID, &e.Name, &e.Source, &e.Username, &e.AccessKeyID, &e.ReadOnly,
		list[EventResource]{&e.Resources}, blob{&e.Body})
}

// clean is e as it is stored: events carry text from unauthenticated callers, and one bad byte must not stop a batch.
func (e *Event) clean() {
	for _, s := range []*string{&e.ID, (*string)(&e.Account), (*string)(&e.Region), &e.Name, &e.Source, &e.Username, &e.AccessKeyID} {
		*s = clean(*s)
	}
	cleaned := func(r EventResource) EventResource { return EventResource{clean(r.Type), clean(r.Name), clean(r.ARN)} }
	for i, r := range e.Resources {
		if c := cleaned(r); c != r {
			e.Resources = append([]EventResource(nil), e.Resources...) // the caller's stay as they are
			for j := i; j < len(e.Resources); j++ {
				e.Resources[j] = cleaned(e.Resources[j])
			}
			break
		}
	}
	e.Time = fromMicros(toMicros(e.Time))
}

// hasCert tells whether Body has a place to fill.
func (e *Event) hasCert() bool { return len(e.Cert) > 0 && e.CertAt >= 0 && e.CertAt <= len(e.Body) }

// WholeBody is Body with the certificate in it.
func (e *Event) WholeBody() []byte {
	if !e.hasCert() {
		return notNil(e.Body)
	}
	return fillCert(nil, e.Body, e.Cert, e.CertAt)
}

// fillCert appends body with the certificate's text at its place.
func fillCert(dst, body, der []byte, at int) []byte {
	dst = append(dst, body[:at]...)
	dst = base64.StdEncoding.AppendEncode(dst, der)
	return append(dst, body[at:]...)
}

// InsertEvents adds events in few statements, each a row with a row per term: right for a few, see InsertPackedEvents for many.
// An event that is there already, with the same ID and Time, is left alone. Events are not in the view: no revision is used up.
func (tx *Tx) InsertEvents(events []Event) error {
	const eventWidth, termWidth, eventRows, termRows = 11, 5, 256, 512
	args := make([]any, 0, eventWidth*min(len(events), eventRows))
	var terms []any
	for at, size := range chunks(len(events), eventRows) {
		args = args[:0]
		for i := at; i < at+size; i++ {
			e := events[i]
			e.clean()
			args = append(args, e.Account, e.Region, toMicros(e.Time), e.ID, e.Name, e.Source, e.Username, e.AccessKeyID, e.ReadOnly,
				toList(e.Resources), e.WholeBody())
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
