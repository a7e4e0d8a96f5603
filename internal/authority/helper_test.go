package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/keyring"
)

// now is the clock of the tests. OpenSSL has its own, so it is real.
var now = time.Now().UTC().Truncate(time.Second)

func newIssuer(t testing.TB, name string, a KeyAlgorithm) *Issuer {
	t.Helper()
	keys := SealedKeys{keyring.Ephemeral()}
	ref, err := keys.Generate(name, a, "")
	if err != nil {
		t.Fatal(err)
	}
	subject, err := (&Subject{Organization: "Tests", CommonName: name}).DER()
	if err != nil {
		t.Fatal(err)
	}
	i := &Issuer{ID: name, Keys: keys, KeyRef: ref, Subject: subject}
	err = keys.Use(name, ref, func(k crypto.Signer) error { i.PublicKey = k.Public(); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// signs is an algorithm that fits the issuer's key.
func (i *Issuer) signs() SigningAlgorithm {
	if _, ok := i.PublicKey.(*ecdsa.PublicKey); ok {
		return "SHA256WITHECDSA"
	}
	return "SHA256WITHRSA"
}

func (i *Issuer) csr(t testing.TB) *CSR {
	t.Helper()
	der, err := MakeCSR(i.Keys, i.ID, i.KeyRef, i.Subject, i.signs(), &Extensions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return parsed(t, csrPEM(der))
}

func csrPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

func parsed(t testing.TB, text []byte) *CSR {
	t.Helper()
	c, err := ParseCSR(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newRoot is a root with its own certificate, in force for ten years.
func newRoot(t testing.TB, a KeyAlgorithm) *Issuer {
	t.Helper()
	i := newIssuer(t, "root "+string(a), a)
	i.RootType = true
	cert := issue(t, i, &Request{CSR: i.csr(t), Template: template(t, "RootCACertificate"), Validity: Validity{Years, 10}})
	var err error
	if i.Certificate, _, err = i.CheckImport(certPEM(cert), nil, now); err != nil {
		t.Fatal(err)
	}
	return i
}

// newSubordinate is a CA below parent.
func newSubordinate(t testing.TB, parent *Issuer, a KeyAlgorithm, tmpl string) *Issuer {
	t.Helper()
	i := newIssuer(t, "sub "+string(a), a)
	cert := issue(t, parent, &Request{CSR: i.csr(t), Template: template(t, tmpl), Validity: Validity{Years, 5}})
	var err error
	i.Certificate, i.Chain, err = i.CheckImport(certPEM(cert), certPEM(append([]*x509.Certificate{parent.Certificate}, parent.Chain...)...), now)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func template(t testing.TB, name string) *Template {
	t.Helper()
	tmpl, err := FindTemplate("arn:aws:acm-pca:::template/" + name + "/V1")
	if err != nil {
		t.Fatal(err)
	}
	return tmpl
}

func try(i *Issuer, r *Request) (*x509.Certificate, error) {
	if r.Now.IsZero() {
		r.Now = now
	}
	if r.Algorithm == "" {
		r.Algorithm = i.signs()
	}
	if r.Validity.Value == 0 {
		r.Validity = Validity{Days, 30}
	}
	token, err := Prepare(i, r)
	if err != nil {
		return nil, err
	}
	return i.Issue(token)
}

func issue(t testing.TB, i *Issuer, r *Request) *x509.Certificate {
	t.Helper()
	cert, err := try(i, r)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// refused checks that a request fails with the reason and a text that names the cause.
func refused(t testing.TB, i *Issuer, r *Request, want Reason, text string) {
	t.Helper()
	_, err := try(i, r)
	var e *Error
	if !errors.As(err, &e) || e.Reason != want || !strings.Contains(e.Text, text) {
		t.Errorf("got %v, want %s with %q", err, want, text)
	}
}

// leafCSR is a P-256 request with a subject, a DNS name and more extensions.
func leafCSR(t testing.TB, cn string, more ...pkix.Extension) *CSR {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	req := &x509.CertificateRequest{ExtraExtensions: more}
	if cn != "" {
		req.Subject, req.DNSNames = pkix.Name{CommonName: cn, Country: []string{"DE"}}, []string{cn + ".example"}
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, req, key)
	if err != nil {
		t.Fatal(err)
	}
	return parsed(t, csrPEM(der))
}

func certPEM(certs ...*x509.Certificate) []byte {
	var text []byte
	for _, c := range certs {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return text
}

// openssl runs the tool; a machine without it fails the test.
func openssl(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command("openssl", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func file(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// strict verifies cert below the issuer with openssl's strictest rules.
func strict(t testing.TB, i *Issuer, cert *x509.Certificate) {
	t.Helper()
	chain := append([]*x509.Certificate{i.Certificate}, i.Chain...)
	args := []string{"verify", "-x509_strict", "-CAfile", file(t, "root.pem", certPEM(chain[len(chain)-1]))}
	if len(chain) > 1 {
		args = append(args, "-untrusted", file(t, "chain.pem", certPEM(chain[:len(chain)-1]...)))
	}
	openssl(t, append(args, file(t, "leaf.pem", certPEM(cert)))...)
}
