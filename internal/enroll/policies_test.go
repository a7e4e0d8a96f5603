package enroll

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/enroll/cmctest"
	"github.com/rolecall/rolecall/internal/enroll/hresult"
	"github.com/rolecall/rolecall/internal/store"
)

func getPolicies(last, filter string) string {
	if last == "" {
		last = `<lastUpdate xsi:nil="true"/>`
	} else {
		last = "<lastUpdate>" + last + "</lastUpdate>"
	}
	return `<GetPolicies xmlns="http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><client>` + last +
		`<preferredLanguage xsi:nil="true"/></client><requestFilter>` + filter + `</requestFilter></GetPolicies>`
}

const noFilter = `<policyOIDs xsi:nil="true"/><clientVersion>0</clientVersion><serverVersion>0</serverVersion>`

func (w *world) policies(sid, last, filter string) string {
	w.t.Helper()
	rec := w.send(sid, cepPath, envelope("http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy/IPolicy/GetPolicies", "", getPolicies(last, filter)))
	if rec.Code != 200 {
		w.t.Fatalf("status %d: %s", rec.Code, rec.Body)
	}
	return rec.Body.String()
}

// offered are the templates of an answer.
func offered(answer string) string {
	var list []string
	for _, m := range regexp.MustCompile(`<attributes><commonName>([^<]*)</commonName>`).FindAllStringSubmatch(answer, -1) {
		list = append(list, m[1])
	}
	return strings.Join(list, " ")
}

// TestPoliciesByCaller: who may enroll sees a template, machines those of machines.
func TestPoliciesByCaller(t *testing.T) {
	w := newWorld(t)
	w.template(1, "User", nil, allowed(usersSID))
	w.template(2, "Manual", nil, store.TemplateAccess{SID: usersSID, Enroll: "ALLOW"})
	w.template(3, "Others", nil, allowed("S-1-5-21-1-2-3-9"))
	w.template(4, "NotBob", nil, allowed(usersSID), store.TemplateAccess{SID: bobSID, Enroll: "DENY"})
	w.template(5, "Computer", machine, allowed(hostsSID), allowed(usersSID))
	for sid, want := range map[string]string{aliceSID: "User Manual NotBob", bobSID: "User Manual", hostSID: "Computer"} {
		if got := offered(w.policies(sid, "", noFilter)); got != want {
			t.Errorf("%s sees %q, want %q", sid, got, want)
		}
	}
	answer := w.policies(aliceSID, "", noFilter)
	if strings.Count(answer, "<autoEnroll>true</autoEnroll>") != 2 || strings.Count(answer, "<enroll>true</enroll>") != 3 {
		t.Errorf("permissions: %s", answer)
	}
	w.people.entries[aliceSID].Groups = nil
	answer = w.policies(aliceSID, "", noFilter)
	if !strings.Contains(answer, `<policies xsi:nil="true"/>`) || !strings.Contains(answer, `<cAs xsi:nil="true"/><oIDs xsi:nil="true"/>`) {
		t.Errorf("nobody's policies: %s", answer)
	}
	if e := w.event(); e["eventName"] != "GetPolicies" || e["readOnly"] != true {
		t.Errorf("event %v", e)
	}
}

func TestPolicyFilters(t *testing.T) {
	w := newWorld(t)
	w.template(1, "New", nil, allowed(usersSID))
	w.template(2, "Old", func(d fields) { d["PrivateKeyFlags"] = fields{"ClientVersion": "WINDOWS_SERVER_2012"} }, allowed(usersSID))
	for filter, want := range map[string]string{
		noFilter: "New Old",
		`<policyOIDs xsi:nil="true"/><clientVersion xsi:nil="true"/><serverVersion xsi:nil="true"/>`:                             "New Old",
		`<policyOIDs xsi:nil="true"/><clientVersion>4</clientVersion><serverVersion>6</serverVersion>`:                           "Old",
		`<policyOIDs><oid>` + oidText(1) + `</oid></policyOIDs><clientVersion>6</clientVersion><serverVersion>0</serverVersion>`: "New",
	} {
		if got := offered(w.policies(aliceSID, "", filter)); got != want {
			t.Errorf("%s: %q, want %q", filter, got, want)
		}
	}
}

// TestPoliciesNotChanged: a client that has the current policies is told so, for as long as groups may be taken for the same.
func TestPoliciesNotChanged(t *testing.T) {
	w := newWorld(t)
	w.template(1, "User", nil, allowed(usersSID))
	at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format("2006-01-02T15:04:05.000000Z") }
	time.Sleep(2 * time.Millisecond)
	if answer := w.policies(aliceSID, at(0), noFilter); !strings.Contains(answer, "<policiesNotChanged>true</policiesNotChanged><policies xsi:nil=\"true\"/></response><cAs xsi:nil=\"true\"/><oIDs xsi:nil=\"true\"/>") {
		t.Errorf("current: %s", answer)
	}
	for name, last := range map[string]string{"before the change": at(-time.Hour), "in the future": at(time.Hour)} {
		if answer := w.policies(aliceSID, last, noFilter); offered(answer) != "User" {
			t.Errorf("%s: %s", name, answer)
		}
	}
	first, second := w.policies(aliceSID, "", noFilter), w.policies(bobSID, "", noFilter)
	id := regexp.MustCompile(`<policyID>\{[0-9A-F-]{36}\}</policyID>`)
	if a, b := id.FindString(first), id.FindString(second); a == "" || a != b {
		t.Errorf("policy ids %q and %q", a, b)
	}
}

// TestEndpoints: addresses in any case, probes, and who is let in how.
func TestEndpoints(t *testing.T) {
	w := newWorld(t)
	w.template(1, "User", nil, allowed(usersSID))
	get := func(method, host, path string) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		w.h.ServeHTTP(rec, httptest.NewRequest(method, "https://"+host+path, nil))
		return rec
	}
	for _, path := range []string{cepPath, strings.ToLower(cepPath), strings.ToUpper(cepPath), cesPath, "/ADPolicyProvider_CEP_UsernamePassword/service.svc/cep"} {
		for _, method := range []string{"GET", "HEAD"} {
			if rec := get(method, policyHost+":443", path); rec.Code != 200 {
				t.Errorf("%s %s: %d", method, path, rec.Code)
			}
		}
		if rec := get("GET", "other.example.com", path); rec.Code != 404 {
			t.Errorf("unknown host: %d", rec.Code)
		}
		if rec := get("PUT", policyHost, path); rec.Code != 405 {
			t.Errorf("PUT: %d", rec.Code)
		}
	}
	for _, path := range []string{"/", "/x", "/ADPolicyProvider_CEP_Certificate/service.svc/CEP", "/a/b_CES_Kerberos/service.svc/CES", "/_CES_Kerberos/service.svc/CES", strings.Repeat("/a", 400)} {
		if w.h.Handles(httptest.NewRequest("GET", path, nil)) {
			t.Errorf("%s is taken for an endpoint", path)
		}
	}
	message := envelope("x", "", getPolicies("", noFilter))
	for name, header := range map[string]string{"nothing": "", "NTLM": "NTLM TlRMTVNTUAAB", "Basic": "Basic YTpi", "no PAC": "Negotiate YII"} {
		r := httptest.NewRequest("POST", "https://"+policyHost+cepPath, unreadable{t})
		r.Header.Set("Content-Type", "application/soap+xml")
		r.Header.Set("Authorization", header)
		rec := httptest.NewRecorder()
		w.h.ServeHTTP(rec, r)
		if rec.Code != 401 || rec.Header().Get("WWW-Authenticate") != "Negotiate" {
			t.Errorf("%s: %d %v", name, rec.Code, rec.Header())
		}
	}
	if rec := w.send(aliceSID, strings.ToUpper(cepPath), message); rec.Code != 200 || rec.Header().Get("WWW-Authenticate") != "Negotiate cmVwbHk=" {
		t.Errorf("accepted: %d %v", rec.Code, rec.Header())
	}
	w.refused(hresult.UnsupportedType, w.send(aliceSID, "/other_CES_Kerberos/service.svc/CES", rst(issueType, []byte{1}, "")).Body.String())
}

// unreadable fails the test if a body is read before the caller is known.
type unreadable struct{ t *testing.T }

func (u unreadable) Read([]byte) (int, error) {
	u.t.Error("the body was read before the caller was authenticated")
	return 0, errors.New("unreadable")
}

// TestUsernamePassword: credentials in the message, and never a 401.
func TestUsernamePassword(t *testing.T) {
	w := newWorld(t)
	w.template(1, "User", nil, allowed(usersSID))
	cep, ces := strings.Replace(cepPath, "Kerberos", "UsernamePassword", 1), strings.Replace(cesPath, "Kerberos", "UsernamePassword", 1)
	rec := w.send("", cep, envelope("x", token("alice", "secret"), getPolicies("", noFilter)))
	if answer := rec.Body.String(); rec.Code != 200 || offered(answer) != "User" || strings.Index(answer, "_CES_UsernamePassword") > strings.Index(answer, "_CES_Kerberos") {
		t.Errorf("status %d: %s", rec.Code, answer)
	}
	message := rst(issueType, w.windows(cmctest.Request{Key: key(t)}, 1), "")
	rec = w.send("", ces, strings.Replace(message, "</s:Header>", token("alice", "secret")+"</s:Header>", 1))
	if rec.Code != 200 {
		t.Errorf("enrollment: %d %s", rec.Code, rec.Body)
	}
	for name, security := range map[string]string{"none": "", "wrong": token("alice", "Secret"), "unknown": token("mallory", "secret"), "of somebody without one": token("bob", "x")} {
		rec := w.send("", ces, strings.Replace(message, "</s:Header>", security+"</s:Header>", 1))
		w.refused(hresult.AccessDenied, rec.Body.String())
		if rec.Code != 500 || rec.Header().Get("WWW-Authenticate") != "" {
			t.Errorf("%s: status %d, %v", name, rec.Code, rec.Header())
		}
		if strings.Contains(rec.Body.String(), "Secret") {
			t.Errorf("%s: the password comes back", name)
		}
	}
	// A ticket is no password.
	w.refused(hresult.AccessDenied, w.send(aliceSID, ces, message).Body.String())
	if e := w.event(); e["errorCode"] != "AccessDenied" {
		t.Errorf("event %v", e)
	}
	limited := false
	from := func(address, password string) int {
		r := httptest.NewRequest(http.MethodPost, "https://"+policyHost+ces, strings.NewReader(strings.Replace(message, "</s:Header>", token("alice", password)+"</s:Header>", 1)))
		r.Header.Set("Content-Type", "application/soap+xml")
		r.RemoteAddr = address
		rec := httptest.NewRecorder()
		w.h.ServeHTTP(rec, r)
		return rec.Code
	}
	for range 2 * wrongBurst {
		limited = limited || from("[2001:db8::1]:9", "x") == http.StatusTooManyRequests
	}
	if !limited {
		t.Error("passwords can be tried without a limit")
	}
	if e := w.event(); e["errorCode"] != "TooManyRequests" {
		t.Errorf("event %v", e)
	}
	if code := from("[2001:db8::2]:9", "secret"); code != http.StatusTooManyRequests {
		t.Errorf("the same network: %d", code)
	}
	for range 2 * wrongBurst { // right ones are not counted, and others' wrong ones either
		if code := from("192.0.2.7:9", "secret"); code != http.StatusOK {
			t.Fatalf("another source: %d", code)
		}
	}
}

func TestBadMessages(t *testing.T) {
	w := newWorld(t)
	for name, message := range map[string]string{
		"no XML":     "x",
		"DTD":        `<!DOCTYPE a [<!ENTITY b "c">]>` + envelope("x", "", getPolicies("", noFilter)),
		"other body": envelope("x", "", "<other/>"),
		"bad date":   envelope("x", "", getPolicies("yesterday", noFilter)),
	} {
		if rec := w.send(aliceSID, cepPath, message); rec.Code != 500 || !strings.Contains(rec.Body.String(), "<s:Fault>") {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
		if e := w.event(); e["errorCode"] != "E_INVALIDARG" {
			t.Errorf("%s: event %v", name, e)
		}
	}
	if rec := w.send(aliceSID, cepPath, strings.Repeat(" ", 300<<10)); rec.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("too large: %d", rec.Code)
	}
	if e := w.event(); e["errorCode"] != "RequestEntityTooLarge" {
		t.Errorf("event %v", e)
	}
	r := httptest.NewRequest("POST", "https://"+policyHost+cepPath, strings.NewReader("{}"))
	r.Header.Set("Authorization", "Negotiate "+aliceSID)
	rec := httptest.NewRecorder()
	if w.h.ServeHTTP(rec, r); rec.Code != http.StatusUnsupportedMediaType {
		t.Errorf("content type: %d", rec.Code)
	}
	if e := w.event(); e["errorCode"] != "UnsupportedMediaType" {
		t.Errorf("event %v", e)
	}
}

// TestChain: what newer Samba clients fetch to trust the CA.
func TestChain(t *testing.T) {
	w := newWorld(t)
	get := func() *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		w.h.ServeHTTP(rec, httptest.NewRequest("GET", "https://"+policyHost+chainPath+"?operation=GetCACert&message=CAIdentifier", nil))
		return rec
	}
	rec := get()
	if cert, err := x509.ParseCertificate(rec.Body.Bytes()); err != nil || !cert.Equal(w.root) || rec.Header().Get("Content-Type") != "application/x-x509-ca-cert" {
		t.Errorf("one certificate: %v %v", err, rec.Header())
	}
	above := newWorld(t).root
	w.update(func(tx *store.Tx) error {
		ca, err := tx.GetAuthority(account, region, caID)
		ca.Chain = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: above.Raw}))
		return errors.Join(err, tx.PutAuthority(ca))
	})
	rec = get()
	file := filepath.Join(t.TempDir(), "chain")
	if err := os.WriteFile(file, rec.Body.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("openssl", "pkcs7", "-inform", "DER", "-print_certs", "-in", file).CombinedOutput()
	if err != nil || strings.Count(string(out), "BEGIN CERTIFICATE") != 2 || rec.Header().Get("Content-Type") != "application/x-x509-ca-ra-cert" {
		t.Errorf("chain: %v %v\n%s", err, rec.Header(), out)
	}
}
