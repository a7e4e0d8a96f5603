package store

import (
	"crypto/rand"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// NewEventID is a version 7 UUID (RFC 9562 §5.7) of the event's time: 48 bits of milliseconds, then 74 random bits. An event
// whose id and time agree is found by its id without an index. t is the event's own time, in microseconds.
func NewEventID(t time.Time) string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand documents that it ends the program instead
	ms := uint64(t.UnixMilli())
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	return arn.FormatUUID(b)
}

// eventIDMillis is the time inside an id of NewEventID's form. The id may come from elsewhere: its time is a hint.
func eventIDMillis(id string) (ms int64, ok bool) {
	b, ok := parseUUID(id)
	if !ok || b[6]>>4 != 7 || b[8]>>6 != 2 {
		return 0, false
	}
	for _, c := range b[:6] {
		ms = ms<<8 | int64(c)
	}
	return ms, true
}

// foreignID reports that the event's id does not tell its time, so that it needs a term.
func (e *Event) foreignID() bool {
	ms, ok := eventIDMillis(e.ID)
	return !ok || ms != e.Time.UnixMilli()
}

// parseUUID reads the one form that FormatUUID prints.
func parseUUID(s string) (b [16]byte, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return b, false
	}
	at := 0
	for i := range b {
		if at == 8 || at == 13 || at == 18 || at == 23 {
			at++
		}
		hi, lo := hexValue(s[at]), hexValue(s[at+1])
		if hi|lo > 15 {
			return b, false
		}
		b[i] = hi<<4 | lo
		at += 2
	}
	return b, true
}

func hexValue(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}
