package certchain

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// crlEntry is one revoked certificate.
type crlEntry struct {
	date   time.Time
	reason string
}

// parseEntry reads the entry that input starts with (RFC 5280 §5.1.2.6 and §5.3).
func parseEntry(input []byte) (e crlEntry, err error) {
	e.reason = "unspecified"
	malformed := errors.New("malformed")
	s := cryptobyte.String(input)
	var entry, serial cryptobyte.String
	if !s.ReadASN1(&entry, cbasn1.SEQUENCE) || !entry.ReadASN1(&serial, cbasn1.INTEGER) || !minimal(serial) ||
		!readTime(&entry, &e.date) {
		return e, malformed
	}
	if entry.Empty() {
		return e, nil
	}
	err = eachExtension(entry, func(oid string, critical bool, value []byte) error {
		switch oid {
		case "2.5.29.21":
			v := cryptobyte.String(value)
			var code int
			if !v.ReadASN1Enum(&code) || !v.Empty() {
				return malformed
			}
			e.reason = reasonText(code)
		case "2.5.29.24": // invalidity date
		case "2.5.29.29":
			// The entry belongs to another issuer (RFC 5280 §5.3.3): an indirect list.
			return errors.New("it names another certificate issuer, indirect lists are not supported")
		default:
			if critical {
				return fmt.Errorf("the critical extension %s is not understood", oid)
			}
		}
		return nil
	})
	return e, err
}

// plainEntry reports that [parseEntry] would take the entry that input starts with. It knows the form that nearly all have,
// without allocating: what a list of millions leaves to the garbage collector is a multiple of its size otherwise.
func plainEntry(input []byte) bool {
	s := cryptobyte.String(input)
	var entry, serial, date cryptobyte.String
	if !s.ReadASN1(&entry, cbasn1.SEQUENCE) || !entry.ReadASN1(&serial, cbasn1.INTEGER) || !minimal(serial) ||
		!entry.ReadASN1(&date, cbasn1.UTCTime) || !plainTime(date) {
		return false
	}
	const reason = "\x30\x0c\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01" // the extension reasonCode alone, without its value
	return entry.Empty() || len(entry) == len(reason)+1 && string(entry[:len(reason)]) == reason
}

// plainTime reports that a UTCTime is valid: YYMMDDhhmmssZ, in any month of any year.
func plainTime(t []byte) bool {
	if len(t) != 13 || t[12] != 'Z' {
		return false
	}
	two := func(i, from, to int) bool {
		a, b := int(t[i])-'0', int(t[i+1])-'0'
		return a >= 0 && a <= 9 && b >= 0 && b <= 9 && a*10+b >= from && a*10+b <= to
	}
	return two(0, 0, 99) && two(2, 1, 12) && two(4, 1, 28) && two(6, 0, 23) && two(8, 0, 59) && two(10, 0, 59)
}

// minimal reports whether the content of an INTEGER is its shortest form, as DER asks: lookups
// compare bytes.
func minimal(b []byte) bool {
	if len(b) < 2 {
		return len(b) == 1
	}
	return !(b[0] == 0 && b[1]&0x80 == 0) && !(b[0] == 0xFF && b[1]&0x80 != 0)
}

// reasonText names a CRLReason (RFC 5280 §5.3.1).
func reasonText(code int) string {
	switch code {
	case 1:
		return "keyCompromise"
	case 2:
		return "cACompromise"
	case 3:
		return "affiliationChanged"
	case 4:
		return "superseded"
	case 5:
		return "cessationOfOperation"
	case 6:
		return "certificateHold"
	case 8:
		return "removeFromCRL"
	case 9:
		return "privilegeWithdrawn"
	case 10:
		return "aACompromise"
	}
	return "unspecified"
}
