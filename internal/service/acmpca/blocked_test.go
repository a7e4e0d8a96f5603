package acmpca_test

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rolecall/rolecall/internal/server"
	"github.com/rolecall/rolecall/internal/testserver"
)

// A blocked key gets no certificate through the API, and a CA that has one gives none out; both end up in the audit trail.
func TestBlockedKeys(t *testing.T) {
	dir := t.TempDir()
	n := 0
	block := func(spki []byte) {
		t.Helper()
		n++
		sum := sha256.Sum256(spki)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(n)), []byte(hex.EncodeToString(sum[:])+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	key, csr := leaf(t, "leaked")
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	block(der)
	s := testserver.StartWith(t, func(c *server.Config) { c.BlockedKeys = []string{dir} })
	r := &rig{t, s, s.Root}
	ca := r.root("blocking", nil)
	issue := func(csr []byte, template string) (code, text string) {
		t.Helper()
		in := object{"CertificateAuthorityArn": ca, "Csr": csr, "SigningAlgorithm": "SHA256WITHECDSA", "Validity": object{"Value": 1, "Type": "DAYS"}}
		if template != "" {
			in["TemplateArn"] = template
		}
		_, code, text = r.call("IssueCertificate", in)
		return code, text
	}
	for _, name := range []string{"", template("SubordinateCACertificate_PathLen0"), template("BlankEndEntityCertificate_CSRPassthrough")} {
		if code, text := issue(csr, name); code != "MalformedCSRException" || text != "the key is on the server's list of blocked keys" {
			t.Errorf("%s: got %s %q", name, code, text)
		}
	}
	// Another name does not make it another key.
	again, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{"b.example"}}, key)
	if err != nil {
		t.Fatal(err)
	}
	if code, _ := issue(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: again}), ""); code != "MalformedCSRException" {
		t.Errorf("the same key again: %s", code)
	}
	_, fine := leaf(t, "fine")
	if code, text := issue(fine, ""); code != "" {
		t.Fatalf("another key: %s %s", code, text)
	}
	r.eventually("the refusal in the trail", func() bool {
		return strings.Contains(string(s.JSON11(t, s.Root, "cloudtrail", "CloudTrail_20131101.LookupEvents", object{}).Body), "list of blocked keys")
	})
	own, err := x509.ParseCertificateRequest(pemBytes(t, r.csrOf(ca)))
	if err != nil {
		t.Fatal(err)
	}
	block(own.RawSubjectPublicKeyInfo)
	if changed, err := s.BlockedKeys().Reload(); err != nil || !changed {
		t.Fatal(changed, err)
	}
	if code, text := issue(fine, ""); code != "InvalidArgsException" || !strings.Contains(text, "the certificate authority cannot issue: the key is on the server's list of blocked keys") {
		t.Errorf("a blocked CA: got %s %q", code, text)
	}
}

func pemBytes(t *testing.T, text []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("no PEM in %q", text)
	}
	return block.Bytes
}
