package rolesanywhere_test

import (
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/testserver"
)

// issued sends the request with a certificate of the world's CA that mod spoils.
func issued(key func(testing.TB) crypto.Signer, mod func(*x509.Certificate)) func(*testing.T, *world, *entity) *testserver.Response {
	return func(t *testing.T, w *world, _ *entity) *testserver.Response {
		return w.send(t, w.call(w.ca.issue(t, key(t), mod)))
	}
}

func p256(t testing.TB) crypto.Signer { return ecKey(t, elliptic.P256()) }

func keep(*x509.Certificate) {}

// chained sends the request with a certificate of an intermediate CA that mod spoils.
func chained(mod func(*x509.Certificate)) func(*testing.T, *world, *entity) *testserver.Response {
	return func(t *testing.T, w *world, _ *entity) *testserver.Response {
		tmpl := template(t, "Middle")
		tmpl.IsCA, tmpl.KeyUsage = true, x509.KeyUsageCertSign
		mod(tmpl)
		middle := sign(t, tmpl, w.ca, nil)
		return w.send(t, w.call(middle.issue(t, nil), middle))
	}
}

func header(name, value string) func(*testing.T, *world, *entity) *testserver.Response {
	return tampered(func(r *http.Request) { r.Header.Set(name, value) })
}

func certificateRefusals() []refusal {
	const (
		insufficient = "Untrusted certificate. Insufficient certificate"
		untrusted    = "Untrusted signing certificate"
		invalid      = "Invalid certificate"
	)
	mega := strings.Repeat("A", 1<<20)
	tooLarge := refusal{status: http.StatusRequestHeaderFieldsTooLarge, code: "RequestHeaderSectionTooLarge",
		known: "Your request header and query arguments exceed the maximum supported size", reason: "bytes"}
	large := func(name, field string) refusal {
		r := tooLarge
		r.name, r.send = name, header(field, mega)
		return r
	}
	return []refusal{
		large("1 MiB certificate", "X-Amz-X509"), large("1 MiB chain", "X-Amz-X509-Chain"),
		large("1 MiB signature", "Authorization"), large("1 MiB of something else", "X-Junk"),
		{name: "garbage for base64", known: invalid, reason: "base64", send: header("X-Amz-X509", "&&&& not base64")},
		{name: "garbage for DER", known: invalid, reason: "malformed", send: header("X-Amz-X509", base64.StdEncoding.EncodeToString([]byte("garbage garbage")))},
		{name: "PEM in base64", known: invalid, reason: "malformed", send: func(t *testing.T, w *world, who *entity) *testserver.Response {
			return header("X-Amz-X509", base64.StdEncoding.EncodeToString([]byte(who.pem())))(t, w, who)
		}},
		{name: "truncated certificate", known: invalid, reason: "malformed", send: func(t *testing.T, w *world, who *entity) *testserver.Response {
			return header("X-Amz-X509", base64.StdEncoding.EncodeToString(who.cert.Raw[:200]))(t, w, who)
		}},
		{name: "17 KiB certificate", known: invalid, reason: "larger than 16384 bytes", send: header("X-Amz-X509", base64.StdEncoding.EncodeToString(make([]byte, 17<<10)))},
		{name: "empty element in the chain", known: invalid, reason: "empty certificate", send: header("X-Amz-X509-Chain", "AAAA,,AAAA")},
		{name: "10-certificate chain", known: invalid, reason: "10 certificates, at most 5", send: func(t *testing.T, w *world, who *entity) *testserver.Response {
			c := w.call(who)
			for range 10 {
				c.chain = append(c.chain, w.ca)
			}
			return w.send(t, c)
		}},
		{name: "not yet valid", known: "Certificate not yet valid", reason: " ", send: issued(p256, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
		})},
		{name: "expired", known: "Certificate expired", reason: " ", send: issued(p256, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
		})},
		{name: "CA:true", known: insufficient, reason: "CA:true", send: issued(p256, func(c *x509.Certificate) { c.IsCA = true })},
		{name: "without digitalSignature", known: insufficient, reason: "lacks digitalSignature", send: issued(p256, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment })},
		{name: "without key usage", known: insufficient, reason: "digitalSignature is required", send: issued(p256, func(c *x509.Certificate) { c.KeyUsage = 0 })},
		{name: "empty subject", known: insufficient, reason: "subject is empty", send: issued(p256, func(c *x509.Certificate) {
			c.Subject, c.DNSNames = pkix.Name{}, []string{"workload.example"}
		})},
		{name: "SHA-1", known: insufficient, reason: "SHA1", send: issued(p256, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 })},
		{name: "RSA-1024", known: insufficient, reason: "1024 bits", send: issued(func(t testing.TB) crypto.Signer { return rsaKey(t, 1024) }, keep)},
		{name: "P-224", known: insufficient, reason: "P-224", send: issued(func(t testing.TB) crypto.Signer { return ecKey(t, elliptic.P224()) }, keep)},
		{name: "Ed25519", known: insufficient, reason: "Ed25519", send: issued(edKey, keep)},
		{name: "code signing only", known: insufficient, reason: "extended key usage", send: issued(p256, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} })},
		{name: "another CA", known: untrusted, reason: " ", send: func(t *testing.T, w *world, _ *entity) *testserver.Response {
			return w.send(t, w.call(newCA(t, "Elsewhere", nil, nil).issue(t, nil)))
		}},
		{name: "another CA of the same name", known: untrusted, reason: " ", send: func(t *testing.T, w *world, _ *entity) *testserver.Response {
			fake := newCA(t, "Root", nil, nil)
			return w.send(t, w.call(fake.issue(t, nil), fake))
		}},
		{name: "self-signed", known: untrusted, reason: " ", send: func(t *testing.T, w *world, _ *entity) *testserver.Response {
			tmpl := template(t, "workload")
			tmpl.KeyUsage = x509.KeyUsageDigitalSignature
			return w.send(t, w.call(sign(t, tmpl, nil, nil)))
		}},
		{name: "intermediate missing", known: untrusted, reason: " ", send: func(t *testing.T, w *world, _ *entity) *testserver.Response {
			return w.send(t, w.call(newCA(t, "Middle", w.ca, nil).issue(t, nil)))
		}},
		{name: "intermediate is no CA", known: untrusted, reason: " ", send: chained(func(c *x509.Certificate) { c.IsCA = false })},
		{name: "intermediate expired", known: untrusted, reason: "expired at", send: chained(func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
		})},
		{name: "revoked serial", known: "Certificate revoked", reason: " ", send: func(t *testing.T, w *world, who *entity) *testserver.Response {
			granted(t, w.send(t, w.call(who))) // also for a path that is remembered
			w.crl(t, w.ca.crl(t, who.cert.SerialNumber))
			return w.send(t, w.call(who))
		}},
		{name: "revoked intermediate", known: "Certificate revoked", reason: " ", send: func(t *testing.T, w *world, _ *entity) *testserver.Response {
			middle := newCA(t, "Middle", w.ca, nil)
			w.crl(t, w.ca.crl(t, middle.cert.SerialNumber))
			return w.send(t, w.call(middle.issue(t, nil), middle))
		}},
	}
}
