package rolesanywhere

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCRLLife(t *testing.T) {
	rig := newControlRig(t, Quotas{})
	ca := newRigCA(t, "Root")
	anchor := rig.anchor(ca.pem, nil) // disabled: revocations can be in place before it is enabled
	der := ca.crl(t, 4096)
	data := crlPEM(der)
	imp := func(data []byte, more object) *rigAnswer {
		body := object{"name": "crl", "crlData": data, "trustAnchorArn": anchor["trustAnchorArn"]}
		for k, v := range more {
			body[k] = v
		}
		return rig.send(rig.root, "POST", "/crls", body)
	}
	made := imp(data, nil).ok(201, "crl")
	id := made["crlId"].(string)
	want := object{
		"crlId": id, "crlArn": "arn:aws:rolesanywhere:eu-central-1:123456789012:crl/" + id, "name": "crl", "enabled": false,
		"crlData": base64.StdEncoding.EncodeToString(data), "trustAnchorArn": anchor["trustAnchorArn"],
		"createdAt": made["createdAt"], "updatedAt": made["createdAt"],
	}
	if d := cmp.Diff(want, made); d != "" || !uuidPattern.MatchString(id) {
		t.Errorf("ImportCrl (-want +got):\n%s", d)
	}
	get := func() object { return rig.send(rig.root, "GET", "/crl/"+id, nil).ok(200, "crl") }
	if d := cmp.Diff(made, get()); d != "" {
		t.Errorf("GetCrl: %s", d)
	}
	// The view that CreateSession reads knows at once.
	enabled := func() int {
		t.Helper()
		rows, err := rig.db.View().AnchorCRLs(context.Background(), rigAccount, rigRegion, anchor["trustAnchorId"].(string))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, r := range rows.Row {
			if r.Enabled {
				n++
			}
		}
		return n
	}
	for _, step := range []struct {
		action  string
		enabled bool
		n       int
	}{{"enable", true, 1}, {"disable", false, 0}} {
		got := rig.send(rig.root, "POST", "/crl/"+id+"/"+step.action, nil).ok(200, "crl")
		if got["enabled"] != step.enabled || get()["enabled"] != step.enabled || enabled() != step.n {
			t.Errorf("%s: got %v, %d in force", step.action, got["enabled"], enabled())
		}
	}
	// DER is taken and comes back as it was sent.
	der2 := ca.crl(t, 4096, 4097)
	got := rig.send(rig.root, "PATCH", "/crl/"+id, object{"crlData": der2}).ok(200, "crl")
	if got["crlData"] != base64.StdEncoding.EncodeToString(der2) || got["name"] != "crl" {
		t.Errorf("UpdateCrl with DER: %v", got)
	}
	got = rig.send(rig.root, "PATCH", "/crl/"+id, object{"name": "renamed"}).ok(200, "crl")
	if got["crlData"] != base64.StdEncoding.EncodeToString(der2) || got["name"] != "renamed" || got["updatedAt"] == made["updatedAt"] {
		t.Errorf("UpdateCrl with a name: %v", got)
	}
	// An expired list still revokes what it names.
	expired := imp(ca.crlUntil(t, time.Now().Add(-time.Hour), 1), object{"enabled": true}).ok(201, "crl")
	if expired["enabled"] != true || enabled() != 1 {
		t.Errorf("imported enabled: %v, %d in force", expired["enabled"], enabled())
	}
	list := rig.send(rig.root, "GET", "/crls", nil).ok(200, "")
	if n := len(list["crls"].([]any)); n != 2 {
		t.Errorf("%d CRLs listed, want 2", n)
	}
	last := get()
	if d := cmp.Diff(last, rig.send(rig.root, "DELETE", "/crl/"+id, nil).ok(200, "crl")); d != "" {
		t.Errorf("DeleteCrl answers another object:\n%s", d)
	}
	for _, c := range [][2]string{{"GET", ""}, {"DELETE", ""}, {"PATCH", ""}, {"POST", "/enable"}, {"POST", "/disable"}} {
		rig.send(rig.root, c[0], "/crl/"+id+c[1], object{}).missing()
	}
	// An anchor takes its lists with it.
	rig.send(rig.root, "DELETE", "/trustanchor/"+anchor["trustAnchorId"].(string), nil).ok(200, "trustAnchor")
	rig.send(rig.root, "GET", "/crl/"+expired["crlId"].(string), nil).missing()
	if enabled() != 0 {
		t.Error("the lists of a deleted anchor are still in force")
	}
}

func TestCRLRefusals(t *testing.T) {
	rig := newControlRig(t, Quotas{})
	ca, other := newRigCA(t, "Root"), newRigCA(t, "Other")
	twin := newRigCA(t, "Root") // the same name, another key
	mute := newRigCA(t, "Mute", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })
	anchor := rig.anchor(ca.pem, object{"enabled": true})
	muteAnchor := rig.anchor(mute.pem, nil)
	pca := rig.send(rig.root, "POST", "/trustanchors", object{"name": "pca", "source": object{"sourceType": "AWS_ACM_PCA",
		"sourceData": object{"acmPcaArn": "arn:aws:acm-pca:eu-central-1:123456789012:certificate-authority/" + noID}}}).ok(201, "trustAnchor")
	made := rig.send(rig.root, "POST", "/crls", object{"name": "c", "crlData": ca.crl(t, 7), "trustAnchorArn": anchor["trustAnchorArn"]}).ok(201, "crl")
	path := "/crl/" + made["crlId"].(string)
	tampered := bytes.Clone(ca.crl(t, 7))
	tampered[len(tampered)-1] ^= 1
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"another CA", other.crl(t), "is not the subject of the CA"},
		{"another key", twin.crl(t), "was not made with the key"},
		{"tampered", tampered, "Invalid certificate revocation list"},
		{"garbage", []byte("hello"), "Invalid certificate revocation list"},
		{"a certificate", []byte(ca.pem), "Invalid certificate revocation list"},
		{"truncated", ca.crl(t)[:40], "Invalid certificate revocation list"},
		{"empty", []byte{}, "'crlData'"},
		{"too long", make([]byte, 300_001), "'crlData'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rig.send(rig.root, "POST", "/crls", object{"name": "c", "crlData": c.data, "trustAnchorArn": anchor["trustAnchorArn"]}).invalid(c.want)
			rig.send(rig.root, "PATCH", path, object{"name": "changed", "crlData": c.data}).invalid(c.want)
		})
	}
	if d := cmp.Diff(made, rig.send(rig.root, "GET", path, nil).ok(200, "crl")); d != "" {
		t.Errorf("refused updates left a trace:\n%s", d)
	}
	for name, c := range map[string]struct{ arn, want any }{
		"absent":           {"arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/" + noID, "Specified Trust Anchor wasn't found."},
		"another region":   {"arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/" + anchor["trustAnchorId"].(string), "Specified Trust Anchor wasn't found."},
		"another account":  {"arn:aws:rolesanywhere:eu-central-1:210987654321:trust-anchor/" + anchor["trustAnchorId"].(string), "Specified Trust Anchor wasn't found."},
		"no anchor at all": {made["crlArn"], "'trustAnchorArn'"},
		"a PCA":            {pca["trustAnchorArn"], "not available here"},
		"no cRLSign":       {muteAnchor["trustAnchorArn"], "is not the subject of the CA"},
	} {
		t.Run(name, func(t *testing.T) {
			rig.send(rig.root, "POST", "/crls", object{"name": "c", "crlData": ca.crl(t), "trustAnchorArn": c.arn}).invalid(c.want.(string))
		})
	}
	rig.send(rig.root, "POST", "/crls", object{}).invalid("3 validation errors detected")
	if n := len(rig.send(rig.root, "GET", "/crls", nil).ok(200, "")["crls"].([]any)); n != 1 {
		t.Errorf("refused imports left %d CRLs", n-1)
	}
	// The anchor's CA has changed since: the next list must come from the new one.
	rig.send(rig.root, "PATCH", "/trustanchor/"+anchor["trustAnchorId"].(string), object{"source": bundleSource(other.pem)}).ok(200, "trustAnchor")
	rig.send(rig.root, "PATCH", path, object{"crlData": ca.crl(t, 8)}).invalid("is not the subject of the CA")
	rig.send(rig.root, "PATCH", path, object{"crlData": other.crl(t, 8)}).ok(200, "crl")
}
