package iampolicy

import (
	"fmt"
	"strings"
	"testing"
)

// TestOperators holds every operator against a missing key, a present one that fits, one
// that does not, and several values, plain and with IfExists and the set prefixes.
func TestOperators(t *testing.T) {
	ops := []struct {
		name    string
		policy  string // JSON value(s)
		fits    string // makes the operator true
		fails   string // makes it false
		negated bool
	}{
		{"StringEquals", `"a"`, "a", "A", false},
		{"StringEquals", `["x","a"]`, "a", "b", false},
		{"StringEquals", `"a*"`, "a*", "ab", false},
		{"StringNotEquals", `["x","a"]`, "b", "a", true},
		{"StringEqualsIgnoreCase", `"aÄ"`, "Aä", "b", false},
		{"StringNotEqualsIgnoreCase", `"a"`, "b", "A", true},
		{"StringLike", `"a*c?"`, "abbcd", "abc", false},
		{"StringNotLike", `["a*","b*"]`, "cab", "back", true},
		{"NumericEquals", `10`, "10.0", "11", false},
		{"NumericNotEquals", `"10"`, "11", "10", true},
		{"NumericLessThan", `"10"`, "9.99", "10", false},
		{"NumericLessThanEquals", `"10"`, "10", "10.01", false},
		{"NumericGreaterThan", `"-1"`, "0", "-1", false},
		{"NumericGreaterThanEquals", `"10"`, "10", "9", false},
		{"DateEquals", `"2024-01-01T00:00:00Z"`, "1704067200", "1704067201", false},
		{"DateNotEquals", `"2024-01-01"`, "2024-01-02", "2024-01-01T00:00Z", true},
		{"DateLessThan", `"2024-01-01T00:00:00Z"`, "2023-12-31T23:59:59.999Z", "2024-01-01T00:00:00Z", false},
		{"DateLessThanEquals", `"2024-01-01T00:00:00Z"`, "2024-01-01T01:00:00+01:00", "2024-01-01T00:00:01Z", false},
		{"DateGreaterThan", `"1704067200"`, "2024-01-01T00:00:01Z", "2024-01-01T00:00:00Z", false},
		{"DateGreaterThanEquals", `"2024-01-01T00:00:00Z"`, "2024-01-01T00:00:00Z", "2023-12-31", false},
		{"Bool", `"true"`, "True", "false", false},
		{"Bool", `false`, "false", "true", false},
		{"BinaryEquals", `"QmluYXJ5"`, "QmluYXJ5", "qmluYXJ5", false},
		{"IpAddress", `["10.0.0.0/8","2001:db8::/32"]`, "10.1.2.3", "11.0.0.1", false},
		{"IpAddress", `["10.0.0.0/8","2001:db8::/32"]`, "2001:db8::1", "2001:db9::1", false},
		{"IpAddress", `"192.0.2.1"`, "::ffff:192.0.2.1", "192.0.2.2", false},
		{"NotIpAddress", `["10.0.0.0/8","192.0.2.0/24"]`, "11.0.0.1", "192.0.2.9", true},
		{"ArnEquals", `"arn:aws:s3:::b/*"`, "arn:aws:s3:::b/x/y", "arn:aws:s3:::c/x", false},
		{"ArnLike", `"arn:aws:x:*:111122223333:f/*"`, "arn:aws:x:r:111122223333:f/1", "arn:aws:x:r:999999999999:s/a:111122223333:f/1", false},
		{"ArnNotEquals", `"arn:aws:s3:::b/*"`, "arn:aws:s3:::c/x", "arn:aws:s3:::b/x", true},
		{"ArnNotLike", `"arn:aws:s3:::b/*"`, "not an arn", "arn:aws:s3:::b/", true},
	}
	for _, op := range ops {
		type row struct {
			prefix, suffix string
			values         []string // nil is a missing key
			want           bool
		}
		rows := []row{
			{"", "", nil, op.negated},
			{"", "", []string{op.fits}, true},
			{"", "", []string{op.fails}, false},
			{"", "", []string{op.fits, op.fails}, false}, // several values without a set operator
			{"", "", []string{op.fits, op.fits}, false},
			{"", "IfExists", nil, true},
			{"", "IfExists", []string{op.fits}, true},
			{"", "IfExists", []string{op.fails}, false},
			{"ForAllValues:", "", nil, true},
			{"ForAllValues:", "", []string{}, true},
			{"ForAllValues:", "", []string{""}, true},
			{"ForAllValues:", "", []string{op.fits, op.fits}, true},
			{"ForAllValues:", "", []string{op.fits, op.fails}, false},
			{"ForAnyValue:", "", nil, false},
			{"ForAnyValue:", "", []string{}, false},
			{"ForAnyValue:", "", []string{""}, false},
			{"ForAnyValue:", "", []string{op.fits, op.fails}, true},
			{"ForAnyValue:", "", []string{op.fails, op.fails}, false},
			{"ForAnyValue:", "IfExists", nil, true},
			{"ForAnyValue:", "IfExists", []string{op.fails}, false},
			{"ForAllValues:", "IfExists", []string{op.fails}, false},
		}
		for _, r := range rows {
			name := r.prefix + op.name + r.suffix
			p := identity(t, fmt.Sprintf(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{%q:{"x:Key":%s}}}`, name, op.policy))
			ctx := NewContext(1)
			if r.values != nil {
				ctx.SetMulti("X:key", r.values...)
			}
			got := Evaluate(&Set{Identity: []*Policy{p}}, &Request{Action: "s3:Get", Resource: "*", Context: ctx}).Allowed
			if got != r.want {
				t.Errorf("%s %s with values %q: got %v, want %v", name, op.policy, r.values, got, r.want)
			}
		}
	}
}

func TestNull(t *testing.T) {
	for _, c := range []struct {
		value   string
		present bool
		want    bool
	}{
		{`"true"`, false, true}, {`"true"`, true, false},
		{`"false"`, false, false}, {`false`, true, true},
		{`["true","false"]`, true, true}, {`["true","false"]`, false, true},
		{`"maybe"`, true, false}, {`[]`, true, false},
	} {
		p := identity(t, `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Null":{"aws:TokenIssueTime":`+c.value+`}}}`)
		ctx := NewContext(1)
		if c.present {
			ctx.Set(KeyTokenIssueTime, "2024-01-01T00:00:00Z")
		}
		got := Evaluate(&Set{Identity: []*Policy{p}}, &Request{Action: "s3:Get", Resource: "*", Context: ctx}).Allowed
		if got != c.want {
			t.Errorf("Null %s, present %v: got %v, want %v", c.value, c.present, got, c.want)
		}
	}
}

// TestUndecidable: what cannot be compared never opens an Allow nor closes off a Deny.
func TestUndecidable(t *testing.T) {
	for _, c := range []struct{ condition, value string }{
		{`"NumericNotEquals":{"k":"5"}`, "five"},
		{`"NumericLessThan":{"k":"5"}`, "five"},
		{`"NumericNotEquals":{"k":"five"}`, "5"},
		{`"DateGreaterThan":{"k":"2024-01-01"}`, "yesterday"},
		{`"IpAddress":{"k":"10.0.0.0/8"}`, "10.0.0"},
		{`"NotIpAddress":{"k":"10.0.0.0/8"}`, "unix"},
		{`"NotIpAddress":{"k":"10.0.0.0/99"}`, "10.0.0.1"},
		{`"Bool":{"k":"true"}`, "1"},
		{`"Bool":{"k":"sure"}`, "true"},
		{`"ForAllValues:NumericEquals":{"k":"5"}`, "five"},
		{`"ForAnyValue:NumericNotEquals":{"k":"5"}`, "five"},
	} {
		req := &Request{Action: "s3:Get", Resource: "*", Context: contextOf("k", c.value)}
		allow := identity(t, `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{`+c.condition+`}}`)
		if Evaluate(&Set{Identity: []*Policy{allow}}, req).Allowed {
			t.Errorf("Allow with %s applies to %q", c.condition, c.value)
		}
		deny := identity(t, `{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*","Condition":{`+c.condition+`}}`)
		if d := Evaluate(&Set{Identity: []*Policy{deny}}, req); !d.Explicit {
			t.Errorf("Deny with %s does not apply to %q", c.condition, c.value)
		}
	}
}

// TestMultivaluedDeny: without a set operator a Deny applies when any value fits.
func TestMultivaluedDeny(t *testing.T) {
	p := identity(t, `{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:TagKeys":"secret"}}}`)
	for _, c := range []struct {
		values []string
		want   bool
	}{{[]string{"a", "b"}, true}, {[]string{"a", "secret"}, false}, {[]string{"secret"}, false}, {nil, true}} {
		ctx := NewContext(1)
		ctx.SetMulti(KeyTagKeys, c.values...)
		if got := Evaluate(&Set{Identity: []*Policy{p}}, &Request{Action: "a:b", Resource: "*", Context: ctx}).Allowed; got != c.want {
			t.Errorf("%q: allowed %v, want %v", c.values, got, c.want)
		}
	}
}

func TestParseOperatorRejects(t *testing.T) {
	for _, name := range []string{"", "stringequals", "StringEqual", "NullIfExists", "ForAnyValue:Null", "ForAllValues:ForAnyValue:StringEquals",
		"ForAnyValue::StringEquals", "StringEqualsIfExistsIfExists", "NumericLike", "DateBefore", "Numeric", "forallvalues:StringEquals"} {
		if _, ok := parseOperator(name); ok {
			t.Errorf("operator %q accepted", name)
		}
	}
}

func TestVariables(t *testing.T) {
	ctx := contextOf("aws:username", "ann", "aws:PrincipalTag/x509Issuer/CN", "My CA", "aws:PrincipalTag/team", "*", "aws:PrincipalTag/q", "a?", "aws:sourceArn", "arn:aws:s3:::b/x")
	ctx.SetMulti(KeyTagKeys, "one", "two")
	ctx.SetMulti("my:single", "one")
	for _, c := range []struct {
		statement string
		resource  string
		want      bool
	}{
		{`"Resource":"arn:aws:s3:::home/${aws:username}/*"`, "arn:aws:s3:::home/ann/f", true},
		{`"Resource":"arn:aws:s3:::home/${AWS:UserName}/*"`, "arn:aws:s3:::home/bob/f", false},
		{`"Resource":"arn:aws:s3:::home/${aws:PrincipalTag/x509Issuer/CN}/*"`, "arn:aws:s3:::home/My CA/f", true},
		{`"Resource":"arn:aws:s3:::home/${aws:principaltag/X509issuer/cn}"`, "arn:aws:s3:::home/My CA", true},
		// Wildcards in a value stay literal: tags are the caller's words.
		{`"Resource":"arn:aws:s3:::home/${aws:PrincipalTag/team}"`, "arn:aws:s3:::home/anyone", false},
		{`"Resource":"arn:aws:s3:::home/${aws:PrincipalTag/team}"`, "arn:aws:s3:::home/*", true},
		{`"Resource":"arn:aws:s3:::home/*/${aws:PrincipalTag/q}/x?"`, "arn:aws:s3:::home/z/a?/xy", true},
		{`"Resource":"arn:aws:s3:::home/*/${aws:PrincipalTag/q}/x?"`, "arn:aws:s3:::home/z/ab/xy", false},
		{`"Resource":"arn:aws:s3:::home/${aws:missing}"`, "arn:aws:s3:::home/", false},
		{`"Resource":"arn:aws:s3:::home/${aws:missing, 'guest'}"`, "arn:aws:s3:::home/guest", true},
		{`"Resource":"arn:aws:s3:::home/${aws:missing, 'gu*t'}"`, "arn:aws:s3:::home/guest", false},
		{`"Resource":"arn:aws:s3:::home/${aws:missing, guest}"`, "arn:aws:s3:::home/guest", false},
		{`"Resource":"arn:aws:s3:::home/${aws:username, 'guest'}"`, "arn:aws:s3:::home/ann", true},
		{`"Resource":"arn:aws:s3:::a${*}b${?}c${$}d"`, "arn:aws:s3:::a*b?c$d", true},
		{`"Resource":"arn:aws:s3:::a${*}b"`, "arn:aws:s3:::axb", false},
		{`"Resource":"arn:aws:s3:::a${b"`, "arn:aws:s3:::a${b", true},
		{`"Resource":"arn:aws:s3:::${aws:TagKeys}"`, "arn:aws:s3:::one", false},
		{`"Resource":"arn:aws:s3:::${my:single}"`, "arn:aws:s3:::one", false},
		// Only the part after the fifth colon takes variables.
		{`"Resource":"arn:aws:s3:${aws:username}::x"`, "arn:aws:s3:ann::x", false},
		// What NotResource excludes must be known for an Allow.
		{`"NotResource":"arn:aws:s3:::home/${aws:missing}"`, "arn:aws:s3:::data/x", false},
		{`"NotResource":"arn:aws:s3:::home/${aws:username}"`, "arn:aws:s3:::data/x", true},
		{`"Resource":"*","Condition":{"StringEquals":{"aws:username":"${aws:username}"}}`, "*", true},
		{`"Resource":"*","Condition":{"StringEquals":{"aws:username":"${aws:missing}"}}`, "*", false},
		{`"Resource":"*","Condition":{"StringNotEquals":{"aws:username":"${aws:missing}"}}`, "*", true},
		{`"Resource":"*","Condition":{"StringLike":{"aws:username":"${aws:PrincipalTag/team}"}}`, "*", false},
		{`"Resource":"*","Condition":{"StringLike":{"aws:username":"a${aws:missing, 'n'}*"}}`, "*", true},
		{`"Resource":"*","Condition":{"StringEqualsIgnoreCase":{"aws:username":"A${aws:missing, 'N'}n"}}`, "*", true},
		{`"Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/x509Issuer/CN":"My CA"}}`, "*", true},
		{`"Resource":"*","Condition":{"ArnLike":{"aws:SourceArn":"${aws:SourceArn}"}}`, "*", true},
		{`"Resource":"*","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::${aws:missing, 'b'}/*"}}`, "*", true},
		{`"Resource":"*","Condition":{"ArnLike":{"aws:SourceArn":"${aws:PrincipalTag/team}"}}`, "*", false},
		{`"Resource":"*","Condition":{"ArnNotLike":{"aws:SourceArn":"${aws:missing}"}}`, "*", true},
		{`"Resource":"*","Condition":{"NumericEquals":{"n:n":"${aws:missing}"}}`, "*", false},
	} {
		p := identity(t, `{"Effect":"Allow","Action":"*",`+c.statement+`}`)
		got := Evaluate(&Set{Identity: []*Policy{p}}, &Request{Action: "s3:GetObject", Resource: c.resource, Context: ctx}).Allowed
		if got != c.want {
			t.Errorf("%s on %s: got %v, want %v", c.statement, c.resource, got, c.want)
		}
		// Version 2008 knows no variables, not even ${*}.
		if strings.Contains(c.statement, "${aws:username}") {
			old := mustParse(t, `{"Statement":{"Effect":"Allow","Action":"*",`+c.statement+`}}`, Identity)
			d := Evaluate(&Set{Identity: []*Policy{old}}, &Request{Action: "s3:GetObject", Resource: c.resource, Context: ctx})
			if d.Allowed != strings.Contains(c.statement, "NotResource") {
				t.Errorf("2008: %s on %s: allowed %v", c.statement, c.resource, d.Allowed)
			}
		}
	}
}
