package integration

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	zx509 "github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"

	ca "github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/keyring"
)

// TestTemplatesPassZLint issues a certificate by each template and has RFC 5280's rules checked by a linter that shares no
// code with the engine.
func TestTemplatesPassZLint(t *testing.T) {
	root := lintedRoot(t)
	rules, err := lint.GlobalRegistry().Filter(lint.FilterOptions{IncludeSources: lint.SourceList{lint.RFC5280}})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(rules.Names()); n < 100 {
		t.Fatalf("only %d rules of RFC 5280", n)
	}
	checkLints(t, rules, "the root itself", root.Certificate)
	csr := lintedCSR(t)
	for _, tmpl := range ca.Templates() {
		if tmpl.Root() {
			continue
		}
		req := &ca.Request{CSR: csr, Template: &tmpl, Algorithm: "SHA256WITHECDSA", Validity: ca.Validity{Type: ca.Days, Value: 30}, Now: time.Now()}
		if strings.Contains(tmpl.Name(), "APIPassthrough") {
			req.API = &ca.Passthrough{}
		}
		token, err := ca.Prepare(root, req)
		if err != nil {
			t.Errorf("%s: %v", tmpl.Name(), err)
			continue
		}
		cert, err := root.Issue(token)
		if err != nil {
			t.Errorf("%s: %v", tmpl.Name(), err)
			continue
		}
		checkLints(t, rules, tmpl.Name(), cert)
	}
}

// demanded are findings that templates of AWS themselves ask for, by rule and how the template's name begins.
var demanded = map[string]string{
	// Client authentication with keyEncipherment, which RFC 5280 §4.2.1.12 does not name for it.
	"e_key_usage_and_extended_key_usage_inconsistent": "EndEntityClientAuthCertificate",
	// A path length without keyCertSign (RFC 5280 §4.2.1.9): the key usage is left to the request.
	"e_path_len_constraint_improperly_included": "BlankSubordinateCACertificate_PathLen",
}

func checkLints(t *testing.T, rules lint.Registry, name string, cert *x509.Certificate) {
	t.Helper()
	parsed, err := zx509.ParseCertificate(cert.Raw)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	for rule, result := range zlint.LintCertificateEx(parsed, rules).Results {
		if result.Status >= lint.Error && (demanded[rule] == "" || !strings.HasPrefix(name, demanded[rule])) {
			t.Errorf("%s: %s: %s %s", name, rule, result.Status, result.Details)
		}
	}
}

func lintedRoot(t *testing.T) *ca.Issuer {
	t.Helper()
	keys := ca.SealedKeys{Ring: keyring.Ephemeral()}
	ref := must(keys.Generate("root", ca.P256, ""))(t)
	subject := must((&ca.Subject{Country: "DE", Organization: "Tests", CommonName: "Linted Root"}).DER())(t)
	root := &ca.Issuer{ID: "root", Keys: keys, KeyRef: ref, Subject: subject, RootType: true}
	if err := keys.Use("root", ref, func(k crypto.Signer) error { root.PublicKey = k.Public(); return nil }); err != nil {
		t.Fatal(err)
	}
	der := must(ca.MakeCSR(keys, "root", ref, subject, "SHA256WITHECDSA", &ca.Extensions{}, nil))(t)
	csr := must(ca.ParseCSR(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})))(t)
	tmpl := must(ca.FindTemplate("arn:aws:acm-pca:::template/RootCACertificate/V1"))(t)
	token := must(ca.Prepare(root, &ca.Request{CSR: csr, Template: tmpl, Algorithm: "SHA256WITHECDSA", Validity: ca.Validity{Type: ca.Years, Value: 10}, Now: time.Now()}))(t)
	root.Certificate = must(root.Issue(token))(t)
	return root
}

func lintedCSR(t *testing.T) *ca.CSR {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	der := must(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{Country: []string{"DE"}, Organization: []string{"Tests"}, CommonName: "host.example"}, DNSNames: []string{"host.example"},
	}, key))(t)
	return must(ca.ParseCSR(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})))(t)
}
