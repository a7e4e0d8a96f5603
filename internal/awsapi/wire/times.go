package wire

import (
	"math"
	"strconv"
	"time"
)

// Layouts AWS sends. Roles Anywhere writes microseconds, the query services whole seconds.
const (
	layoutSeconds = "2006-01-02T15:04:05Z"
	layoutMicros  = "2006-01-02T15:04:05.000000Z"
)

// appendJSONTime writes t as the shape says, or as the protocol does where the shape does not say.
func appendJSONTime(b []byte, s *Shape, t time.Time) []byte {
	t = t.UTC()
	switch s.Format {
	case ISO8601:
		b = append(b, '"')
		b = t.AppendFormat(b, layoutMicros)
		return append(b, '"')
	case RFC822:
		b = append(b, '"')
		b = t.AppendFormat(b, "Mon, 02 Jan 2006 15:04:05 GMT")
		return append(b, '"')
	}
	// Seconds since 1970 with up to three decimals, the JSON protocols' default.
	ms := t.UnixMilli()
	if ms%1000 == 0 {
		return strconv.AppendInt(b, ms/1000, 10)
	}
	return strconv.AppendFloat(b, float64(ms)/1000, 'f', 3, 64)
}

// maxEpoch keeps decoded times within four-digit years.
const maxEpoch = 253402300799

// timeOfSeconds turns a JSON number into a time.
func timeOfSeconds(sec float64) (time.Time, bool) {
	if math.IsNaN(sec) || sec < -62135596800 || sec > maxEpoch {
		return time.Time{}, false
	}
	whole, frac := math.Modf(sec)
	return time.Unix(int64(whole), int64(math.Round(frac*1e6))*1000).UTC(), true
}

// parseTime reads the forms that SDKs write.
func parseTime(s string) (time.Time, bool) {
	if len(s) > 64 {
		return time.Time{}, false
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05Z0700", "Mon, 02 Jan 2006 15:04:05 GMT", "2006-01-02T15:04Z07:00", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), t.Year() >= 1 && t.Year() <= 9999
		}
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return timeOfSeconds(f)
	}
	return time.Time{}, false
}
