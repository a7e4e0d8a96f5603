package iampolicy

import "testing"

func mustParse(t testing.TB, text string, kind Kind) *Policy {
	t.Helper()
	p, err := Parse(text, kind)
	if err != nil {
		t.Fatalf("Parse(%s): %v", text, err)
	}
	return p
}

// statements wraps statements into a 2012-10-17 document.
func wrap(statements string) string {
	return `{"Version":"2012-10-17","Statement":[` + statements + `]}`
}

func identity(t testing.TB, statements string) *Policy {
	return mustParse(t, wrap(statements), Identity)
}

// contextOf builds a Context from key, value pairs.
func contextOf(pairs ...string) *Context {
	c := NewContext(len(pairs) / 2)
	for i := 0; i < len(pairs); i += 2 {
		c.Set(pairs[i], pairs[i+1])
	}
	return c
}

const (
	acct      = "111122223333"
	otherAcct = "444455556666"
	userARN   = "arn:aws:iam::" + acct + ":user/dev/ann"
	rootARN   = "arn:aws:iam::" + acct + ":root"
	roleARN   = "arn:aws:iam::" + acct + ":role/app/web"
	sessARN   = "arn:aws:sts::" + acct + ":assumed-role/web/s1"
	objectARN = "arn:aws:s3:::data/a.txt"
)

func user() *Principal { return &Principal{Account: acct, ARN: userARN} }
func root() *Principal { return &Principal{Account: acct, ARN: rootARN} }
func session() *Principal {
	return &Principal{Account: acct, ARN: sessARN, RoleARN: roleARN}
}
func service(name string) *Principal { return &Principal{Service: name} }
