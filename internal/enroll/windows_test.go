package enroll

import (
	"crypto/x509/pkix"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rolecall/rolecall/internal/enroll/cmctest"
)

// What Windows is known to send and to need, where no other test says it. There is no Windows here: these hold what its users
// reported and the specifications say. docs/ad.md lists them all.

// TestWindowsLegs: the web services of Windows open a connection per leg, so that nothing may hang on the one before.
func TestWindowsLegs(t *testing.T) {
	w := newWorld(t)
	w.template(1, "User", nil, allowed(usersSID))
	peers := map[string]bool{}
	server := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if peers[r.RemoteAddr] {
			t.Error("two legs on one connection")
		}
		peers[r.RemoteAddr] = true
		w.h.ServeHTTP(rw, r)
	}))
	defer server.Close()
	client := server.Client()
	client.Transport.(*http.Transport).DisableKeepAlives = true
	leg := func(method, path, authorization, body string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = policyHost
		r.Header.Set("Content-Type", "application/soap+xml; charset=utf-8")
		r.Header.Set("User-Agent", "MS-WebServices/1.0")
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(text)
	}
	for _, probe := range []string{"GET", "HEAD"} {
		if resp, text := leg(probe, cepPath, "", ""); resp.StatusCode != 200 || strings.Contains(strings.ToLower(text), "error") {
			t.Errorf("%s: %d %s", probe, resp.StatusCode, text)
		}
	}
	ask := envelope("http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy/IPolicy/GetPolicies", "", getPolicies("", noFilter))
	if resp, _ := leg("POST", cepPath, "", ask); resp.StatusCode != 401 || resp.Header.Get("WWW-Authenticate") != "Negotiate" {
		t.Errorf("first leg: %d %v", resp.StatusCode, resp.Header)
	}
	resp, text := leg("POST", cepPath, "Negotiate "+aliceSID, ask)
	if resp.StatusCode != 200 || offered(text) != "User" || !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Negotiate ") {
		t.Errorf("second leg: %d %v %s", resp.StatusCode, resp.Header, text)
	}
	if len(peers) != 4 {
		t.Errorf("%d connections", len(peers))
	}
}

// TestWindowsMachine: a computer's CSR has no subject and no purposes, and the signature of the PKCS #10 inside of the CMC is
// not to be relied upon: the outer one, by the key itself, proves possession. What is missing comes from directory and template.
func TestWindowsMachine(t *testing.T) {
	w := newWorld(t)
	w.template(1, "Computer", machine, allowed(hostsSID))
	leaf, _, _ := w.issued(hostSID, w.windows(cmctest.Request{Key: key(t), Subject: pkix.Name{}, Breaks: true}, 1))
	if leaf.Subject.CommonName != "ws2.corp.example.com" || len(leaf.DNSNames) != 1 || len(leaf.ExtKeyUsage) == 0 {
		t.Errorf("subject %s, names %v, purposes %v", leaf.Subject, leaf.DNSNames, leaf.ExtKeyUsage)
	}
	// CERTSRV_E_PROPERTY_EMPTY without the first; no strong mapping (KB5014754) without the second.
	for _, oid := range []string{"1.3.6.1.4.1.311.21.7", "1.3.6.1.4.1.311.25.2"} {
		if extension(leaf, oid) == nil {
			t.Errorf("no extension %s", oid)
		}
	}
	answer := w.policies(hostSID, "", noFilter)
	if strings.Contains(answer, "<certificate></certificate>") || strings.Contains(answer, "<certificate/>") || !strings.Contains(answer, "<certificate>MI") {
		t.Errorf("the CA has no certificate: %s", answer)
	}
}
