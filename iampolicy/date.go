package iampolicy

import (
	"cmp"
	"strconv"
	"strings"
)

// instant is a point in time; policies may name years that time.Time does not print.
type instant struct {
	seconds int64 // since 1970-01-01T00:00:00Z
	nanos   int32
}

func compareInstants(a, b instant) int {
	if c := cmp.Compare(a.seconds, b.seconds); c != 0 {
		return c
	}
	return cmp.Compare(a.nanos, b.nanos)
}

// The years that AWS's legacy parser takes.
const (
	minYear = -292275054
	maxYear = 292278993
)

// parseInstant reads epoch seconds, or a W3C ISO 8601 date down to any precision from the
// year on. Digits alone are epoch seconds, "2020" too. A time without zone is UTC.
func parseInstant(s string) (instant, bool) {
	if s == "" {
		return instant{}, false
	}
	day, clock, hasClock := strings.Cut(s, "T")
	if !hasClock {
		day, clock, hasClock = strings.Cut(s, "t")
	}
	if !hasClock && strings.IndexByte(s, '-') < 0 {
		n, err := strconv.ParseInt(s, 10, 64)
		return instant{seconds: n}, err == nil && allDigits(s)
	}
	days, ok := parseDay(day)
	if !ok {
		return instant{}, false
	}
	at := instant{seconds: days * 86400}
	if clock == "" {
		return at, true
	}
	return at, at.addClock(clock)
}

// parseDay reads [-]year[-month[-day]] as days since the epoch.
func parseDay(s string) (int64, bool) {
	digits, negative := strings.CutPrefix(s, "-")
	yearText, rest, hasMonth := strings.Cut(digits, "-")
	year, ok := parseSmall(yearText, 1, 9, maxYear)
	if negative {
		year = -year
	}
	if !ok || year < minYear {
		return 0, false
	}
	month, day := 1, 1
	if hasMonth {
		monthText, dayText, hasDay := strings.Cut(rest, "-")
		if month, ok = parseSmall(monthText, 1, 2, 12); !ok || month == 0 {
			return 0, false
		}
		if hasDay {
			if day, ok = parseSmall(dayText, 1, 2, 31); !ok || day == 0 {
				return 0, false
			}
		}
	}
	return civilDays(int64(year), int64(month), int64(day)), true
}

// civilDays counts days from 1970-01-01 in the proleptic Gregorian calendar, over years
// that begin in March so that the leap day is the last.
func civilDays(year, month, day int64) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := year / 400
	if year < 0 && year%400 != 0 {
		era--
	}
	ofEra := year - era*400
	ofYear := (153*(month-3)+2)/5 + day - 1
	return era*146097 + ofEra*365 + ofEra/4 - ofEra/100 + ofYear - 719468
}

// addClock adds hh[:mm[:ss[.fraction]]] and applies the zone: Z, ±hh or ±hh:mm.
func (at *instant) addClock(s string) bool {
	zone := ""
	if i := strings.IndexAny(s, "Zz+-"); i >= 0 {
		s, zone = s[:i], s[i:]
	}
	hourText, rest, hasMinute := strings.Cut(s, ":")
	hour, ok := parseSmall(hourText, 1, 2, 23)
	if !ok {
		return false
	}
	at.seconds += int64(hour) * 3600
	if hasMinute {
		minuteText, secondText, hasSecond := strings.Cut(rest, ":")
		minute, ok := parseSmall(minuteText, 1, 2, 59)
		if !ok || (hasSecond && !at.addSeconds(secondText)) {
			return false
		}
		at.seconds += int64(minute) * 60
	}
	return at.applyZone(zone)
}

func (at *instant) addSeconds(s string) bool {
	whole, fraction, hasFraction := strings.Cut(s, ".")
	second, ok := parseSmall(whole, 1, 2, 59)
	if !ok {
		return false
	}
	at.seconds += int64(second)
	if !hasFraction {
		return true
	}
	nanos, ok := parseSmall(fraction, 1, 9, 999_999_999)
	for range 9 - len(fraction) {
		nanos *= 10
	}
	at.nanos = int32(nanos)
	return ok
}

func (at *instant) applyZone(zone string) bool {
	if zone == "" || zone == "Z" || zone == "z" {
		return true
	}
	hourText, minuteText, hasMinute := strings.Cut(zone[1:], ":")
	hour, ok := parseSmall(hourText, 2, 2, 23)
	minute := 0
	if ok && hasMinute {
		minute, ok = parseSmall(minuteText, 2, 2, 59)
	}
	offset := int64(hour)*3600 + int64(minute)*60
	switch zone[0] {
	case '+':
		at.seconds -= offset
	case '-':
		at.seconds += offset
	default:
		return false
	}
	return ok
}

// parseSmall reads between shortest and longest digits worth at most limit.
func parseSmall(s string, shortest, longest, limit int) (int, bool) {
	if len(s) < shortest || len(s) > longest || !allDigits(s) {
		return 0, false
	}
	n := 0
	for i := 0; i < len(s); i++ {
		n = n*10 + int(s[i]-'0')
	}
	return n, n <= limit
}
