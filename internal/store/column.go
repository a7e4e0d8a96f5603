package store

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// micros scans a BIGINT of microseconds into a UTC time; 0 is the zero time.
type micros struct{ t *time.Time }

func (m micros) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("time column holds %T", v)
	}
	*m.t = fromMicros(n)
	return nil
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

func toMicros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// list scans a JSON list; an empty one becomes nil.
type list[T any] struct{ l *[]T }

func (l list[T]) Scan(v any) error {
	var text []byte
	switch v := v.(type) {
	case string:
		text = []byte(v)
	case []byte:
		text = v
	default:
		return fmt.Errorf("list column holds %T", v)
	}
	if string(text) == "[]" {
		*l.l = nil
		return nil
	}
	return json.Unmarshal(text, l.l)
}

// toList is the JSON text of l. The element types are this package's own and always encode.
func toList[T any](l []T) string {
	if len(l) == 0 {
		return "[]"
	}
	text, err := json.Marshal(l)
	if err != nil {
		return "[]"
	}
	return string(text)
}

// nameKey folds a name that is unique without regard to case. IAM names are ASCII.
func nameKey(name string) string { return strings.ToLower(name) }

// clean makes text from outside storable: PostgreSQL takes neither NUL nor invalid UTF-8.
func clean(s string) string {
	if !utf8.ValidString(s) { // which is faster than making it valid
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	return s
}

// Tag is a resource tag, in the order it was given.
type Tag struct{ Key, Value string }

// blob scans a BYTEA; an empty one becomes nil on both engines.
type blob struct{ b *[]byte }

func (b blob) Scan(v any) error {
	bytes, ok := v.([]byte)
	if !ok && v != nil {
		return fmt.Errorf("byte column holds %T", v)
	}
	*b.b = append([]byte(nil), bytes...) // the driver's memory is its own
	return nil
}
