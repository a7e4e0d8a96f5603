package rolesanywhere_test

import (
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/certattr"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/internal/testserver"
)

const account arn.AccountID = "123456789012"

func isEd25519(k crypto.Signer) bool {
	_, ok := k.(ed25519.PrivateKey)
	return ok
}

// world is what one CreateSession needs: a CA, and rows of its own.
type world struct {
	srv     *testserver.Server
	db      *store.DB
	ca      *entity
	anchor  store.TrustAnchor
	profile store.Profile
	role    store.Role

	beforeSend func()
}

// newWorld writes a trust anchor for ca, a role that trusts it, and a profile. mods change the rows before.
func newWorld(t testing.TB, srv *testserver.Server, ca *entity, mods ...func(*world)) *world {
	t.Helper()
	w := newWorldIn(t, srv.DB(), ca, mods...)
	w.srv = srv
	return w
}

func newWorldIn(t testing.TB, db *store.DB, ca *entity, mods ...func(*world)) *world {
	t.Helper()
	w := &world{db: db, ca: ca}
	w.anchor = store.TrustAnchor{
		Account: account, Region: testserver.Region, ID: arn.NewUUID(), Name: "anchor", Enabled: true,
		SourceType: "CERTIFICATE_BUNDLE", SourceData: ca.pem(),
	}
	w.role = store.Role{
		Account: account, Name: "Worker-" + arn.NewUUID()[:8], Path: "/", ID: sessiontoken.NewID(sessiontoken.RoleIDPrefix), MaxSession: 3600,
	}
	w.role.TrustPolicy = trustPolicy(w.anchorARN(), ca.cert.Subject.CommonName)
	w.profile = store.Profile{Account: account, Region: testserver.Region, ID: arn.NewUUID(), Name: "profile", Enabled: true, Duration: 3600}
	for _, m := range certattr.Defaults() {
		w.profile.Mappings = append(w.profile.Mappings, store.AttributeMapping{CertificateField: m.CertificateField, Specifiers: m.Specifiers})
	}
	w.profile.RoleARNs = []string{w.roleARN()}
	for _, m := range mods {
		m(w)
	}
	w.update(t, func(tx *store.Tx) error {
		if err := tx.CreateTrustAnchor(&w.anchor); err != nil {
			return err
		}
		if err := tx.CreateRole(&w.role); err != nil {
			return err
		}
		return tx.CreateProfile(&w.profile)
	})
	return w
}

// trustPolicy pins the trust anchor and the issuer, as the documentation asks for.
func trustPolicy(anchorARN, issuer string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},
		"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],
		"Condition":{"ArnEquals":{"aws:SourceArn":%q},"StringEquals":{"aws:PrincipalTag/x509Issuer/CN":%q}}}]}`, anchorARN, issuer)
}

func (w *world) update(t testing.TB, fn func(*store.Tx) error) {
	t.Helper()
	if err := w.db.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func (w *world) anchorARN() string {
	return arn.RolesAnywhere(w.anchor.Region, w.anchor.Account, "trust-anchor", w.anchor.ID).String()
}

func (w *world) profileARN() string {
	return arn.RolesAnywhere(w.profile.Region, w.profile.Account, "profile", w.profile.ID).String()
}

func (w *world) roleARN() string {
	return arn.Role("aws", w.role.Account, w.role.Path, w.role.Name).String()
}

// arns are the three parameters in the query, as the official client sends them.
func (w *world) arns() url.Values {
	return url.Values{"trustAnchorArn": {w.anchorARN()}, "profileArn": {w.profileARN()}, "roleArn": {w.roleARN()}}
}

// call is what the official client sends.
func (w *world) call(who *entity, chain ...*entity) *call {
	return &call{
		who: who, chain: chain, query: w.arns(), body: `{"durationSeconds":3600}`, contentType: "application/json",
		header: http.Header{"Amz-Sdk-Invocation-Id": {arn.NewUUID()}, "Amz-Sdk-Request": {"attempt=1; max=3"}},
	}
}

func (w *world) send(t testing.TB, c *call) *testserver.Response {
	t.Helper()
	return w.sendRequest(t, c.request(t, w.srv.URL))
}

func (w *world) sendRequest(t testing.TB, r *http.Request) *testserver.Response {
	t.Helper()
	if w.beforeSend != nil {
		w.beforeSend()
	}
	return w.srv.Send(t, r)
}

// crl puts a revocation list.
func (w *world) crl(t testing.TB, data []byte) *store.CRL {
	t.Helper()
	crl := &store.CRL{Account: account, Region: testserver.Region, ID: arn.NewUUID(), Name: "crl", Enabled: true, Data: data, TrustAnchorID: w.anchor.ID}
	w.update(t, func(tx *store.Tx) error { return tx.PutCRL(crl) })
	return crl
}

// identity asks GetCallerIdentity who the keys belong to.
func identity(t testing.TB, srv *testserver.Server, k testserver.Keys) (string, *testserver.Response) {
	t.Helper()
	resp := srv.Query(t, k, "sts", "GetCallerIdentity")
	var out struct {
		Arn string `xml:"GetCallerIdentityResult>Arn"`
	}
	if err := xml.Unmarshal(resp.Body, &out); err != nil {
		t.Fatalf("%v in %s", err, resp.Body)
	}
	return out.Arn, resp
}

// apiError is an error as a client of a JSON service sees it.
type apiError struct {
	status        int
	code, message string
	requestID     string
}

func errorOf(t testing.TB, resp *testserver.Response) apiError {
	t.Helper()
	var body struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(resp.Body, &body); err != nil {
		t.Fatalf("%d is no AWS error: %v in %.200s", resp.Status, err, resp.Body)
	}
	e := apiError{resp.Status, resp.Header.Get("X-Amzn-Errortype"), body.Message, resp.Header.Get("X-Amzn-Requestid")}
	if e.requestID == "" {
		t.Error("the answer has no request id")
	}
	return e
}

// lookup reads every CreateSession event of the account through the API, by request id.
func lookup(t testing.TB, srv *testserver.Server) map[string]map[string]any {
	t.Helper()
	events := map[string]map[string]any{}
	in := map[string]any{"LookupAttributes": []any{map[string]string{"AttributeKey": "EventName", "AttributeValue": "CreateSession"}}}
	for {
		resp := srv.JSON11(t, srv.Root, "cloudtrail", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents", in)
		if resp.Status != http.StatusOK {
			t.Fatalf("%d %s", resp.Status, resp.Body)
		}
		var out struct {
			Events    []struct{ CloudTrailEvent string }
			NextToken string
		}
		if err := json.Unmarshal(resp.Body, &out); err != nil {
			t.Fatal(err)
		}
		for _, e := range out.Events {
			var body map[string]any
			if err := json.Unmarshal([]byte(e.CloudTrailEvent), &body); err != nil {
				t.Fatal(err)
			}
			events[fmt.Sprint(body["requestID"])] = body
		}
		if out.NextToken == "" {
			return events
		}
		in["NextToken"] = out.NextToken
	}
}

// waitFor repeats lookup until the event of the request is there.
func waitFor(t testing.TB, srv *testserver.Server, requestID string) map[string]map[string]any {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if events := lookup(t, srv); events[requestID] != nil {
			return events
		}
	}
	t.Fatalf("no event of request %s", requestID)
	return nil
}

// snapshot is everything that administrators keep. Subjects and events are what CreateSession is meant to write.
func snapshot(t testing.TB, db *store.DB) string {
	t.Helper()
	var b strings.Builder
	err := db.Read(t.Context(), func(tx *store.Tx) error {
		b.Reset()
		anchors, _, err := tx.ListTrustAnchors(account, testserver.Region, store.MaxPage, "")
		if err != nil {
			return err
		}
		profiles, _, err := tx.ListProfiles(account, testserver.Region, store.MaxPage, "")
		if err != nil {
			return err
		}
		crls, _, err := tx.ListCRLs(account, testserver.Region, store.MaxPage, "")
		if err != nil {
			return err
		}
		roles, _, err := tx.ListRoles(account, "", store.MaxPage, "")
		if err != nil {
			return err
		}
		accounts, _, err := tx.ListAccounts(store.MaxPage, "")
		if err != nil {
			return err
		}
		return json.NewEncoder(&b).Encode([]any{anchors, profiles, crls, roles, accounts})
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
