package rolesanywhere

import (
	"fmt"
	"strings"
	"testing"
)

func TestRequestMemo(t *testing.T) {
	m := newRequestMemo()
	first, second := &sessionRequest{profileARN: "first"}, &sessionRequest{profileARN: "second"}
	m.remember("a=1", []byte("{}"), first)
	if m.find("a=1", []byte("{}")) != first {
		t.Error("a request is not remembered")
	}
	for _, other := range [][2]string{{"a=1", ""}, {"a=1", "{ }"}, {"a=2", "{}"}, {"", "a=1{}"}, {"a=1{}", ""}} {
		if m.find(other[0], []byte(other[1])) != nil {
			t.Errorf("%q is taken for another request", other)
		}
	}
	m.remember("a=1", []byte("{}"), second)
	if m.find("a=1", []byte("{}")) != second {
		t.Error("the later answer does not replace the earlier")
	}
	long := strings.Repeat("x", maxMemoBytes)
	m.remember(long, []byte("y"), first)
	if m.find(long, []byte("y")) != nil {
		t.Error("a request longer than the limit is remembered")
	}
}

// TestRequestMemoNeverMixesUp fills far more requests than there is room for.
func TestRequestMemoNeverMixesUp(t *testing.T) {
	m := newRequestMemo()
	requests := make([]*sessionRequest, 8*memos)
	for i := range requests {
		requests[i] = &sessionRequest{}
		m.remember(fmt.Sprint("q", i%100), fmt.Append(nil, i), requests[i])
	}
	kept := 0
	for i, want := range requests {
		switch got := m.find(fmt.Sprint("q", i%100), fmt.Append(nil, i)); got {
		case want:
			kept++
		case nil:
		default:
			t.Fatalf("request %d is taken for another", i)
		}
	}
	if kept == 0 || kept > memos {
		t.Errorf("%d requests are remembered", kept)
	}
}
