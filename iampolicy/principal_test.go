package iampolicy

import (
	"strings"
	"testing"
)

func TestPrincipalARNs(t *testing.T) {
	const role, user = "arn:aws:iam::123456789012:role/x/r", "arn:aws:iam::210987654321:user/u"
	for _, c := range []struct {
		statements string
		want       string
	}{
		{`{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":"sts:AssumeRole"}`, ""},
		{`{"Effect":"Allow","Principal":{"AWS":["123456789012","arn:aws:iam::123456789012:root","*"]},"Action":"sts:AssumeRole"}`, ""},
		{`{"Effect":"Allow","Principal":{"AWS":"arn:aws:sts::123456789012:assumed-role/r/s"},"Action":"sts:AssumeRole"}`, ""},
		{`{"Effect":"Allow","Principal":{"AWS":["` + user + `","` + role + `"]},"Action":"sts:AssumeRole"}`, role + " " + user},
		{`{"Effect":"Allow","Principal":{"AWS":"` + user + `"},"Action":"sts:AssumeRole"},{"Effect":"Deny","Principal":{"AWS":["` + user + `","` + role + `"]},"Action":"sts:AssumeRole"}`, user + " " + role},
	} {
		if got := strings.Join(mustParse(t, wrap(c.statements), Trust).PrincipalARNs(), " "); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.statements, got, c.want)
		}
	}
	if got := identity(t, `{"Effect":"Allow","Action":"s3:*","Resource":"*"}`).PrincipalARNs(); got != nil {
		t.Errorf("an identity policy names %v", got)
	}
}
