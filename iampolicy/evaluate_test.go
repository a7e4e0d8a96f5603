package iampolicy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	allowGet = `{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}`
	allowPut = `{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}`
	denyGet  = `{"Sid":"NoGet","Effect":"Deny","Action":"s3:GetObject","Resource":"*"}`
)

func bucket(t testing.TB, principal string) *Policy {
	return mustParse(t, wrap(`{"Sid":"B","Effect":"Allow","Principal":`+principal+`,"Action":"s3:GetObject","Resource":"arn:aws:s3:::data/*"}`), Resource)
}

func get(p *Principal) *Request {
	return &Request{Action: "s3:GetObject", Resource: objectARN, Principal: p, Context: contextOf(KeyPrincipalArn, roleARN)}
}

// TestOrder covers the evaluation order within one account; the boundary rows are the
// results that others measured on AWS for a role.
func TestOrder(t *testing.T) {
	yes, other, nope := identity(t, allowGet), identity(t, allowPut), identity(t, denyGet)
	role, user1, sess := bucket(t, `{"AWS":"`+roleARN+`"}`), bucket(t, `{"AWS":"`+userARN+`"}`), bucket(t, `{"AWS":"`+sessARN+`"}`)
	account, everyone := bucket(t, `{"AWS":"`+acct+`"}`), bucket(t, `"*"`)
	pinned := mustParse(t, wrap(`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"ArnEquals":{"aws:PrincipalArn":"`+roleARN+`"}}}`), Resource)
	loose := mustParse(t, wrap(`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"ArnEqualsIfExists":{"aws:PrincipalArn":"`+roleARN+`"}}}`), Resource)
	list := func(p ...*Policy) []*Policy { return p }
	for _, c := range []struct {
		name string
		set  Set
		who  *Principal
		want string // allowed by, or the end of the message
	}{
		{"nothing", Set{}, session(), "no identity-based policy allows"},
		{"identity", Set{Identity: list(other, yes)}, session(), "identity-based policy"},
		{"identity deny", Set{Identity: list(yes, nope)}, session(), "explicit deny in an identity-based policy"},
		{"boundary only", Set{Boundary: yes, HasBoundary: true}, session(), "no identity-based policy allows"},
		{"boundary and identity", Set{Boundary: yes, HasBoundary: true, Identity: list(yes)}, session(), "identity-based policy"},
		{"boundary lacks it", Set{Boundary: other, HasBoundary: true, Identity: list(yes)}, session(), "no permissions boundary allows"},
		{"boundary without flag", Set{Boundary: other, Identity: list(yes)}, session(), "no permissions boundary allows"},
		{"boundary unreadable", Set{HasBoundary: true, Identity: list(yes)}, session(), "no permissions boundary allows"},
		{"boundary deny", Set{Boundary: nope, HasBoundary: true, Identity: list(yes)}, session(), "explicit deny in a permissions boundary"},
		{"session policy", Set{Session: list(other, yes), HasSession: true, Identity: list(yes)}, session(), "identity-based policy"},
		{"session lacks it", Set{Session: list(other), HasSession: true, Identity: list(yes)}, session(), "no session policy allows"},
		{"session empty", Set{HasSession: true, Identity: list(yes)}, session(), "no session policy allows"},
		{"session without flag", Set{Session: list(other), Identity: list(yes)}, session(), "no session policy allows"},
		{"session deny", Set{Session: list(yes, nope), HasSession: true, Identity: list(yes)}, session(), "explicit deny in a session policy"},
		{"session alone", Set{Session: list(yes), HasSession: true}, session(), "no identity-based policy allows"},

		{"bucket: role", Set{Resource: role}, session(), "resource-based policy"},
		{"bucket: role, boundary", Set{Resource: role, Boundary: other, HasBoundary: true}, session(), "no permissions boundary allows"},
		{"bucket: role, boundary allows", Set{Resource: role, Boundary: yes, HasBoundary: true}, session(), "resource-based policy"},
		{"bucket: role, boundary, identity", Set{Resource: role, Boundary: other, HasBoundary: true, Identity: list(yes)}, session(), "no permissions boundary allows"},
		{"bucket: role, session policy", Set{Resource: role, Session: list(other), HasSession: true}, session(), "no session policy allows"},
		{"bucket: role, identity deny", Set{Resource: role, Identity: list(nope)}, session(), "explicit deny in an identity-based policy"},
		{"bucket: session", Set{Resource: sess, Boundary: other, HasBoundary: true, Session: list(other), HasSession: true}, session(), "resource-based policy"},
		{"bucket: session, boundary deny", Set{Resource: sess, Boundary: nope, HasBoundary: true}, session(), "explicit deny in a permissions boundary"},
		{"bucket: user", Set{Resource: user1, Boundary: other, HasBoundary: true}, user(), "resource-based policy"},
		{"bucket: user, session policy", Set{Resource: user1, Session: list(other), HasSession: true}, user(), "no session policy allows"},
		{"bucket: other user", Set{Resource: user1}, session(), "no identity-based policy allows"},
		{"bucket: account", Set{Resource: account}, session(), "no identity-based policy allows"},
		{"bucket: account and identity", Set{Resource: account, Identity: list(yes)}, session(), "identity-based policy"},
		{"bucket: everyone", Set{Resource: everyone}, user(), "resource-based policy"},
		{"bucket: everyone, session policy", Set{Resource: everyone, Session: list(other), HasSession: true}, session(), "no session policy allows"},
		{"bucket: everyone pinned", Set{Resource: pinned, Boundary: other, HasBoundary: true, Session: list(other), HasSession: true}, session(), "resource-based policy"},
		{"bucket: everyone pinned loosely", Set{Resource: loose, Boundary: other, HasBoundary: true}, session(), "no permissions boundary allows"},
		{"bucket: anonymous", Set{Resource: everyone}, &Principal{Anonymous: true}, "resource-based policy"},
		{"bucket: anonymous not named", Set{Resource: account}, &Principal{Anonymous: true}, "no resource-based policy allows"},
		{"bucket: anonymous, identity ignored", Set{Identity: list(yes)}, &Principal{Anonymous: true}, "no resource-based policy allows"},

		{"cross: identity only", Set{Identity: list(yes), ResourceAccount: otherAcct}, session(), "no resource-based policy allows"},
		{"cross: resource only", Set{Resource: role, ResourceAccount: otherAcct}, session(), "no identity-based policy allows"},
		{"cross: session named only", Set{Resource: sess, ResourceAccount: otherAcct}, session(), "no identity-based policy allows"},
		{"cross: both", Set{Resource: account, Identity: list(yes), ResourceAccount: otherAcct}, session(), "identity-based policy"},
		{"cross: user, boundary", Set{Resource: user1, Identity: list(yes), Boundary: other, HasBoundary: true, ResourceAccount: otherAcct}, user(), "no permissions boundary allows"},
		{"same account named", Set{Resource: role, ResourceAccount: acct}, session(), "resource-based policy"},

		{"root", Set{}, root(), "identity-based policy"},
		{"root denied by bucket", Set{Resource: mustParse(t, wrap(`{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}`), Resource)}, root(), "explicit deny in a resource-based policy"},
		{"root across accounts", Set{ResourceAccount: otherAcct}, root(), "no resource-based policy allows"},
		{"root with a session policy", Set{Session: list(other), HasSession: true}, root(), "no session policy allows"},
		{"no principal", Set{Identity: list(yes)}, nil, "identity-based policy"},
		{"no principal, cross", Set{Identity: list(yes), ResourceAccount: acct}, nil, "no resource-based policy allows"},
		{"no principal, bucket", Set{Resource: everyone}, nil, "no identity-based policy allows"},

		{"nil identity policy", Set{Identity: list(yes, nil)}, session(), "no identity-based policy allows"},
		{"nil session policy", Set{Identity: list(yes), Session: list(yes, nil)}, session(), "no session policy allows"},
		{"resource policy as identity", Set{Identity: list(everyone)}, session(), "no identity-based policy allows"},
		{"identity policy as resource", Set{Identity: list(yes), Resource: yes}, session(), "no resource-based policy allows"},
		{"resource policy as trust", Set{Resource: everyone, Trust: true}, session(), "no role trust policy allows"},
	} {
		checkDecision(t, c.name, Evaluate(&c.set, get(c.who)), c.want)
	}
}

func checkDecision(t *testing.T, name string, d Decision, want string) {
	t.Helper()
	denied := strings.HasPrefix(want, "no ") || strings.HasPrefix(want, "explicit")
	switch m := d.Message("P", "s3:GetObject", "R"); {
	case d.Allowed == denied:
		t.Errorf("%s: allowed %v (%s), want %s", name, d.Allowed, d.Explain(), want)
	case d.Allowed && (string(d.By) != want || m != ""):
		t.Errorf("%s: by %q with message %q, want by %q", name, d.By, m, want)
	case denied && !strings.Contains(m, want):
		t.Errorf("%s: got %q, want …%s…", name, m, want)
	case d.Explicit != strings.HasPrefix(want, "explicit"):
		t.Errorf("%s: explicit %v", name, d.Explicit)
	}
}

func TestTrust(t *testing.T) {
	trust := func(principal, rest string) *Policy {
		return mustParse(t, wrap(`{"Effect":"Allow","Principal":`+principal+`,"Action":"sts:AssumeRole"`+rest+`}`), Trust)
	}
	assume := identity(t, `{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"`+roleARN+`"}`)
	everything := identity(t, `{"Effect":"Allow","Action":"*","Resource":"*"}`)
	other := identity(t, allowPut)
	list := func(p ...*Policy) []*Policy { return p }
	idp := "arn:aws:iam::" + acct + ":oidc-provider/idp.example"
	for _, c := range []struct {
		name string
		set  Set
		who  *Principal
		want string
	}{
		{"no trust policy", Set{Identity: list(everything)}, user(), "no role trust policy allows"},
		{"someone else", Set{Identity: list(everything), Resource: trust(`{"AWS":"`+roleARN+`"}`, "")}, user(), "no role trust policy allows"},
		{"account without identity", Set{Resource: trust(`{"AWS":"`+rootARN+`"}`, "")}, user(), "no identity-based policy allows"},
		{"account with identity", Set{Identity: list(assume), Resource: trust(`{"AWS":"`+rootARN+`"}`, "")}, user(), "role trust policy"},
		{"account id with identity", Set{Identity: list(assume), Resource: trust(`{"AWS":"`+acct+`"}`, "")}, session(), "role trust policy"},
		{"user named", Set{Resource: trust(`{"AWS":"`+userARN+`"}`, "")}, user(), "role trust policy"},
		{"role named", Set{Resource: trust(`{"AWS":"`+roleARN+`"}`, "")}, session(), "role trust policy"},
		{"role named, session policy", Set{Resource: trust(`{"AWS":"`+roleARN+`"}`, ""), Session: list(other), HasSession: true}, session(), "no session policy allows"},
		{"role without its path", Set{Resource: trust(`{"AWS":"arn:aws:iam::`+acct+`:role/web"}`, "")}, session(), "no role trust policy allows"},
		{"user in another case", Set{Resource: trust(`{"AWS":"arn:aws:iam::`+acct+`:user/dev/Ann"}`, "")}, user(), "no role trust policy allows"},
		{"cross, user named only", Set{ResourceAccount: otherAcct, Resource: trust(`{"AWS":"`+userARN+`"}`, "")}, user(), "no identity-based policy allows"},
		{"cross, both", Set{ResourceAccount: otherAcct, Identity: list(assume), Resource: trust(`{"AWS":"`+userARN+`"}`, "")}, user(), "role trust policy"},
		{"identity deny", Set{Identity: list(identity(t, `{"Effect":"Deny","Action":"sts:*","Resource":"*"}`)), Resource: trust(`{"AWS":"`+userARN+`"}`, "")}, user(), "explicit deny in an identity-based policy"},
		{"trust deny", Set{Identity: list(assume), Resource: mustParse(t, wrap(`{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:*"},{"Effect":"Deny","Principal":{"AWS":"`+acct+`"},"Action":"sts:AssumeRole"}`), Trust)}, user(), "explicit deny in the role trust policy"},
		{"service", Set{Resource: trust(`{"Service":"rolesanywhere.amazonaws.com"}`, "")}, service("rolesanywhere.amazonaws.com"), "role trust policy"},
		{"other service", Set{Resource: trust(`{"Service":"rolesanywhere.amazonaws.com"}`, "")}, service("ec2.amazonaws.com"), "no role trust policy allows"},
		{"service against account", Set{Resource: trust(`{"AWS":"`+acct+`"}`, "")}, service("rolesanywhere.amazonaws.com"), "no role trust policy allows"},
		{"service, identity ignored", Set{Identity: list(everything)}, service("rolesanywhere.amazonaws.com"), "no role trust policy allows"},
		{"identity provider", Set{Resource: trust(`{"Federated":"`+idp+`"}`, "")}, &Principal{Federated: idp}, "role trust policy"},
		{"other identity provider", Set{Resource: trust(`{"Federated":"`+idp+`"}`, "")}, &Principal{Federated: idp + "x"}, "no role trust policy allows"},
		{"service condition fails", Set{Resource: trust(`{"Service":"rolesanywhere.amazonaws.com"}`, `,"Condition":{"ArnEquals":{"aws:SourceArn":"arn:aws:rolesanywhere:r:`+acct+`:trust-anchor/x"}}`)}, service("rolesanywhere.amazonaws.com"), "no role trust policy allows"},
		{"root named by account", Set{Resource: trust(`{"AWS":"`+acct+`"}`, "")}, root(), "role trust policy"},
		{"root not named", Set{Resource: trust(`{"AWS":"`+userARN+`"}`, "")}, root(), "no role trust policy allows"},
	} {
		c.set.Trust = true
		d := Evaluate(&c.set, &Request{Action: "sts:AssumeRole", Resource: roleARN, Principal: c.who})
		checkDecision(t, c.name, d, c.want)
	}
}

func TestPrincipalDeny(t *testing.T) {
	yes := identity(t, allowGet)
	policy := func(element string) *Policy {
		return mustParse(t, wrap(`{"Effect":"Deny",`+element+`,"Action":"s3:*","Resource":"*"}`), Resource)
	}
	for _, c := range []struct {
		element string
		who     *Principal
		denied  bool
	}{
		{`"Principal":"*"`, session(), true}, {`"Principal":"*"`, nil, true}, {`"Principal":{"AWS":"` + acct + `"}`, session(), true},
		{`"Principal":{"AWS":"` + otherAcct + `"}`, session(), false}, {`"Principal":{"AWS":"` + roleARN + `"}`, session(), true},
		{`"Principal":{"AWS":"` + userARN + `"}`, session(), false}, {`"Principal":{"AWS":"` + sessARN + `"}`, session(), true},
		{`"Principal":{"AWS":"AROAAAAAAAAAAAAAAAAAA"}`, session(), false},
		{`"NotPrincipal":{"AWS":"` + sessARN + `"}`, session(), false}, {`"NotPrincipal":{"AWS":"` + userARN + `"}`, user(), false},
		{`"NotPrincipal":{"AWS":"` + userARN + `"}`, session(), true}, {`"NotPrincipal":{"AWS":"` + acct + `"}`, user(), true},
		{`"NotPrincipal":{"AWS":"` + acct + `"}`, root(), false}, {`"NotPrincipal":{"AWS":"` + roleARN + `"}`, session(), true},
		{`"NotPrincipal":{"Service":"s3.amazonaws.com"}`, service("s3.amazonaws.com"), false}, {`"NotPrincipal":{"AWS":"*"}`, user(), false},
		{`"NotPrincipal":{"AWS":"` + userARN + `"}`, nil, true},
	} {
		d := Evaluate(&Set{Identity: []*Policy{yes}, Resource: policy(c.element)}, get(c.who))
		if d.Explicit != c.denied {
			t.Errorf("%s for %+v: denied %v, want %v", c.element, c.who, d.Explicit, c.denied)
		}
	}
}

// TestLongAction: what is too long to match a Deny is not allowed by a "*" either.
func TestLongAction(t *testing.T) {
	all := identity(t, `{"Effect":"Allow","Action":"*","Resource":"*"}`)
	for n, want := range map[int]bool{maxAction: true, maxAction + 1: false} {
		req := &Request{Action: strings.Repeat("a", n), Resource: "*", Principal: root()}
		if d := Evaluate(&Set{Identity: []*Policy{all}}, req); d.Allowed != want {
			t.Errorf("an action of %d bytes: allowed %v", n, d.Allowed)
		}
	}
}

func TestNotElements(t *testing.T) {
	for _, c := range []struct {
		statement        string
		action, resource string
		want             bool
	}{
		{`"NotAction":["iam:*","s3:Delete*"],"Resource":"*"`, "s3:GetObject", objectARN, true},
		{`"NotAction":["iam:*","s3:Delete*"],"Resource":"*"`, "S3:deleteObject", objectARN, false},
		{`"NotAction":["iam:*","s3:Delete*"],"Resource":"*"`, "IAM:GetUser", "*", false},
		{`"Action":"*","NotResource":["arn:aws:s3:::secret","arn:aws:s3:::secret/*"]`, "s3:GetObject", objectARN, true},
		{`"Action":"*","NotResource":["arn:aws:s3:::secret","arn:aws:s3:::secret/*"]`, "s3:GetObject", "arn:aws:s3:::secret/x", false},
		{`"Action":"*","NotResource":"*"`, "s3:GetObject", objectARN, false},
		{`"Action":"*","NotResource":"arn:aws:s3:::x"`, "s3:ListAllMyBuckets", "*", true},
	} {
		p := identity(t, `{"Effect":"Allow",`+c.statement+`}`)
		if got := Evaluate(&Set{Identity: []*Policy{p}}, &Request{Action: c.action, Resource: c.resource}).Allowed; got != c.want {
			t.Errorf("%s for %s on %s: got %v", c.statement, c.action, c.resource, got)
		}
	}
}

// A star at the end of a component may reach over colons: a Deny takes it so, an Allow does not.
func TestStarsOverColons(t *testing.T) {
	everything := identity(t, `{"Effect":"Allow","Action":"*","Resource":"*"}`)
	for _, c := range []struct {
		element, resource string
		allows, denies    bool
	}{
		{`"Resource":"arn:aws:sns:*:topic"`, "arn:aws:sns:eu-central-1:111122223333:topic", false, true},
		{`"Resource":"arn:aws:sns:*:topic"`, "arn:aws:sns:eu-central-1:111122223333:other", false, false},
		{`"Resource":"arn:aws:sns:*:topic"`, "arn:aws:sqs:eu-central-1:111122223333:topic", false, false},
		{`"Resource":"arn:aws:sns:*:111122223333:topic"`, "arn:aws:sns:eu-central-1:111122223333:topic", true, true},
		{`"Resource":"arn:aws:sns:*:111122223333:topic"`, "arn:aws:sns:a:b:111122223333:topic", false, true},
		{`"Resource":"arn:aws:sns:*-1:111122223333:topic"`, "arn:aws:sns:a:b-1:111122223333:topic", false, false},
		{`"NotResource":"arn:aws:sns:*:topic"`, "arn:aws:sns:eu-central-1:111122223333:topic", false, true},
		{`"NotResource":"arn:aws:sns:*:111122223333:topic"`, "arn:aws:sns:eu-central-1:111122223333:topic", false, false},
		{`"Resource":"arn:aws:sns:*:*:t-${aws:username}"`, "arn:aws:sns:a:b:c:t-ann", false, true},
	} {
		req := &Request{Action: "sns:Publish", Resource: c.resource, Principal: user(), Context: contextOf(KeyUsername, "ann")}
		if got := Evaluate(&Set{Identity: []*Policy{identity(t, `{"Effect":"Allow","Action":"*",`+c.element+`}`)}}, req).Allowed; got != c.allows {
			t.Errorf("Allow %s on %s: %v", c.element, c.resource, got)
		}
		deny := identity(t, `{"Effect":"Deny","Action":"*",`+c.element+`}`)
		if got := Evaluate(&Set{Identity: []*Policy{everything, deny}}, req).Explicit; got != c.denies {
			t.Errorf("Deny %s on %s: %v", c.element, c.resource, got)
		}
	}
}

func TestMessages(t *testing.T) {
	const head = "User: " + sessARN + " is not authorized to perform: s3:GetObject on resource: " + objectARN
	for by, want := range map[PolicyType][2]string{
		IdentityBased: {" because no identity-based policy allows the s3:GetObject action", " with an explicit deny in an identity-based policy"},
		SessionBased:  {" because no session policy allows the s3:GetObject action", " with an explicit deny in a session policy"},
		BoundaryBased: {" because no permissions boundary allows the s3:GetObject action", " with an explicit deny in a permissions boundary"},
		ResourceBased: {" because no resource-based policy allows the s3:GetObject action", " with an explicit deny in a resource-based policy"},
		RoleTrust:     {" because no role trust policy allows the s3:GetObject action", " with an explicit deny in the role trust policy"},
	} {
		for i, d := range []Decision{{By: by}, {By: by, Explicit: true}} {
			if diff := cmp.Diff(head+want[i], d.Message(sessARN, "s3:GetObject", objectARN)); diff != "" {
				t.Error(diff)
			}
		}
	}
	if got, want := (Decision{By: IdentityBased}).Message("u", "a:b", ""), "User: u is not authorized to perform: a:b because no identity-based policy allows the a:b action"; got != want {
		t.Errorf("without resource: got %q", got)
	}
}

func TestExplain(t *testing.T) {
	named := identity(t, allowPut+","+denyGet).Named("arn:aws:iam::111122223333:policy/p")
	set := &Set{Identity: []*Policy{identity(t, allowGet), named}}
	d := Evaluate(set, get(session()))
	if got, want := d.Explain(), `explicit deny in an identity-based policy: statement 2 (Sid "NoGet") of arn:aws:iam::111122223333:policy/p`; got != want {
		t.Errorf("got %s", got)
	}
	if d.Policy != named || d.Statement != 1 || d.Sid != "NoGet" {
		t.Errorf("got statement %d of %v", d.Statement, d.Policy)
	}
	if got, want := Evaluate(&Set{}, get(session())).Explain(), "implicit deny: no identity-based policy allows the action"; got != want {
		t.Errorf("got %s", got)
	}
	if got, want := Evaluate(&Set{}, get(root())).Explain(), "allowed: the root user of the account"; got != want {
		t.Errorf("got %s", got)
	}
	if got, want := Evaluate(&Set{Identity: set.Identity[:1]}, get(session())).Explain(), "allowed by an identity-based policy: statement 1"; got != want {
		t.Errorf("got %s", got)
	}
	matches := Matches(set, get(session()))
	if len(matches) != 2 || matches[0].Effect != Allow || matches[1].Sid != "NoGet" || matches[1].By != IdentityBased {
		t.Errorf("Matches: got %+v", matches)
	}
	info := named.Statements()[1]
	if got := named.Source()[info.Start:info.End]; got != denyGet {
		t.Errorf("Statements: got %s", got)
	}
}

func TestContextKeys(t *testing.T) {
	p := identity(t, `{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:username}/x","Condition":{
		"StringLike":{"s3:prefix":["${aws:PrincipalTag/a/b}*","${AWS:Username}"]},"ArnLike":{"aws:SourceArn":"${x:y}"},"Null":{"S3:Prefix":"true"}}}`)
	want := []string{"aws:username", "s3:prefix", "aws:PrincipalTag/a/b", "aws:SourceArn", "x:y"}
	if diff := cmp.Diff(want, p.ContextKeys()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"s3:prefix", "aws:PrincipalTag/a/b", "x:y"}, p.MissingKeys(contextOf("AWS:sourcearn", "x", "aws:username", "u"))); diff != "" {
		t.Error(diff)
	}
}

func TestRender(t *testing.T) {
	p := mustParse(t, ` { "Statement" : { "Condition":{"StringLike":{"b":["x"],"a":[true,1]},"Bool":{"c":"true"}}, "Resource":["*"], "Effect":"Allow", "NotAction":["s3:A","s3:\"B"], "Sid":"S" } , "Version":"2012-10-17" } `, Identity)
	want := `{"Version":"2012-10-17","Statement":[{"Sid":"S","Effect":"Allow","NotAction":["s3:A","s3:\"B"],"Resource":"*","Condition":{"Bool":{"c":"true"},"StringLike":{"a":["true","1"],"b":"x"}}}]}`
	if diff := cmp.Diff(want, p.String()); diff != "" {
		t.Error(diff)
	}
	trust := `{"Statement":[{"Effect":"Allow","Principal":{"AWS":["111122223333","*"],"Service":"s3.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	if diff := cmp.Diff(trust, mustParse(t, trust, Trust).String()); diff != "" {
		t.Error(diff)
	}
}

// TestConcurrent shares policies, set and context between goroutines; the race detector judges.
func TestConcurrent(t *testing.T) {
	set := &Set{Identity: typicalRole(t)}
	req := &Request{Action: "s3:PutObject", Resource: "arn:aws:s3:::home/value of Subject/CN/a.txt", Principal: session(), Context: requestContext()}
	done := make(chan bool)
	for range 4 {
		go func() {
			ok := true
			for range 200 {
				ok = ok && Evaluate(set, req).Allowed
			}
			done <- ok
		}()
	}
	for range 4 {
		if !<-done {
			t.Error("wrong decision")
		}
	}
}
