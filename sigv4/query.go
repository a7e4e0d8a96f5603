package sigv4

import (
	"bytes"
	"slices"
	"strings"
)

// The query parameters of a presigned URL.
const (
	paramAlgorithm     = "X-Amz-Algorithm"
	paramCredential    = "X-Amz-Credential"
	paramDate          = "X-Amz-Date"
	paramExpires       = "X-Amz-Expires"
	paramSignedHeaders = "X-Amz-SignedHeaders"
	paramSignature     = "X-Amz-Signature"
	paramToken         = "X-Amz-Security-Token"
	paramPayload       = "X-Amz-Content-Sha256"
)

// param is one parameter, encoded, as offsets into scratch.query.
type param struct{ name, eq, end int }

// appendQuery appends the canonical query: every parameter encoded, sorted by encoded name and then by encoded value.
// The signature is never part of it; with skipToken neither is the session token.
func (s *scratch) appendQuery(dst []byte, raw string, presigned, skipToken bool) ([]byte, error) {
	if raw == "" {
		return dst, nil
	}
	if len(raw) > maxQuery {
		return dst, fail(Incomplete, "the query string is longer than %d bytes", maxQuery)
	}
	s.query, s.params = s.query[:0], s.params[:0]
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		if len(s.params) == maxParams {
			return dst, fail(Incomplete, "more than %d query parameters", maxParams)
		}
		name, value, _ := strings.Cut(pair, "=")
		p := param{name: len(s.query)}
		var ok1, ok2 bool
		s.query, ok1 = appendRecoded(s.query, name)
		p.eq = len(s.query)
		s.query, ok2 = appendRecoded(s.query, value)
		p.end = len(s.query)
		if !ok1 || !ok2 {
			return dst, fail(Incomplete, "the query string has a broken percent-encoding")
		}
		// Only Parse's own spelling is left out; "X%2DAmz-Signature" is a parameter like others.
		if presigned && (name == paramSignature || skipToken && name == paramToken) {
			continue
		}
		s.params = append(s.params, p)
	}
	s.sortParams()
	for i, p := range s.params {
		if i > 0 {
			dst = append(dst, '&')
		}
		dst = append(dst, s.query[p.name:p.eq]...)
		dst = append(dst, '=')
		dst = append(dst, s.query[p.eq:p.end]...)
	}
	return dst, nil
}

func (s *scratch) sortParams() {
	q := s.query
	slices.SortFunc(s.params, func(a, b param) int {
		if c := bytes.Compare(q[a.name:a.eq], q[b.name:b.eq]); c != 0 {
			return c
		}
		return bytes.Compare(q[a.eq:a.end], q[b.eq:b.end])
	})
}
