package iam_test

import (
	"strings"
	"testing"
)

// A user's groups count in simulation and details; a group is a source of its own.
func TestSimulateGroups(t *testing.T) {
	e := start(t)
	e.do("CreateUser", "UserName", "bob")
	e.do("CreateGroup", "GroupName", "Readers")
	e.do("PutGroupPolicy", "GroupName", "Readers", "PolicyName", "in", "PolicyDocument", allow("iam:GetUser", "*", ""))
	e.do("AttachGroupPolicy", "GroupName", "Readers", "PolicyArn", s3ReadOnly)
	ask := []string{"ActionNames.member.1", "s3:GetObject", "ActionNames.member.2", "iam:GetUser"}
	alone := e.do("SimulatePrincipalPolicy", append(ask, "PolicySourceArn", bobARN)...)
	if got := strings.Join(alone.all("EvalDecision"), " "); got != "implicitDeny implicitDeny" {
		t.Errorf("outside of the group: %s", got)
	}
	e.do("AddUserToGroup", "GroupName", "Readers", "UserName", "bob")
	group := arnOf("group/Readers")
	for _, source := range []string{bobARN, group} {
		r := e.do("SimulatePrincipalPolicy", append(ask, "PolicySourceArn", source)...)
		if got := strings.Join(append(r.all("EvalDecision"), r.all("SourcePolicyId")...), " "); got != "allowed allowed AmazonS3ReadOnlyAccess group_Readers_in" {
			t.Errorf("%s: %s", source, got)
		}
	}
	e.refused(404, "NoSuchEntity", "The group with name gone cannot be found.", "SimulatePrincipalPolicy", append(ask, "PolicySourceArn", arnOf("group/gone"))...)
	r := e.do("GetAccountAuthorizationDetails", "Filter.member.1", "Group", "Filter.member.2", "User")
	if got := strings.Join(r.all("Arn"), " "); got != bobARN+" "+group {
		t.Errorf("details of %s", got)
	}
	if !strings.Contains(r.body, "<GroupList><member>Readers</member></GroupList>") || !strings.Contains(r.body, "<PolicyArn>"+s3ReadOnly+"</PolicyArn>") {
		t.Errorf("details %s", r.body)
	}
}
