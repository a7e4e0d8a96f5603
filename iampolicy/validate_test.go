package iampolicy

import (
	"errors"
	"strings"
	"testing"
)

// message parses and returns AWS's sentence, or "".
func message(t *testing.T, text string, kind Kind) string {
	t.Helper()
	_, err := Parse(text, kind)
	if err == nil {
		return ""
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("Parse(%s) failed with a %T", text, err)
	}
	return e.Message
}

func TestValidateManaged(t *testing.T) {
	st := func(s string) string { return `{"Version":"2012-10-17","Statement":{` + s + `}}` }
	const ok = `"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::b"`
	res := func(r string) string { return st(`"Effect":"Allow","Action":"s3:ListBucket","Resource":"` + r + `"`) }
	cond := func(c string) string { return st(ok + `,"Condition":` + c) }
	arnFormat := func(r string) string { return "Resource " + r + ` must be in ARN format or "*".` }
	for _, c := range []struct{ text, want string }{
		// Syntax.
		{`not json`, msgSyntax}, {``, msgSyntax}, {`[]`, msgSyntax}, {`"x"`, msgSyntax}, {`null`, msgSyntax},
		{st(ok) + `x`, msgSyntax}, {st(ok) + `{}`, msgSyntax},
		{`{"Version":"2013-10-17","Statement":{` + ok + `}}`, msgSyntax},
		{`{"Version":20121017,"Statement":{` + ok + `}}`, msgSyntax},
		{`{"Version":"2012-10-17"}`, msgSyntax}, {`{"Version":"2012-10-17","Statement":[]}`, msgSyntax},
		{`{"Version":"2012-10-17","Statement":["x"]}`, msgSyntax},
		{`{"Version":"2012-10-17","Statement":{` + ok + `},"Extra":1}`, msgSyntax},
		{`{"Version":"2012-10-17","Id":[],"Statement":{` + ok + `}}`, msgSyntax},
		{`{"Version":"2012-10-17","version":"2012-10-17","Statement":{` + ok + `}}`, msgSyntax},
		{`{"Version":"2012-10-17","Statement":{` + ok + `},"Statement":{` + ok + `}}`, msgSyntax},
		{st(ok + `,"Conditon":{}`), msgSyntax}, {st(ok + `,"condition":{}`), msgSyntax},
		{st(ok + `,"Effect":"Deny"`), msgSyntax}, {st(ok + `,"\u0045ffect":"Deny"`), msgSyntax},
		{st(`"Effect":"x","Action":"s3:*","Resource":"*"`), msgSyntax}, {st(`"Action":"s3:*","Resource":"*"`), msgSyntax},
		{st(ok + `,"NotResource":"*"`), msgSyntax}, {st(ok + `,"NotAction":"s3:*"`), msgSyntax},
		{st(ok + `,"Sid":{}`), msgSyntax}, {st(`"Effect":"Deny","Action":[[]],"Resource":"*"`), msgSyntax},
		{st(`"Effect":"Allow","Action":"s3:*","Resource":["x",{}]`), msgSyntax}, {st(`"Effect":"Allow","Action":null,"Resource":"*"`), msgSyntax},
		{cond(`[]`), msgSyntax}, {cond(`"a"`), msgSyntax}, {cond(`{"a":"b"}`), msgSyntax}, {cond(`{"StringEquals":{"k":{}}}`), msgSyntax},
		{cond(`{"StringEquals":{"k":null}}`), msgSyntax}, {cond(`{"x":{"a":"1"}}`), msgSyntax},
		{cond(`{"ForAnyValue::StringEquals":{"a":"1"}}`), msgSyntax}, {cond(`{"StringEquals":{"k":"1","k":"2"}}`), msgSyntax},
		{cond(`{}`), ""}, {cond(`{"x":{}}`), ""}, {cond(`{"DateGreaterThan":{"a":[]}}`), ""},
		{cond(`{"Bool":{"aws:SecureTransport":true},"NumericLessThan":{"k":[1,2.5]}}`), ""},
		// Version.
		{`{"Statement":{` + ok + `}}`, msgVersion2012}, {`{"Version":"2008-10-17","Statement":{` + ok + `}}`, msgVersion2012},
		{`{"Statement":{"Effect":"denY","Action":"s3:*","Resource":"*"}}`, msgVersion2012},
		// Legacy parsing.
		{st(`"Effect":"allow","Action":"s3:*","Resource":"*"`), msgLegacy}, {res("arn:aws:s3::b"), msgLegacy}, {res("arn:aws::x"), msgLegacy},
		{res("arn:aws::::b"), msgLegacy}, {cond(`{"DateGreaterThan":{"a":"soon"}}`), msgLegacy}, {cond(`{"DateLessThan":{"a":"234-13"}}`), msgLegacy},
		{cond(`{"DateLessThan":{"a":"9223372036854775808"}}`), msgLegacy}, {cond(`{"DateLessThanEquals":{"a":"2016-12-13t2:00:00.593194+1"}}`), msgLegacy},
		{cond(`{"DateLessThanEquals":{"a":"2016-12-13t2:00:00.1999999999+10:59"}}`), msgLegacy},
		{st(`"Effect":"Allow","Condition":{"DateGreaterThan":{"a":"soon"}}`), msgLegacy},
		{st(`"Effect":"Allow","Action":"s3:*","NotResource":"arn:aws:s3::b"`), msgLegacy},
		{st(`"Effect":"Allow","Action":"s3:*","Resource":"arn:error:s3:::b","Condition":{"DateGreaterThan":{"a":"soon"}}`), msgLegacy},
		// Principals.
		{st(ok + `,"Principal":"*"`), msgPrincipalNotHere}, {st(ok + `,"NotPrincipal":{"AWS":"*"}`), msgPrincipalNotHere},
		// Statement ids.
		{`{"Version":"2012-10-17","Statement":[{"Sid":"a",` + ok + `},{"Sid":"a","Effect":"Allow"}]}`, msgSidUnique},
		{st(ok + `,"Sid":"a b"`), msgSidCharacters}, {st(ok + `,"Sid":""`), ""},
		// Actions.
		{st(`"Effect":"Allow"`), msgNoActions}, {st(`"Effect":"Allow","Resource":"arn:aws:s3:::b"`), msgNoActions},
		{st(`"Effect":"Allow","Action":[],"Resource":"*"`), msgNoActions},
		{st(`"Effect":"Allow","Action":"invalid","Resource":"*"`), msgNoVendor}, {st(`"Effect":"Allow","Action":"invalid"`), msgNoVendor},
		{st(`"Effect":"Allow","NotAction":"","Resource":"*"`), msgNoVendor}, {st(`"Effect":"Allow","Action":"a a:B","Resource":"*"`), "Vendor a a is not valid"},
		{st(`"Effect":"Allow","Action":"s3*:B","Resource":"*"`), "Vendor s3* is not valid"},
		{st(`"Effect":"Allow","Action":"s3:List:B","Resource":"*"`), msgManyColons},
		// Resources.
		{st(`"Effect":"Allow","Action":"s3:ListBucket"`), msgNoResources}, {st(`"Effect":"Allow","Action":"s3:ListBucket","Resource":[]`), msgNoResources},
		{res("invalid resource"), arnFormat("invalid resource")}, {res(""), arnFormat("")}, {res("foo:aws:s3:::b"), arnFormat("foo:aws:s3:::b")},
		{st(`"Effect":"Allow","Action":"s:3:L","Resource":"x"`), arnFormat("x")},
		{res("a:bsd"), `Partition "bsd" is not valid for resource "arn:bsd:*:*:*:*".`},
		{res("a:b:cad"), `Partition "b" is not valid for resource "arn:b:cad:*:*:*".`},
		{res("a:b:c:d:e:f:g:h"), `Partition "b" is not valid for resource "arn:b:c:d:e:f:g:h".`},
		{res("aws:s3:::eb"), `Partition "s3" is not valid for resource "arn:s3:::eb:*".`},
		{res("arn:error:s3:::eb"), `Partition "error" is not valid for resource "arn:error:s3:::eb".`},
		{res("arn:aws"), msgVendorRegex}, {res("arn:aws:s*:::b"), msgVendorRegex},
		{res("arn:aws:iam:::b"), msgIAMPath}, {res("arn:aws:iam::1:rolex"), msgIAMPath},
		{res("arn:aws:iam:us-east-1::user/x"), "IAM resource arn:aws:iam:us-east-1::user/x cannot contain region information."},
		{res("arn:aws:s3:us-east-1::b"), "Resource arn:aws:s3:us-east-1::b can not contain region information."},
		// Accepted.
		{res("*"), ""}, {res("arn:aws:s33:::b"), ""}, {res("arn:aws:fdsasf"), ""}, {res("arn:aws-cn:s3:::b"), ""}, {res("arn:aws:iam::*:user/${aws:username}"), ""},
		{res("arn:aws:iam::1:*"), ""}, {res("arn:aws:s3:us-west-2:111122223333:accesspoint/a"), ""}, {res("arn:aws:ec2:us-east-1::x"), ""},
		{st(`"Effect":"Allow","Action":"iam: odd name ","Resource":"*"`), ""}, {st(`"Effect":"Allow","Action":["*","s3-x.y:A?*"],"Resource":["*"]`), ""},
		{`{"Version":"2012-10-17","Id":"x","Statement":[{` + ok + `},{"Effect":"Deny","NotAction":"iam:*","NotResource":"*"}]}`, ""},
		{cond(`{"DateGreaterThan":{"a":"01T"},"DateLessThan":{"a":"-292275054"},"DateLessThanEquals":{"a":"2016-12-13t2:00:00.593194+23"}}`), ""},
	} {
		if got := message(t, c.text, Managed); got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.text, got, c.want)
		}
	}
}

func TestValidateInlineVersions(t *testing.T) {
	for _, kind := range []Kind{Identity, Session, Boundary} {
		for _, version := range []string{``, `"Version":"2008-10-17",`, `"Version":"2012-10-17",`} {
			text := `{` + version + `"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`
			if got := message(t, text, kind); got != "" {
				t.Errorf("%v %s: %q", kind, text, got)
			}
		}
	}
}

func TestValidateTrust(t *testing.T) {
	st := func(s string) string { return `{"Version":"2012-10-17","Statement":[{` + s + `}]}` }
	const ok = `"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]`
	who := func(p string) string { return st(`"Effect":"Allow","Action":"sts:AssumeRole","Principal":` + p) }
	bad := func(kind, v string) string { return `Invalid principal in policy: "` + kind + `":"` + v + `"` }
	for _, c := range []struct{ text, want string }{
		{st(ok), ""}, {`{"Statement":{` + ok + `}}`, ""}, {`{"Version":"2008-10-17","Id":"x","Statement":{` + ok + `}}`, ""},
		{`{`, msgTrustJSON}, {`[]`, msgTrustJSON}, {st(ok) + `]`, msgTrustJSON}, {st(ok + `,"Sid":"a","Sid":"b"`), msgTrustJSON},
		{`{"Version":"2012","Statement":{` + ok + `}}`, msgTrustVersion},
		{`{"Version":"2012-10-17"}`, msgTrustEmpty}, {`{"Version":"2012-10-17","Statement":[]}`, msgTrustEmpty},
		{`{"Version":"2012-10-17","Statement":[{"Sid":"a",` + ok + `},{"Sid":"a",` + ok + `}]}`, msgTrustSidUnique},
		{st(`"Principal":{"AWS":"*"},"Action":"sts:AssumeRole"`), "Missing required field Effect"},
		{st(`"Effect":"allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"`), "Invalid effect: allow"},
		{st(`"Effect":"Allow","Action":"sts:AssumeRole"`), "Missing required field Principal"},
		{st(`"Effect":"Allow","Principal":{"AWS":"*"}`), "Missing required field Action"},
		{st(`"Effect":"Allow","Principal":{"AWS":"*"},"Action":[]`), "Missing required field Action"},
		{who(`{}`), msgTrustNoPrincipal}, {who(`{"AWS":[]}`), msgTrustNoPrincipal}, {who(`"*"`), msgTrustPrincipal}, {who(`["*"]`), msgTrustSyntax},
		{st(`"Effect":"Allow","NotPrincipal":{"AWS":"*"},"Action":"sts:AssumeRole"`), msgAllowNotPrincipal},
		{st(`"Effect":"Deny","NotPrincipal":{"AWS":"*"},"Action":"sts:AssumeRole"`), msgTrustNotPrincipal},
		{st(`"Effect":"Allow","Principal":{"AWS":"*"},"Action":"s3:GetObject"`), msgTrustAction},
		{st(`"Effect":"Allow","Principal":{"AWS":"*"},"Action":"*"`), msgTrustAction},
		{st(ok + `,"Resource":"*"`), msgTrustResource}, {st(ok + `,"NotResource":"*"`), msgTrustNotResource},
		{st(ok + `,"Condition":{"Strings":{"a":"b"}}`), msgTrustSyntax}, {st(ok + `,"Conditon":{}`), msgTrustSyntax},
		{st(ok + `,"NotAction":"sts:x"`), msgTrustSyntax}, {st(ok + `,"Condition":{"DateEquals":{"a":"b"}}`), msgTrustSyntax},
		{who(`{"AWS":"arn:aws:iam::1:root"}`), bad("AWS", "arn:aws:iam::1:root")}, {who(`{"AWS":"bob"}`), bad("AWS", "bob")},
		{who(`{"AWS":"arn:aws:iam::111122223333:user/*"}`), bad("AWS", "arn:aws:iam::111122223333:user/*")},
		{who(`{"AWS":"arn:aws:iam::111122223333:group/g"}`), bad("AWS", "arn:aws:iam::111122223333:group/g")},
		{who(`{"AWS":"arn:aws:iam::111122223333:role/"}`), bad("AWS", "arn:aws:iam::111122223333:role/")},
		{who(`{"AWS":"arn:aws:sts::111122223333:assumed-role/r"}`), bad("AWS", "arn:aws:sts::111122223333:assumed-role/r")},
		{who(`{"Service":"*"}`), bad("Service", "*")}, {who(`{"Service":"evil.example"}`), bad("Service", "evil.example")},
		{who(`{"Federated":"*"}`), bad("Federated", "*")}, {who(`{"CanonicalUser":"abc"}`), bad("CanonicalUser", "abc")},
		{who(`{"Aws":"*"}`), bad("Aws", "*")}, {who(`{"AWS":"*","Other":[]}`), `Invalid principal in policy: "Other"`},
		{who(`{"AWS":["111122223333","arn:aws:iam::111122223333:root","` + userARN + `","` + roleARN + `","` + sessARN + `","*","AROAAAAAAAAAAAAAAAAAA"]}`), ""},
		{who(`{"AWS":"arn:aws:sts::111122223333:federated-user/f","Federated":"arn:aws:iam::111122223333:oidc-provider/idp.example/x","Service":["s3.amazonaws.com"]}`), ""},
	} {
		if got := message(t, c.text, Trust); got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.text, got, c.want)
		}
	}
}

func TestValidateResource(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*"`, ""},
		{`"Effect":"Deny","NotPrincipal":{"AWS":"111122223333"},"Action":"s3:*","NotResource":"*"`, ""},
		{`"Effect":"Allow","NotPrincipal":{"AWS":"111122223333"},"Action":"s3:*","Resource":"*"`, msgAllowNotPrincipal},
		{`"Effect":"Allow","Principal":"bob","Action":"s3:*","Resource":"*"`, `Invalid principal in policy: "bob"`},
		{`"Effect":"Allow","Action":"s3:*","Resource":"*"`, "Missing required field Principal"},
		{`"Effect":"Allow","Principal":"*","Action":"s3:*"`, "Missing required field Resource"},
		{`"Effect":"Allow","Principal":"*","Action":"s3","Resource":"*"`, "Policy has invalid action"},
		{`"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"b"`, "Policy has invalid resource"},
	} {
		if got := message(t, wrap(`{`+c.text+`}`), Resource); got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.text, got, c.want)
		}
	}
}

func TestJSONLimits(t *testing.T) {
	const head, tail = `{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"},"Id":`, `}`
	for _, v := range []string{`"\ud800"`, `"\udc00\ud800"`, `"\ud800x"`, `"\u12"`, `"\x"`, `"` + "\x01" + `"`, `"` + "\xff" + `"`, `"a`, `"a\`, `01`, `1.`, `.5`, `1e`, `+1`,
		`tru`, `nul`, `NaN`, `'a'`, `"a",`, `"a" "b"`, `{"a":1,}`, `[1,]`, `[,]`, `[1 2]`, `{"a" 1}`, `{a:1}`, `{"a":1 "b":2}`, `{,}`, `/**/"a"`, strings.Repeat("[", 100000)} {
		if got := message(t, head+v+tail, Identity); got != msgSyntax {
			t.Errorf("Id %.20s: got %q", v, got)
		}
	}
	for v, want := range map[string]string{`"\ud83d\ude00"`: "😀", `"\"\\\/\b\f\n\r\t\u00e4"`: "\"\\/\b\f\n\r\tä", `"plain"`: "plain"} {
		p := mustParse(t, head+v+tail, Identity)
		if p.doc.id != want {
			t.Errorf("Id %s: got %q, want %q", v, p.doc.id, want)
		}
		if again := mustParse(t, p.String(), Identity); again.doc.id != want {
			t.Errorf("Id %s printed and parsed: got %q", v, again.doc.id)
		}
	}
	for n, want := range map[int]string{MaxDocument: "", MaxDocument + 1: msgSyntax} {
		text := head + `"ä"` + tail
		text += strings.Repeat(" ", n-len(text)+1) // ä is one character and two bytes
		if got := message(t, text, Identity); got != want {
			t.Errorf("%d characters: got %q, want %q", n, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	if got := Size(" {\"a\":\t\"ä b\"}\r\n"); got != 10 {
		t.Errorf("Size: got %d, want 10", got)
	}
}
