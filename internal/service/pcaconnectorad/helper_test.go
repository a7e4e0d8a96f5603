package pcaconnectorad_test

import (
	"encoding/json"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/adtemplate"
	"github.com/rolecall/rolecall/internal/enroll"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/server"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/internal/testldap"
	"github.com/rolecall/rolecall/internal/testserver"
)

type object = map[string]any

const (
	account   = "123456789012"
	directory = "d-0123456789"
	noUUID    = "00000000-0000-4000-8000-000000000000"
)

// rig is a server with a directory, and what the tests say to it.
type rig struct {
	t testing.TB
	*testserver.Server
	keys   testserver.Keys
	domain *testldap.Controller
	ring   *keyring.Ring
}

func newRig(t testing.TB) *rig {
	t.Helper()
	dir := t.TempDir()
	s := testserver.StartWith(t, func(cfg *server.Config) { cfg.Store, cfg.DataDir = "", dir })
	ring, err := keyring.Load(filepath.Join(dir, server.KeyRingFile))
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t, s, s.Root, testldap.Start(t), ring}
	r.directory(directory, "pki.corp.example.com", []byte("a keytab"))
	return r
}

func (r *rig) directory(id, host string, keytab []byte) {
	r.t.Helper()
	d := &store.Directory{Account: account, Region: testserver.Region, ID: id, Realm: testldap.Realm, Domain: testldap.NetBIOS, PolicyHost: host,
		Servers: []string{r.domain.URL}, Trust: string(r.domain.CA), BindUser: testldap.BindUser}
	enroll.SealCredentials(r.ring, d, keytab, testldap.Password)
	if keytab == nil {
		d.Keytab = nil
	}
	err := r.DB().Update(r.t.Context(), func(tx *store.Tx) error {
		d.CreatedAt = tx.Now
		return tx.CreateDirectory(d)
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// as is the rig with other credentials.
func (r *rig) as(k testserver.Keys) *rig { return &rig{r.t, r.Server, k, r.domain, r.ring} }

// answer is an HTTP answer.
type answer struct {
	status int
	code   string
	body   object
}

func (r *rig) send(method, path string, in any) *answer {
	r.t.Helper()
	res := r.REST(r.t, r.keys, "pca-connector-ad", method, path, in)
	a := &answer{status: res.Status, code: res.Header.Get("X-Amzn-Errortype")}
	if res.Status == 204 {
		if len(res.Body) > 0 || res.Header.Get("Content-Length") != "" {
			r.t.Errorf("%s %s: a 204 with a body", method, path)
		}
		return a
	}
	if err := json.Unmarshal(res.Body, &a.body); err != nil {
		r.t.Fatalf("%s %s: %d %q", method, path, res.Status, res.Body)
	}
	return a
}

// ok is send for what has to succeed with the status.
func (r *rig) ok(status int, method, path string, in any) object {
	r.t.Helper()
	a := r.send(method, path, in)
	if a.status != status {
		r.t.Fatalf("%s %s: got %d %s %v, want %d", method, path, a.status, a.code, a.body, status)
	}
	return a.body
}

// refused is send for what has to fail: with this code, its message holding the text, and as typed SDK errors need it.
func (r *rig) refused(code, text, method, path string, in any) object {
	r.t.Helper()
	a := r.send(method, path, in)
	message, _ := a.body["message"].(string)
	if a.code != code || !strings.Contains(message, text) {
		r.t.Errorf("%s %s: got %d %s %v, want %s %q", method, path, a.status, a.code, a.body, code, text)
	}
	if code == "ConflictException" || code == "ResourceNotFoundException" {
		for _, member := range []string{"Message", "ResourceId", "ResourceType"} {
			if s, _ := a.body[member].(string); s == "" {
				r.t.Errorf("%s %s: %s without %s", method, path, code, member)
			}
		}
	}
	return a.body
}

func escape(name string) string { return url.PathEscape(name) }

// ca makes a root CA in the state: "ACTIVE", or another it has on the way there.
func (r *rig) ca(subject object, mode, state string) string {
	r.t.Helper()
	call := func(operation string, in object) object {
		r.t.Helper()
		res := r.JSON11(r.t, r.Root, "acm-pca", "ACMPrivateCA."+operation, in)
		if res.Status != 200 {
			r.t.Fatalf("%s: %d %s", operation, res.Status, res.Body)
		}
		out := object{}
		if len(res.Body) > 0 {
			if err := json.Unmarshal(res.Body, &out); err != nil {
				r.t.Fatal(err)
			}
		}
		return out
	}
	name := call("CreateCertificateAuthority", object{"CertificateAuthorityType": "ROOT", "UsageMode": mode,
		"CertificateAuthorityConfiguration": object{"KeyAlgorithm": "EC_prime256v1", "SigningAlgorithm": "SHA256WITHECDSA", "Subject": subject}})["CertificateAuthorityArn"].(string)
	id := object{"CertificateAuthorityArn": name}
	if state == "PENDING_CERTIFICATE" {
		return name
	}
	csr := call("GetCertificateAuthorityCsr", id)["Csr"].(string)
	cert := call("IssueCertificate", object{"CertificateAuthorityArn": name, "Csr": []byte(csr), "SigningAlgorithm": "SHA256WITHECDSA",
		"TemplateArn": "arn:aws:acm-pca:::template/RootCACertificate/V1", "Validity": object{"Value": 10, "Type": "YEARS"}})["CertificateArn"].(string)
	pem := call("GetCertificate", object{"CertificateAuthorityArn": name, "CertificateArn": cert})["Certificate"].(string)
	call("ImportCertificateAuthorityCertificate", object{"CertificateAuthorityArn": name, "Certificate": []byte(pem)})
	return name
}

func (r *rig) activeCA() string {
	r.t.Helper()
	return r.ca(object{"CommonName": "Corp Issuing"}, "GENERAL_PURPOSE", "ACTIVE")
}

// await waits for a status of what path shows under member: a bound for a hung test, not a measure of speed. "gone" waits
// for its end.
func (r *rig) await(path, member, status string) object {
	r.t.Helper()
	var last any
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		a := r.send("GET", path, nil)
		if status == "gone" && a.code == "ResourceNotFoundException" {
			return nil
		}
		if o, ok := a.body[member].(object); ok {
			if last = o["Status"]; last == status {
				return o
			}
		}
	}
	r.t.Fatalf("%s is %v, want %s", path, last, status)
	return nil
}

func (r *rig) register(id string) string {
	r.t.Helper()
	name := r.ok(202, "POST", "/directoryRegistrations", object{"DirectoryId": id})["DirectoryRegistrationArn"].(string)
	r.await("/directoryRegistrations/"+escape(name), "DirectoryRegistration", "ACTIVE")
	return name
}

func vpc() object { return object{"SecurityGroupIds": []string{"sg-01234567"}} }

// connector makes one that is ACTIVE.
func (r *rig) connector(ca string) string {
	r.t.Helper()
	name := r.ok(202, "POST", "/connectors", object{"CertificateAuthorityArn": ca, "DirectoryId": directory, "VpcInformation": vpc()})["ConnectorArn"].(string)
	r.await("/connectors/"+escape(name), "Connector", "ACTIVE")
	return name
}

// ready is a registered directory with an active connector.
func (r *rig) ready() string {
	r.t.Helper()
	r.register(directory)
	return r.connector(r.activeCA())
}

// definition is a preset's JSON, free to be edited.
func definition(t testing.TB, name string) object {
	t.Helper()
	p, ok := adtemplate.FindPredefined(name)
	if !ok {
		t.Fatalf("no preset %s", name)
	}
	text, err := json.Marshal(p.Definition())
	if err != nil {
		t.Fatal(err)
	}
	var out object
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return strip(out).(object)
}

// strip takes away what is null.
func strip(v any) any {
	if l, ok := v.([]any); ok {
		for i := range l {
			l[i] = strip(l[i])
		}
	}
	o, ok := v.(object)
	if !ok {
		return v
	}
	for k, e := range o {
		if e == nil {
			delete(o, k)
			continue
		}
		o[k] = strip(e)
	}
	return o
}

func (r *rig) template(connector, name string) string {
	r.t.Helper()
	return r.ok(200, "POST", "/templates", object{"ConnectorArn": connector, "Name": name, "Definition": definition(r.t, "UserSignature")})["TemplateArn"].(string)
}
