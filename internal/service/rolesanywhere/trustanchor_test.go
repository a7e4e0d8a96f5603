package rolesanywhere

import (
	"crypto/x509"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rolecall/rolecall/internal/awsapi"
	ra "github.com/rolecall/rolecall/internal/awsapi/model/rolesanywhere"
)

var uuidPattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestEveryOperationOfTheModelIsBound(t *testing.T) {
	rig := newControlRig(t, Quotas{}) // Register refuses types that do not fit and operations bound twice
	if got, want := len(rig.svc.Bindings()), len(ra.Operations()); got != want || want != 30 {
		t.Errorf("%d operations are bound, the model has %d, want 30 of both", got, want)
	}
}

func defaultNotifications() []any {
	one := func(event string) any {
		return object{"enabled": true, "event": event, "threshold": 45.0, "channel": "ALL", "configuredBy": "rolesanywhere.amazonaws.com"}
	}
	return []any{one("CA_CERTIFICATE_EXPIRY"), one("END_ENTITY_CERTIFICATE_EXPIRY")}
}

func TestTrustAnchorLife(t *testing.T) {
	rig := newControlRig(t, Quotas{})
	// A bundle comes back byte for byte, comments and line ends included.
	bundle := "# our CA\r\n" + newRigCA(t, "Root").pem + "\n\n"
	start := time.Now().Truncate(time.Microsecond)
	made := rig.anchor(bundle, nil)
	id := made["trustAnchorId"].(string)
	if !uuidPattern.MatchString(id) {
		t.Errorf("id %q is no version 4 UUID", id)
	}
	created, err := time.Parse("2006-01-02T15:04:05.999999Z", made["createdAt"].(string))
	if err != nil || created.Before(start) || created.After(time.Now()) {
		t.Errorf("createdAt %v (%v), want a time within the test", made["createdAt"], err)
	}
	want := object{
		"trustAnchorId": id, "trustAnchorArn": "arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/" + id,
		"name": "anchor", "enabled": false, "source": object{"sourceType": "CERTIFICATE_BUNDLE", "sourceData": object{"x509CertificateData": bundle}},
		"createdAt": made["createdAt"], "updatedAt": made["createdAt"], "notificationSettings": defaultNotifications(),
	}
	if d := cmp.Diff(want, made); d != "" {
		t.Errorf("CreateTrustAnchor (-want +got):\n%s", d)
	}
	get := func() object { return rig.send(rig.root, "GET", "/trustanchor/"+id, nil).ok(200, "trustAnchor") }
	if d := cmp.Diff(made, get()); d != "" {
		t.Errorf("GetTrustAnchor (-created +got):\n%s", d)
	}

	for _, step := range []struct {
		action  string
		enabled bool
	}{{"enable", true}, {"enable", true}, {"disable", false}} {
		got := rig.send(rig.root, "POST", "/trustanchor/"+id+"/"+step.action, nil).ok(200, "trustAnchor")
		if got["enabled"] != step.enabled || get()["enabled"] != step.enabled {
			t.Errorf("%s: got enabled %v, stored %v", step.action, got["enabled"], get()["enabled"])
		}
		if got["updatedAt"] == made["updatedAt"] || got["createdAt"] != made["createdAt"] {
			t.Errorf("%s: times %v, %v", step.action, got["createdAt"], got["updatedAt"])
		}
	}

	renamed := rig.send(rig.root, "PATCH", "/trustanchor/"+id, object{"name": "other name"}).ok(200, "trustAnchor")
	if renamed["name"] != "other name" || cmp.Diff(renamed["source"], made["source"]) != "" {
		t.Errorf("UpdateTrustAnchor with a name changed more: %v", renamed)
	}
	second := newRigCA(t, "Second").pem
	moved := rig.send(rig.root, "PATCH", "/trustanchor/"+id, object{"source": bundleSource(second)}).ok(200, "trustAnchor")
	if d := cmp.Diff(any(bundleSource(second)), moved["source"]); d != "" || moved["name"] != "other name" {
		t.Errorf("UpdateTrustAnchor with a source: %s, name %v", d, moved["name"])
	}

	list := rig.send(rig.root, "GET", "/trustanchors", nil).ok(200, "")
	if d := cmp.Diff([]any{get()}, list["trustAnchors"]); d != "" || list["nextToken"] != nil {
		t.Errorf("ListTrustAnchors: %s, token %v", d, list["nextToken"])
	}
	deleted := rig.send(rig.root, "DELETE", "/trustanchor/"+id, nil).ok(200, "trustAnchor")
	if d := cmp.Diff(moved, deleted); d != "" {
		t.Errorf("DeleteTrustAnchor answers another object (-last +got):\n%s", d)
	}
	for _, c := range [][2]string{{"GET", ""}, {"DELETE", ""}, {"POST", "/enable"}, {"POST", "/disable"}, {"PATCH", ""}} {
		rig.send(rig.root, c[0], "/trustanchor/"+id+c[1], map[string]any{}).missing()
	}
	if list := rig.send(rig.root, "GET", "/trustanchors", nil).ok(200, ""); len(list["trustAnchors"].([]any)) != 0 {
		t.Errorf("the deleted anchor is listed: %v", list)
	}
}

func TestTrustAnchorsStayInTheirAccountAndRegion(t *testing.T) {
	rig := newControlRig(t, Quotas{})
	made := rig.anchor(newRigCA(t, "Root").pem, nil)
	path := "/trustanchor/" + made["trustAnchorId"].(string)
	china := rig.send(rig.root.in("cn-north-1"), "POST", "/trustanchors", object{"name": "a", "source": bundleSource(newRigCA(t, "Root").pem)}).ok(201, "trustAnchor")
	if got := china["trustAnchorArn"].(string); !strings.HasPrefix(got, "arn:aws-cn:rolesanywhere:cn-north-1:123456789012:trust-anchor/") {
		t.Errorf("ARN in China: %s", got)
	}
	stranger := rig.key(rigOther, "")
	for _, k := range []rigKey{stranger, rig.root.in("us-east-1")} {
		rig.send(k, "GET", path, nil).missing()
		rig.send(k, "DELETE", path, nil).missing()
		rig.send(k, "POST", path+"/enable", nil).missing()
		if l := rig.send(k, "GET", "/trustanchors", nil).ok(200, ""); len(l["trustAnchors"].([]any)) != 0 {
			t.Errorf("key %v sees %v", k.region, l)
		}
	}
	rig.send(rig.root, "GET", path, nil).ok(200, "trustAnchor")
}

func TestTrustAnchorSources(t *testing.T) {
	rig := newControlRig(t, Quotas{})
	good := newRigCA(t, "Root").pem
	leaf := newRigCA(t, "leaf", func(c *x509.Certificate) { c.IsCA = false; c.KeyUsage = x509.KeyUsageDigitalSignature })
	noSign := newRigCA(t, "nosign", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign })
	const pca = "arn:aws:acm-pca:eu-central-1:123456789012:certificate-authority/11111111-2222-4333-8444-555555555555"
	source := func(kind string, data any) object { return object{"sourceType": kind, "sourceData": data} }
	three := good + newRigCA(t, "2").pem + newRigCA(t, "3").pem
	cases := []struct {
		name   string
		source object
		want   string
	}{
		{"leaf", bundleSource(leaf.pem), "Incorrect basic constraints for CA certificate: "},
		{"no keyCertSign", bundleSource(noSign.pem), "keyCertSign"},
		{"garbage", bundleSource("hello"), "Invalid CA certificate"},
		{"three", bundleSource(three), "3 certificates"},
		{"empty", bundleSource(""), "source.sourceData.x509CertificateData"},
		{"too long", bundleSource(good + strings.Repeat(" ", 16000)), "less than or equal to 16000"},
		{"NUL", bundleSource(good + "\x00"), "NUL"},
		{"no type", object{"sourceData": object{"x509CertificateData": good}}, "'source.sourceType'"},
		{"no data", object{"sourceType": "CERTIFICATE_BUNDLE"}, "'source.sourceData'"},
		{"other type", source("SOMETHING", object{"x509CertificateData": good}), "enum value set"},
		{"bundle with a PCA", source("CERTIFICATE_BUNDLE", object{"acmPcaArn": pca}), "'source.sourceData.x509CertificateData'"},
		{"PCA with a bundle", source("AWS_ACM_PCA", object{"x509CertificateData": good}), "'source.sourceData.acmPcaArn'"},
		{"both", source("CERTIFICATE_BUNDLE", object{"x509CertificateData": good, "acmPcaArn": pca}), "exactly one"},
		{"self signed", source("SELF_SIGNED_REPOSITORY", object{"x509CertificateData": good}), "SELF_SIGNED_REPOSITORY is not supported"},
		{"PCA garbage", source("AWS_ACM_PCA", object{"acmPcaArn": "hello"}), "does not name a certificate authority"},
		{"PCA without id", source("AWS_ACM_PCA", object{"acmPcaArn": strings.TrimSuffix(pca, "-555555555555")}), "does not name a certificate authority"},
		{"PCA elsewhere", source("AWS_ACM_PCA", object{"acmPcaArn": strings.Replace(pca, "eu-central-1", "us-east-1", 1)}), "not in region eu-central-1"},
		{"PCA of another", source("AWS_ACM_PCA", object{"acmPcaArn": strings.Replace(pca, "123456789012", "210987654321", 1)}), "another account"},
	}
	made := rig.anchor(good, nil)
	path := "/trustanchor/" + made["trustAnchorId"].(string)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			rig.send(rig.root, "POST", "/trustanchors", object{"name": "a", "source": c.source}).invalid(c.want)
			rig.send(rig.root, "PATCH", path, object{"name": "changed", "source": c.source}).invalid(c.want)
		})
	}
	if d := cmp.Diff(made, rig.send(rig.root, "GET", path, nil).ok(200, "trustAnchor")); d != "" {
		t.Errorf("refused updates left a trace:\n%s", d)
	}
	if n := len(rig.send(rig.root, "GET", "/trustanchors", nil).ok(200, "")["trustAnchors"].([]any)); n != 1 {
		t.Errorf("refused creations left %d anchors", n-1)
	}
	stored := rig.send(rig.root, "POST", "/trustanchors", object{"name": "a", "source": source("AWS_ACM_PCA", object{"acmPcaArn": pca})}).ok(201, "trustAnchor")
	if d := cmp.Diff(any(source("AWS_ACM_PCA", object{"acmPcaArn": pca})), stored["source"]); d != "" {
		t.Errorf("PCA source (-want +got):\n%s", d)
	}
	two := good + newRigCA(t, "2").pem
	rig.anchor(two, nil)
}

func TestTrustAnchorModelConstraints(t *testing.T) {
	rig := newControlRig(t, Quotas{})
	rig.send(rig.root, "POST", "/trustanchors", object{}).invalid("2 validation errors detected", "'name'", "'source'")
	rig.send(rig.root, "POST", "/trustanchors", object{"name": "a/b", "source": bundleSource(newRigCA(t, "R").pem)}).invalid("'name'", "regular expression pattern")
	rig.send(rig.root, "GET", "/trustanchor/not-a-uuid", nil).invalid("'trustAnchorId'")
	rig.send(rig.root, "GET", "/trustanchor/"+noID, nil).missing()
}

func TestNotificationSettings(t *testing.T) {
	rig := newControlRig(t, Quotas{})
	ca := newRigCA(t, "Root").pem
	const caEvent, leafEvent = "CA_CERTIFICATE_EXPIRY", "END_ENTITY_CERTIFICATE_EXPIRY"
	setting := func(event string, enabled bool, threshold any) object {
		o := object{"event": event, "enabled": enabled, "channel": "ALL"}
		if threshold != nil {
			o["threshold"] = threshold
		}
		return o
	}
	shown := func(o object, by string) object { o["configuredBy"] = by; return o }
	made := rig.anchor(ca, object{"notificationSettings": []object{setting(leafEvent, true, 7.0)}})
	want := []any{defaultNotifications()[0], shown(setting(leafEvent, true, 7.0), "123456789012")}
	if d := cmp.Diff(want, made["notificationSettings"]); d != "" {
		t.Errorf("at creation (-want +got):\n%s", d)
	}
	id := made["trustAnchorId"].(string)
	put := func(settings ...object) *rigAnswer {
		return rig.send(rig.root, "PATCH", "/put-notifications-settings", object{"trustAnchorId": id, "notificationSettings": settings})
	}
	// Settings of other events stay; a channel left out is ALL; a disabled one needs no threshold.
	got := put(object{"event": caEvent, "enabled": false}).ok(200, "trustAnchor")
	want[0] = shown(setting(caEvent, false, nil), "123456789012")
	if d := cmp.Diff(want, got["notificationSettings"]); d != "" {
		t.Errorf("after put (-want +got):\n%s", d)
	}
	put(object{"event": caEvent, "enabled": true}).invalid("threshold is required")
	put(setting(caEvent, true, 1), setting(caEvent, true, 2)).invalid("Duplicate notification setting")
	put(setting(caEvent, true, 0), setting("OTHER", true, 361)).invalid("3 validation errors", "notificationSettings.1.member.threshold")
	put(object{"event": caEvent, "enabled": true, "threshold": 1, "channel": "SMS"}).invalid("channel")
	if d := cmp.Diff(want, rig.send(rig.root, "GET", "/trustanchor/"+id, nil).ok(200, "trustAnchor")["notificationSettings"]); d != "" {
		t.Errorf("after refused puts (-want +got):\n%s", d)
	}
	reset := func(keys ...object) *rigAnswer {
		return rig.send(rig.root, "PATCH", "/reset-notifications-settings", object{"trustAnchorId": id, "notificationSettingKeys": keys})
	}
	want[1] = defaultNotifications()[1]
	if d := cmp.Diff(want, reset(object{"event": leafEvent}).ok(200, "trustAnchor")["notificationSettings"]); d != "" {
		t.Errorf("after reset of one (-want +got):\n%s", d)
	}
	got = reset(object{"event": leafEvent, "channel": "ALL"}, object{"event": caEvent}).ok(200, "trustAnchor")
	if d := cmp.Diff(defaultNotifications(), got["notificationSettings"]); d != "" {
		t.Errorf("after reset of all (-want +got):\n%s", d)
	}
	id = noID
	put(setting(caEvent, true, 5)).missing()
	reset(object{"event": caEvent}).missing()
	rig.send(rig.root, "POST", "/trustanchors", object{"name": "a", "source": bundleSource(ca), "notificationSettings": []object{{"event": caEvent, "enabled": true}}}).invalid("threshold is required")
}

func TestQuotas(t *testing.T) {
	rig := newControlRig(t, Quotas{TrustAnchors: 2, Profiles: 1, CRLsPerAnchor: 1})
	ca := newRigCA(t, "Root")
	first := rig.anchor(ca.pem, nil)
	second := rig.anchor(ca.pem, nil)
	rig.send(rig.root, "POST", "/trustanchors", object{"name": "a", "source": bundleSource(ca.pem)}).invalid("Limit exceeded", "2 trust anchors")
	rig.send(rig.root.in("us-east-1"), "POST", "/trustanchors", object{"name": "a", "source": bundleSource(ca.pem)}).ok(201, "trustAnchor")
	rig.profile(nil)
	rig.send(rig.root, "POST", "/profiles", object{"name": "p", "roleArns": []string{}}).invalid("Limit exceeded", "1 profiles")
	imp := func(anchor object) *rigAnswer {
		return rig.send(rig.root, "POST", "/crls", object{"name": "c", "crlData": ca.crl(t), "trustAnchorArn": anchor["trustAnchorArn"]})
	}
	imp(first).ok(201, "crl")
	imp(second).ok(201, "crl")
	imp(first).invalid("Limit exceeded", "1 CRLs")
	rig.send(rig.root, "DELETE", "/trustanchor/"+second["trustAnchorId"].(string), nil).ok(200, "trustAnchor")
	rig.anchor(ca.pem, nil)
}

func TestAuditEventsNameTheResource(t *testing.T) {
	rig := newControlRig(t, Quotas{})
	made := rig.anchor(newRigCA(t, "Root").pem, object{"tags": tagObjects("team", "hush-hush")})
	events := rig.events("CreateTrustAnchor")
	if len(events) != 1 {
		t.Fatalf("%d events, want 1", len(events))
	}
	e := events[0]
	if len(e.Resources) != 1 || e.Resources[0].ARN != made["trustAnchorArn"] || e.Resources[0].Name != made["trustAnchorId"] || e.Resources[0].Type != "AWS::RolesAnywhere::TrustAnchor" {
		t.Errorf("resources %+v, want the anchor %v", e.Resources, made["trustAnchorArn"])
	}
	if body := string(e.Body); !strings.Contains(body, made["trustAnchorArn"].(string)) || strings.Contains(body, "hush-hush") {
		t.Errorf("the event must hold the answer and no tag value: %s", body)
	}
	rig.send(rig.root, "POST", "/TagResource", object{"resourceArn": made["trustAnchorArn"], "tags": tagObjects("a", "b")}).ok(201, "")
	if e := rig.events("TagResource"); len(e) != 1 || len(e[0].Resources) != 1 || e[0].Resources[0].ARN != made["trustAnchorArn"] {
		t.Errorf("TagResource's event: %+v", e)
	}
	if got := namedByARN(new("hello")); got != nil {
		t.Errorf("no ARN names %v", got)
	}
	if got, want := namedByARN(new(fmt.Sprint(made["trustAnchorArn"]))), []awsapi.Resource{{Type: "AWS::RolesAnywhere::TrustAnchor", Name: made["trustAnchorId"].(string), ARN: made["trustAnchorArn"].(string)}}; cmp.Diff(want, got) != "" {
		t.Errorf("got %v, want %v", got, want)
	}
}
