package wire

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func FuzzJSON(f *testing.F) {
	f.Add([]byte(fullJSON))
	f.Add([]byte(`{"Tags":[{"Key":"a","x":[{}]}],"Map":{"ä":1},"When":"2020-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"Name":"\ud83d\ude00"}`))
	f.Add([]byte(`{"Count":1e400}`))
	plan := testPlan(f, RESTJSON)
	f.Fuzz(func(t *testing.T, data []byte) {
		in := new(testIO)
		err := plan.Decode(&Request{Body: data}, in)
		if err != nil {
			return
		}
		if len(strings.TrimSpace(string(data))) > 0 && !json.Valid(data) {
			t.Fatalf("accepted what is not JSON: %q", data)
		}
		_ = plan.Validate(in)
		if out := plan.AuditInput(nil, in); !json.Valid(out) {
			t.Fatalf("audit form is not JSON: %s", out)
		}
		out := plan.Encode(nil, in, "id")
		again := new(testIO)
		if err := plan.Decode(&Request{Body: out}, again); err != nil {
			t.Fatalf("cannot read back %s: %v", out, err)
		}
		if in.When != nil { // written in milliseconds
			in.When, again.When = nil, nil
		}
		if diff := cmp.Diff(in, again); diff != "" {
			t.Fatalf("-want +got\n%s", diff)
		}
	})
}

func FuzzForm(f *testing.F) {
	f.Add("", fullForm)
	f.Add("Action=Do&X-Amz-Date=1", "Names=&Tags.member.3.Key=%C3%A4")
	f.Add("", "Map.entry.1.key=a&Map.entry.1.value=1&Choice.a=x&Flat.1=a&Flat.2=b")
	plan := testPlan(f, Query)
	f.Fuzz(func(t *testing.T, query, body string) {
		form, fault := NewForm(query, []byte(body))
		if fault != nil {
			return
		}
		defer form.Release()
		in := new(testIO)
		if err := plan.Decode(&Request{Form: form}, in); err != nil {
			return
		}
		_ = plan.Validate(in)
		_ = plan.Encode(nil, in, "id")
		if in.Name != nil {
			v := url.Values{}
			all := query + "&" + body
			if v, err := url.ParseQuery(all); err == nil && len(v["Name"]) == 1 && v.Get("Name") != *in.Name {
				t.Fatalf("Name is %q, net/url reads %q", *in.Name, v.Get("Name"))
			}
			_ = v
		}
	})
}

func FuzzPath(f *testing.F) {
	f.Add("/profile/x/enable", "a=b")
	f.Add("/profile/%2F/enable", "a=%zz")
	r, err := NewRoute("/profile/{id}/enable")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path, query string) {
		p, ok := NewPath(path)
		if !ok || !r.Match(p) {
			return
		}
		if v, ok := r.r.value(p, "id"); !ok || v == "" {
			t.Fatalf("%q matched without a label", path)
		}
	})
}

func FuzzXMLText(f *testing.F) {
	f.Add("a<b>\x00\xff")
	f.Fuzz(func(t *testing.T, s string) {
		out := string(AppendXMLText(nil, s))
		if strings.ContainsAny(out, "<>\r\x00") {
			t.Fatalf("%q is not escaped: %q", s, out)
		}
	})
}
