package acmpca_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/rolecall/rolecall/internal/server"
	"github.com/rolecall/rolecall/internal/testserver"
)

func save(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// verifyWith is what OpenSSL says of a certificate with a list.
func verifyWith(t testing.TB, chain, cert string, der []byte) string {
	t.Helper()
	crl := save(t, "list.pem", pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
	out, _ := exec.Command("openssl", "verify", "-x509_strict", "-crl_check", "-extended_crl", "-CAfile", save(t, "ca.pem", []byte(chain)), "-CRLfile", crl, save(t, "leaf.pem", []byte(cert))).CombinedOutput()
	return string(out)
}

// publicRig is a server with an address for what is public alone, and that address.
func publicRig(t testing.TB) (*rig, string) {
	s := testserver.StartWith(t, func(c *server.Config) { c.DistributionListen = []string{"http://127.0.0.1:0"} })
	return &rig{t, s, s.Root}, s.DistributionAddrs()[0]
}

func ocspAt(host string) object {
	return object{"RevocationConfiguration": object{"OcspConfiguration": object{"Enabled": true, "OcspCustomCname": host}}}
}

func fetch(t testing.TB, method, address string, body []byte) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequest(method, address, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/ocsp-request")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, data
}

func question(t testing.TB, cert, issuer *x509.Certificate, hash crypto.Hash) []byte {
	t.Helper()
	der, err := ocsp.CreateRequest(cert, issuer, &ocsp.RequestOptions{Hash: hash})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// awaitResponder waits until the worker has made the CA's responder.
func (r *rig) awaitResponder(address string, der []byte) {
	r.t.Helper()
	r.eventually("a responder", func() bool { _, out := fetch(r.t, "POST", address, der); return len(out) > 10 })
}

// TestOpenSSLAsks: OpenSSL's own client by POST, with and without a nonce, before and after a revocation; and unknown.
func TestOpenSSLAsks(t *testing.T) {
	r, host := publicRig(t)
	ca := r.root("ocsp", ocspAt(host))
	_, csr := leaf(t, "a")
	_, text, chain := r.issue(ca, csr, nil)
	cert, issuer := parse(t, text), parse(t, chain)
	if len(cert.OCSPServer) != 1 || !strings.HasPrefix(cert.OCSPServer[0], "http://"+host+"/ocsp/") {
		t.Fatalf("OCSP at %v", cert.OCSPServer)
	}
	r.awaitResponder(cert.OCSPServer[0], question(t, cert, issuer, crypto.SHA1))
	dir := t.TempDir()
	caFile, leafFile := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "leaf.pem")
	for path, data := range map[string]string{caFile: chain, leafFile: text} {
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(args ...string) string {
		out, err := exec.Command("openssl", append([]string{"ocsp", "-issuer", caFile, "-CAfile", caFile, "-url", cert.OCSPServer[0]}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("openssl: %v\n%s", err, out)
		}
		return string(out)
	}
	expect := func(what, want, out string) {
		t.Helper()
		if !strings.Contains(out, "Response verify OK") || !strings.Contains(out, want) || strings.Contains(out, "Nonce Verify error") {
			t.Errorf("%s: %s", what, out)
		}
	}
	expect("good", ": good", ask("-cert", leafFile))
	expect("good, no nonce", ": good", ask("-no_nonce", "-cert", leafFile))
	expect("SHA-256", ": good", ask("-sha256", "-cert", leafFile))
	expect("two at once", "0x1234: unknown", ask("-cert", leafFile, "-serial", "0x1234"))
	r.revoke(ca, cert)
	expect("revoked", "Reason: keyCompromise", ask("-cert", leafFile))
	expect("revoked, no nonce", "Reason: keyCompromise", ask("-no_nonce", "-cert", leafFile))
	res, der := fetch(t, "GET", cert.IssuingCertificateURL[0], nil)
	if !bytes.Equal(der, issuer.Raw) || res.Header.Get("Content-Type") != "application/pkix-cert" {
		t.Errorf("the CA's certificate: %v, %d bytes", res.Header, len(der))
	}
}

// TestOCSPByGET: caching headers, a remembered answer, and its end with the revocation; then errors.
func TestOCSPByGET(t *testing.T) {
	r, host := publicRig(t)
	ca := r.root("get", ocspAt(host))
	_, csr := leaf(t, "a")
	_, text, chain := r.issue(ca, csr, nil)
	cert, issuer := parse(t, text), parse(t, chain)
	base := cert.OCSPServer[0]
	q := question(t, cert, issuer, crypto.SHA1)
	r.awaitResponder(base, q)
	address := base + "/" + url.PathEscape(base64.StdEncoding.EncodeToString(q))
	res, first := fetch(t, "GET", address, nil)
	got, err := ocsp.ParseResponseForCert(first, cert, issuer)
	if err != nil || got.Status != ocsp.Good {
		t.Fatalf("first answer: %v %v", got, err)
	}
	expires, err := http.ParseTime(res.Header.Get("Expires"))
	if err != nil || !expires.Equal(got.NextUpdate) || !strings.Contains(res.Header.Get("Cache-Control"), "max-age=") || res.Header.Get("ETag") == "" {
		t.Errorf("headers %v", res.Header)
	}
	if _, again := fetch(t, "GET", address, nil); !bytes.Equal(first, again) {
		t.Error("a second answer was signed")
	}
	r.revoke(ca, cert)
	_, out := fetch(t, "GET", address, nil)
	if got, err = ocsp.ParseResponseForCert(out, cert, issuer); err != nil || got.Status != ocsp.Revoked || got.RevocationReason != ocsp.KeyCompromise || time.Since(got.RevokedAt) > time.Minute {
		t.Errorf("after the revocation: %v %v", got, err)
	}
	other := r.root("other", nil)
	_, _, otherChain := r.issue(other, csr, nil)
	for what, c := range map[string]struct {
		method, address string
		body            []byte
		want            []byte
	}{
		"junk":               {"POST", base, []byte("junk"), ocsp.MalformedRequestErrorResponse},
		"empty":              {"POST", base, nil, ocsp.MalformedRequestErrorResponse},
		"junk in a path":     {"GET", base + "/!!!", nil, ocsp.MalformedRequestErrorResponse},
		"another issuer":     {"POST", base, question(t, cert, parse(t, otherChain), crypto.SHA1), ocsp.UnauthorizedErrorResponse},
		"a CA without OCSP":  {"POST", "http://" + host + "/ocsp/" + other[strings.LastIndexByte(other, '/')+1:], q, ocsp.UnauthorizedErrorResponse},
		"no such CA":         {"POST", "http://" + host + "/ocsp/00000000-0000-4000-8000-000000000000", q, ocsp.UnauthorizedErrorResponse},
		"an unsupported sum": {"POST", base, question(t, cert, issuer, crypto.SHA512), ocsp.UnauthorizedErrorResponse},
	} {
		_, out := fetch(t, c.method, c.address, c.body)
		if !bytes.Equal(out, c.want) {
			t.Errorf("%s: got %x, want %x", what, out, c.want)
		}
	}
	r.ok("UpdateCertificateAuthority", object{"CertificateAuthorityArn": ca, "RevocationConfiguration": object{"OcspConfiguration": object{"Enabled": false}}})
	if _, out := fetch(t, "POST", base, q); len(out) > 10 {
		t.Error("answered although OCSP is off")
	}
}

// TestOnlyThePublicIsPublic: the address for lists has no API, and nothing else.
func TestOnlyThePublicIsPublic(t *testing.T) {
	_, host := publicRig(t)
	for _, c := range []struct{ method, path string }{{"POST", "/"}, {"GET", "/"}, {"POST", "/sessions"}, {"GET", "/healthz"}, {"GET", "/metrics"}, {"GET", "/ocsp/x"}, {"GET", "/ca/x.cer"}, {"PUT", "/ocsp/00000000-0000-4000-8000-000000000000"}, {"GET", "/x.crl"}} {
		if res, _ := fetch(t, c.method, "http://"+host+c.path, nil); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s %s: %d", c.method, c.path, res.StatusCode)
		}
	}
}

// TestPartitions: a certificate keeps its partition, whose list has the certificate's address in a critical extension, and
// counts for it alone.
func TestPartitions(t *testing.T) {
	r, host := publicRig(t)
	lists := func(more object) object {
		c := object{"Enabled": true, "ExpirationInDays": 7, "CustomCname": host, "CrlType": "PARTITIONED"}
		for k, v := range more {
			c[k] = v
		}
		return object{"CrlConfiguration": c}
	}
	ca := r.root("partitions", object{"RevocationConfiguration": lists(nil)})
	issue := func() (*x509.Certificate, string, string) {
		_, csr := leaf(t, "a")
		_, text, chain := r.issue(ca, csr, nil)
		return parse(t, text), text, chain
	}
	one, oneText, chain := issue()
	two, _, _ := issue()
	if len(one.CRLDistributionPoints) != 1 || one.CRLDistributionPoints[0] != two.CRLDistributionPoints[0] || !strings.HasPrefix(one.CRLDistributionPoints[0], "http://"+host+"/crl/"+ca[strings.LastIndexByte(ca, '/')+1:]+"/") {
		t.Fatalf("distribution points %v %v", one.CRLDistributionPoints, two.CRLDistributionPoints)
	}
	r.ok("UpdateCertificateAuthority", object{"CertificateAuthorityArn": ca, "RevocationConfiguration": lists(object{"CustomPath": "pki/lists"})})
	three, threeText, _ := issue()
	if !strings.HasPrefix(three.CRLDistributionPoints[0], "http://"+host+"/pki/lists/") {
		t.Errorf("with a custom path: %v", three.CRLDistributionPoints)
	}
	get := func(c *x509.Certificate) []byte {
		res, der := fetch(t, "GET", c.CRLDistributionPoints[0], nil)
		if res.StatusCode != http.StatusOK {
			return nil
		}
		return der
	}
	for _, c := range []struct {
		cert *x509.Certificate
		text string
	}{{one, oneText}, {three, threeText}} {
		r.eventually("a partition's list", func() bool { return strings.Contains(verifyWith(t, chain, c.text, get(c.cert)), ": OK") })
	}
	r.revoke(ca, one)
	r.eventually("the revocation in its partition", func() bool { return strings.Contains(verifyWith(t, chain, oneText, get(one)), "certificate revoked") })
	if out := verifyWith(t, chain, oneText, get(three)); strings.Contains(out, ": OK") {
		t.Errorf("another partition's list cleared a revoked certificate: %s", out)
	}
	list, err := x509.ParseRevocationList(get(three))
	if err != nil || len(list.RevokedCertificateEntries) != 0 {
		t.Errorf("the other partition lists %d certificates: %v", len(list.RevokedCertificateEntries), err)
	}
}
