package iampolicy

import (
	"strings"
	"testing"
)

// TestShortResource: identity policies read what a Resource leaves out as "*".
func TestShortResource(t *testing.T) {
	for pattern, want := range map[string]bool{"arn:aws:sqs": true, "arn:aws:sqs:r": true, "arn:aws:sqs:r:1": true, "arn:aws:sqs:r:2": false, "arn:aws:sns": false, "arn:aws:sqs:r:1:": false} {
		p := compileARN(pattern, true, inIdentity)
		var asked target
		asked.set("arn:aws:sqs:r:1:q")
		if got, _ := p.match(&asked, nil); got != want {
			t.Errorf("%q: got %v, want %v", pattern, got, want)
		}
	}
}

// globReference is the textbook dynamic programme, the judge of both fast matchers.
func globReference(pattern, s []rune) bool {
	row := make([]bool, len(s)+1)
	row[0] = true
	for _, p := range pattern {
		next := make([]bool, len(s)+1)
		next[0] = row[0] && p == '*'
		for i, c := range s {
			switch p {
			case '*':
				next[i+1] = row[i+1] || next[i]
			case '?':
				next[i+1] = row[i]
			default:
				next[i+1] = row[i] && p == c
			}
		}
		row = next
	}
	return row[len(s)]
}

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"**", "x", true}, {"?", "", false}, {"?", "ä", true}, {"??", "ä", false},
		{"a*", "a", true}, {"*a", "ba", true}, {"a*b", "ab", true}, {"a*a", "a", false}, {"*a*", "xay", true},
		{"a*b*c", "axbxbc", true}, {"a*b*c", "acb", false}, {"*?a", "a", false}, {"*?a", "xa", true}, {"a?*c", "ac", false},
		{"*ab*ba*", "aba", false}, {"*ab*ba*", "abba", true}, {"a*?", "aä", true}, {"*x?y*z?", "xayzä", true},
		{"*a?c*d", "abababcxd", true}, {"A*", "a", false},
	} {
		p := compilePattern(c.pattern, true)
		if got, known := p.match(c.s, nil); got != c.want || !known {
			t.Errorf("pattern %q on %q: got %v (known %v), want %v", c.pattern, c.s, got, known, c.want)
		}
		if got := globReference([]rune(c.pattern), []rune(c.s)); got != c.want {
			t.Errorf("the reference disagrees on %q, %q", c.pattern, c.s)
		}
	}
}

func TestAction(t *testing.T) {
	for _, c := range []struct {
		pattern, action string
		want            bool
	}{
		{"*", "s3:GetObject", true}, {"s3:*", "S3:getobject", true}, {"S3:GETobject", "s3:GetObject", true},
		{"s3:Get*", "s3:GetObject", true}, {"s3:Get*", "s3:PutObject", false}, {"s3:*Object", "s3:GetObject", true},
		{"s3:*Object", "s3:GetObjectAcl", false}, {"s3:Get?bject", "s3:GetObject", true}, {"s3:GetObject", "s3:GetObjectAcl", false},
		{"s3:GetObjectAcl", "s3:GetObject", false}, {"s3:*e*t", "s3:GetObject", true}, {"*:*", "a:b", true}, {"s3:", "s3:", true},
		{"a*", strings.Repeat("a", maxAction), true}, {"s3:\u212a*", "s3:k", false},
	} {
		p := compileAction(c.pattern)
		if got := p.match(lowered(c.action)); got != c.want {
			t.Errorf("action %q on %q: got %v, want %v", c.pattern, c.action, got, c.want)
		}
	}
}

func TestARNPattern(t *testing.T) {
	for _, c := range []struct {
		pattern, arn string
		want         bool
	}{
		{"*", "*", true}, {"*", "arn:aws:s3:::b", true}, {"arn:aws:s3:::*", "*", false},
		{"arn:aws:s3:::b/*", "arn:aws:s3:::b/x/y:z", true}, {"arn:aws:s3:::b/*", "arn:aws:s3:::b", false},
		{"arn:aws:s3:::B", "arn:aws:s3:::b", false}, {"arn:aws:s3:::?", "arn:aws:s3:::b", true},
		{"arn:*:s3:::b", "arn:aws-cn:s3:::b", true}, {"arn:aws:ec2:*:*:instance/*", "arn:aws:ec2:r:1:instance/i", true},
		// A wildcard does not reach into the next component.
		{"arn:aws:x:*:1:f", "arn:aws:x:r:2:a:1:f", false}, {"arn:aws:x:r*1:f", "arn:aws:x:r:1:f", false},
		{"arn:aws:x:*:1:f", "arn:aws:x::1:f", true},
		// A star at the end of a short ARN stands for what is missing.
		{"arn:aws:sqs:*", "arn:aws:sqs:us-east-1:1:q", true}, {"arn:aws:sqs", "arn:aws:sqs:us-east-1:1:q", false},
		{"arn:aws:sqs:us-*", "arn:aws:sqs:eu-west-1:1:q", false}, {"arn:aws:sqs:us-*", "arn:aws:sqs:us-west-1:1:q", true},
		{"arn:aws:sqs:r:1", "arn:aws:sqs:r:1:q", false}, {"arn:aws:sqs:*", "arn:aws:sqs:r", false},
	} {
		for _, place := range []arnPlace{inResource, inCondition} {
			p := compileARN(c.pattern, true, place)
			var asked target
			asked.set(c.arn)
			if got, _ := p.match(&asked, nil); got != c.want {
				t.Errorf("%q on %q (place %v): got %v, want %v", c.pattern, c.arn, place, got, c.want)
			}
		}
	}
}

func lowered(action string) *loweredAction {
	a := &loweredAction{}
	a.set(action)
	return a
}

// FuzzGlob holds both matchers against the reference, and variables against literal text.
func FuzzGlob(f *testing.F) {
	for _, s := range [][2]string{{"a*b?c", "axxbyc"}, {"*a*a*a*b", strings.Repeat("a", 40)}, {"??*", "ä"}, {"*.txt", "x.txt"}, {"${*}", "*"}, {"a**b", "ab"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if len(pattern) > 60 || len(s) > 200 {
			return // bounded to keep the reference quick
		}
		pattern, s = strings.ToValidUTF8(pattern, "x"), strings.ToValidUTF8(s, "x")
		want := globReference([]rune(pattern), []rune(s))
		p := compilePattern(pattern, false)
		if got, _ := p.match(s, nil); got != want {
			t.Errorf("pattern %q on %q: got %v, want %v", pattern, s, got, want)
		}
		if isASCII(pattern + s) {
			want := globReference([]rune(strings.ToLower(pattern)), []rune(strings.ToLower(s)))
			a := compileAction(pattern)
			if pattern != "*:*" && len(s) <= maxAction && a.match(lowered(s)) != want {
				t.Errorf("action %q on %q: want %v", pattern, s, want)
			}
		}
		// A variable holding any text matches that text and nothing else.
		ctx := contextOf("k", s)
		for _, shape := range []string{"${k}", "*${k}", "${k}*", "*x${k}", "a?*${k}?"} {
			value := strings.NewReplacer("*", "x", "?", "q", "${k}", s).Replace(shape)
			v := compilePattern(shape, true)
			if got, known := v.match(value, ctx); !got || !known {
				t.Errorf("%q with %q does not match %q", shape, s, value)
			}
		}
		exact := compileExact("${k}", true, false)
		if got, _ := exact.match(pattern, ctx); got != (pattern == s) {
			t.Errorf("${k} with %q on %q: %v", s, pattern, got)
		}
	})
}

// FuzzARN holds the matching of resources to a reference that splits both sides, and the wide form to containing it.
func FuzzARN(f *testing.F) {
	for _, s := range [][2]string{
		{"arn:aws:s3:::b/*", "arn:aws:s3:::b/a:b"}, {"arn:aws:sns:*:topic", "arn:aws:sns:r:1:topic"}, {"arn:aws:s3", "arn:aws:s3:::x"},
		{"arn:*:*:*:*:*", "arn:aws:a:b:c:d:e"}, {"arn:aws:s?:::b", "arn:aws:s3:::b"}, {"*", "x"}, {"arn:aws:iam::*:role/${aws:username}", "arn:aws:iam::1:role/a"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, text, s string) {
		if len(text) > 60 || len(s) > 120 {
			return // bounded to keep the reference quick
		}
		text, s = strings.ToValidUTF8(text, "x"), strings.ToValidUTF8(s, "x")
		var target target
		target.set(s)
		parts, values := strings.SplitN(text, ":", arnFields), strings.SplitN(s, ":", arnFields)
		for len(parts) < arnFields {
			parts = append(parts, "*")
		}
		want := text == "*" || len(values) == arnFields
		for i := 0; want && text != "*" && i < arnFields; i++ {
			want = globReference([]rune(parts[i]), []rune(values[i]))
		}
		p := compileARN(text, false, inIdentity)
		if got, known := p.match(&target, nil); got != want || !known {
			t.Errorf("%q on %q: got %v, want %v", text, s, got, want)
		}
		if p.wide != nil && strings.Count(text, ":") >= arnFields-1 {
			if wide, _ := p.matchWide(&target, nil); want && !wide {
				t.Errorf("%q on %q: only the narrow form matches", text, s)
			}
		}
	})
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
