package sts_test

import (
	"testing"
)

// A trust policy may name one session of a role: no other session of it gets in.
func TestTrustOfASession(t *testing.T) {
	f := newFixture(t)
	first := f.role("first", "arn:aws:iam::"+account+":user/alice", "")
	second := f.role("second", "arn:aws:sts::"+account+":assumed-role/first/sess", "")
	f.assume(f.assume(f.alice, first).keys(), second)
	other := f.assume(f.alice, first, "RoleSessionName", "other").keys()
	f.refused(other, 403, "AccessDenied", "not authorized", "AssumeRole", "RoleArn", second, "RoleSessionName", "sess")
}

// Transitive tags and the source identity reach the third role of a chain; other tags end with their session.
func TestChainOfThree(t *testing.T) {
	f := newFixture(t)
	first := f.role("first", "arn:aws:iam::"+account+":user/alice", "")
	second := f.role("second", "arn:aws:iam::"+account+":role/first", `{"StringEquals":{"aws:PrincipalTag/own":"1"}}`)
	third := f.role("third", "arn:aws:iam::"+account+":role/second", `{"StringEquals":{"aws:PrincipalTag/team":"blue","aws:RequestTag/team":"blue","aws:SourceIdentity":"alice","sts:SourceIdentity":"alice"},"Null":{"aws:PrincipalTag/own":"true"}}`)
	a := f.assume(f.alice, first, "SourceIdentity", "alice", "Tags.member.1.Key", "team", "Tags.member.1.Value", "blue", "TransitiveTagKeys.member.1", "TEAM", "Tags.member.2.Key", "own", "Tags.member.2.Value", "1")
	b := f.assume(a.keys(), second, "DurationSeconds", "3600")
	c := f.assume(b.keys(), third)
	if c.Identity != "alice" {
		t.Errorf("source identity %q after two roles", c.Identity)
	}
	f.refused(b.keys(), 400, "InvalidParameterValue", "conflicts with a transitive tag key", "AssumeRole", "RoleArn", third, "RoleSessionName", "sess", "Tags.member.1.Key", "Team", "Tags.member.1.Value", "blue")
}

// Passing an inherited source identity or tag on needs the permission of the next role as well.
func TestChainNeedsPermissionToHandOn(t *testing.T) {
	f := newFixture(t)
	first := f.role("first", "arn:aws:iam::"+account+":user/alice", "")
	f.iam("CreateRole", "RoleName", "strict", "AssumeRolePolicyDocument", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+first+`"},"Action":"sts:AssumeRole"}]}`)
	strict := []string{"RoleArn", "arn:aws:iam::" + account + ":role/strict", "RoleSessionName", "sess"}
	f.assume(f.assume(f.alice, first).keys(), strict[1])
	f.refused(f.assume(f.alice, first, "SourceIdentity", "alice").keys(), 403, "AccessDenied", "sts:SetSourceIdentity", "AssumeRole", strict...)
	f.refused(f.assume(f.alice, first, "Tags.member.1.Key", "a", "Tags.member.1.Value", "b", "TransitiveTagKeys.member.1", "a").keys(), 403, "AccessDenied", "sts:TagSession", "AssumeRole", strict...)
}

func TestAssumeRoleConditions(t *testing.T) {
	f := newFixture(t)
	alice := "arn:aws:iam::" + account + ":user/alice"
	call := func(role string, params ...string) []string {
		return append([]string{"RoleArn", role, "RoleSessionName", "sess"}, params...)
	}
	named := f.role("named", alice, `{"StringEquals":{"sts:RoleSessionName":"${aws:username}"}}`)
	f.refused(f.alice, 403, "AccessDenied", "sts:AssumeRole", "AssumeRole", call(named)...)
	f.assume(f.alice, named, "RoleSessionName", "alice")
	mfa := f.role("mfa", alice, `{"Bool":{"aws:MultiFactorAuthPresent":"true"}}`)
	f.refused(f.alice, 403, "AccessDenied", "sts:AssumeRole", "AssumeRole", call(mfa)...)
	noMFA := f.role("nomfa", alice, `{"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}}`)
	f.assume(f.alice, noMFA) // a long-term key has no such condition key
	transitive := f.role("transitive", alice, `{"ForAllValues:StringEquals":{"sts:TransitiveTagKeys":["team"]}}`)
	tags := []string{"Tags.member.1.Key", "team", "Tags.member.1.Value", "b", "Tags.member.2.Key", "cost", "Tags.member.2.Value", "1", "TransitiveTagKeys.member.1", "team"}
	f.assume(f.alice, transitive, tags...)
	f.refused(f.alice, 403, "AccessDenied", "sts:AssumeRole", "AssumeRole", call(transitive, append(tags, "TransitiveTagKeys.member.2", "cost")...)...)
	f.refused(f.alice, 400, "ValidationError", "ProvidedContexts", "AssumeRole", call(named, "ProvidedContexts.member.1.ProviderArn", "arn:aws:iam::aws:contextProvider/IdentityCenter", "ProvidedContexts.member.1.ContextAssertion", "abcd")...)
	f.iam("UpdateRole", "RoleName", "nomfa", "MaxSessionDuration", "43200")
	f.assume(f.alice, noMFA, "DurationSeconds", "43200")
	f.refused(f.alice, 400, "ValidationError", "durationSeconds", "AssumeRole", call(noMFA, "DurationSeconds", "43201")...)
	f.assume(f.alice, noMFA, "DurationSeconds", "900")
}
