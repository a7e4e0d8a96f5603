package iampolicy

import (
	"encoding/json"
	"os"
	"testing"
)

// TestCorpus decides the cases of testdata/cases.json, which are policies as they are
// written in practice. The expected answers were worked out by hand from the language's
// documentation.
func TestCorpus(t *testing.T) {
	data, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name     string
		Identity []string
		Requests []struct {
			Action, Resource, Want string
			Context                map[string]string
			Multi                  map[string][]string
		}
	}
	if err := json.Unmarshal(data, &cases); err != nil || len(cases) == 0 {
		t.Fatalf("%d cases: %v", len(cases), err)
	}
	for _, c := range cases {
		set := &Set{}
		for _, text := range c.Identity {
			set.Identity = append(set.Identity, mustParse(t, text, Identity))
		}
		for i, r := range c.Requests {
			ctx := NewContext(4)
			for k, v := range r.Context {
				ctx.Set(k, v)
			}
			for k, v := range r.Multi {
				ctx.SetMulti(k, v...)
			}
			d := Evaluate(set, &Request{Action: r.Action, Resource: r.Resource, Principal: session(), Context: ctx})
			got := "implicit"
			switch {
			case d.Allowed:
				got = "allow"
			case d.Explicit:
				got = "explicit"
			}
			if got != r.Want {
				t.Errorf("%s, request %d: got %s, want %s (%s)", c.Name, i+1, got, r.Want, d.Explain())
			}
		}
	}
}
