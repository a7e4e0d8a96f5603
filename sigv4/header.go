package sigv4

import (
	"net/http"
	"strconv"
	"strings"
)

// appendHeader appends "name:value\n" for one signed header, and whether the request has it. net/http keeps host,
// content-length and transfer-encoding in fields of their own.
func (s *scratch) appendHeader(dst []byte, r *http.Request, name, host string) ([]byte, bool) {
	dst = append(append(dst, name...), ':')
	switch name {
	case "host":
		if host == "" {
			return dst, false
		}
		dst = appendTrimmed(dst, host)
	case "content-length":
		if r.ContentLength < 0 {
			return dst, false
		}
		dst = strconv.AppendInt(dst, r.ContentLength, 10)
	case "transfer-encoding":
		if len(r.TransferEncoding) == 0 {
			return dst, false
		}
		dst = appendJoined(dst, r.TransferEncoding)
	default:
		s.name = appendCanonicalName(s.name[:0], name)
		values := r.Header[string(s.name)]
		if len(values) == 0 {
			return dst, false
		}
		dst = appendJoined(dst, values)
	}
	return append(dst, '\n'), true
}

func appendJoined(dst []byte, values []string) []byte {
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendTrimmed(dst, v)
	}
	return dst
}

// appendTrimmed appends v without outer white space and with inner runs of spaces made one, also between quotes.
func appendTrimmed(dst []byte, v string) []byte {
	v = strings.Trim(v, " \t\r\n")
	for {
		i := strings.Index(v, "  ")
		if i < 0 {
			return append(dst, v...)
		}
		dst = append(dst, v[:i+1]...)
		v = strings.TrimLeft(v[i+1:], " ")
	}
}

// appendCanonicalName turns a lower-case header name into net/http's map key without allocating.
func appendCanonicalName(dst []byte, name string) []byte {
	upper := true
	for i := range len(name) {
		b := name[i]
		if upper && 'a' <= b && b <= 'z' {
			b -= 'a' - 'A'
		}
		dst = append(dst, b)
		upper = b == '-'
	}
	return dst
}

// equalFold compares a header name with one that is lower-case already.
func equalFold(name, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i := range len(name) {
		b := name[i]
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		if b != lower[i] {
			return false
		}
	}
	return true
}

// validHeaderName is RFC 9110 §5.6.2's token in lower case.
func validHeaderName(name string) bool {
	if name == "" || len(name) > maxHeaderName {
		return false
	}
	for i := range len(name) {
		b := name[i]
		if 'a' <= b && b <= 'z' || b == '-' || '0' <= b && b <= '9' || strings.IndexByte("!#$%&'*+.^_`|~", b) >= 0 {
			continue
		}
		return false
	}
	return true
}

// hasAmzPrefix reports whether a header name begins with x-amz- in any case.
func hasAmzPrefix(name string) bool {
	return len(name) > 6 && equalFold(name[:6], "x-amz-")
}
