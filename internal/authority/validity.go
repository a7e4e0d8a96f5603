package authority

import (
	"strconv"
	"time"
)

// ValidityType says how to read a [Validity].
type ValidityType string

// The validity types.
const (
	EndDate  ValidityType = "END_DATE" // YYMMDDHHMMSS or YYYYMMDDHHMMSS in UTC, as a number
	Absolute ValidityType = "ABSOLUTE" // seconds since 1970
	Days     ValidityType = "DAYS"     // from now
	Months   ValidityType = "MONTHS"
	Years    ValidityType = "YEARS"
)

// Validity is a date of a certificate.
type Validity struct {
	Type  ValidityType
	Value int64 // > 0
}

const (
	backdating    = time.Hour          // notBefore lies this far back, for clocks that are behind
	shortLifetime = 7 * 24 * time.Hour // the longest of a short-lived CA
	maxSpan       = 100_000            // of DAYS, MONTHS, YEARS: keeps date arithmetic in range
)

// at is the date in UTC and whole seconds, as certificates have it. GeneralizedTime ends with the year 9999.
func (v Validity) at(now time.Time) (time.Time, error) {
	var t time.Time
	switch v.Type {
	case Absolute:
		if v.Value > 253402300799 {
			return t, refuse(BadValidity, "the validity %d is after the year 9999", v.Value)
		}
		t = time.Unix(v.Value, 0)
	case EndDate:
		text := strconv.FormatInt(v.Value, 10)
		layout := "20060102150405"
		if len(text) <= 12 { // leading zeros are not there in a number
			text, layout = "000000000000"[len(text):]+text, "060102150405"
		}
		var err error
		if t, err = time.Parse(layout, text); err != nil {
			return t, refuse(BadValidity, "the validity %d is not a date YYYYMMDDHHMMSS or YYMMDDHHMMSS", v.Value)
		}
		// RFC 5280 §4.1.2.5.1: two digits from 50 on are of the last century. time.Parse draws the line at 69.
		if len(layout) == 12 && t.Year() >= 2050 {
			t = t.AddDate(-100, 0, 0)
		}
	case Days, Months, Years:
		if v.Value > maxSpan {
			return t, refuse(BadValidity, "the validity of %d %s is too long", v.Value, v.Type)
		}
		n := int(v.Value)
		switch v.Type {
		case Days:
			t = now.AddDate(0, 0, n)
		case Months:
			t = now.AddDate(0, n, 0)
		default:
			t = now.AddDate(n, 0, 0)
		}
	default:
		return t, refuse(BadArgument, "validity type %s is not known", clip(string(v.Type)))
	}
	if v.Value <= 0 || t.Year() > 9999 || t.Year() < 1950 {
		return t, refuse(BadValidity, "the validity %d is out of range", v.Value)
	}
	return t.UTC().Truncate(time.Second), nil
}

// dates settles a certificate's validity.
func (i *Issuer) dates(r *Request, t *Template) (notBefore, notAfter time.Time, err error) {
	notBefore = r.Now.Add(-backdating).UTC().Truncate(time.Second)
	if r.NotBefore != nil {
		if r.NotBefore.Type != Absolute && r.NotBefore.Type != EndDate {
			return notBefore, notAfter, refuse(BadArgument, "ValidityNotBefore must be of type ABSOLUTE or END_DATE")
		}
		if notBefore, err = r.NotBefore.at(r.Now); err != nil {
			return notBefore, notAfter, err
		}
	}
	if notAfter, err = r.Validity.at(r.Now); err != nil {
		return notBefore, notAfter, err
	}
	stamp := notAfter.Format(time.RFC3339)
	switch {
	case !notAfter.After(r.Now):
		err = refuse(BadValidity, "the certificate's validity ends at %s, which is past", stamp)
	case !notBefore.Before(notAfter):
		err = refuse(BadValidity, "the certificate's validity begins at %s, after its end", notBefore.Format(time.RFC3339))
	case !t.Root() && notAfter.After(i.Certificate.NotAfter):
		err = refuse(BadValidity, "the certificate's validity ends at %s, after that of its certificate authority, %s", stamp, i.Certificate.NotAfter.UTC().Format(time.RFC3339))
	case i.ShortLived && !t.Root() && notAfter.Sub(later(r.Now, notBefore)) > shortLifetime:
		err = refuse(BadValidity, "a certificate authority for short-lived certificates issues for at most 7 days")
	}
	return notBefore, notAfter, err
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
