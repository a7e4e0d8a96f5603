package rolesanywhere_test

import (
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/testserver"
)

// The wire variants of real clients: issue 2, "Real clients, unchanged".
func TestCreateSessionWireVariants(t *testing.T) {
	srv := testserver.Start(t)
	root := newCA(t, "Root", nil, nil)
	middle := newCA(t, "Middle", root, nil)
	low := newCA(t, "Low", middle, nil)
	w := newWorld(t, srv, root, func(w *world) { w.role.TrustPolicy = trustPolicy(w.anchorARN(), "Low") })
	leaf := low.issue(t, nil)
	rsaRoot := newCA(t, "RSA Root", nil, rsaKey(t, 2048))
	rsaWorld := newWorld(t, srv, rsaRoot)
	sha384 := rsaRoot.issue(t, rsaKey(t, 2048), func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA384WithRSA })
	awsHost := "rolesanywhere." + testserver.Region + ".amazonaws.com"
	stranger := newCA(t, "Stranger", nil, nil)

	inBody := func(c *call) {
		members := map[string]any{"durationSeconds": 3600}
		for k, v := range c.query {
			members[k] = v[0]
		}
		b, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		c.query, c.body = nil, string(b)
	}
	for _, v := range []struct {
		name  string
		world *world
		who   *entity
		chain []*entity
		edit  func(*call)
	}{
		{"ARNs in the query", w, leaf, []*entity{low, middle}, func(*call) {}},
		{"ARNs in the body", w, leaf, []*entity{low, middle}, inBody},
		{"ARNs in both, equal", w, leaf, []*entity{low, middle}, func(c *call) { q := c.query; inBody(c); c.query = q }},
		{"one ARN in the query, two in the body", w, leaf, []*entity{low, middle}, func(c *call) {
			q := url.Values{"roleArn": c.query["roleArn"]}
			c.query.Del("roleArn")
			inBody(c)
			c.query = q
		}},
		{"empty body, content type unsigned", w, leaf, []*entity{low, middle}, func(c *call) {
			c.body, c.header, c.host, c.signed = "", nil, awsHost, []string{"host", "x-amz-date", "x-amz-x509", "x-amz-x509-chain"}
		}},
		{"application/x-amz-json-1.0, fixed AWS host", w, leaf, []*entity{low, middle}, func(c *call) {
			inBody(c)
			c.contentType, c.host, c.header = "application/x-amz-json-1.0", awsHost, nil
		}},
		{"no content type", w, leaf, []*entity{low, middle}, func(c *call) { c.contentType = "" }},
		{"chunked body", w, leaf, []*entity{low, middle, root}, func(c *call) { c.chunked = true }},
		{"root in the chain", w, leaf, []*entity{root, low, middle}, func(*call) {}},
		{"leaf in the chain", w, leaf, []*entity{leaf, low, middle}, func(*call) {}},
		{"reversed chain", w, leaf, []*entity{middle, low}, func(*call) {}},
		{"leaf last, root first, a stranger between", w, leaf, []*entity{root, middle, stranger, low, leaf}, func(*call) {}},
		{"path prefix", w, leaf, []*entity{low, middle}, func(c *call) { c.path = "/some/prefix/sessions" }},
		{"path prefix, doubled slash", w, leaf, []*entity{low, middle}, func(c *call) { c.path = "//sessions" }},
		{"deprecated and unknown members", w, leaf, []*entity{low, middle}, func(c *call) {
			c.body = `{"sessionName":"old","instanceProperties":{"a":"b"},"later":[{"x":1}],"durationSeconds":900}`
		}},
		{"no duration", w, leaf, []*entity{low, middle}, func(c *call) { c.body = "{}" }},
		{"label of the certificate's own signature", rsaWorld, sha384, nil, func(c *call) {
			inBody(c)
			c.algorithm, c.contentType = "AWS4-X509-RSA-SHA384", "application/x-amz-json-1.0"
		}},
	} {
		t.Run(v.name, func(t *testing.T) {
			c := v.world.call(v.who, v.chain...)
			v.edit(c)
			s := granted(t, v.world.send(t, c))
			want := "arn:aws:sts::123456789012:assumed-role/" + v.world.role.Name + "/" + hexSerial(v.who.cert.SerialNumber)
			if s.arn != want || s.role != v.world.roleARN() || s.roleID != v.world.role.ID+":"+hexSerial(v.who.cert.SerialNumber) {
				t.Errorf("got %s, %s and %s, want %s", s.arn, s.role, s.roleID, want)
			}
			if got, _ := identity(t, srv, s.keys); got != want {
				t.Errorf("the credentials are %q's, want %q", got, want)
			}
		})
	}
}

// hexSerial is the session name that a certificate gives: hexadecimal of even length.
func hexSerial(n *big.Int) string {
	s := n.Text(16)
	if len(s)%2 == 1 {
		s = "0" + s
	}
	return s
}

func TestCreateSessionKeyTypes(t *testing.T) {
	srv := testserver.Start(t)
	ca := newCA(t, "Root", nil, nil)
	w := newWorld(t, srv, ca)
	for _, k := range []struct {
		name string
		key  crypto.Signer
	}{
		{"RSA-2048", rsaKey(t, 2048)}, {"P-256", ecKey(t, elliptic.P256())}, {"P-384", ecKey(t, elliptic.P384())}, {"P-521", ecKey(t, elliptic.P521())},
	} {
		t.Run(k.name, func(t *testing.T) {
			who := ca.issue(t, k.key)
			for range 2 { // cold and remembered
				s := granted(t, w.send(t, w.call(who)))
				if got, _ := identity(t, srv, s.keys); got != s.arn {
					t.Errorf("got %q, want %q", got, s.arn)
				}
			}
		})
	}
}

func TestCreateSessionAnswer(t *testing.T) {
	srv := testserver.Start(t)
	ca := newCA(t, "Root", nil, nil)
	w := newWorld(t, srv, ca, func(w *world) { w.profile.Duration, w.profile.AcceptRoleSessionName = 1800, true })
	who := ca.issue(t, nil, func(c *x509.Certificate) { c.SerialNumber = big.NewInt(0xabc) })

	before := time.Now()
	c := w.call(who)
	s := granted(t, w.send(t, c))
	if s.source != "CN=workload" {
		t.Errorf("source identity %q, want CN=workload", s.source)
	}
	// The shorter of profile and request counts.
	if got := s.expires.Sub(before).Round(10 * time.Second); got != 30*time.Minute {
		t.Errorf("expires after %s, want 30m", got)
	}
	if want := "arn:aws:sts::123456789012:assumed-role/" + w.role.Name + "/0abc"; s.arn != want {
		t.Errorf("got %q, want %q: the serial number in hexadecimal of even length", s.arn, want)
	}
	if s.packed < 0 || s.packed > 100 {
		t.Errorf("packed size %d%%", s.packed)
	}
	again := granted(t, w.send(t, w.call(who)))
	if again.subject != s.subject || again.keys == s.keys {
		t.Error("the same certificate must be the same subject, with new credentials")
	}

	c = w.call(who)
	c.body = `{"durationSeconds":900,"roleSessionName":"my.name@host"}`
	named := granted(t, w.send(t, c))
	if want := "arn:aws:sts::123456789012:assumed-role/" + w.role.Name + "/my.name@host"; named.arn != want {
		t.Errorf("got %q, want %q", named.arn, want)
	}
	if got := named.expires.Sub(before).Round(10 * time.Second); got != 15*time.Minute {
		t.Errorf("expires after %s, want 15m", got)
	}
	// Neither what was tampered with in the token nor another key's token opens anything.
	mixed := testserver.Keys{AccessKeyID: s.keys.AccessKeyID, SecretAccessKey: s.keys.SecretAccessKey, SessionToken: named.keys.SessionToken}
	if got, resp := identity(t, srv, mixed); got != "" || resp.Status != http.StatusForbidden {
		t.Errorf("mixed credentials: %d, identity %q", resp.Status, got)
	}
}

// The event of a success is complete and holds no secret.
func TestCreateSessionEvent(t *testing.T) {
	srv := testserver.Start(t)
	ca := newCA(t, "Root", nil, nil)
	w := newWorld(t, srv, ca)
	resp := w.send(t, w.call(ca.issue(t, nil)))
	s := granted(t, resp)
	event := waitFor(t, srv, resp.Header.Get("X-Amzn-Requestid"))[resp.Header.Get("X-Amzn-Requestid")]
	if event["errorCode"] != nil || event["awsRegion"] != testserver.Region || event["recipientAccountId"] != string(account) {
		t.Errorf("got %v", event)
	}
	text, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{s.keys.SecretAccessKey, s.keys.SessionToken} {
		if contains(text, secret) {
			t.Error("a secret is in the event")
		}
	}
	for _, part := range []string{s.keys.AccessKeyID, s.arn, s.subject, s.source, w.anchorARN(), w.profileARN(), w.roleARN()} {
		if !contains(text, part) {
			t.Errorf("%s is not in the event %s", part, text)
		}
	}
}

func contains(text []byte, part string) bool {
	quoted, err := json.Marshal(part)
	return err == nil && len(part) > 0 && strings.Contains(string(text), string(quoted[1:len(quoted)-1]))
}
