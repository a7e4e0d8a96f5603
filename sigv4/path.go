package sigv4

import (
	"net/url"
	"strings"
)

// Style is a service's way to canonicalise the path.
type Style int

// The styles.
const (
	Standard Style = iota // normalised, and each segment encoded once more: every service but S3
	S3                    // as sent: encoded once, no normalisation; the body hash header is required
)

// wirePath is the path as it stood in the request line. It answers from u, which is also what a handler acts on, so
// that nothing can be signed in one place and served from another.
func wirePath(u *url.URL) string {
	p := u.RawPath
	if p == "" || !unescapesTo(p, u.Path) {
		p = u.EscapedPath()
	}
	if p == "" {
		return "/"
	}
	return p
}

// unescapesTo reports whether raw is a percent-encoding of path.
func unescapesTo(raw, path string) bool {
	n := 0
	for i := 0; i < len(raw); i++ {
		b := raw[i]
		if b == '%' {
			d, ok := triplet(raw, i)
			if !ok {
				return false
			}
			b = d
			i += 2
		}
		if n >= len(path) || path[n] != b {
			return false
		}
		n++
	}
	return n == len(path)
}

// normalised reports whether appendNormalised would leave path alone. It may say no where it would.
func normalised(path string) bool {
	return strings.HasPrefix(path, "/") && !strings.Contains(path, "//") && !strings.Contains(path, "/.")
}

// appendEncodedPath encodes every byte of the path but the slashes: the second encoding of an encoded path.
func appendEncodedPath(dst []byte, path string) []byte {
	for i := range len(path) {
		if b := path[i]; b == '/' {
			dst = append(dst, b)
		} else {
			dst = appendByte(dst, b)
		}
	}
	return dst
}

// appendNormalised is RFC 3986 §5.2.4 without dot segments, and without empty ones, then encoded. Like the SDKs it
// keeps a final slash but does not make one out of a final dot segment.
func appendNormalised(dst []byte, path string) []byte {
	start := len(dst)
	for seg := range strings.SplitSeq(path, "/") {
		switch seg {
		case "", ".":
		case "..":
			for len(dst) > start {
				last := dst[len(dst)-1]
				dst = dst[:len(dst)-1]
				if last == '/' {
					break
				}
			}
		default:
			dst = append(dst, '/')
			dst = appendEncoded(dst, seg)
		}
	}
	if len(dst) == start || strings.HasSuffix(path, "/") {
		dst = append(dst, '/')
	}
	return dst
}

// appendS3Path decodes and encodes again, so that a client may leave reserved characters bare. An encoded slash stays
// encoded: "a%2Fb" and "a/b" are two different requests.
func appendS3Path(dst []byte, path string) ([]byte, bool) {
	for i := 0; i < len(path); i++ {
		switch b := path[i]; b {
		case '/':
			dst = append(dst, b)
		case '%':
			d, ok := triplet(path, i)
			if !ok {
				return dst, false
			}
			dst = appendByte(dst, d)
			i += 2
		default:
			dst = appendByte(dst, b)
		}
	}
	return dst, true
}
