package rolesanywhere

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/awspolicy"
)

func allow(action, resource string, condition ...string) string {
	return statement("Allow", action, resource, condition...)
}

func deny(action, resource string, condition ...string) string {
	return statement("Deny", action, resource, condition...)
}

func statement(effect, action, resource string, condition ...string) string {
	s := `{"Effect":"` + effect + `","Action":"` + action + `","Resource":"` + resource + `"`
	if len(condition) > 0 {
		s += `,"Condition":` + condition[0]
	}
	return s + "}"
}

// call is one operation as a request.
type rigCall struct {
	op, method, path string
	body             any
	resource         string // as its denial names it
}

// everyOperation makes resources and returns a request that works for each operation.
func everyOperation(t *testing.T, rig *controlRig) []rigCall {
	ca := newRigCA(t, "Root")
	anchor := rig.anchor(ca.pem, nil)
	profile := rig.profile(nil)
	data := ca.crl(t)
	crl := rig.send(rig.root, "POST", "/crls", object{"name": "c", "crlData": data, "trustAnchorArn": anchor["trustAnchorArn"]}).ok(201, "crl")
	subject := rig.putSubject(rigRegion, "CN=worker", time.Now())
	a, p, c := anchor["trustAnchorId"].(string), profile["profileId"].(string), crl["crlId"].(string)
	aARN, pARN, cARN := anchor["trustAnchorArn"].(string), profile["profileArn"].(string), crl["crlArn"].(string)
	sARN := "arn:aws:rolesanywhere:eu-central-1:123456789012:subject/" + subject
	every := func(kind string) string { return "arn:aws:rolesanywhere:eu-central-1:123456789012:" + kind + "/*" }
	return []rigCall{
		{"CreateTrustAnchor", "POST", "/trustanchors", object{"name": "a", "source": bundleSource(ca.pem)}, every("trust-anchor")},
		{"GetTrustAnchor", "GET", "/trustanchor/" + a, nil, aARN},
		{"UpdateTrustAnchor", "PATCH", "/trustanchor/" + a, object{}, aARN},
		{"EnableTrustAnchor", "POST", "/trustanchor/" + a + "/enable", nil, aARN},
		{"DisableTrustAnchor", "POST", "/trustanchor/" + a + "/disable", nil, aARN},
		{"ListTrustAnchors", "GET", "/trustanchors", nil, every("trust-anchor")},
		{"PutNotificationSettings", "PATCH", "/put-notifications-settings", object{"trustAnchorId": a, "notificationSettings": []any{}}, aARN},
		{"ResetNotificationSettings", "PATCH", "/reset-notifications-settings", object{"trustAnchorId": a, "notificationSettingKeys": []any{}}, aARN},
		{"CreateProfile", "POST", "/profiles", object{"name": "p", "roleArns": []string{roleA}}, every("profile")},
		{"GetProfile", "GET", "/profile/" + p, nil, pARN},
		{"UpdateProfile", "PATCH", "/profile/" + p, object{}, pARN},
		{"EnableProfile", "POST", "/profile/" + p + "/enable", nil, pARN},
		{"DisableProfile", "POST", "/profile/" + p + "/disable", nil, pARN},
		{"ListProfiles", "GET", "/profiles", nil, every("profile")},
		{"PutAttributeMapping", "PUT", "/profiles/" + p + "/mappings", mappingJSON("x509SAN", "DNS"), pARN},
		{"DeleteAttributeMapping", "DELETE", "/profiles/" + p + "/mappings?certificateField=x509SAN", nil, pARN},
		{"ImportCrl", "POST", "/crls", object{"name": "c", "crlData": data, "trustAnchorArn": aARN}, every("crl")},
		{"GetCrl", "GET", "/crl/" + c, nil, cARN},
		{"UpdateCrl", "PATCH", "/crl/" + c, object{}, cARN},
		{"EnableCrl", "POST", "/crl/" + c + "/enable", nil, cARN},
		{"DisableCrl", "POST", "/crl/" + c + "/disable", nil, cARN},
		{"ListCrls", "GET", "/crls", nil, every("crl")},
		{"GetSubject", "GET", "/subject/" + subject, nil, sARN},
		{"ListSubjects", "GET", "/subjects", nil, every("subject")},
		{"TagResource", "POST", "/TagResource", object{"resourceArn": sARN, "tags": tagObjects("a", "b")}, sARN},
		{"UntagResource", "POST", "/UntagResource", object{"resourceArn": pARN, "tagKeys": []string{"a"}}, pARN},
		{"ListTagsForResource", "GET", "/ListTagsForResource?resourceArn=" + url.QueryEscape(cARN), nil, "*"},
		{"DeleteCrl", "DELETE", "/crl/" + c, nil, cARN},
		{"DeleteProfile", "DELETE", "/profile/" + p, nil, pARN},
		{"DeleteTrustAnchor", "DELETE", "/trustanchor/" + a, nil, aARN},
	}
}

// TestEveryOperationAsksForItsPermission calls each operation as a user who may do nothing, and as one who may do just
// that on just that resource.
func TestEveryOperationAsksForItsPermission(t *testing.T) {
	rig := newControlRig(t, Quotas{})
	calls := everyOperation(t, rig)
	if len(calls) != 30 {
		t.Fatalf("%d operations are tried, want 30", len(calls))
	}
	nobody := rig.user("nobody", allow("s3:*", "*"))
	for _, c := range calls {
		rig.send(nobody, c.method, c.path, c.body).denied("User: arn:aws:iam::123456789012:user/nobody is not authorized to perform: rolesanywhere:" + c.op + " on resource: " + c.resource + " because no identity-based policy allows the rolesanywhere:" + c.op + " action")
		one := rig.user("only"+c.op, allow("rolesanywhere:"+c.op, c.resource), allow("iam:PassRole", roleA))
		if a := rig.send(one, c.method, c.path, c.body); a.status/100 != 2 {
			t.Errorf("%s: got %d %s %q for a user who is allowed it", c.op, a.status, a.code, a.text)
		}
	}
}

// AWS's managed policies for the service allow what they are for, and not more.
func TestManagedPoliciesOfTheService(t *testing.T) {
	rig := newControlRig(t, Quotas{})
	calls := everyOperation(t, rig)
	full := rig.user("full", managedStatements(t, "AWSRolesAnywhereFullAccess")...)
	read := rig.user("read", managedStatements(t, "AWSRolesAnywhereReadOnly")...)
	for _, c := range calls {
		a := rig.send(read, c.method, c.path, c.body)
		if reads := strings.HasPrefix(c.op, "Get") || strings.HasPrefix(c.op, "List"); (a.status/100 == 2) != reads {
			t.Errorf("%s with AWSRolesAnywhereReadOnly: %d %s", c.op, a.status, a.text)
		}
	}
	for _, c := range calls {
		if a := rig.send(full, c.method, c.path, c.body); a.status/100 != 2 {
			t.Errorf("%s with AWSRolesAnywhereFullAccess: %d %s", c.op, a.status, a.text)
		}
	}
}

// managedStatements are the statements of one of AWS's policies.
func managedStatements(t *testing.T, name string) []string {
	t.Helper()
	p := awspolicy.Get(name)
	if p == nil {
		t.Fatalf("%s is not embedded", name)
	}
	var doc struct{ Statement []json.RawMessage }
	if err := json.Unmarshal([]byte(p.Document), &doc); err != nil {
		t.Fatal(err)
	}
	out := make([]string, len(doc.Statement))
	for i, s := range doc.Statement {
		out[i] = string(s)
	}
	return out
}

func TestDenialComesBeforeNotFound(t *testing.T) {
	rig := newControlRig(t, Quotas{})
	nobody := rig.user("nobody", allow("s3:*", "*"))
	for _, c := range [][2]string{{"GET", "/trustanchor/"}, {"DELETE", "/profile/"}, {"GET", "/crl/"}, {"GET", "/subject/"}} {
		rig.send(nobody, c[0], c[1]+noID, nil).denied("not authorized")
	}
	rig.send(nobody, "POST", "/profile/"+noID+"/enable", nil).denied("rolesanywhere:EnableProfile")
	rig.send(rig.user("some", allow("rolesanywhere:*", "*")), "POST", "/profile/"+noID+"/enable", nil).missing()
	rig.send(nobody, "POST", "/profiles", object{"name": "p", "roleArns": []string{"arn:aws:iam::1:role/bad"}}).denied("rolesanywhere:CreateProfile")
}

func TestPassRole(t *testing.T) {
	rig := newControlRig(t, Quotas{})
	service := `{"StringEquals":{"iam:PassedToService":"rolesanywhere.amazonaws.com"}}`
	reader := rig.user("reader", allow("rolesanywhere:*", "*"), allow("iam:PassRole", roleA, service))
	other := rig.user("other", allow("rolesanywhere:*", "*"), allow("iam:PassRole", "*", `{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}`))
	create := func(k rigKey, roles ...string) *rigAnswer {
		return rig.send(k, "POST", "/profiles", object{"name": "p", "roleArns": roles})
	}
	const refusal = "is not authorized to perform: iam:PassRole on resource: "
	made := create(reader, roleA).ok(201, "profile")
	if made["createdBy"] != "arn:aws:iam::123456789012:user/reader" {
		t.Errorf("createdBy %v", made["createdBy"])
	}
	create(reader, []string{}...).ok(201, "profile")
	create(reader, roleA, roleB).denied(refusal + roleB)
	create(other, roleA).denied(refusal + roleA)
	path := "/profile/" + made["profileId"].(string)
	rig.send(reader, "PATCH", path, object{"roleArns": []string{roleB}}).denied(refusal + roleB)
	rig.send(reader, "PATCH", path, object{"name": "mine"}).ok(200, "profile")
	// A profile that lists roles one may not pass can neither be changed nor enabled, but disabled.
	rig.send(rig.root, "PATCH", path, object{"roleArns": []string{roleA, roleB}}).ok(200, "profile")
	rig.send(reader, "PATCH", path, object{"durationSeconds": 43200}).denied(refusal + roleB)
	rig.send(reader, "POST", path+"/enable", nil).denied(refusal + roleB)
	rig.send(reader, "POST", path+"/disable", nil).ok(200, "profile")
	rig.send(reader, "PATCH", path, object{"roleArns": []string{roleA}}).ok(200, "profile")
	rig.send(reader, "POST", path+"/enable", nil).ok(200, "profile")
	// Nobody passes another account's roles, not even with "*".
	all := rig.user("all", allow("*", "*"))
	create(all, "arn:aws:iam::210987654321:role/x").denied("Cross-account pass role is not allowed.")
	bound := rig.user("bound", allow("rolesanywhere:*", "*"), allow("iam:PassRole", "*", `{"ArnEquals":{"iam:AssociatedResourceArn":"`+made["profileArn"].(string)+`"}}`))
	rig.send(bound, "POST", path+"/enable", nil).ok(200, "profile")
	create(bound, roleA).denied(refusal + roleA)
}

func TestTagConditions(t *testing.T) {
	rig := newControlRig(t, Quotas{})
	ca := newRigCA(t, "Root")
	body := func(tags ...string) object {
		return object{"name": "a", "source": bundleSource(ca.pem), "tags": tagObjects(tags...)}
	}
	create := func(k rigKey, tags ...string) *rigAnswer { return rig.send(k, "POST", "/trustanchors", body(tags...)) }
	blueOnly := `{"StringEquals":{"aws:RequestTag/team":"blue"},"ForAllValues:StringEquals":{"aws:TagKeys":["team","note"]}}`
	maker := rig.user("maker", allow("rolesanywhere:CreateTrustAnchor", "*", blueOnly), allow("rolesanywhere:TagResource", "arn:aws:rolesanywhere:*:123456789012:trust-anchor/*"))
	blue := create(maker, "team", "blue", "note", "x").ok(201, "trustAnchor")
	create(maker, "team", "red").denied("rolesanywhere:CreateTrustAnchor")
	create(maker).denied("rolesanywhere:CreateTrustAnchor")
	create(maker, "team", "blue", "more", "x").denied("rolesanywhere:CreateTrustAnchor")
	// Tag keys that differ in case only cannot pass for one another.
	create(maker, "team", "blue", "Team", "red").denied("rolesanywhere:CreateTrustAnchor")

	untagged := rig.user("untagged", allow("rolesanywhere:Create*", "*"), allow("rolesanywhere:ImportCrl", "*"))
	create(untagged).ok(201, "trustAnchor")
	create(untagged, "a", "b").denied("rolesanywhere:TagResource on resource: arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/*")
	rig.send(untagged, "POST", "/profiles", object{"name": "p", "roleArns": []any{}, "tags": tagObjects("a", "b")}).denied("rolesanywhere:TagResource", ":profile/*")
	rig.send(untagged, "POST", "/crls", object{"name": "p", "crlData": ca.crl(t), "trustAnchorArn": blue["trustAnchorArn"], "tags": tagObjects("a", "b")}).denied("rolesanywhere:TagResource", ":crl/*")

	red := create(rig.root, "team", "red").ok(201, "trustAnchor")
	both := create(rig.root, "team", "blue", "TEAM", "red").ok(201, "trustAnchor")
	bluer := rig.user("bluer", allow("rolesanywhere:*", "*", `{"StringEquals":{"aws:ResourceTag/team":"blue"}}`))
	get := func(k rigKey, a object) *rigAnswer {
		return rig.send(k, "GET", "/trustanchor/"+a["trustAnchorId"].(string), nil)
	}
	get(bluer, blue).ok(200, "trustAnchor")
	get(bluer, red).denied("rolesanywhere:GetTrustAnchor")
	get(bluer, both).denied("rolesanywhere:GetTrustAnchor")
	rig.send(bluer, "GET", "/trustanchor/"+noID, nil).denied("rolesanywhere:GetTrustAnchor")
	guarded := rig.user("guarded", allow("rolesanywhere:*", "*"), deny("*", "*", `{"StringEquals":{"aws:ResourceTag/team":"red"}}`))
	get(guarded, blue).ok(200, "trustAnchor")
	get(guarded, red).denied("with an explicit deny in an identity-based policy")
	get(guarded, both).denied("with an explicit deny in an identity-based policy")

	// One may not tag oneself into a resource, nor untag what guards it.
	tagger := rig.user("tagger", allow("rolesanywhere:TagResource", "*", `{"StringEquals":{"aws:RequestTag/note":"x","aws:ResourceTag/team":"blue"}}`),
		allow("rolesanywhere:UntagResource", "*", `{"ForAllValues:StringEquals":{"aws:TagKeys":["note"]}}`))
	tag := func(a object, pairs ...string) *rigAnswer {
		return rig.send(tagger, "POST", "/TagResource", object{"resourceArn": a["trustAnchorArn"], "tags": tagObjects(pairs...)})
	}
	untag := func(keys ...string) *rigAnswer {
		return rig.send(tagger, "POST", "/UntagResource", object{"resourceArn": blue["trustAnchorArn"], "tagKeys": keys})
	}
	tag(blue, "note", "x").ok(201, "")
	tag(blue, "note", "y").denied("rolesanywhere:TagResource")
	tag(red, "note", "x").denied("rolesanywhere:TagResource")
	untag("note").ok(200, "")
	untag("note", "team").denied("rolesanywhere:UntagResource on resource: " + blue["trustAnchorArn"].(string))
}

func TestUnsignedAndStrangeKeys(t *testing.T) {
	rig := newControlRig(t, Quotas{})
	res, err := rig.srv.Client().Get(rig.srv.URL + "/trustanchors")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 403 || !strings.Contains(res.Header.Get("X-Amzn-Errortype"), "MissingAuthenticationToken") {
		t.Errorf("unsigned: %d %s", res.StatusCode, res.Header.Get("X-Amzn-Errortype"))
	}
	wrong := rig.root
	wrong.secret += "x"
	rig.send(wrong, "GET", "/trustanchors", nil).fails(403, "InvalidSignatureException")
}
