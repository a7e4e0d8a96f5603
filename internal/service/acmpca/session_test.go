package acmpca_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/testserver"
	"github.com/rolecall/rolecall/sigv4"
)

const trustPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}]}`

// door is a trust anchor on a private CA, with a profile and a role.
type door struct{ anchor, profile, role string }

func (r *rig) rest(method, path string, in any) object {
	r.t.Helper()
	res := r.REST(r.t, r.keys, "rolesanywhere", method, path, in)
	var out object
	if err := json.Unmarshal(res.Body, &out); err != nil || res.Status/100 != 2 {
		r.t.Fatalf("%s %s: %d %s", method, path, res.Status, res.Body)
	}
	return out
}

func (r *rig) door(ca string) door {
	r.t.Helper()
	name := fmt.Sprintf("role%d", time.Now().UnixNano())
	if res := r.Query(r.t, r.keys, "iam", "CreateRole", "RoleName", name, "AssumeRolePolicyDocument", trustPolicy); res.Status != 200 {
		r.t.Fatalf("CreateRole: %s", res.Body)
	}
	d := door{role: "arn:aws:iam::123456789012:role/" + name}
	d.anchor = r.rest("POST", "/trustanchors", object{"name": "pca", "enabled": true, "source": object{"sourceType": "AWS_ACM_PCA", "sourceData": object{"acmPcaArn": ca}}})["trustAnchor"].(object)["trustAnchorArn"].(string)
	d.profile = r.rest("POST", "/profiles", object{"name": "p", "enabled": true, "roleArns": []string{d.role}})["profile"].(object)["profileArn"].(string)
	return d
}

// session asks for credentials; refusal is "" if they were given.
func (r *rig) session(d door, key *ecdsa.PrivateKey, cert *x509.Certificate, chain ...*x509.Certificate) (refusal string) {
	r.t.Helper()
	q := url.Values{"trustAnchorArn": {d.anchor}, "profileArn": {d.profile}, "roleArn": {d.role}}
	body := []byte(`{"durationSeconds":900}`)
	req, err := http.NewRequest("POST", r.URL+"/sessions?"+q.Encode(), bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if err := sigv4.SignX509(req, &sigv4.SignX509Input{Signer: key, Leaf: cert, Chain: chain, Region: testserver.Region, Time: time.Now(), Body: body}); err != nil {
		r.t.Fatal(err)
	}
	res := r.Send(r.t, req)
	if res.Status == http.StatusCreated {
		return ""
	}
	return string(res.Body)
}

func (r *rig) revoke(ca string, cert *x509.Certificate) {
	r.t.Helper()
	r.ok("RevokeCertificate", object{"CertificateAuthorityArn": ca, "CertificateSerial": colons(cert), "RevocationReason": "KEY_COMPROMISE"})
}

// TestFromCAToSession: a CA made by the API, a leaf from a CSR, credentials, revocation, refusal. No list is published.
func TestFromCAToSession(t *testing.T) {
	r := newRig(t)
	ca := r.root("sessions", nil)
	d := r.door(ca)
	key, csr := leaf(t, "worker")
	_, text, _ := r.issue(ca, csr, nil)
	cert := parse(t, text)
	if why := r.session(d, key, cert); why != "" {
		t.Fatalf("refused: %s", why)
	}
	other, otherCSR := leaf(t, "other")
	_, otherText, _ := r.issue(ca, otherCSR, nil)
	r.revoke(ca, cert)
	if why := r.session(d, key, cert); !strings.Contains(why, "Certificate revoked") {
		t.Errorf("after revocation: %q", why)
	}
	if why := r.session(d, other, parse(t, otherText)); why != "" {
		t.Errorf("another certificate: %s", why)
	}
	r.refused("RequestAlreadyProcessedException", "RevokeCertificate", object{"CertificateAuthorityArn": ca, "CertificateSerial": strings.ReplaceAll(colons(cert), ":", ""), "RevocationReason": "SUPERSEDED"})
	r.refused("ResourceNotFoundException", "RevokeCertificate", object{"CertificateAuthorityArn": ca, "CertificateSerial": "0123", "RevocationReason": "SUPERSEDED"})
	r.refused("InvalidRequestException", "RevokeCertificate", object{"CertificateAuthorityArn": ca, "CertificateSerial": "xyz", "RevocationReason": "SUPERSEDED"})
}

// TestRevocationAlongThePath: what a subordinate revokes is refused below the root's anchor, and what a root revokes
// takes its subordinate's anchor with it.
func TestRevocationAlongThePath(t *testing.T) {
	r := newRig(t)
	root := r.root("root", nil)
	sub := r.subordinate(root, "sub", object{"UsageMode": "SHORT_LIVED_CERTIFICATE"})
	subCert := parse(t, r.ok("GetCertificateAuthorityCertificate", object{"CertificateAuthorityArn": sub})["Certificate"].(string))
	below, direct := r.door(root), r.door(sub)
	week := object{"Validity": object{"Value": 7, "Type": "DAYS"}}
	key, csr := leaf(t, "a")
	_, text, _ := r.issue(sub, csr, week)
	cert := parse(t, text)
	for _, d := range []door{below, direct} {
		if why := r.session(d, key, cert, subCert); why != "" {
			t.Fatalf("refused: %s", why)
		}
	}
	r.revoke(sub, cert)
	for _, d := range []door{below, direct} {
		if why := r.session(d, key, cert, subCert); !strings.Contains(why, "Certificate revoked") {
			t.Errorf("leaf revoked: %q", why)
		}
	}
	key, csr = leaf(t, "b")
	_, text, _ = r.issue(sub, csr, week)
	cert = parse(t, text)
	r.revoke(root, subCert)
	for _, d := range []door{below, direct} {
		if why := r.session(d, key, cert, subCert); !strings.Contains(why, "Certificate revoked") {
			t.Errorf("subordinate revoked: %q", why)
		}
	}
}

// TestTrustFollowsTheCA: no certificate, disabled, deleted, restored.
func TestTrustFollowsTheCA(t *testing.T) {
	r := newRig(t)
	ca := r.root("follow", nil)
	d := r.door(ca)
	empty := r.door(r.create("ROOT", "empty", nil))
	key, csr := leaf(t, "a")
	_, text, _ := r.issue(ca, csr, nil)
	cert := parse(t, text)
	expect := func(what string, d door, want bool) {
		t.Helper()
		if why := r.session(d, key, cert); (why == "") != want {
			t.Errorf("%s: %q", what, why)
		}
	}
	expect("active", d, true)
	expect("CA without certificate", empty, false)
	r.ok("UpdateCertificateAuthority", object{"CertificateAuthorityArn": ca, "Status": "DISABLED"})
	expect("disabled", d, true)
	r.ok("DeleteCertificateAuthority", object{"CertificateAuthorityArn": ca})
	expect("deleted", d, false)
	r.ok("RestoreCertificateAuthority", object{"CertificateAuthorityArn": ca})
	expect("restored", d, true)
}

// TestPublishedCRL fetches a CA's list as clients do and has OpenSSL check a revoked certificate with it.
func TestPublishedCRL(t *testing.T) {
	r := newRig(t)
	host := strings.TrimPrefix(r.URL, "http://")
	ca := r.root("lists", object{"RevocationConfiguration": object{"CrlConfiguration": object{"Enabled": true, "ExpirationInDays": 7, "CustomCname": host}}})
	_, csr := leaf(t, "a")
	_, text, chain := r.issue(ca, csr, nil)
	cert := parse(t, text)
	if len(cert.CRLDistributionPoints) != 1 || !strings.HasPrefix(cert.CRLDistributionPoints[0], r.URL+"/crl/") {
		t.Fatalf("distribution points %v", cert.CRLDistributionPoints)
	}
	fetch := func() (int, []byte) {
		res, err := http.Get(cert.CRLDistributionPoints[0])
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		data, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, data
	}
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	verify := func() string {
		_, der := fetch()
		crl := write("list.pem", pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
		out, _ := exec.Command("openssl", "verify", "-x509_strict", "-crl_check", "-CAfile", write("ca.pem", []byte(chain)), "-CRLfile", crl, write("leaf.pem", []byte(text))).CombinedOutput()
		return string(out)
	}
	await := func(what, want string) {
		t.Helper()
		got := ""
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			if got = verify(); strings.Contains(got, want) {
				return
			}
		}
		t.Fatalf("%s: openssl says %s", what, got)
	}
	await("before", "leaf.pem: OK")
	r.revoke(ca, cert)
	await("after", "certificate revoked")
	for _, path := range []string{"/crl/", "/crl/x.crl", "/crl/00000000-0000-4000-8000-000000000000.crl"} {
		if res, err := http.Get(r.URL + path); err != nil || res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %v %v", path, res, err)
		}
	}
}
