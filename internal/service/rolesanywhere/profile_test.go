package rolesanywhere

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const allowAllPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

// mappingJSON is how a profile shows one field's rules.
func mappingJSON(field string, specifiers ...string) object {
	rules := []any{}
	for _, s := range specifiers {
		rules = append(rules, object{"specifier": s})
	}
	return object{"certificateField": field, "mappingRules": rules}
}

func defaultMappingsJSON() []any {
	return []any{mappingJSON("x509Issuer", "*"), mappingJSON("x509SAN", "DNS", "URI", "Name/*"), mappingJSON("x509Subject", "*")}
}

func TestProfileLife(t *testing.T) {
	rig := newControlRig(t, Quotas{})
	made := rig.send(rig.root, "POST", "/profiles", object{"name": "bare", "roleArns": []string{}}).ok(201, "profile")
	id := made["profileId"].(string)
	want := object{
		"profileId": id, "profileArn": "arn:aws:rolesanywhere:eu-central-1:123456789012:profile/" + id, "name": "bare",
		"requireInstanceProperties": false, "enabled": false, "createdBy": "arn:aws:iam::123456789012:root",
		"roleArns": []any{}, "managedPolicyArns": []any{}, "durationSeconds": 3600.0, "acceptRoleSessionName": false,
		"createdAt": made["createdAt"], "updatedAt": made["createdAt"], "attributeMappings": defaultMappingsJSON(),
	}
	if d := cmp.Diff(want, made); d != "" {
		t.Errorf("CreateProfile (-want +got):\n%s", d)
	}
	get := func() object { return rig.send(rig.root, "GET", "/profile/"+id, nil).ok(200, "profile") }
	if d := cmp.Diff(made, get()); d != "" {
		t.Errorf("GetProfile (-created +got):\n%s", d)
	}
	patch := func(o object) object { return rig.send(rig.root, "PATCH", "/profile/"+id, o).ok(200, "profile") }
	got := patch(object{
		"name": "full", "roleArns": []string{roleB, roleA}, "sessionPolicy": allowAllPolicy, "durationSeconds": 900, "acceptRoleSessionName": true,
		"managedPolicyArns": []string{"arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::123456789012:policy/a/b"},
	})
	full := object{
		"name": "full", "roleArns": []any{roleB, roleA}, "sessionPolicy": allowAllPolicy, "durationSeconds": 900.0, "acceptRoleSessionName": true,
		"managedPolicyArns": []any{"arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::123456789012:policy/a/b"},
	}
	for k, v := range full {
		want[k] = v
	}
	want["updatedAt"] = got["updatedAt"]
	if d := cmp.Diff(want, got); d != "" || got["updatedAt"] == made["updatedAt"] {
		t.Errorf("UpdateProfile (-want +got):\n%s", d)
	}
	// What is left out stays; an empty list empties.
	got = patch(object{"durationSeconds": 43200})
	want["durationSeconds"], want["updatedAt"] = 43200.0, got["updatedAt"]
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("partial UpdateProfile (-want +got):\n%s", d)
	}
	got = patch(object{"roleArns": []string{}, "managedPolicyArns": []string{}})
	want["roleArns"], want["managedPolicyArns"], want["updatedAt"] = []any{}, []any{}, got["updatedAt"]
	if d := cmp.Diff(want, get()); d != "" {
		t.Errorf("emptied (-want +got):\n%s", d)
	}
	for action, enabled := range map[string]bool{"enable": true, "disable": false} {
		if got := rig.send(rig.root, "POST", "/profile/"+id+"/"+action, nil).ok(200, "profile"); got["enabled"] != enabled || get()["enabled"] != enabled {
			t.Errorf("%s: got enabled %v", action, got["enabled"])
		}
	}
	list := rig.send(rig.root, "GET", "/profiles", nil).ok(200, "")
	if d := cmp.Diff([]any{get()}, list["profiles"]); d != "" {
		t.Errorf("ListProfiles: %s", d)
	}
	last := get()
	if d := cmp.Diff(last, rig.send(rig.root, "DELETE", "/profile/"+id, nil).ok(200, "profile")); d != "" {
		t.Errorf("DeleteProfile answers another object:\n%s", d)
	}
	for _, c := range [][2]string{{"GET", ""}, {"DELETE", ""}, {"PATCH", ""}, {"POST", "/enable"}, {"POST", "/disable"}} {
		rig.send(rig.root, c[0], "/profile/"+id+c[1], object{}).missing()
	}
}

func TestProfileKeepsWhatItWasMadeWith(t *testing.T) {
	rig := newControlRig(t, Quotas{})
	many := []string{}
	for i := range 250 {
		many = append(many, fmt.Sprintf("arn:aws:iam::123456789012:role/r%d", i))
	}
	got := rig.profile(object{"roleArns": many, "enabled": true, "requireInstanceProperties": true, "durationSeconds": 43200, "acceptRoleSessionName": true, "sessionPolicy": allowAllPolicy})
	if len(got["roleArns"].([]any)) != 250 || got["enabled"] != true || got["requireInstanceProperties"] != true || got["durationSeconds"] != 43200.0 || got["acceptRoleSessionName"] != true || got["sessionPolicy"] != allowAllPolicy {
		t.Errorf("got %v", got)
	}
}

func TestProfileRefusals(t *testing.T) {
	rig := newControlRig(t, Quotas{})
	many := make([]string, 251)
	for i := range many {
		many[i] = roleA
	}
	made := rig.profile(nil)
	path := "/profile/" + made["profileId"].(string)
	for _, c := range []struct {
		name string
		with object
		want string
	}{
		{"short", object{"durationSeconds": 899}, "'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900"},
		{"long", object{"durationSeconds": 43201}, "less than or equal to 43200"},
		{"251 roles", object{"roleArns": many}, "'roleArns'"},
		{"no role ARN", object{"roleArns": []string{"reader"}}, "'roleArns'"},
		{"a user", object{"roleArns": []string{"arn:aws:iam::123456789012:user:role/x"}}, "Invalid role ARN"},
		{"a role with a region", object{"roleArns": []string{"arn:aws:iam:eu-central-1:123456789012:role/x"}}, "Invalid role ARN"},
		{"a role without an account", object{"roleArns": []string{"arn:aws:iam:::role/x"}}, "Invalid role ARN"},
		{"a role without a name", object{"roleArns": []string{"arn:aws:iam::123456789012:role/x/"}}, "Invalid role ARN"},
		{"a role of another partition", object{"roleArns": []string{"arn:aws-cn:iam::123456789012:role/x"}}, "partition aws"},
		{"policy of another account", object{"managedPolicyArns": []string{"arn:aws:iam::210987654321:policy/x"}}, "Invalid managed policy ARN"},
		{"policy that is a role", object{"managedPolicyArns": []string{roleA}}, "Invalid managed policy ARN"},
		{"policy without a name", object{"managedPolicyArns": []string{"arn:aws:iam::aws:policy/"}}, "Invalid managed policy ARN"},
		{"51 policies", object{"managedPolicyArns": make([]string, 51)}, "'managedPolicyArns'"},
		{"session policy is no JSON", object{"sessionPolicy": "{"}, "Malformed session policy"},
		{"session policy with a principal", object{"sessionPolicy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`}, "Malformed session policy"},
		{"session policy too long", object{"sessionPolicy": allowAllPolicy + strings.Repeat(" ", 100_000)}, "'sessionPolicy'"},
		{"name", object{"name": "a.b"}, "'name'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := object{"name": "p", "roleArns": []string{roleA}}
			for k, v := range c.with {
				body[k] = v
			}
			rig.send(rig.root, "POST", "/profiles", body).invalid(c.want)
			rig.send(rig.root, "PATCH", path, c.with).invalid(c.want)
		})
	}
	rig.send(rig.root, "POST", "/profiles", object{"name": "p"}).invalid("Value null at 'roleArns'")
	// The root of an account cannot hand out roles of another one either.
	rig.send(rig.root, "POST", "/profiles", object{"name": "p", "roleArns": []string{"arn:aws:iam::210987654321:role/x"}}).denied("iam:PassRole")
	if d := cmp.Diff(made, rig.send(rig.root, "GET", path, nil).ok(200, "profile")); d != "" {
		t.Errorf("refused updates left a trace:\n%s", d)
	}
	if n := len(rig.send(rig.root, "GET", "/profiles", nil).ok(200, "")["profiles"].([]any)); n != 1 {
		t.Errorf("refused creations left %d profiles", n-1)
	}
}

func TestAttributeMappings(t *testing.T) {
	rig := newControlRig(t, Quotas{})
	id := rig.profile(nil)["profileId"].(string)
	path := "/profiles/" + id + "/mappings"
	put := func(m object) *rigAnswer { return rig.send(rig.root, "PUT", path, m) }
	del := func(query string) *rigAnswer {
		return rig.send(rig.root, "DELETE", path+"?certificateField="+query, nil)
	}
	check := func(what string, got object, want ...any) {
		t.Helper()
		if d := cmp.Diff(append([]any{}, want...), got["attributeMappings"]); d != "" {
			t.Errorf("%s (-want +got):\n%s", what, d)
		}
		stored := rig.send(rig.root, "GET", "/profile/"+id, nil).ok(200, "profile")
		if d := cmp.Diff(stored, got); d != "" {
			t.Errorf("%s: answered and stored differ:\n%s", what, d)
		}
	}
	defaults := defaultMappingsJSON()
	check("replacing one field", put(mappingJSON("x509Issuer", "o", "2.5.4.3", "O")).ok(200, "profile"), mappingJSON("x509Issuer", "O", "2.5.4.3"), defaults[1], defaults[2])
	check("replacing again", put(mappingJSON("x509Issuer", "CN", "OU")).ok(200, "profile"), mappingJSON("x509Issuer", "CN", "OU"), defaults[1], defaults[2])
	check("Name in short", put(mappingJSON("x509SAN", "Name", "DNS", "Name/")).ok(200, "profile"), mappingJSON("x509Issuer", "CN", "OU"), mappingJSON("x509SAN", "Name/*", "DNS"), defaults[2])
	check("one specifier less", del("x509Issuer&specifiers=OU").ok(200, "profile"), mappingJSON("x509Issuer", "CN"), mappingJSON("x509SAN", "Name/*", "DNS"), defaults[2])
	check("the same again", del("x509Issuer&specifiers=OU").ok(200, "profile"), mappingJSON("x509Issuer", "CN"), mappingJSON("x509SAN", "Name/*", "DNS"), defaults[2])
	check("two specifiers", del("x509SAN&specifiers=Name&specifiers=DNS").ok(200, "profile"), mappingJSON("x509Issuer", "CN"), defaults[2])
	check("the last specifier", del("x509Issuer&specifiers=cn").ok(200, "profile"), defaults[2])
	del("x509Subject&specifiers=CN").invalid("stays mapped by *")
	check("a whole field", del("x509Subject").ok(200, "profile"))
	check("a field that is gone", del("x509Subject").ok(200, "profile"))
	check("the order of the defaults", put(mappingJSON("x509Subject", "*")).ok(200, "profile"), defaults[2])
	check("in front", put(mappingJSON("x509Issuer", "*")).ok(200, "profile"), defaults[0], defaults[2])
	check("between", put(mappingJSON("x509SAN", "DNS", "URI", "Name/*")).ok(200, "profile"), defaults...)
	del("x509SAN&specifiers=Name/CN").invalid("stays mapped by Name/*")
	check("a SAN", del("x509SAN&specifiers=URI").ok(200, "profile"), defaults[0], mappingJSON("x509SAN", "DNS", "Name/*"), defaults[2])
	before := rig.send(rig.root, "GET", "/profile/"+id, nil).ok(200, "profile")
	for _, m := range []object{
		mappingJSON("x509Issuer"), mappingJSON("x509Issuer", ""), mappingJSON("x509Issuer", "Bogus"), mappingJSON("x509SAN", "*"), mappingJSON("x509SAN", "DNS/*"),
		mappingJSON("x509Other", "CN"), mappingJSON("x509Issuer", strings.Repeat("C", 61)), {"certificateField": "x509Issuer"},
	} {
		put(m).invalid()
	}
	del("x509Subject&specifiers=Bogus").invalid("Bogus")
	del("x509Other").invalid("certificateField")
	rig.send(rig.root, "DELETE", path, nil).invalid("certificateField")
	if d := cmp.Diff(before, rig.send(rig.root, "GET", "/profile/"+id, nil).ok(200, "profile")); d != "" {
		t.Errorf("refusals left a trace:\n%s", d)
	}
	path = "/profiles/" + noID + "/mappings"
	put(mappingJSON("x509Issuer", "CN")).missing()
	del("x509Issuer").missing()
}
