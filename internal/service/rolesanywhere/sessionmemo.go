package rolesanywhere

import (
	"hash/maphash"
	"sync/atomic"
)

const (
	memos        = 512     // requests remembered at most; another with the same hash takes the place
	maxMemoBytes = 4 << 10 // of query and body together
)

// requestMemo remembers what requests ask for: a workload sends the same query and body each time. Only requests that were
// granted get here, so that strangers can replace nothing.
type requestMemo struct {
	seed  maphash.Seed
	slots [memos]atomic.Pointer[memo]
}

// memo is a request as it was sent, and what it asks for, which must not be changed.
type memo struct {
	query, body string
	request     *sessionRequest
}

func newRequestMemo() *requestMemo { return &requestMemo{seed: maphash.MakeSeed()} }

func (m *requestMemo) slot(query string, body []byte) *atomic.Pointer[memo] {
	return &m.slots[(maphash.String(m.seed, query)*31+maphash.Bytes(m.seed, body))%memos]
}

// find returns what the request asks for, or nil.
func (m *requestMemo) find(query string, body []byte) *sessionRequest {
	if e := m.slot(query, body).Load(); e != nil && e.query == query && e.body == string(body) {
		return e.request
	}
	return nil
}

func (m *requestMemo) remember(query string, body []byte, request *sessionRequest) {
	if len(query)+len(body) <= maxMemoBytes {
		m.slot(query, body).Store(&memo{query: query, body: string(body), request: request})
	}
}
