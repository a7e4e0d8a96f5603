package sigv4

const upperHex = "0123456789ABCDEF"
const lowerHex = "0123456789abcdef"

// unreserved is RFC 3986 §2.3: the bytes that stay as they are in a canonical path or query.
func unreserved(b byte) bool { return isUnreserved[b] }

var isUnreserved = func() (t [256]bool) {
	for _, b := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~") {
		t[b] = true
	}
	return t
}()

func appendByte(dst []byte, b byte) []byte {
	if unreserved(b) {
		return append(dst, b)
	}
	return append(dst, '%', upperHex[b>>4], upperHex[b&15])
}

// appendEncoded percent-encodes s as it stands.
func appendEncoded(dst []byte, s string) []byte {
	for i := range len(s) {
		dst = appendByte(dst, s[i])
	}
	return dst
}

// appendRecoded decodes one component of a query (+ is a space) and encodes it again in the canonical way.
func appendRecoded(dst []byte, s string) ([]byte, bool) {
	for i := 0; i < len(s); i++ {
		from := i
		for i < len(s) && unreserved(s[i]) {
			i++
		}
		dst = append(dst, s[from:i]...)
		if i == len(s) {
			break
		}
		switch b := s[i]; b {
		case '%':
			d, ok := triplet(s, i)
			if !ok {
				return dst, false
			}
			dst = appendByte(dst, d)
			i += 2
		case '+':
			dst = append(dst, "%20"...)
		default:
			dst = appendByte(dst, b)
		}
	}
	return dst, true
}

// triplet decodes the %XX at s[i:].
func triplet(s string, i int) (byte, bool) {
	if i+2 >= len(s) {
		return 0, false
	}
	hi, lo := unhex(s[i+1]), unhex(s[i+2])
	if hi > 15 || lo > 15 {
		return 0, false
	}
	return hi<<4 | lo, true
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

func appendHex(dst, sum []byte) []byte {
	for _, b := range sum {
		dst = append(dst, lowerHex[b>>4], lowerHex[b&15])
	}
	return dst
}

// decodeLowerHex appends the bytes of s. Signatures and hashes are lower-case hexadecimal; anything else would give
// one signature two spellings.
func decodeLowerHex(dst []byte, s string) ([]byte, bool) {
	if len(s)%2 != 0 {
		return dst, false
	}
	for i := 0; i+1 < len(s); i += 2 {
		high, low := hexValue[s[i]], hexValue[s[i+1]]
		if high|low > 0xf {
			return dst, false
		}
		dst = append(dst, high<<4|low)
	}
	return dst, true
}

// hexValue is the value of each lower-case hexadecimal digit, and 0xff for every other byte.
var hexValue = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range []byte(lowerHex) {
		t[c] = byte(i)
	}
	return t
}()

func isLowerHex(s string) bool {
	var bad byte
	for i := range len(s) {
		bad |= hexValue[s[i]]
	}
	return bad <= 0xf
}
