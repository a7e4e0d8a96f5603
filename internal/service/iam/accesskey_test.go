package iam_test

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestAccessKeyLife(t *testing.T) {
	e := start(t)
	e.do("CreateUser", "UserName", "bob")
	e.do("PutUserPolicy", "UserName", "bob", "PolicyName", "p", "PolicyDocument", allow("iam:*", "*", ""))
	created := e.do("CreateAccessKey", "UserName", "BOB").has("UserName", "bob", "Status", "Active")
	id, secret := created.one("AccessKeyId"), created.one("SecretAccessKey")
	if !regexp.MustCompile(`^AKIA[A-Z2-7]{16}$`).MatchString(id) || len(secret) != 40 {
		t.Errorf("key %q with a secret of %d characters", id, len(secret))
	}
	list := e.do("ListAccessKeys", "UserName", "bob").has("AccessKeyId", id, "UserName", "bob", "Status", "Active", "IsTruncated", "false")
	if strings.Contains(list.body, "Secret") || strings.Contains(list.body, secret) {
		t.Error("ListAccessKeys shows a secret")
	}
	first := e.as(e.key("UserName", "bob"))
	first.do("GetUser").has("UserName", "bob")
	e.refused(409, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2", "CreateAccessKey", "UserName", "bob")
	if got := walk(e, "AccessKeyId", 1, "ListAccessKeys", "UserName", "bob"); len(got) != 2 {
		t.Errorf("keys %q", got)
	}

	// Whoever leaves the name out means itself.
	first.do("ListAccessKeys").has()
	first.do("UpdateAccessKey", "AccessKeyId", id, "Status", "Inactive")
	first.do("DeleteAccessKey", "AccessKeyId", id)
	e.refused(404, "NoSuchEntity", "The Access Key with id "+id+" cannot be found.", "DeleteAccessKey", "UserName", "bob", "AccessKeyId", id)
	e.refused(400, "InvalidInput", "The status of an access key can be set to Active or Inactive only.", "UpdateAccessKey", "UserName", "bob", "AccessKeyId", first.keys.AccessKeyID, "Status", "Expired")

	e.do("UpdateAccessKey", "UserName", "bob", "AccessKeyId", first.keys.AccessKeyID, "Status", "Inactive")
	if status, code, _ := first.try("GetUser"); status != 403 || code != "InvalidClientTokenId" {
		t.Errorf("an inactive key: %d %s", status, code)
	}
	e.do("UpdateAccessKey", "UserName", "bob", "AccessKeyId", first.keys.AccessKeyID, "Status", "Active")
	first.do("GetUser")
	e.do("DeleteAccessKey", "UserName", "bob", "AccessKeyId", first.keys.AccessKeyID)
	if status, code, _ := first.try("GetUser"); status != 403 || code != "InvalidClientTokenId" {
		t.Errorf("a deleted key: %d %s", status, code)
	}
}

// Not even a user who may do everything reaches the root's keys, or another user's through its own name.
func TestRootKeysAreTheRootsOnly(t *testing.T) {
	e := start(t)
	admin := e.user("admin", allow("*", "*", ""))
	eve := e.user("eve", "")
	root, evil := e.Root.AccessKeyID, eve.keys.AccessKeyID

	if got := admin.do("ListAccessKeys").all("AccessKeyId"); len(got) != 1 || got[0] != admin.keys.AccessKeyID {
		t.Errorf("an administrator lists %q", got)
	}
	for _, key := range []string{root, evil} {
		none := "The Access Key with id " + key + " cannot be found."
		for _, user := range [][]string{nil, {"UserName", "admin"}} {
			admin.refused(404, "NoSuchEntity", none, "DeleteAccessKey", append(user, "AccessKeyId", key)...)
			admin.refused(404, "NoSuchEntity", none, "UpdateAccessKey", append(user, "AccessKeyId", key, "Status", "Inactive")...)
		}
	}
	admin.refused(404, "NoSuchEntity", "The Access Key with id "+root+" cannot be found.", "GetAccessKeyLastUsed", "AccessKeyId", root)
	admin.refused(404, "NoSuchEntity", "The user with name root cannot be found.", "CreateAccessKey", "UserName", "root")
	if status, code, _ := admin.try("ListAccessKeys", "UserName", ""); status != 400 || code != "ValidationError" {
		t.Errorf("an empty user name: %d %s", status, code)
	}
	e.do("ListAccessKeys").has("AccessKeyId", root, "Status", "Active").lacks("UserName")
}

func TestRootKeys(t *testing.T) {
	e := start(t)
	last := "Cannot take away the last active access key of the root user: create another one first."
	e.refused(409, "DeleteConflict", last, "DeleteAccessKey", "AccessKeyId", e.Root.AccessKeyID)
	e.refused(409, "DeleteConflict", last, "UpdateAccessKey", "AccessKeyId", e.Root.AccessKeyID, "Status", "Inactive")
	second := e.as(e.key())
	second.do("ListRoles")
	second.do("UpdateAccessKey", "AccessKeyId", e.Root.AccessKeyID, "Status", "Inactive")
	second.refused(409, "DeleteConflict", last, "DeleteAccessKey", "AccessKeyId", second.keys.AccessKeyID)
	second.do("DeleteAccessKey", "AccessKeyId", e.Root.AccessKeyID)
	if status, _, _ := e.try("ListRoles"); status != 403 {
		t.Errorf("a deleted root key: %d", status)
	}
}

func TestAccessKeyLastUsed(t *testing.T) {
	e := start(t)
	bob := e.user("bob", allow("iam:GetUser", "*", ""))
	e.do("GetAccessKeyLastUsed", "AccessKeyId", bob.keys.AccessKeyID).has("UserName", "bob", "ServiceName", "N/A", "Region", "N/A").lacks("LastUsedDate")
	bob.do("GetUser")
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) { // reads are audited through the local log
		r := e.do("GetAccessKeyLastUsed", "AccessKeyId", bob.keys.AccessKeyID)
		if r.one("ServiceName") == "iam" {
			r.has("Region", "eu-central-1", "UserName", "bob").one("LastUsedDate")
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the key's use does not show: %s", r.body)
		}
	}
	bob.denied(arnOf("user/bob"), "iam:GetAccessKeyLastUsed", arnOf("user/bob"), "GetAccessKeyLastUsed", "AccessKeyId", bob.keys.AccessKeyID)
	bob.denied(arnOf("user/bob"), "iam:GetAccessKeyLastUsed", arnOf("user/"), "GetAccessKeyLastUsed", "AccessKeyId", e.Root.AccessKeyID)
	e.refused(404, "NoSuchEntity", "The Access Key with id AKIAAAAAAAAAAAAAAAAA cannot be found.", "GetAccessKeyLastUsed", "AccessKeyId", "AKIAAAAAAAAAAAAAAAAA")
}
