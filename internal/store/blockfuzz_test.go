package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

func FuzzPack(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte("short"))
	f.Add(bytes.Repeat([]byte("abcdefghijk"), 40))
	f.Add(bytes.Repeat([]byte{0}, 1000))
	f.Add(append(bytes.Repeat([]byte("{\"eventVersion\":\"1.11\",\"id\":1}"), 9), "tail"...))
	f.Fuzz(func(t *testing.T, src []byte) {
		var p packer
		packed := p.appendPacked([]byte("x"), src)
		got, err := unpack(packed[1:])
		if err != nil || !bytes.Equal(got, src) {
			t.Fatalf("%q came back as %q, %v", src, got, err)
		}
	})
}

func FuzzUnpack(f *testing.F) {
	var p packer
	f.Add(p.appendPacked(nil, bytes.Repeat([]byte("abcdefghijk"), 40)))
	f.Add([]byte{0xff, 0xff, 0xff, 0x0f, 1, 'a', 0xff, 0xff, 0x7f, 1})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) > 1<<16 {
			return
		}
		out, err := unpack(src)
		if err == nil && len(out) > maxUnpacked {
			t.Errorf("%d bytes came out", len(out))
		}
	})
}

func FuzzBlock(f *testing.F) {
	var w blockWriter
	var events []*Event
	for _, e := range blockEvents(rand.New(rand.NewPCG(3, 4)), 70, t0) {
		e.Time = t0
		events = append(events, &e)
	}
	b := w.block(events)
	head, _ := unpack(b.head)
	f.Add(head, b.body)
	f.Add(head[:len(head)/2], b.body[:len(b.body)/2])
	f.Add([]byte{blockVersion, 200, 1}, []byte{1, 0})
	f.Fuzz(func(t *testing.T, head, body []byte) {
		if len(head)+len(body) > 1<<16 {
			return
		}
		var p packer
		records, bodyErr := newBodyReader(body)
		n := 0
		readHead(&eventBlock{head: p.appendPacked(nil, head)}, func(e *blockEntry) { //nolint:errcheck // it only must not panic
			if n++; n < 100 && bodyErr == nil {
				records.record(e) //nolint:errcheck // as above
			}
		})
	})
}

// No term that was added is refused, and few others pass.
func TestBloom(t *testing.T) {
	for _, n := range []int{0, 1, 20, 5000} {
		var s termSet
		for i := range n {
			s.add(termHash(termUsername, fmt.Sprint("user-", i)))
			s.add(termHash(termUsername, fmt.Sprint("user-", i)))
		}
		f := s.filter()
		for i := range n {
			if !bloomHas(f, termHash(termUsername, fmt.Sprint("user-", i))) {
				t.Fatalf("%d terms: term %d is refused", n, i)
			}
		}
		passed := 0
		for i := range 10_000 {
			if bloomHas(f, termHash(termUsername, fmt.Sprint("nobody-", i))) {
				passed++
			}
			if bloomHas(f, termHash(termName, fmt.Sprint("user-", i))) {
				passed++
			}
		}
		if passed > 500 { // 200 are expected
			t.Errorf("%d terms: %d of 20,000 others pass", n, passed)
		}
	}
}

// Filters in the store depend on these values.
func TestTermHashIsFixed(t *testing.T) {
	for value, want := range map[string]uint64{"": hashEmpty, "a": hashA, "rolesanywhere.amazonaws.com": hashLong} {
		if got := termHash(termSource, value); got != want {
			t.Errorf("termHash(%q) = %#x, want %#x", value, got, want)
		}
	}
}

const (
	hashEmpty = 0xacda2834a0d6946
	hashA     = 0x2c8624f9c77202b9
	hashLong  = 0xf4e4d61a77620011
)
