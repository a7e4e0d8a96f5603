package audit

import (
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/rolecall/rolecall/internal/jsontext"
)

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string. The result is byte for byte what encoding/json writes without HTML escaping, so
// text chosen by an attacker can neither end the string nor leave invalid UTF-8 behind.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; ; {
		i += jsontext.Plain(s[i:])
		if i == len(s) {
			break
		}
		c := s[i]
		if c < utf8.RuneSelf {
			b = append(b, s[start:i]...)
			b = appendEscape(b, c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(b, s[start:i]...)
			b = append(b, `\ufffd`...)
			start = i + size
		case r == '\u2028' || r == '\u2029': // legal JSON, but not legal JavaScript
			b = append(b, s[start:i]...)
			b = append(b, `\u202`...)
			b = append(b, hexDigits[r&0xf])
			start = i + size
		}
		i += size
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// appendEscape appends the escape of one ASCII byte (RFC 8259 §7).
func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
}

// appendTime appends t in UTC with exactly six fractional digits.
func appendTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return append(b, `"0001-01-01T00:00:00.000000Z"`...)
	}
	hour, minute, second := t.Clock()
	b = append(b, '"')
	b = appendDigits(b, year, 4)
	b = append(b, '-')
	b = appendDigits(b, int(month), 2)
	b = append(b, '-')
	b = appendDigits(b, day, 2)
	b = append(b, 'T')
	b = appendDigits(b, hour, 2)
	b = append(b, ':')
	b = appendDigits(b, minute, 2)
	b = append(b, ':')
	b = appendDigits(b, second, 2)
	b = append(b, '.')
	b = appendDigits(b, t.Nanosecond()/1000, 6)
	return append(b, 'Z', '"')
}

// appendDigits appends n in decimal, padded with zeros to width (at most 8).
func appendDigits(b []byte, n, width int) []byte {
	var tmp [8]byte
	for i := width - 1; i >= 0; i-- {
		tmp[i] = byte('0' + n%10)
		n /= 10
	}
	return append(b, tmp[:width]...)
}

// appendRaw appends JSON that another package encoded. What is too long is replaced by a note of its size, and what is not
// valid JSON is kept as a string, so one bad value never costs the event.
func appendRaw(b []byte, raw json.RawMessage, limit int) []byte {
	switch {
	case len(raw) == 0:
		return append(b, "null"...)
	case len(raw) > limit:
		b = append(b, `{"omitted":true,"originalSize":`...)
		b = strconv.AppendInt(b, int64(len(raw)), 10)
		return append(b, `,"reason":"larger than the limit of this field"}`...)
	case !json.Valid(raw) || !utf8.Valid(raw):
		b = append(b, `{"unparsable":`...)
		b = appendString(b, clip(string(raw), maxText))
		return append(b, '}')
	}
	return append(b, raw...)
}

// clip cuts s to at most n bytes without splitting a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// object appends the members of one JSON object. Members with empty values are left out.
type object struct {
	buf   []byte
	count int
}

func (o *object) open(b []byte) {
	o.buf = append(b, '{')
	o.count = 0
}

func (o *object) close() []byte {
	o.buf = append(o.buf, '}')
	return o.buf
}

// name starts a member. Names are constants of this package and need no escaping.
func (o *object) name(name string) {
	if o.count > 0 {
		o.buf = append(o.buf, ',')
	}
	o.count++
	o.buf = append(o.buf, '"')
	o.buf = append(o.buf, name...)
	o.buf = append(o.buf, '"', ':')
}

// key starts a member whose name is not a constant.
func (o *object) key(name string) {
	if o.count > 0 {
		o.buf = append(o.buf, ',')
	}
	o.count++
	o.buf = append(appendString(o.buf, name), ':')
}

// text adds a string member of at most limit bytes before escaping.
func (o *object) text(name, value string, limit int) {
	if value == "" {
		return
	}
	o.name(name)
	o.buf = appendString(o.buf, clip(value, limit))
}

func (o *object) boolean(name string, value bool) {
	o.name(name)
	o.buf = strconv.AppendBool(o.buf, value)
}

func (o *object) integer(name string, value int) {
	o.name(name)
	o.buf = strconv.AppendInt(o.buf, int64(value), 10)
}

func (o *object) time(name string, t time.Time) {
	if t.IsZero() {
		return
	}
	o.name(name)
	o.buf = appendTime(o.buf, t)
}
