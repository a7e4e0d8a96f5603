package iampolicy

import (
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"
)

// FuzzParse holds the reader to what encoding/json accepts at least, and every accepted
// policy to printing and deciding alike.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`,
		`{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Deny","NotAction":["iam:*","s3:G?t*"],"NotResource":["arn:aws:s3:::b/${aws:username, 'x'}*"],"Condition":{"ForAllValues:StringLikeIfExists":{"aws:TagKeys":["a*","${*}"]},"Bool":{"k":true},"NumericLessThan":{"n":1.5e3}}}]}`,
		`{"Statement":[{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com","AWS":["111122223333","*"]},"Action":["sts:AssumeRole"],"Condition":{"ArnEquals":{"aws:SourceArn":"${x}:y*"},"DateGreaterThan":{"aws:CurrentTime":"2024-01-01T00:00:00Z"},"IpAddress":{"aws:SourceIp":["10.0.0.0/8","::1"]}}}]}`,
		`{"Id":"\ud83d\ude00","Statement":[{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:sts::111122223333:assumed-role/r/s"},"Action":"s3:*","Resource":"arn:aws:s3:::*"}]}`,
		`{"a":1,"a":2}`, `[[[[[[[[[[]]]]]]]]]]`, `{"Statement":[],}`, "\xff", `"\ud800"`,
	} {
		for kind := Identity; kind <= Resource; kind++ {
			f.Add(s, int(kind))
		}
	}
	ctx := contextOf("aws:username", "ann", "k", "true", "n", "5", "aws:SourceIp", "10.1.1.1", "aws:CurrentTime", "2025-01-01T00:00:00Z", "x", "arn:aws:s3:::b")
	ctx.SetMulti(KeyTagKeys, "a", "b")
	f.Fuzz(func(t *testing.T, text string, k int) {
		kind := Kind(k)
		if kind < Identity || kind > Resource {
			return
		}
		if n, err := readJSON(text); err == nil && (!json.Valid([]byte(text)) || n.end > len(text)) {
			t.Fatalf("accepted invalid JSON %q", text)
		}
		p, err := Parse(text, kind)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Message == "" || !utf8.ValidString(e.Error()) {
				t.Fatalf("Parse(%q): %#v", text, err)
			}
			return
		}
		again, err := Parse(p.String(), kind)
		if err != nil || again.String() != p.String() {
			t.Fatalf("%q printed as %q: %v", text, p, err)
		}
		for _, resource := range []string{"*", "arn:aws:s3:::b/ann"} {
			req := &Request{Action: "s3:GetObject", Resource: resource, Principal: session(), Context: ctx}
			a, b := Evaluate(setWith(p), req), Evaluate(setWith(again), req)
			if a.Explain() != b.Explain() {
				t.Fatalf("%q decides %s, printed %s", text, a.Explain(), b.Explain())
			}
		}
	})
}

func setWith(p *Policy) *Set {
	if p.Kind().hasPrincipal() {
		return &Set{Resource: p, Trust: p.Kind() == Trust}
	}
	return &Set{Identity: []*Policy{p}}
}
