package pcaconnectorad_test

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall/rolecall/internal/adtemplate"
)

// TestPresetsComeBack: every predefined template is taken and read back as it was given.
func TestPresetsComeBack(t *testing.T) {
	r := newRig(t)
	connector := r.ready()
	oids := map[string]bool{}
	for _, p := range adtemplate.Predefined {
		d := definition(t, p.Name)
		name := r.ok(200, "POST", "/templates", object{"ConnectorArn": connector, "Name": p.Name, "Definition": d})["TemplateArn"].(string)
		got := r.ok(200, "GET", "/templates/"+escape(name), nil)["Template"].(object)
		if diff := cmp.Diff(d, got["Definition"]); diff != "" {
			t.Errorf("%s: %s", p.Name, diff)
		}
		oid := got["ObjectIdentifier"].(string)
		if !regexp.MustCompile(`^1\.3\.6\.1\.4\.1\.311\.21\.8(\.[0-9]{1,8}){7}$`).MatchString(oid) || len(oid) > 64 || adtemplate.CheckOID(oid) != nil || oids[oid] {
			t.Errorf("%s has the object identifier %s", p.Name, oid)
		}
		oids[oid] = true
		if got["Name"] != p.Name || got["PolicySchema"] != 2.0 || got["Status"] != "ACTIVE" || got["ConnectorArn"] != connector {
			t.Errorf("%v", got)
		}
	}
	if len(oids) != 13 {
		t.Errorf("%d presets, want 13", len(oids))
	}
	r.refused("ConflictException", "name", "POST", "/templates", object{"ConnectorArn": connector, "Name": "usersignature", "Definition": definition(t, "Computer")})
	var names []string
	for token, calls := "", 0; calls < 20; calls++ {
		page := r.ok(200, "GET", "/templates?MaxResults=4&ConnectorArn="+url.QueryEscape(connector)+token, nil)
		for _, row := range page["Templates"].([]any) {
			names = append(names, row.(object)["Name"].(string))
		}
		next, more := page["NextToken"].(string)
		if !more {
			break
		}
		r.refused("ValidationException", "Invalid next token", "GET", "/connectors?NextToken="+url.QueryEscape(next), nil)
		token = "&NextToken=" + url.QueryEscape(next)
	}
	if len(names) != 13 {
		t.Errorf("pages hold %v", names)
	}
}

// TestRevisions: an update moves the minor revision, enrolling all holders again the major one.
func TestRevisions(t *testing.T) {
	r := newRig(t)
	connector := r.ready()
	template := r.template(connector, "T")
	path := "/templates/" + escape(template)
	v4 := v4Definition()
	for _, step := range []struct {
		in   object
		want string
	}{
		{object{"Definition": definition(t, "Computer")}, "100.1 schema 2"},
		{object{"ReenrollAllCertificateHolders": true}, "101.0 schema 2"},
		{object{"Definition": v4, "ReenrollAllCertificateHolders": false}, "101.1 schema 4"},
		{object{"Definition": v4, "ReenrollAllCertificateHolders": true}, "102.0 schema 4"},
	} {
		r.ok(200, "PATCH", path, step.in)
		got := r.ok(200, "GET", path, nil)["Template"].(object)
		revision := got["Revision"].(object)
		if text := fmt.Sprintf("%v.%v schema %v", revision["MajorRevision"], revision["MinorRevision"], got["PolicySchema"]); text != step.want {
			t.Errorf("got %s, want %s", text, step.want)
		}
	}
	r.refused("ValidationException", "needs a definition", "PATCH", path, object{})
	r.refused("ValidationException", "cannot go back", "PATCH", path, object{"Definition": definition(t, "Computer")})
	r.ok(202, "DELETE", path, nil)
	r.await(path, "Template", "gone")
	r.template(connector, "T")
}

func v4Definition() object {
	return object{"TemplateV4": object{
		"CertificateValidity":  object{"ValidityPeriod": object{"Period": 1, "PeriodType": "YEARS"}, "RenewalPeriod": object{"Period": 6, "PeriodType": "WEEKS"}},
		"EnrollmentFlags":      object{},
		"Extensions":           object{"KeyUsage": object{"UsageFlags": object{"DigitalSignature": true}}},
		"GeneralFlags":         object{"AutoEnrollment": true, "MachineType": true},
		"PrivateKeyAttributes": object{"KeySpec": "SIGNATURE", "MinimalKeyLength": 256, "Algorithm": "ECDH_P256"},
		"PrivateKeyFlags":      object{"ClientVersion": "WINDOWS_SERVER_2012"},
		"SubjectNameFlags":     object{"SanRequireDns": true},
	}}
}

// TestDefinitionsRefused changes one thing of a good definition at a time.
func TestDefinitionsRefused(t *testing.T) {
	r := newRig(t)
	connector := r.ready()
	period := func(n int, unit string) object { return object{"Period": n, "PeriodType": unit} }
	for _, tc := range []struct {
		name, want string
		edit       func(d object)
	}{
		{"no schema", "exactly one", func(d object) { delete(d, "TemplateV4") }},
		{"two schemas", "exactly one", func(d object) { d["TemplateV2"] = definition(t, "Computer")["TemplateV2"] }},
		{"renewal as long", "shorter", func(d object) { of(d, "CertificateValidity")["RenewalPeriod"] = period(365, "DAYS") }},
		{"too long", "200 years", func(d object) { of(d, "CertificateValidity")["ValidityPeriod"] = period(8766000, "YEARS") }},
		{"no period", "PeriodType", func(d object) { of(d, "CertificateValidity")["ValidityPeriod"] = object{"Period": 1} }},
		{"curve and length", "minimal key length", func(d object) { of(d, "PrivateKeyAttributes")["MinimalKeyLength"] = 384 }},
		{"short RSA", "2048", func(d object) {
			d["TemplateV4"].(object)["PrivateKeyAttributes"] = object{"KeySpec": "SIGNATURE", "MinimalKeyLength": 1024}
		}},
		{"old client", "ClientVersion", func(d object) { of(d, "PrivateKeyFlags")["ClientVersion"] = "WINDOWS_SERVER_2008" }},
		{"legacy curve", "legacy", func(d object) { of(d, "PrivateKeyFlags")["UseLegacyProvider"] = true }},
		{"no usage", "key usage", func(d object) { of(d, "Extensions")["KeyUsage"] = object{"UsageFlags": object{}} }},
		{"property", "exactly one of its members", func(d object) {
			of(d, "PrivateKeyAttributes")["KeyUsageProperty"] = object{"PropertyType": "ALL", "PropertyFlags": object{"Sign": true}}
		}},
		{"policy twice", "twice", func(d object) {
			of(d, "Extensions")["ApplicationPolicies"] = object{"Policies": []object{{"PolicyType": "CODE_SIGNING"}, {"PolicyType": "CODE_SIGNING"}}}
		}},
		{"empty policy", "exactly one of its members", func(d object) {
			of(d, "Extensions")["ApplicationPolicies"] = object{"Policies": []object{{}}}
		}},
		{"large arc", "32 bits", func(d object) {
			of(d, "Extensions")["ApplicationPolicies"] = object{"Policies": []object{{"PolicyObjectIdentifier": "1.3.4294967296"}}}
		}},
		{"itself", "itself", func(d object) { d["TemplateV4"].(object)["SupersededTemplates"] = []string{"NAME"} }},
		{"superseded name", "SupersededTemplates", func(d object) { d["TemplateV4"].(object)["SupersededTemplates"] = []string{"a=b"} }},
	} {
		d := v4Definition()
		tc.edit(d)
		in := object{"ConnectorArn": connector, "Name": "name", "Definition": d}
		a := r.send("POST", "/templates", in)
		message, _ := a.body["message"].(string)
		// The model's own constraints name members in lower camel case.
		if a.code != "ValidationException" || !strings.Contains(strings.ToLower(message), strings.ToLower(tc.want)) {
			t.Errorf("%s: got %d %s %v, want %q", tc.name, a.status, a.code, a.body, tc.want)
		}
	}
	for _, name := range []string{"", " ", "a+b", "ä", strings.Repeat("a", 65)} {
		r.refused("ValidationException", "", "POST", "/templates", object{"ConnectorArn": connector, "Name": name, "Definition": v4Definition()})
	}
	r.ok(200, "POST", "/templates", object{"ConnectorArn": connector, "Name": "name", "Definition": v4Definition()})
}

func of(d object, part string) object { return d["TemplateV4"].(object)[part].(object) }

// TestAccessEntries: create, read, change, list and delete who may enroll.
func TestAccessEntries(t *testing.T) {
	r := newRig(t)
	template := r.template(r.ready(), "T")
	const sid = "S-1-5-21-1111111111-2222222222-3333333333-1105"
	all := "/templates/" + escape(template) + "/accessControlEntries"
	entry := func(sid string, rights object) object {
		return object{"GroupSecurityIdentifier": sid, "GroupDisplayName": "Group", "AccessRights": rights}
	}
	allow := object{"Enroll": "ALLOW", "AutoEnroll": "ALLOW"}
	for _, bad := range []string{"S-1-5-21-4294967296-1", "S-2-5-21-1", "S-1-05-21-1", "S-1-5-021-1"} {
		r.refused("ValidationException", "security identifier", "POST", all, entry(bad, allow))
	}
	r.refused("ValidationException", "", "POST", all, entry("x", allow))
	r.refused("ValidationException", "Access rights need", "POST", all, entry(sid, object{}))
	r.refused("ValidationException", "must be allowed to enroll", "POST", all, entry(sid, object{"Enroll": "DENY", "AutoEnroll": "ALLOW"}))
	r.ok(200, "POST", all, entry(sid, allow))
	r.refused("ConflictException", "already", "POST", all, entry(sid, allow))
	r.ok(200, "POST", all, entry("S-1-5-11", object{"Enroll": "DENY"}))
	show := func() string {
		t.Helper()
		e := r.ok(200, "GET", all+"/"+sid, nil)["AccessControlEntry"].(object)
		return fmt.Sprintf("%v %v %v", e["GroupDisplayName"], e["AccessRights"], e["TemplateArn"] == template)
	}
	if got, want := show(), "Group map[AutoEnroll:ALLOW Enroll:ALLOW] true"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	r.ok(200, "PATCH", all+"/"+sid, object{"AccessRights": object{"Enroll": "DENY"}})
	r.ok(200, "PATCH", all+"/"+sid, object{"GroupDisplayName": "Renamed"})
	if got, want := show(), "Renamed map[Enroll:DENY] true"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if list := r.ok(200, "GET", all, nil)["AccessControlEntries"].([]any); len(list) != 2 {
		t.Errorf("entries: %v", list)
	}
	r.ok(200, "DELETE", all+"/"+sid, nil)
	r.refused("ResourceNotFoundException", "not found", "DELETE", all+"/"+sid, nil)
	r.refused("ResourceNotFoundException", "not found", "GET", all+"/"+sid, nil)
	r.refused("ResourceNotFoundException", "not found", "PATCH", all+"/"+sid, object{"GroupDisplayName": "x"})
}
