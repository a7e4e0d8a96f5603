package adtemplate

import (
	"time"

	ad "github.com/rolecall/rolecall/internal/awsapi/model/pcaconnectorad"
)

// maxPeriod bounds a certificate's life: it still fits a time.Duration, and any CA ends long before.
const maxPeriod = 200 * 365 * 24 * time.Hour

var units = map[ad.ValidityPeriodType]time.Duration{
	ad.ValidityPeriodTypeHours: time.Hour,
	ad.ValidityPeriodTypeDays:  24 * time.Hour,
	ad.ValidityPeriodTypeWeeks: 7 * 24 * time.Hour,
	// As AD CS counts in its templates: a year is 31,536,000 seconds.
	ad.ValidityPeriodTypeMonths: 30 * 24 * time.Hour,
	ad.ValidityPeriodTypeYears:  365 * 24 * time.Hour,
}

// Duration is the length of a period; false if it is incomplete, not positive, or longer than 200 years.
func Duration(p *ad.ValidityPeriod) (time.Duration, bool) {
	if p == nil || p.Period == nil || p.PeriodType == nil {
		return 0, false
	}
	unit, ok := units[*p.PeriodType]
	if !ok || *p.Period < 1 || *p.Period > int64(maxPeriod/unit) {
		return 0, false
	}
	return time.Duration(*p.Period) * unit, true
}

// Validity is how long the certificates of a definition live; 0 if that cannot be told.
func Validity(d *ad.TemplateDefinition) time.Duration {
	f := flatten(d)
	if f == nil || f.validity == nil {
		return 0
	}
	length, _ := Duration(f.validity.ValidityPeriod)
	return length
}
