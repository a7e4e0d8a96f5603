package acmpca_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/testserver"
)

type object = map[string]any

// rig is a server with what the tests say to it.
type rig struct {
	t testing.TB
	*testserver.Server
	keys testserver.Keys
}

func newRig(t testing.TB) *rig {
	s := testserver.Start(t)
	return &rig{t, s, s.Root}
}

// as is the rig with other credentials.
func (r *rig) as(k testserver.Keys) *rig { return &rig{r.t, r.Server, k} }

// call makes one call and returns the answer, and the code and text of an error.
func (r *rig) call(operation string, in object) (out object, code, text string) {
	r.t.Helper()
	res := r.JSON11(r.t, r.keys, "acm-pca", "ACMPrivateCA."+operation, in)
	if len(res.Body) > 0 {
		if err := json.Unmarshal(res.Body, &out); err != nil {
			r.t.Fatalf("%s: %d %q", operation, res.Status, res.Body)
		}
	}
	if res.Status == 200 {
		return out, "", ""
	}
	code, _ = out["__type"].(string)
	text, _ = out["message"].(string)
	if text == "" {
		text, _ = out["Message"].(string)
	}
	return nil, code[strings.LastIndexByte(code, '#')+1:], text
}

// ok is call for what has to succeed.
func (r *rig) ok(operation string, in object) object {
	r.t.Helper()
	out, code, text := r.call(operation, in)
	if code != "" {
		r.t.Fatalf("%s: %s %s", operation, code, text)
	}
	return out
}

// refused is call for what has to fail with the code.
func (r *rig) refused(want, operation string, in object) {
	r.t.Helper()
	if _, code, text := r.call(operation, in); code != want {
		r.t.Errorf("%s: got %q %q, want %s", operation, code, text, want)
	}
}

func caConfig(cn, key, signing string) object {
	return object{"KeyAlgorithm": key, "SigningAlgorithm": signing, "Subject": object{"Organization": "Tests", "CommonName": cn}}
}

// create makes a CA and waits for its key.
func (r *rig) create(kind, cn string, more object) string {
	r.t.Helper()
	in := object{"CertificateAuthorityType": kind, "CertificateAuthorityConfiguration": caConfig(cn, "EC_prime256v1", "SHA256WITHECDSA")}
	for k, v := range more {
		in[k] = v
	}
	name := r.ok("CreateCertificateAuthority", in)["CertificateAuthorityArn"].(string)
	r.await(name, "PENDING_CERTIFICATE")
	return name
}

func (r *rig) describe(name string) object {
	r.t.Helper()
	return r.ok("DescribeCertificateAuthority", object{"CertificateAuthorityArn": name})["CertificateAuthority"].(object)
}

// await waits for a status: a bound for a hung test, not a measure of speed.
func (r *rig) await(name, status string) {
	r.t.Helper()
	got := ""
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if got = r.describe(name)["Status"].(string); got == status {
			return
		}
	}
	r.t.Fatalf("%s is %s, want %s", name, got, status)
}

func (r *rig) csrOf(name string) []byte {
	r.t.Helper()
	return []byte(r.ok("GetCertificateAuthorityCsr", object{"CertificateAuthorityArn": name})["Csr"].(string))
}

// issue issues and fetches: the certificate's ARN, PEM, and chain.
func (r *rig) issue(name string, csr []byte, more object) (certARN, cert, chain string) {
	r.t.Helper()
	in := object{"CertificateAuthorityArn": name, "Csr": csr, "SigningAlgorithm": "SHA256WITHECDSA", "Validity": object{"Value": 30, "Type": "DAYS"}}
	for k, v := range more {
		in[k] = v
	}
	certARN = r.ok("IssueCertificate", in)["CertificateArn"].(string)
	out := r.ok("GetCertificate", object{"CertificateAuthorityArn": name, "CertificateArn": certARN})
	chain, _ = out["CertificateChain"].(string)
	return certARN, out["Certificate"].(string), chain
}

func template(name string) string { return "arn:aws:acm-pca:::template/" + name + "/V1" }

// root makes a root CA that is in force.
func (r *rig) root(cn string, more object) string {
	r.t.Helper()
	name := r.create("ROOT", cn, more)
	_, cert, chain := r.issue(name, r.csrOf(name), object{"TemplateArn": template("RootCACertificate"), "Validity": object{"Value": 10, "Type": "YEARS"}})
	if chain != "" {
		r.t.Error("a root's certificate has a chain")
	}
	r.ok("ImportCertificateAuthorityCertificate", object{"CertificateAuthorityArn": name, "Certificate": []byte(cert)})
	r.await(name, "ACTIVE")
	return name
}

// subordinate makes a CA below parent that is in force.
func (r *rig) subordinate(parent, cn string, more object) string {
	r.t.Helper()
	name := r.create("SUBORDINATE", cn, more)
	_, cert, chain := r.issue(parent, r.csrOf(name), object{"TemplateArn": template("SubordinateCACertificate_PathLen0"), "Validity": object{"Value": 2, "Type": "YEARS"}})
	r.ok("ImportCertificateAuthorityCertificate", object{"CertificateAuthorityArn": name, "Certificate": []byte(cert), "CertificateChain": []byte(chain)})
	r.await(name, "ACTIVE")
	return name
}

// leaf is a key with a request for its certificate.
func leaf(t testing.TB, cn string) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: cn}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

func parse(t testing.TB, text string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatalf("no PEM in %q", text)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// colons is a serial number as the API shows it.
func colons(cert *x509.Certificate) string {
	var parts []string
	for _, b := range cert.SerialNumber.Bytes() {
		const digits = "0123456789abcdef"
		parts = append(parts, string([]byte{digits[b>>4], digits[b&15]}))
	}
	return strings.Join(parts, ":")
}
