package httpauthz_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/testserver"
	"github.com/rolecall/rolecall/sigv4"
)

// certified is a CA that the account imported, and a certificate of it.
type certified struct {
	ca        *x509.Certificate
	caKey     *ecdsa.PrivateKey
	leaf      *x509.Certificate
	key       *ecdsa.PrivateKey
	anchorARN string
}

func newCertificate(t *testing.T, c, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if parent == nil {
		parent, parentKey = c, key
	}
	c.NotBefore, c.NotAfter, c.BasicConstraintsValid = time.Now().Add(-time.Hour), time.Now().Add(time.Hour), true
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// rest calls Roles Anywhere as the root and returns the named string of the answer's one object.
func (r *rig) rest(path, in, name string) string {
	r.t.Helper()
	resp := r.s.REST(r.t, r.s.Root, "rolesanywhere", "POST", path, json.RawMessage(in))
	var out map[string]map[string]any
	if err := json.Unmarshal(resp.Body, &out); err != nil || resp.Status/100 != 2 {
		r.t.Fatalf("%s: %d %s", path, resp.Status, resp.Body)
	}
	for _, o := range out {
		if s, ok := o[name].(string); ok {
			return s
		}
	}
	return ""
}

func quoted(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(text)
}

// certificateSession makes a session of a certificate whose trust anchor ends sessions; its role has the policy.
func (r *rig) certificateSession() (*certified, testserver.Keys) {
	r.t.Helper()
	c := &certified{}
	c.ca, c.caKey = newCertificate(r.t, &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}, nil, nil)
	c.leaf, c.key = newCertificate(r.t, &x509.Certificate{SerialNumber: big.NewInt(77), Subject: pkix.Name{CommonName: "host"}, KeyUsage: x509.KeyUsageDigitalSignature}, c.ca, c.caKey)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.ca.Raw}))
	c.anchorARN = r.rest("/trustanchors", `{"name":"ends","enabled":true,"source":{"sourceType":"CERTIFICATE_BUNDLE","sourceData":{"x509CertificateData":`+quoted(text)+`}},
		"tags":[{"key":"rolecall:end-sessions","value":"true"}]}`, "trustAnchorArn")
	r.iam("CreateRole", "RoleName", "host", "AssumeRolePolicyDocument", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}]}`)
	r.iam("PutRolePolicy", "RoleName", "host", "PolicyName", "orders", "PolicyDocument", policy)
	const role = "arn:aws:iam::123456789012:role/host"
	profile := r.rest("/profiles", `{"name":"p","enabled":true,"roleArns":["`+role+`"]}`, "profileArn")

	q := url.Values{"trustAnchorArn": {c.anchorARN}, "profileArn": {profile}, "roleArn": {role}}
	body := []byte(`{"durationSeconds":900}`)
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.s.URL+"/sessions?"+q.Encode(), bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if err := sigv4.SignX509(req, &sigv4.SignX509Input{Signer: c.key, Leaf: c.leaf, Region: testserver.Region, Time: time.Now(), Body: body}); err != nil {
		r.t.Fatal(err)
	}
	resp := r.s.Send(r.t, req)
	var out struct {
		CredentialSet []struct{ Credentials testserver.Keys }
	}
	if err := json.Unmarshal(resp.Body, &out); err != nil || len(out.CredentialSet) != 1 {
		r.t.Fatalf("CreateSession: %d %s", resp.Status, resp.Body)
	}
	return c, out.CredentialSet[0].Credentials
}

// TestSessionEndsWithItsCertificate: the next question after the revocation is answered with a refusal, by both forms.
func TestSessionEndsWithItsCertificate(t *testing.T) {
	r := newRig(t)
	cert, keys := r.certificateSession()
	c := r.client("GET", "/v1/orders/public-1")
	c.keys = keys
	ask := func(want int, text string) {
		t.Helper()
		for form, answer := range map[string]func() (int, http.Header, string){
			"nginx": func() (int, http.Header, string) { return r.nginx(c) },
			"envoy": func() (int, http.Header, string) { return r.envoy(c, false) },
		} {
			if status, h, body := answer(); status != want || !strings.Contains(h.Get("X-Amzn-Errortype")+body, text) {
				t.Errorf("%s: %d %s %s, want %d %s", form, status, h.Get("X-Amzn-Errortype"), body, want, text)
			}
		}
	}
	ask(http.StatusOK, "")
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: cert.leaf.SerialNumber, RevocationTime: time.Now().Add(-time.Minute)}}}
	der, err := x509.CreateRevocationList(rand.Reader, list, cert.ca, cert.caKey)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	r.rest("/crls", `{"name":"c","enabled":true,"crlData":`+string(data)+`,"trustAnchorArn":"`+cert.anchorARN+`"}`, "crlId")
	ask(http.StatusUnauthorized, "ExpiredToken")
}
