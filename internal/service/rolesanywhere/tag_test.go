package rolesanywhere

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTags(t *testing.T) {
	rig := newControlRig(t, Quotas{})
	ca := newRigCA(t, "Root")
	anchor := rig.anchor(ca.pem, object{"tags": tagObjects("made", "1", "empty", "")})
	profile := rig.profile(object{"tags": tagObjects("made", "1", "empty", "")})
	crl := rig.send(rig.root, "POST", "/crls", object{"name": "c", "crlData": ca.crl(t), "trustAnchorArn": anchor["trustAnchorArn"], "tags": tagObjects("made", "1", "empty", "")}).ok(201, "crl")
	for _, resource := range []any{anchor["trustAnchorArn"], profile["profileArn"], crl["crlArn"]} {
		name := resource.(string)
		tags := func() any {
			t.Helper()
			return rig.send(rig.root, "GET", "/ListTagsForResource?resourceArn="+url.QueryEscape(name), nil).ok(200, "")["tags"]
		}
		check := func(pairs ...string) {
			t.Helper()
			want := []any{}
			for i := 0; i < len(pairs); i += 2 {
				want = append(want, object{"key": pairs[i], "value": pairs[i+1]})
			}
			if d := cmp.Diff(any(want), tags()); d != "" {
				t.Errorf("%s (-want +got):\n%s", name, d)
			}
		}
		check("made", "1", "empty", "")
		tag := func(pairs ...string) *rigAnswer {
			return rig.send(rig.root, "POST", "/TagResource", object{"resourceArn": name, "tags": tagObjects(pairs...)})
		}
		if got := tag("made", "2", "Made", "case counts").ok(201, ""); len(got) != 0 {
			t.Errorf("TagResource answers %v, want {}", got)
		}
		check("made", "2", "empty", "", "Made", "case counts")
		tag("AWS:x", "1").invalid("aws: prefixed tag key names are not allowed")
		tag("a", "1", "a", "2").invalid("Duplicate tag keys")
		tag("", "1").invalid("tags.1.member.key")
		tag("semi;colon", "1").invalid("tags.1.member.key")
		tag().ok(201, "")
		if got := rig.send(rig.root, "POST", "/UntagResource", object{"resourceArn": name, "tagKeys": []string{"made", "absent"}}).ok(200, ""); len(got) != 0 {
			t.Errorf("UntagResource answers %v, want {}", got)
		}
		check("empty", "", "Made", "case counts")
		// 50 in all, replaced ones counted once.
		many := []string{"empty", "x"}
		for i := range 48 {
			many = append(many, fmt.Sprintf("k%d", i), "v")
		}
		tag(many...).ok(201, "")
		tag("one", "more").fails(400, "TooManyTagsException", "50")
		tag(append(many, "one", "more", "and", "another")...).fails(400, "TooManyTagsException", "50")
		tag("k0", "replaced").ok(201, "")
		if n := len(tags().([]any)); n != 50 {
			t.Errorf("%d tags, want 50", n)
		}
	}
	before := rig.send(rig.root, "GET", "/trustanchor/"+anchor["trustAnchorId"].(string), nil).ok(200, "trustAnchor")
	if before["updatedAt"] != anchor["updatedAt"] {
		t.Error("tagging counts as an update")
	}
	for _, body := range []object{
		{"name": "x", "roleArns": []string{}, "tags": tagObjects("aws:x", "1")},
		{"name": "x", "roleArns": []string{}, "tags": tagObjects("a", "1", "a", "1")},
	} {
		rig.send(rig.root, "POST", "/profiles", body).invalid()
	}
}

func TestTagsOfWhatIsNotThere(t *testing.T) {
	rig := newControlRig(t, Quotas{})
	made := rig.anchor(newRigCA(t, "Root").pem, nil)
	id := made["trustAnchorId"].(string)
	try := func(name string, check func(*rigAnswer)) {
		t.Helper()
		check(rig.send(rig.root, "POST", "/TagResource", object{"resourceArn": name, "tags": tagObjects("a", "b")}))
		check(rig.send(rig.root, "POST", "/UntagResource", object{"resourceArn": name, "tagKeys": []string{"a"}}))
		check(rig.send(rig.root, "GET", "/ListTagsForResource?resourceArn="+url.QueryEscape(name), nil))
	}
	for _, name := range []string{
		"arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/" + noID,
		"arn:aws:rolesanywhere:eu-central-1:123456789012:profile/" + id,
		"arn:aws:rolesanywhere:eu-central-1:123456789012:crl/" + id,
		"arn:aws:rolesanywhere:eu-central-1:123456789012:subject/" + id,
		"arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/" + id,
		"arn:aws:rolesanywhere:eu-central-1:210987654321:trust-anchor/" + id,
		"arn:aws-cn:rolesanywhere:eu-central-1:123456789012:trust-anchor/" + id,
		"arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/*",
	} {
		try(name, func(a *rigAnswer) { t.Helper(); a.missing() })
	}
	for _, name := range []string{
		"hello", roleA, "arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor", "arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/",
		"arn:aws:rolesanywhere:eu-central-1:123456789012:thing/" + id,
	} {
		try(name, func(a *rigAnswer) { t.Helper(); a.invalid("Invalid resource ARN") })
	}
}
