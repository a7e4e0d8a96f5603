package rolesanywhere

import (
	"os"
	"strings"
	"testing"
)

// The policy of docs/revocation.md keeps an administrator from the settings of trust anchors, and from nothing else.
func TestSettingsAreGuardedByThePolicyOfTheDocument(t *testing.T) {
	page, err := os.ReadFile("../../../docs/revocation.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```json\n")
	guard, _, ok := strings.Cut(rest, "```")
	if !ok || !strings.Contains(guard, "rolecall:*") {
		t.Fatalf("no policy in the page: %q", guard)
	}
	rig := newControlRig(t, Quotas{})
	ca := newRigCA(t, "Root")
	admin := rig.user("admin", allow("*", "*"), guard)
	create := func(k rigKey, tags ...string) *rigAnswer {
		return rig.send(k, "POST", "/trustanchors", object{"name": "a", "source": bundleSource(ca.pem), "tags": tagObjects(tags...)})
	}
	const refusal = "with an explicit deny in an identity-based policy"
	create(admin, "rolecall:revocation-failure", "soft").denied(refusal)
	create(admin, "team", "blue", "rolecall:end-sessions", "false").denied(refusal)
	anchor := create(admin, "team", "blue").ok(201, "trustAnchor")["trustAnchorArn"]
	tag := func(k rigKey, pairs ...string) *rigAnswer {
		return rig.send(k, "POST", "/TagResource", object{"resourceArn": anchor, "tags": tagObjects(pairs...)})
	}
	untag := func(k rigKey, keys ...string) *rigAnswer {
		return rig.send(k, "POST", "/UntagResource", object{"resourceArn": anchor, "tagKeys": keys})
	}
	tag(rig.root, "rolecall:end-sessions", "true").ok(201, "")
	tag(admin, "rolecall:end-sessions", "false").denied(refusal)
	tag(admin, "note", "x", "rolecall:revocation-check", "crl").denied(refusal)
	untag(admin, "rolecall:end-sessions").denied(refusal)
	untag(admin, "team", "rolecall:end-sessions").denied(refusal)
	tag(admin, "note", "x").ok(201, "")
	untag(admin, "note").ok(200, "")
	// No other spelling of the key is a setting.
	tag(admin, "Rolecall:end-sessions", "false").fails(400, "ValidationException")
}
