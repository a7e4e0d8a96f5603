package audit

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/store"
)

// Row gives the event as the store keeps it: the columns that LookupEvents searches, and the whole record as JSON.
func (e *Event) Row() store.Event {
	e.normalise()
	row := store.Event{
		ID:          column(e.EventID),
		Account:     arn.AccountID(column(string(e.Account))),
		Region:      arn.Region(column(string(e.Region))),
		Time:        e.EventTime,
		Name:        column(e.EventName),
		Source:      column(e.EventSource),
		Username:    column(e.UserIdentity.username()),
		AccessKeyID: column(e.UserIdentity.AccessKeyID),
		ReadOnly:    e.ReadOnly,
		Body:        e.AppendJSON(nil),
	}
	for _, r := range e.recordedResources() {
		row.Resources = append(row.Resources, store.EventResource{Type: column(r.Type), Name: column(r.Name), ARN: column(r.ARN)})
	}
	return row
}

// column makes text from a request fit for any store's text column: bounded, valid UTF-8, without NUL (PostgreSQL refuses it).
func column(s string) string {
	s = clip(s, maxIdentifier)
	if !utf8.ValidString(s) { // which is faster than making it valid
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	if strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(s, "\x00", "\ufffd")
}

func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }
