package httpauthz_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/server"
	"github.com/rolecall/rolecall/internal/testserver"
	"github.com/rolecall/rolecall/sigv4"
)

const table = `{
  "services": [{
    "name": "orders", "hosts": ["orders.example.com"], "account": "123456789012", "region": "eu-central-1",
    "rules": [
      {"methods": ["GET"], "path": "/v1/orders", "action": "orders:ListOrders", "context": {"orders:Status": "query:status"}},
      {"methods": ["GET"], "path": "/v1/orders/{order}", "action": "orders:GetOrder", "resource": "arn:aws:orders:{region}:{account}:order/{order}"},
      {"methods": ["PUT"], "path": "/v1/orders/{order}", "action": "orders:PutOrder", "resource": "arn:aws:orders:{region}:{account}:order/{order}",
       "context": {"orders:Priority": "header:X-Priority"}},
      {"methods": ["POST"], "path": "/", "target": "Orders.Purge", "action": "orders:Purge"}
    ]
  }]
}`

const policy = `{"Version":"2012-10-17","Statement":[
  {"Effect":"Allow","Action":"orders:ListOrders","Resource":"*","Condition":{"StringEquals":{"orders:Status":"open"},"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}},
  {"Effect":"Allow","Action":"orders:GetOrder","Resource":"arn:aws:orders:eu-central-1:123456789012:order/public-*"},
  {"Effect":"Allow","Action":"orders:PutOrder","Resource":"*","Condition":{"StringEquals":{"orders:Priority":"low"}}},
  {"Effect":"Allow","Action":"orders:Purge","Resource":"*"},
  {"Effect":"Deny","Action":"orders:*","Resource":"arn:aws:orders:eu-central-1:123456789012:order/public-secret"}]}`

// rig is a server that decides, and a user whose policy is above.
type rig struct {
	t    *testing.T
	s    *testserver.Server
	user testserver.Keys
}

func newRig(t *testing.T) *rig {
	file := filepath.Join(t.TempDir(), "table.json")
	if err := os.WriteFile(file, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	s := testserver.StartWith(t, func(c *server.Config) { c.AuthzTable, c.AuthzListen = file, "127.0.0.1:0" })
	r := &rig{t: t, s: s}
	r.iam("CreateUser", "UserName", "ann", "Tags.member.1.Key", "team/ü", "Tags.member.1.Value", "a b")
	r.iam("PutUserPolicy", "UserName", "ann", "PolicyName", "orders", "PolicyDocument", policy)
	key := string(r.iam("CreateAccessKey", "UserName", "ann"))
	r.user = testserver.Keys{AccessKeyID: element(key, "AccessKeyId"), SecretAccessKey: element(key, "SecretAccessKey")}
	return r
}

func (r *rig) iam(action string, params ...string) []byte {
	r.t.Helper()
	resp := r.s.Query(r.t, r.s.Root, "iam", action, params...)
	if resp.Status != http.StatusOK {
		r.t.Fatalf("%s: %d %s", action, resp.Status, resp.Body)
	}
	return resp.Body
}

func element(xml, name string) string {
	_, rest, _ := strings.Cut(xml, "<"+name+">")
	value, _, _ := strings.Cut(rest, "<")
	return value
}

// client is a request as a client of the service sends it.
type client struct {
	method, target, host string
	header               http.Header
	body                 string
	keys                 testserver.Keys
	service, region      string
	at                   time.Time
	declare              bool // signs X-Amz-Content-Sha256
}

func (r *rig) client(method, target string) *client {
	return &client{method: method, target: target, host: "orders.example.com", header: http.Header{}, keys: r.user, service: "orders", region: "eu-central-1", at: time.Now()}
}

// sign returns the signed request that the proxy receives.
func (c *client) sign(t *testing.T) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), c.method, "https://"+c.host+c.target, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, c.header)
	sum := sha256.Sum256([]byte(c.body))
	err = sigv4.Sign(req, &sigv4.SignInput{
		AccessKeyID: c.keys.AccessKeyID, SecretAccessKey: c.keys.SecretAccessKey, SessionToken: c.keys.SessionToken,
		Region: c.region, Service: c.service, Time: c.at, BodySHA256: hex.EncodeToString(sum[:]), PayloadHeader: c.declare,
	})
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// nginx asks as auth_request does: a GET of its own, the client's headers, no body.
func (r *rig) nginx(c *client, change ...func(http.Header)) (int, http.Header, string) {
	r.t.Helper()
	signed := c.sign(r.t)
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, "http://"+r.s.AuthorizationAddr()+"/nginx", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header = signed.Header.Clone()
	req.Header.Set("X-Original-Method", c.method)
	req.Header.Set("X-Original-URI", c.target)
	req.Header.Set("X-Original-Host", c.host)
	req.Header.Set("X-Original-Scheme", "https")
	req.Header.Set("X-Original-Addr", "192.0.2.7")
	if c.body != "" {
		req.Header.Set("X-Original-Content-Length", strconv.Itoa(len(c.body)))
	}
	for _, fn := range change {
		fn(req.Header)
	}
	return r.send(req)
}

// envoy asks with the client's method, path, host and body.
func (r *rig) envoy(c *client, withBody bool) (int, http.Header, string) {
	r.t.Helper()
	signed := c.sign(r.t)
	var body io.Reader
	if withBody {
		body = strings.NewReader(c.body)
	}
	req, err := http.NewRequestWithContext(r.t.Context(), c.method, "http://"+r.s.AuthorizationAddr()+"/envoy"+c.target, body)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header, req.Host = signed.Header.Clone(), c.host
	req.Header.Set("X-Envoy-External-Address", "192.0.2.7")
	return r.send(req)
}

func (r *rig) send(req *http.Request) (int, http.Header, string) {
	r.t.Helper()
	resp := r.s.Send(r.t, req)
	return resp.Status, resp.Header, string(resp.Body)
}

func TestAllowed(t *testing.T) {
	r := newRig(t)
	check := func(name string, status int, h http.Header, body string) {
		t.Helper()
		if status != http.StatusOK {
			t.Errorf("%s: %d %s", name, status, body)
			return
		}
		for header, want := range map[string]string{
			"X-Rolecall-Principal-Arn": "arn:aws:iam::123456789012:user/ann", "X-Rolecall-Account": "123456789012",
			"X-Rolecall-Principal-Tags": url.QueryEscape("team/ü") + "=a+b",
		} {
			if got := h.Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
	}
	get := r.client("GET", "/v1/orders/public-1")
	status, h, body := r.nginx(get)
	check("nginx", status, h, body)
	if h.Get("X-Rolecall-Action") != "orders:GetOrder" || h.Get("X-Rolecall-Resource") != "arn:aws:orders:eu-central-1:123456789012:order/public-1" {
		t.Errorf("decided on %v", h)
	}
	status, h, body = r.envoy(get, false)
	check("envoy", status, h, body)
	status, h, body = r.nginx(r.client("GET", "/v1/orders?x=%20&status=open"))
	check("query and address", status, h, body)

	put := r.client("PUT", "/v1/orders/7")
	put.body, put.declare = `{"amount":1}`, true
	put.header.Set("X-Priority", "low")
	status, h, body = r.nginx(put)
	check("a body by its hash", status, h, body)
	put.declare = false
	status, h, body = r.envoy(put, true)
	check("a body that came along", status, h, body)

	purge := r.client("POST", "/")
	purge.header.Set("X-Amz-Target", "Orders.Purge")
	status, h, body = r.nginx(purge)
	check("target", status, h, body)
}

func TestRefused(t *testing.T) {
	r := newRig(t)
	root := r.s.Root
	for _, c := range []struct {
		name   string
		change func(*client)
		proxy  func(http.Header)
		status int
		want   string
	}{
		{"policy", func(c *client) { c.target = "/v1/orders/private" }, nil, 403, "because no identity-based policy allows the orders:GetOrder action"},
		{"explicit deny", func(c *client) { c.target = "/v1/orders/public-secret" }, nil, 403, "with an explicit deny in an identity-based policy"},
		{"condition", func(c *client) { c.target = "/v1/orders?status=closed" }, nil, 403, "no identity-based policy allows the orders:ListOrders action"},
		{"condition twice", func(c *client) { c.target = "/v1/orders?status=open&status=closed" }, nil, 403, "more than once"},
		{"address", func(c *client) { c.target = "/v1/orders?status=open" }, func(h http.Header) { h.Set("X-Original-Addr", "198.51.100.1") }, 403, "no identity-based policy"},
		{"no rule", func(c *client) { c.target = "/v2/orders" }, nil, 403, "no rule of the operator's table fits"},
		{"method", func(c *client) { c.method = "DELETE" }, nil, 403, "no rule"},
		{"dots", func(c *client) { c.target = "/v1/orders/public-1/../private" }, nil, 403, "dot segment"},
		{"encoded slash", func(c *client) { c.target = "/v1/orders/public-1%2f..%2fprivate" }, nil, 403, "encoded slash"},
		{"doubled slash", func(c *client) { c.target = "/v1//orders/public-1" }, nil, 403, "empty segment"},
		{"unsigned", nil, func(h http.Header) { h.Del("Authorization") }, 401, "missing Authentication Token"},
		{"another path", nil, func(h http.Header) { h.Set("X-Original-URI", "/v1/orders/public-2") }, 401, "does not match the signature"},
		{"another method", nil, func(h http.Header) { h.Set("X-Original-Method", "PUT") }, 401, "does not match the signature"},
		{"another query", nil, func(h http.Header) { h.Set("X-Original-URI", "/v1/orders/public-1?a=b") }, 401, "does not match the signature"},
		{"method override", nil, func(h http.Header) { h.Set("X-HTTP-Method-Override", "DELETE") }, 403, "would make it another request"},
		{"method twice", nil, func(h http.Header) { h.Add("X-Original-Method", "GET") }, 403, "X-Original-Method, once"},
		{"no host", nil, func(h http.Header) { h.Del("X-Original-Host") }, 403, "X-Original-Host, once"},
		{"not a path", nil, func(h http.Header) { h.Set("X-Original-URI", "https://orders.example.com/v1/orders/public-1") }, 403, "not a path"},
		{"not an address", nil, func(h http.Header) { h.Set("X-Original-Addr", "local") }, 403, "not an address"},
		{"another host", func(c *client) { c.host = "other.example.com" }, nil, 403, "no service has this host name"},
		{"another service", func(c *client) { c.service = "s3" }, nil, 401, "scoped to correct service: 'orders'"},
		{"another region", func(c *client) { c.region = "us-east-1" }, nil, 403, "not 'us-east-1'"},
		{"old", func(c *client) { c.at = time.Now().Add(-10 * time.Minute) }, nil, 401, "Signature expired"},
		{"unknown key", func(c *client) { c.keys.AccessKeyID = "AKIAAAAAAAAAAAAAAAAA" }, nil, 401, "security token included in the request is invalid"},
		{"wrong secret", func(c *client) { c.keys.SecretAccessKey = "x" }, nil, 401, "does not match the signature"},
		{"body without a hash", func(c *client) { c.method, c.target, c.body = "PUT", "/v1/orders/7", "x" }, nil, 401, "X-Amz-Content-Sha256"},
		{"unsigned payload", func(c *client) { c.method, c.target, c.body = "PUT", "/v1/orders/7", "x" },
			func(h http.Header) { h.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD") }, 401, "X-Amz-Content-Sha256"},
		{"priority", func(c *client) { c.method, c.target = "PUT", "/v1/orders/7"; c.header.Set("X-Priority", "high") }, nil, 403, "no identity-based policy"},
		{"priority unsigned", func(c *client) { c.method, c.target = "PUT", "/v1/orders/7" }, func(h http.Header) { h.Set("X-Priority", "low") }, 403, "is not signed"},
		{"target unsigned", func(c *client) { c.method, c.target = "POST", "/" }, func(h http.Header) { h.Set("X-Amz-Target", "Orders.Purge") }, 401, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := r.client("GET", "/v1/orders/public-1")
			if c.change != nil {
				c.change(req)
			}
			var proxy []func(http.Header)
			if c.proxy != nil {
				proxy = append(proxy, c.proxy)
			}
			status, h, body := r.nginx(req, proxy...)
			if status != c.status || !strings.Contains(body, c.want) {
				t.Errorf("%d %s, want %d %q", status, body, c.status, c.want)
			}
			if h.Get("X-Rolecall-Principal-Arn") != "" || h.Get("X-Amzn-Errortype") == "" {
				t.Errorf("headers %v", h)
			}
		})
	}
	// The root may do everything, but the table still says what there is.
	req := r.client("GET", "/v1/orders/private")
	req.keys = root
	if status, _, body := r.nginx(req); status != http.StatusOK {
		t.Errorf("root: %d %s", status, body)
	}
	req = r.client("GET", "/elsewhere")
	req.keys = root
	if status, _, _ := r.nginx(req); status != http.StatusForbidden {
		t.Errorf("root, no rule: %d", status)
	}
}

// TestBodyOfTheProxy tampers with a body that comes along.
func TestBodyOfTheProxy(t *testing.T) {
	r := newRig(t)
	c := r.client("PUT", "/v1/orders/7")
	c.body = "amount=1"
	c.header.Set("X-Priority", "low")
	signed := c.sign(t)
	for body, want := range map[string]int{"amount=1": 200, "amount=2": 401, "": 401} {
		req, err := http.NewRequestWithContext(t.Context(), "PUT", "http://"+r.s.AuthorizationAddr()+"/envoy/v1/orders/7", bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header, req.Host = signed.Header.Clone(), c.host
		if status, _, text := r.send(req); status != want {
			t.Errorf("%q: %d %s, want %d", body, status, text, want)
		}
	}
}

// TestDenialIsRecorded looks the denial up as an auditor does, and revokes by policy.
func TestDenialIsRecorded(t *testing.T) {
	r := newRig(t)
	if status, _, body := r.nginx(r.client("GET", "/v1/orders/private")); status != 403 {
		t.Fatalf("%d %s", status, body)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		resp := r.s.JSON11(t, r.s.Root, "cloudtrail", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents",
			map[string]any{"LookupAttributes": []any{map[string]string{"AttributeKey": "EventName", "AttributeValue": "GetOrder"}}})
		if text := string(resp.Body); strings.Contains(text, "/v1/orders/private") && strings.Contains(text, "no identity-based policy") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the denial is not found: %s", resp.Body)
		}
	}
}

func TestSession(t *testing.T) {
	r := newRig(t)
	resp := r.s.Query(t, r.user, "sts", "GetSessionToken")
	if resp.Status != http.StatusOK {
		t.Fatalf("%d %s", resp.Status, resp.Body)
	}
	body := string(resp.Body)
	c := r.client("GET", "/v1/orders/public-1")
	c.keys = testserver.Keys{AccessKeyID: element(body, "AccessKeyId"), SecretAccessKey: element(body, "SecretAccessKey"), SessionToken: element(body, "SessionToken")}
	if status, _, text := r.nginx(c); status != http.StatusOK {
		t.Errorf("session: %d %s", status, text)
	}
	r.iam("DeleteUserPolicy", "UserName", "ann", "PolicyName", "orders")
	if status, _, _ := r.nginx(c); status != http.StatusForbidden {
		t.Errorf("after its policy was removed: %d", status)
	}
	c.keys.SessionToken = c.keys.SessionToken[:len(c.keys.SessionToken)-4] + "AAAA"
	if status, _, _ := r.nginx(c); status != http.StatusUnauthorized {
		t.Errorf("tampered token: %d", status)
	}
}
