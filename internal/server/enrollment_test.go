package server

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/keytab"

	"github.com/rolecall/rolecall/internal/enroll"
	"github.com/rolecall/rolecall/internal/store"
)

// TestEnrollmentEndpoints: the host decides the directory, callers are asked for a ticket, and everybody else gets the API.
func TestEnrollmentEndpoints(t *testing.T) {
	srv, err := Start(t.Context(), Config{Store: "memory", Listen: []string{"http://127.0.0.1:0"}, MetricsListen: "off"}, Output{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Shutdown() })
	kt := keytab.New()
	if err := kt.AddEntry("HTTP/ca.corp.example.com", "CORP.EXAMPLE.COM", "password", time.Now(), 1, etypeID.AES256_CTS_HMAC_SHA1_96); err != nil {
		t.Fatal(err)
	}
	keys, err := kt.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	d := &store.Directory{Account: srv.account, Region: "us-east-1", ID: "d-0123456789", Realm: "CORP.EXAMPLE.COM", Servers: []string{"ldaps://127.0.0.1:1"}, BindUser: "svc", PolicyHost: "ca.corp.example.com"}
	enroll.SealCredentials(srv.ring, d, keys, "secret")
	if err := srv.db.Update(t.Context(), func(tx *store.Tx) error { return tx.CreateDirectory(d) }); err != nil {
		t.Fatal(err)
	}
	do := func(method, host, path, authorization string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), method, srv.Endpoint()+path, strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	const path = "/ADPolicyProvider_CEP_Kerberos/service.svc/CEP"
	for _, tc := range []struct {
		method, host, path, authorization string
		want                              int
	}{
		{"GET", "ca.corp.example.com", path, "", 200},
		{"GET", "other.example.com", path, "", 404},
		{"POST", "ca.corp.example.com", path, "", 401},
		{"POST", "CA.corp.example.com:443", path, "Negotiate YIIB", 401},
		{"POST", "other.example.com", path, "Negotiate YIIB", 404},
		{"GET", "ca.corp.example.com", "/CertSrv/mscep/mscep.dll/pkiclient.exe?operation=GetCACert", "", 404}, // no connector yet
		{"GET", "ca.corp.example.com", healthPath, "", 200},
	} {
		resp := do(tc.method, tc.host, tc.path, tc.authorization)
		if resp.StatusCode != tc.want {
			t.Errorf("%s %s%s: %d, want %d", tc.method, tc.host, tc.path, resp.StatusCode, tc.want)
		}
		if tc.want == 401 && resp.Header.Get("WWW-Authenticate") != "Negotiate" {
			t.Errorf("challenge %q", resp.Header.Get("WWW-Authenticate"))
		}
	}
}
