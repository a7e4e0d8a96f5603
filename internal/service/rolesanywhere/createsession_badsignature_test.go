package rolesanywhere_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/testserver"
	"github.com/rolecall/rolecall/sigv4"
)

// tampered changes the request after it was signed.
func tampered(edit func(*http.Request)) func(*testing.T, *world, *entity) *testserver.Response {
	return edited(func(c *call) { c.tamper = edit })
}

// authorization edits the Authorization header.
func authorization(edit func(string) string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", edit(r.Header.Get("Authorization"))) }
}

func signatureRefusals(t *testing.T) []refusal {
	const invalid = "Invalid signature"
	const mismatch = "does not match the signature you provided"
	other := newCA(t, "Other", nil, nil).issue(t, nil)
	rsaLeaf := func(w *world) *entity { return w.ca.issue(t, rsaKey(t, 2048)) }
	return []refusal{
		{name: "signature altered", known: invalid, reason: mismatch, send: tampered(authorization(func(s string) string {
			last := map[bool]string{true: "1", false: "0"}[strings.HasSuffix(s, "0")]
			return s[:len(s)-1] + last
		}))},
		{name: "signature cut", known: invalid, reason: "the signature", send: tampered(authorization(func(s string) string { return s[:len(s)-1] }))},
		{name: "signature is of another request", known: invalid, reason: mismatch, send: func(t *testing.T, w *world, who *entity) *testserver.Response {
			first := w.call(who).request(t, w.srv.URL)
			c := w.call(who)
			c.tamper = func(r *http.Request) { r.Header.Set("Authorization", first.Header.Get("Authorization")) }
			return w.send(t, c)
		}},
		{name: "body altered", known: invalid, reason: mismatch, send: tampered(func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(`{"durationSeconds":3599}`))
		})},
		{name: "query altered", known: invalid, reason: mismatch, send: tampered(func(r *http.Request) {
			r.URL.RawQuery += "&x=1"
		})},
		{name: "role altered", known: invalid, reason: mismatch, send: tampered(func(r *http.Request) {
			r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "Worker-", "Master-", 1)
		})},
		{name: "date altered", known: invalid, reason: mismatch, send: tampered(func(r *http.Request) {
			now := time.Now().UTC()
			at := now.Add(-2 * time.Second)
			if at.Day() != now.Day() {
				at = now.Add(2 * time.Second)
			}
			r.Header.Set("X-Amz-Date", at.Format("20060102T150405Z"))
		})},
		{name: "host altered", known: invalid, reason: mismatch, send: tampered(func(r *http.Request) { r.Host = "other.example" })},
		{name: "signed header altered", known: invalid, reason: mismatch, send: tampered(func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") })},
		{name: "signed header removed", known: invalid, reason: "amz-sdk-request", send: tampered(func(r *http.Request) { r.Header.Del("Amz-Sdk-Request") })},
		{name: "certificate exchanged", known: invalid, reason: "serial number", send: tampered(func(r *http.Request) {
			r.Header.Set("X-Amz-X509", base64.StdEncoding.EncodeToString(other.cert.Raw))
		})},
		{name: "certificate exchanged, serial number too", known: invalid, reason: mismatch, send: func(t *testing.T, w *world, who *entity) *testserver.Response {
			c := w.call(who)
			victim := w.ca.issue(t, nil)
			c.serial = victim.cert.SerialNumber.String()
			c.tamper = func(r *http.Request) { r.Header.Set("X-Amz-X509", base64.StdEncoding.EncodeToString(victim.cert.Raw)) }
			return w.send(t, c)
		}},
		{name: "chain added", known: invalid, reason: "x-amz-x509-chain", send: tampered(func(r *http.Request) {
			r.Header.Set("X-Amz-X509-Chain", base64.StdEncoding.EncodeToString(other.cert.Raw))
		})},
		{name: "certificate unsigned", known: invalid, reason: "x-amz-x509", send: edited(func(c *call) { c.signed = []string{"host", "x-amz-date"} })},
		{name: "host unsigned", known: invalid, reason: "'Host' must be", send: edited(func(c *call) { c.signed = []string{"x-amz-date", "x-amz-x509"} })},
		{name: "two certificates", known: invalid, reason: "more than once", send: tampered(func(r *http.Request) {
			r.Header.Add("X-Amz-X509", base64.StdEncoding.EncodeToString(other.cert.Raw))
		})},
		{name: "scope of another region", known: invalid, reason: "us-east-1", send: edited(func(c *call) { c.region = "us-east-1" })},
		{name: "scope of another service", known: invalid, reason: "service is not rolesanywhere", send: edited(func(c *call) { c.scopes = "sts" })},
		{name: "scope of another day", known: invalid, reason: "Date in Credential scope", send: edited(func(c *call) { c.date = "20200101" })},
		{name: "scope without terminator", known: invalid, reason: "aws4_request", send: tampered(authorization(func(s string) string {
			return strings.Replace(s, "aws4_request", "aws5_request", 1)
		}))},
		{name: "replayed after six minutes", known: invalid, reason: "is 6m", send: edited(func(c *call) { c.when = time.Now().Add(-6 * time.Minute) })},
		{name: "replayed after a day", known: invalid, reason: "behind", send: edited(func(c *call) { c.when = time.Now().Add(-24 * time.Hour) })},
		{name: "ten minutes in the future", known: invalid, reason: "ahead", send: edited(func(c *call) { c.when = time.Now().Add(10 * time.Minute) })},
		{name: "RSA label for an ECDSA key", known: invalid, reason: "ECDSA key", send: edited(func(c *call) { c.algorithm = "AWS4-X509-RSA-SHA256" })},
		{name: "ECDSA label for an RSA key", known: invalid, reason: "RSA key", send: func(t *testing.T, w *world, _ *entity) *testserver.Response {
			c := w.call(rsaLeaf(w))
			c.algorithm = "AWS4-X509-ECDSA-SHA256"
			return w.send(t, c)
		}},
		{name: "SHA-1 label", known: invalid, reason: "unknown signature algorithm", send: edited(func(c *call) { c.algorithm = "AWS4-X509-ECDSA-SHA1" })},
		{name: "unknown label", known: invalid, reason: "unknown signature algorithm", send: edited(func(c *call) { c.algorithm = "AWS9-NONE" })},
		{name: "serial number in hexadecimal", known: invalid, reason: "decimal", send: func(t *testing.T, w *world, who *entity) *testserver.Response {
			c := w.call(who)
			c.serial = who.cert.SerialNumber.Text(16) + "f"
			return w.send(t, c)
		}},
		{name: "serial number of another", known: invalid, reason: "serial number", send: edited(func(c *call) { c.serial = "4711" })},
		{name: "signed with an access key", known: invalid, reason: "not with an access key", send: func(t *testing.T, w *world, who *entity) *testserver.Response {
			r := w.call(who).request(t, w.srv.URL)
			r.Header.Del("Authorization")
			r.Body, r.GetBody, r.ContentLength = http.NoBody, nil, 0
			err := sigv4.Sign(r, &sigv4.SignInput{
				AccessKeyID: w.srv.Root.AccessKeyID, SecretAccessKey: w.srv.Root.SecretAccessKey,
				Region: testserver.Region, Service: "rolesanywhere", Time: time.Now(),
			})
			if err != nil {
				t.Fatal(err)
			}
			return w.sendRequest(t, r)
		}},
		{name: "no signature", code: "MissingAuthenticationTokenException", known: "Request is missing Authentication Token",
			send: tampered(func(r *http.Request) { r.Header.Del("Authorization") })},
		{name: "no certificate", code: "MissingAuthenticationTokenException", known: "Request is missing Authentication Token", reason: "X-Amz-X509",
			send: tampered(func(r *http.Request) { r.Header.Del("X-Amz-X509") })},
	}
}
