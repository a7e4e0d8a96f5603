package iam_test

import (
	"strings"
	"sync"
	"testing"
)

// together runs calls at the same time and counts their outcomes: "" for a success, else the error code.
func together(e *env, calls ...[]string) map[string]int {
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[string]int{}
	for _, c := range calls {
		wg.Go(func() {
			_, code, _ := e.try(c[0], c[1:]...)
			mu.Lock()
			defer mu.Unlock()
			got[code]++
		})
	}
	wg.Wait()
	return got
}

func TestOneCreatorWins(t *testing.T) {
	e := start(t)
	for _, c := range [][]string{
		{"CreateRole", "RoleName", "NAME", "AssumeRolePolicyDocument", trust},
		{"CreateUser", "UserName", "NAME"},
		{"CreateGroup", "GroupName", "NAME"},
		{"CreateInstanceProfile", "InstanceProfileName", "NAME"},
		{"CreatePolicy", "PolicyName", "NAME", "PolicyDocument", readS3},
	} {
		var calls [][]string
		for i := range 16 {
			call := append([]string(nil), c...)
			call[2] = []string{"same", "Same", "SAME"}[i%3]
			calls = append(calls, call)
		}
		if got := together(e, calls...); got[""] != 1 || got["EntityAlreadyExists"] != 15 {
			t.Errorf("%s: %v", c[0], got)
		}
	}
}

// However they interleave, what is attached exists.
func TestAttachAgainstDelete(t *testing.T) {
	e := start(t)
	for range 10 {
		policy := e.policy("p")
		e.role("r")
		got := together(e,
			[]string{"AttachRolePolicy", "RoleName", "r", "PolicyArn", policy}, []string{"DeletePolicy", "PolicyArn", policy}, []string{"DeleteRole", "RoleName", "r"})
		if got["InternalFailure"] != 0 {
			t.Fatalf("%v", got)
		}
		attached := false
		if status, _, body := e.try("ListAttachedRolePolicies", "RoleName", "r"); status == 200 {
			attached = strings.Contains(body+e.do("ListAttachedRolePolicies", "RoleName", "r").body, policy)
		}
		if attached {
			e.do("GetPolicy", "PolicyArn", policy).has("AttachmentCount", "1")
			e.do("DetachRolePolicy", "RoleName", "r", "PolicyArn", policy)
		}
		for _, c := range [][]string{{"DeleteRole", "RoleName", "r"}, {"DeletePolicy", "PolicyArn", policy}} {
			if status, code, _ := e.try(c[0], c[1:]...); status != 200 && code != "NoSuchEntity" {
				t.Errorf("%s after the race: %d %s", c[0], status, code)
			}
		}
	}
}

func TestQuotasHoldTogether(t *testing.T) {
	e := start(t)
	e.do("CreateUser", "UserName", "bob")
	var calls [][]string
	for range 12 {
		calls = append(calls, []string{"CreateAccessKey", "UserName", "bob"})
	}
	if got := together(e, calls...); got[""] != 2 || got["LimitExceeded"] != 10 {
		t.Errorf("keys: %v", got)
	}
	policy := e.policy("p")
	calls = nil
	for range 12 {
		calls = append(calls, []string{"CreatePolicyVersion", "PolicyArn", policy, "PolicyDocument", readS3, "SetAsDefault", "true"})
	}
	if got := together(e, calls...); got[""] != 4 || got["LimitExceeded"] != 8 {
		t.Errorf("versions: %v", got)
	}
	if got := e.do("ListPolicyVersions", "PolicyArn", policy); strings.Count(got.body, "<IsDefaultVersion>true") != 1 {
		t.Errorf("default versions in %s", got.body)
	}
}

func TestUpdateAgainstDelete(t *testing.T) {
	e := start(t)
	for range 10 {
		e.role("r")
		got := together(e,
			[]string{"DeleteRole", "RoleName", "r"}, []string{"UpdateRole", "RoleName", "r", "Description", "d"},
			[]string{"PutRolePolicy", "RoleName", "r", "PolicyName", "p", "PolicyDocument", readS3}, []string{"TagRole", "RoleName", "r", "Tags.member.1.Key", "k", "Tags.member.1.Value", "v"})
		if n := got[""] + got["NoSuchEntity"] + got["DeleteConflict"]; n != 4 {
			t.Fatalf("%v", got)
		}
		// A deleted role stays deleted, and leaves no policy for the next of its name.
		if _, code, _ := e.try("GetRole", "RoleName", "r"); code == "NoSuchEntity" {
			e.role("r")
			e.do("ListRolePolicies", "RoleName", "r").lacks("member")
		} else {
			e.do("DeleteRolePolicy", "RoleName", "r", "PolicyName", "p")
		}
		e.do("DeleteRole", "RoleName", "r")
	}
}
