package integration

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Both versions of HTTP serve the SDK and CreateSession.
func TestHTTPVersions(t *testing.T) {
	n := serveMemory(t)
	root := n.as(t, n.root)
	w := newWorld(t, root, n.account)
	if got := root.sent.last.ProtoMajor; got != 2 {
		t.Errorf("the SDK spoke HTTP/%d, want 2", got)
	}
	one := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: n.trust, MinVersion: tls.VersionTLS12}, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}
	for version, transport := range map[int]http.RoundTripper{1: one, 2: n.client().Transport} {
		counter := &requestCounter{next: transport}
		hc := &http.Client{Transport: counter}
		s := must(w.createSession(t.Context(), hc, n.endpoint, w.leaf))(t)
		if got := counter.last.ProtoMajor; got != version {
			t.Errorf("HTTP/%d, want HTTP/%d", got, version)
		}
		c := n.as(t, s.credentials())
		must(c.sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}))(t)
		must(c.anywhere.ListTrustAnchors(t.Context(), &rolesanywhere.ListTrustAnchorsInput{}))(t)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	n := serveMemory(t)
	for version, works := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		conn, err := tls.Dial("tcp", n.address(), &tls.Config{RootCAs: n.trust, MinVersion: version, MaxVersion: version})
		if err == nil {
			conn.Close()
		}
		if (err == nil) != works {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if !works && err != nil && !strings.Contains(err.Error(), "protocol version") {
			t.Errorf("%s was refused for another reason: %v", tls.VersionName(version), err)
		}
	}
}

// A certificate from somewhere else is not trusted, and plain HTTP does not reach the HTTPS listener.
func TestServerIdentity(t *testing.T) {
	n, other := serveMemory(t), serveMemory(t)
	if _, err := other.client().Get(n.endpoint + "/healthz"); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a client that trusts another server: %v", err)
	}
	if code, body := get(t, n.client(), n.endpoint+"/healthz"); code != 200 || body != "ok\n" {
		t.Errorf("healthz: %d %q", code, body)
	}
	if code, _ := get(t, http.DefaultClient, "http://"+n.address()+"/healthz"); code != 400 {
		t.Errorf("plain HTTP on the HTTPS listener: %d, want 400", code)
	}
}

// The operator's address answers health and metrics, and they count what happened.
func TestMetricsAndHealth(t *testing.T) {
	address := freeAddress(t)
	n := serveMemory(t, "--metrics-listen", address)
	root := n.as(t, n.root)
	w := newWorld(t, root, n.account)
	w.login(t, n)
	if _, err := w.createSession(t.Context(), n.client(), n.endpoint, newAuthority(t, "Stranger").issue(t, "host.example", 7)); err == nil {
		t.Fatal("a stranger got a session")
	}
	for _, path := range []string{"/livez", "/readyz"} {
		if code, body := get(t, http.DefaultClient, "http://"+address+path); code != 200 {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	_, text := get(t, http.DefaultClient, "http://"+address+"/metrics")
	for _, want := range []string{"CreateTrustAnchor", "CreateSession", "AccessDenied", w.anchorARN} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics do not mention %s", want)
		}
	}
	for _, secret := range []string{n.root.SecretAccessKey, n.root.AccessKeyID} {
		if strings.Contains(text, secret) {
			t.Error("a key is in the metrics")
		}
	}
}

func tlsDial(n *node) (*tls.Conn, error) {
	return tls.Dial("tcp", n.address(), &tls.Config{RootCAs: n.trust, MinVersion: tls.VersionTLS12})
}
