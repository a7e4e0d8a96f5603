package sigv4

import (
	"crypto/sha256"
	"net/http"
	"sync"
)

// scratch holds the buffers of one canonicalisation.
type scratch struct {
	buf    []byte // the canonical request, then the string to sign
	query  []byte
	params []param
	name   []byte
	sig    []byte

	digested [32]byte // what a public key verifies
}

// maxKept bounds what the pool retains of an unusually large request.
const maxKept = 64 << 10

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func (s *scratch) release() {
	if cap(s.buf) > maxKept {
		s.buf = nil
	}
	if cap(s.query) > maxKept {
		s.query, s.params = nil, nil
	}
	scratches.Put(s)
}

// canonical says how to read a request into its canonical form.
type canonical struct {
	style     Style
	path      string // path to canonicalise
	asSent    bool   // leave out Standard's normalisation
	query     string
	presigned bool
	skipToken bool // presigned with the session token added after signing
	host      string
	names     []string // signed headers: lower-case, ascending
	payload   string   // last line; "" for hash
	hash      [32]byte
}

// digest writes the canonical request into s.buf and returns its hash.
func (s *scratch) digest(r *http.Request, c *canonical) ([32]byte, error) {
	if len(c.path) > maxPath {
		return [32]byte{}, fail(Incomplete, "the path is longer than %d bytes", maxPath)
	}
	b := append(append(s.buf[:0], r.Method...), '\n')
	b, ok := c.appendPath(b)
	if !ok {
		return [32]byte{}, fail(Incomplete, "the path has a broken percent-encoding")
	}
	b = append(b, '\n')
	b, err := s.appendQuery(b, c.query, c.presigned, c.skipToken)
	if err != nil {
		return [32]byte{}, err
	}
	b = append(b, '\n')
	for _, name := range c.names {
		if b, ok = s.appendHeader(b, r, name, c.host); !ok {
			return [32]byte{}, fail(Mismatch, "the signed header %q did not arrive", name)
		}
		if len(b) > maxCanonical {
			return [32]byte{}, fail(Incomplete, "the signed parts of the request are longer than %d bytes", maxCanonical)
		}
	}
	b = append(b, '\n')
	b = appendNames(b, c.names)
	b = append(b, '\n')
	if c.payload != "" {
		b = append(b, c.payload...)
	} else {
		b = appendHex(b, c.hash[:])
	}
	s.buf = b
	return sha256.Sum256(b), nil
}

func (c *canonical) appendPath(b []byte) ([]byte, bool) {
	switch {
	case c.style == S3:
		return appendS3Path(b, c.path)
	case c.asSent || normalised(c.path):
		return appendEncodedPath(b, c.path), true
	default:
		return appendNormalised(b, c.path), true
	}
}

func appendNames(b []byte, names []string) []byte {
	for i, name := range names {
		if i > 0 {
			b = append(b, ';')
		}
		b = append(b, name...)
	}
	return b
}

// scope is what a signature is good for.
type scope struct{ date, region, service string }

func (sc *scope) append(b []byte) []byte {
	b = append(append(b, sc.date...), '/')
	b = append(append(b, sc.region...), '/')
	b = append(append(b, sc.service...), '/')
	return append(b, terminator...)
}

// stringToSign builds it in s.buf.
func (s *scratch) stringToSign(algorithm, amzDate string, sc *scope, digest [32]byte) []byte {
	b := append(append(s.buf[:0], algorithm...), '\n')
	b = append(append(b, amzDate...), '\n')
	b = append(sc.append(b), '\n')
	s.buf = appendHex(b, digest[:])
	return s.buf
}
