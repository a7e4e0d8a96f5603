package wire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRoundTrip(t *testing.T) {
	pin := "12\x00é"
	want := []Request{
		{Version: Version, Open: &Open{Module: "m", Certificate: "pkcs11:", PIN: &pin, Leaf: []byte{1}}},
		{Version: Version, Sign: &Sign{Handle: 3, Hash: "SHA-256", Digest: []byte{2}}},
	}
	var buf bytes.Buffer
	for i := range want {
		if err := Write(&buf, &want[i]); err != nil {
			t.Fatal(err)
		}
	}
	for i := range want {
		var got Request
		if err := Read(&buf, &got); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want[i], got); d != "" {
			t.Error(d)
		}
	}
	if err := Read(&buf, &Request{}); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

func TestLimits(t *testing.T) {
	for name, in := range map[string]string{
		"too long":  "\x00\x10\x00\x01",
		"cut off":   "\x00\x00\x00\x05{",
		"malformed": "\x00\x00\x00\x07{\"pin\":",
	} {
		err := Read(strings.NewReader(in), &Request{})
		if err == nil || !strings.Contains(err.Error(), name) || errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Write(io.Discard, &Sign{Digest: make([]byte, MaxMessage)}); err == nil {
		t.Error("a message beyond the limit is sent")
	}
}

// FuzzRead: no bytes make the reader fail in any way but with an error.
func FuzzRead(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x16{\"sign\":{\"handle\":1}}}"))
	f.Add([]byte("\x00\x00\x00\x02{}\x00\x00\x00\x02[]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		for Read(r, &Request{}) == nil && r.Len() > 0 {
		}
		_ = Read(bytes.NewReader(b), &Response{}) // either answer is right, a panic is not
	})
}
