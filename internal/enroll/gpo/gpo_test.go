package gpo_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall/rolecall/internal/enroll/gpo"
)

func sample(t testing.TB) []gpo.Value {
	t.Helper()
	values, err := gpo.AutoEnrollment(gpo.PolicyEnroll|gpo.PolicyRenew|gpo.PolicyTemplate, gpo.PolicyServer{
		URL:      "https://ca.corp.example.com/ADPolicyProvider_CEP_Kerberos/service.svc/CEP",
		PolicyID: "{083C7011-1D0A-4855-885D-AC945184658C}", FriendlyName: "rolecall", Auth: gpo.AuthKerberos, Cost: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// bySamba writes the same policy with Samba's own encoder.
const bySamba = `
import hashlib, sys
from samba.dcerpc import preg
from samba.ndr import ndr_pack
url = 'https://ca.corp.example.com/ADPolicyProvider_CEP_Kerberos/service.svc/CEP'
pid = '{083C7011-1D0A-4855-885D-AC945184658C}'
ae = 'Software\\Policies\\Microsoft\\Cryptography\\AutoEnrollment'
ps = 'Software\\Policies\\Microsoft\\Cryptography\\PolicyServers'
k = ps + '\\' + hashlib.sha1(url.encode('utf-16-le')).hexdigest()
entries = []
for key, name, kind, data in ((ae, 'AEPolicy', 4, 7), (ps, '', 1, pid), (ps, 'Flags', 4, 0), (k, 'URL', 1, url), (k, 'PolicyID', 1, pid),
                              (k, 'FriendlyName', 1, 'rolecall'), (k, 'Flags', 4, 0x14), (k, 'AuthFlags', 4, 2), (k, 'Cost', 4, 1)):
    e = preg.entry()
    e.keyname, e.valuename, e.type, e.data = key, name, kind, data
    entries.append(e)
f = preg.file()
f.header.signature, f.header.version, f.num_entries, f.entries = 'PReg', 1, len(entries), entries
sys.stdout.buffer.write(ndr_pack(f))
`

// The bytes are those of Samba's encoder, now and when testdata was made.
func TestGolden(t *testing.T) {
	got, err := gpo.Marshal(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile(filepath.Join("testdata", "autoenroll.pol"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, golden) {
		t.Errorf("got %q, want %q", got, golden)
	}
	samba, err := exec.Command("/usr/bin/python3", "-c", bySamba).Output()
	if err != nil {
		t.Fatalf("python3-samba: %v\nhint: run `make deps`", err)
	}
	if !bytes.Equal(samba, golden) {
		t.Errorf("Samba writes %q", samba)
	}
	values, err := gpo.Parse(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(sample(t), values); d != "" {
		t.Error(d)
	}
}

func TestMerge(t *testing.T) {
	other := gpo.Text(`Software\Policies\Other`, "Keep", "äöü €")
	elsewhere := gpo.Text(gpo.PolicyServersKey+`\other`, "PolicyID", "{other}")
	dead := gpo.PolicyServersKey + `\dead`
	old := []gpo.Value{other, gpo.Number(strings.ToUpper(gpo.AutoEnrollmentKey), "AEPolicy", gpo.PolicyDisabled), gpo.Text(dead, "URL", "x")}
	for _, v := range sample(t) { // an older address of the same policy
		if v.Name == "PolicyID" {
			old = append(old, gpo.Value{Key: dead, Name: "PolicyID", Type: v.Type, Data: v.Data})
			break
		}
	}
	old = append(old, elsewhere)
	got := gpo.Merge(old, sample(t))
	if d := cmp.Diff(append([]gpo.Value{other, elsewhere}, sample(t)...), got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(got, gpo.Merge(got, sample(t))); d != "" {
		t.Errorf("a second time: %s", d)
	}
	if s, ok := got[0].Text(); !ok || s != "äöü €" {
		t.Errorf("text %q", s)
	}
	if n, ok := got[2].Number(); !ok || n != 7 {
		t.Errorf("number %d", n)
	}
}

func TestPolicyServerRefused(t *testing.T) {
	for _, u := range []string{"", "http://h/ADPolicyProvider_CEP_Kerberos/service.svc/CEP", "https://h:8443/ADPolicyProvider_CEP_Kerberos/service.svc/CEP",
		"https://h/cep", "https:///ADPolicyProvider_CEP_Kerberos/service.svc/CEP", "https://u@h/ADPolicyProvider_CEP_Kerberos/service.svc/CEP"} {
		if _, err := gpo.AutoEnrollment(7, gpo.PolicyServer{URL: u, PolicyID: "{}", Auth: gpo.AuthKerberos}); err == nil {
			t.Errorf("%q passes", u)
		}
	}
}

func FuzzParse(f *testing.F) {
	golden, err := os.ReadFile(filepath.Join("testdata", "autoenroll.pol"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden)
	f.Add(golden[:8])
	f.Add(golden[:40])
	f.Fuzz(func(t *testing.T, b []byte) {
		values, err := gpo.Parse(b)
		if err != nil {
			return
		}
		again, err := gpo.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b, again) {
			t.Errorf("%q is read and written as %q", b, again)
		}
	})
}
