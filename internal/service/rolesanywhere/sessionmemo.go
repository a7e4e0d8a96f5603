package rolesanywhere

import (
	"hash/maphash"
	"sync/atomic"
)

const (
	memos        = 512     // requests remembered at most
	maxMemoBytes = 4 << 10 // of query and body together
)

// requestMemo remembers what requests ask for: a workload sends the same query and body each time. Only requests that were
// granted get here, so that strangers can replace nothing.
type requestMemo struct {
	seed  maphash.Seed
	pairs [memos / 2]memoPair
}

// memoPair are the last two requests of one hash, the later one first. Between two writers one of them may be lost.
type memoPair [2]atomic.Pointer[memo]

// memo is a request as it was sent, and what it asks for, which must not be changed.
type memo struct {
	query, body string
	request     *sessionRequest
}

func newRequestMemo() *requestMemo { return &requestMemo{seed: maphash.MakeSeed()} }

func (m *requestMemo) pair(query string, body []byte) *memoPair {
	return &m.pairs[(maphash.String(m.seed, query)*31+maphash.Bytes(m.seed, body))%uint64(len(m.pairs))]
}

// find returns what the request asks for, or nil.
func (m *requestMemo) find(query string, body []byte) *sessionRequest {
	p := m.pair(query, body)
	for i := range p {
		if e := p[i].Load(); e != nil && e.query == query && e.body == string(body) {
			return e.request
		}
	}
	return nil
}

func (m *requestMemo) remember(query string, body []byte, request *sessionRequest) {
	if len(query)+len(body) <= maxMemoBytes {
		p := m.pair(query, body)
		p[1].Store(p[0].Swap(&memo{query: query, body: string(body), request: request}))
	}
}
