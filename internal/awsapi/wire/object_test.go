package wire

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadObject(t *testing.T) {
	var got []Value
	err := ReadObject([]byte(` {"a":"x\u0041","b":-1.5e3,"c":null,"d":{"e":[1]},"f":true} `), 5, func(v Value) *Fault {
		got = append(got, v)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []Value{{"a", StringValue, "xA", nil}, {"b", NumberValue, "-1.5e3", nil}, {"c", NullValue, "", nil}, {"d", OtherValue, "", []byte(`{"e":[1]}`)}, {"f", OtherValue, "", []byte("true")}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
}

func TestReadObjectRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"": "end of input", "[]": "Expected an object", `{"a":1,"a":2}`: "Duplicate member", `{"a":1}x`: "after the document",
		`{"a":1,"b":2,"c":3}`: "Too many members", `{"a"}`: "Expected a colon", `{"a":}`: "Unexpected character", `{"a":1,}`: "Unexpected character", "{\"a\":\"\xff\"}": "Invalid UTF-8",
	} {
		err := ReadObject([]byte(text), 2, func(Value) *Fault { return nil })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzReadObject(f *testing.F) {
	f.Add([]byte(`{"durationSeconds":3600,"roleSessionName":"x","o":{"a":[null]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		n := 0
		_ = ReadObject(data, 8, func(Value) *Fault { n++; return nil })
		if n > 8 {
			t.Errorf("%d members", n)
		}
	})
}
