package iampolicy

import (
	"cmp"
	"strings"
)

// decimal is an integer or decimal number compared exactly, whatever its length.
type decimal struct {
	negative bool
	whole    string // no leading zeros
	fraction string // no trailing zeros
}

func parseDecimal(s string) (d decimal, ok bool) {
	if rest, found := strings.CutPrefix(s, "-"); found {
		d.negative, s = true, rest
	} else if rest, found := strings.CutPrefix(s, "+"); found {
		s = rest
	}
	whole, fraction, point := strings.Cut(s, ".")
	if !allDigits(whole) || !allDigits(fraction) || (whole == "" && fraction == "") || (point && fraction == "") {
		return decimal{}, false
	}
	d.whole = strings.TrimLeft(whole, "0")
	d.fraction = strings.TrimRight(fraction, "0")
	if d.whole == "" && d.fraction == "" {
		d.negative = false
	}
	return d, true
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i]-'0' > 9 {
			return false
		}
	}
	return true
}

// compareDecimals is negative when a < b, zero when equal, positive when a > b.
func compareDecimals(a, b decimal) int {
	if a.negative != b.negative {
		if a.negative {
			return -1
		}
		return 1
	}
	sign := cmp.Compare(len(a.whole), len(b.whole))
	if sign == 0 {
		sign = cmp.Compare(a.whole, b.whole)
	}
	if sign == 0 {
		sign = cmp.Compare(a.fraction, b.fraction)
	}
	if a.negative {
		return -sign
	}
	return sign
}
