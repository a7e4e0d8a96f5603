package enrollclient_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/enrollclient"
	"github.com/rolecall/rolecall/internal/server"
	"github.com/rolecall/rolecall/internal/testserver"
)

type object = map[string]any

// rig is a server with a CA and the enrollment profile "hosts", and the folder of a machine.
type rig struct {
	*testing.T
	*testserver.Server
	cfg        server.Config
	ca, caFile string
	url        string
	folder     enrollclient.Folder
}

func newRig(t *testing.T, mode string, validity time.Duration) *rig {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	dir := filepath.Join(t.TempDir(), "data")
	r := &rig{T: t, url: "https://" + address + "/hosts", caFile: filepath.Join(dir, "tls-ca.pem"), folder: enrollclient.Folder{Path: filepath.Join(t.TempDir(), "host1")}}
	r.Server = testserver.StartWith(t, func(c *server.Config) {
		c.Store, c.DataDir, c.Listen = "sqlite", dir, []string{"http://127.0.0.1:0", address}
	})
	r.cfg = server.Config{DataDir: dir}
	r.ca = r.root(mode)
	r.profile(r.ca, validity)
	return r
}

func (r *rig) api(operation string, in object) object {
	r.Helper()
	res := r.JSON11(r.T, r.Root, "acm-pca", "ACMPrivateCA."+operation, in)
	if res.Status != 200 {
		r.Fatalf("%s: %d %s", operation, res.Status, res.Body)
	}
	var out object
	if len(res.Body) > 0 {
		if err := json.Unmarshal(res.Body, &out); err != nil {
			r.Fatal(err)
		}
	}
	return out
}

func (r *rig) root(mode string) string {
	r.Helper()
	ca := r.api("CreateCertificateAuthority", object{"CertificateAuthorityType": "ROOT", "UsageMode": mode, "CertificateAuthorityConfiguration": object{
		"KeyAlgorithm": "EC_prime256v1", "SigningAlgorithm": "SHA256WITHECDSA", "Subject": object{"CommonName": "Hosts"}}})["CertificateAuthorityArn"].(string)
	for range 1000 {
		if r.api("DescribeCertificateAuthority", object{"CertificateAuthorityArn": ca})["CertificateAuthority"].(object)["Status"] == "PENDING_CERTIFICATE" {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	csr := r.api("GetCertificateAuthorityCsr", object{"CertificateAuthorityArn": ca})["Csr"].(string)
	cert := r.api("IssueCertificate", object{"CertificateAuthorityArn": ca, "Csr": []byte(csr), "SigningAlgorithm": "SHA256WITHECDSA", "Validity": object{"Type": "YEARS", "Value": 5},
		"TemplateArn": "arn:aws:acm-pca:::template/RootCACertificate/V1"})["CertificateArn"]
	text := r.api("GetCertificate", object{"CertificateAuthorityArn": ca, "CertificateArn": cert})["Certificate"].(string)
	r.api("ImportCertificateAuthorityCertificate", object{"CertificateAuthorityArn": ca, "Certificate": []byte(text)})
	return ca
}

func (r *rig) profile(ca string, validity time.Duration) {
	r.Helper()
	err := server.CreateEnrollmentProfile(r.Context(), r.cfg, server.EnrollmentProfile{
		Name: "hosts", CA: ca, Template: "EndEntityClientAuthCertificate", Subject: "CN=*.example.com", Alternatives: []string{"DNS:*.example.com"}, Validity: validity,
	})
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) token() func() (string, error) {
	r.Helper()
	text, _, err := server.CreateEnrollmentToken(r.Context(), r.cfg, server.EnrollmentToken{Profile: "hosts", Subject: "CN=host1.*", Uses: 1, Life: time.Minute})
	if err != nil {
		r.Fatal(err)
	}
	return func() (string, error) { return text, nil }
}

func noToken() (string, error) { return "", errors.New("this machine has no token") }

func (r *rig) names() *enrollclient.Names {
	r.Helper()
	n, err := enrollclient.ParseNames("CN=host1.example.com", []string{"DNS:host1.example.com"})
	if err != nil {
		r.Fatal(err)
	}
	return n
}

// enroll makes the first certificate of the folder.
func (r *rig) enroll(keyType string) *enrollclient.Pair {
	r.Helper()
	issuer, err := enrollclient.NewEST(r.url, r.caFile, "", r.token())
	if err != nil {
		r.Fatal(err)
	}
	c := &enrollclient.Client{Folder: r.folder, Issuer: issuer, KeyType: keyType, Names: r.names()}
	if changed, _, err := c.Run(r.Context(), time.Now()); err != nil || !changed {
		r.Fatalf("enroll: %v, %v", changed, err)
	}
	return r.load()
}

func (r *rig) load() *enrollclient.Pair {
	r.Helper()
	p, err := r.folder.Load()
	if err != nil {
		r.Fatal(err)
	}
	return p
}

// renewal is a client that renews with what is there, whenever it is asked.
func (r *rig) renewal(keyType string, token func() (string, error)) *enrollclient.Client {
	r.Helper()
	issuer, err := enrollclient.NewEST(r.url, r.caFile, "", token)
	if err != nil {
		r.Fatal(err)
	}
	return &enrollclient.Client{Folder: r.folder, Issuer: issuer, KeyType: keyType, Renew: true, RenewBefore: 100 * 365 * 24 * time.Hour}
}

func kindOf(key any) string {
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		return k.Params().Name
	case *rsa.PrivateKey:
		return fmt.Sprintf("RSA-%d", k.N.BitLen())
	}
	return fmt.Sprintf("%T", key)
}

// TestKeyTypes: a machine begins with one kind of key and renews into every other one. Each renewal has a new key and the
// same names.
func TestKeyTypes(t *testing.T) {
	r := newRig(t, "GENERAL_PURPOSE", 24*time.Hour)
	seen := map[string]bool{}
	check := func(want string, p *enrollclient.Pair) {
		t.Helper()
		spki := string(p.Leaf.RawSubjectPublicKeyInfo)
		if kindOf(p.Key) != want || p.Leaf.Subject.String() != "CN=host1.example.com" || len(p.Leaf.DNSNames) != 1 || seen[spki] || len(p.Above) != 1 {
			t.Errorf("want a new %s: %s, %s, %v, %d above, seen %v", want, kindOf(p.Key), p.Leaf.Subject, p.Leaf.DNSNames, len(p.Above), seen[spki])
		}
		seen[spki] = true
	}
	check("RSA-2048", r.enroll("RSA-2048"))
	for _, kind := range append(enrollclient.KeyTypes()[:4], "P-256") {
		if changed, next, err := r.renewal(kind, noToken).Run(t.Context(), time.Now()); err != nil || !changed || next.IsZero() {
			t.Fatalf("%s: %v", kind, err)
		}
		check(kind, r.load())
	}
	c := r.renewal("P-256", noToken)
	c.RenewBefore = 0
	leaf := r.load().Leaf
	if changed, next, err := c.Run(t.Context(), time.Now()); err != nil || changed || !next.Equal(leaf.NotAfter.Add(-leaf.NotAfter.Sub(leaf.NotBefore)/3)) {
		t.Errorf("before its time: %v, %s, %v", changed, next, err)
	}
	c.Renew = false
	if _, _, err := c.Run(t.Context(), time.Now()); err == nil || !strings.Contains(err.Error(), "a certificate in "+r.folder.Path+" already") {
		t.Errorf("without --renew: %v", err)
	}
}

// TestServerDown: a renewal that fails leaves what works.
func TestServerDown(t *testing.T) {
	r := newRig(t, "GENERAL_PURPOSE", time.Hour)
	before := r.enroll("P-256").Leaf
	r.url = "https://127.0.0.1:1/hosts"
	_, _, err := r.renewal("P-256", noToken).Run(t.Context(), time.Now())
	var e *enrollclient.Error
	if err == nil || errors.As(err, &e) && e.Permanent || !r.load().Leaf.Equal(before) {
		t.Errorf("%v", err)
	}
}

// TestShortLived: a CA of hours, here of a minute.
func TestShortLived(t *testing.T) {
	r := newRig(t, "SHORT_LIVED_CERTIFICATE", time.Minute)
	p := r.enroll("P-256")
	if left := time.Until(p.Leaf.NotAfter); left > time.Minute || left < 30*time.Second {
		t.Fatalf("%s left", left)
	}
	if changed, _, err := r.renewal("P-256", noToken).Run(t.Context(), time.Now()); err != nil || !changed {
		t.Errorf("renewed: %v", err)
	}
}

// TestExpired: an expired certificate takes a token, and says so.
func TestExpired(t *testing.T) {
	r := newRig(t, "GENERAL_PURPOSE", time.Hour)
	if err := os.Mkdir(r.folder.Path, 0o755); err != nil {
		t.Fatal(err)
	}
	enrollclient.StoreExpired(t, r.folder)
	p := r.load()
	_, _, err := r.renewal("P-256", noToken).Run(t.Context(), time.Now())
	var e *enrollclient.Error
	if !errors.As(err, &e) || !e.Permanent || !strings.Contains(e.Problem, "expired at "+p.Leaf.NotAfter.UTC().Format(time.RFC3339)) ||
		!strings.Contains(e.Problem, "this machine has no token") || !strings.Contains(e.Hint(), "enroll-token create") {
		t.Errorf("expired, without a token: %v", err)
	}
	if !r.load().Leaf.Equal(p.Leaf) {
		t.Error("the old certificate is gone")
	}
	if changed, _, err := r.renewal("P-256", r.token()).Run(t.Context(), time.Now()); err != nil || !changed || !time.Now().Before(r.load().Leaf.NotAfter) {
		t.Errorf("expired, with a token: %v", err)
	}
}

// TestNewCA: after the profile has another CA, the old certificate renews no more; a new start has the new chain.
func TestNewCA(t *testing.T) {
	r := newRig(t, "GENERAL_PURPOSE", time.Hour)
	before := r.enroll("P-256")
	if err := server.DeleteEnrollmentProfile(t.Context(), r.cfg, "hosts"); err != nil {
		t.Fatal(err)
	}
	r.profile(r.root("GENERAL_PURPOSE"), time.Hour)
	time.Sleep(time.Second) // every node knows within a second
	_, _, err := r.renewal("P-256", noToken).Run(t.Context(), time.Now())
	var e *enrollclient.Error
	if !errors.As(err, &e) || !e.Permanent || !strings.Contains(e.Problem, "not a valid one of this profile's certificate authority") || !strings.Contains(e.Hint(), "token") {
		t.Errorf("the old CA's certificate: %v", err)
	}
	if p := r.load(); !p.Leaf.Equal(before.Leaf) {
		t.Error("the old certificate is gone")
	}
	r.folder.Path += "-new"
	if after := r.enroll("P-256"); after.Above[0].Equal(before.Above[0]) || after.Leaf.CheckSignatureFrom(after.Above[0]) != nil {
		t.Error("the new certificate is not of the new CA")
	}
}

// TestTrust: the server is believed by a CA file or a fingerprint, and by nothing else; without trust no token is sent.
func TestTrust(t *testing.T) {
	r := newRig(t, "GENERAL_PURPOSE", time.Hour)
	text, err := os.ReadFile(r.caFile)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	sum := sha256.Sum256(block.Bytes)
	good := hex.EncodeToString(sum[:])
	for what, c := range map[string]struct{ caFile, fingerprint, want string }{
		"system's roots": {"", "", "not trusted"}, "another fingerprint": {"", strings.Repeat("00", 32), "no certificate that the server shows has the fingerprint"},
		"no fingerprint": {"", "zz", "not a SHA-256"}, "fingerprint": {"", good, ""},
	} {
		asked := false
		issuer, err := enrollclient.NewEST(r.url, c.caFile, c.fingerprint, func() (string, error) { asked = true; return r.token()() })
		if err == nil {
			client := &enrollclient.Client{Folder: enrollclient.Folder{Path: filepath.Join(t.TempDir(), "f")}, Issuer: issuer, KeyType: "P-256", Names: r.names()}
			_, _, err = client.Run(t.Context(), time.Now())
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
		if c.want == "" && !asked {
			t.Error("no token was asked for")
		}
	}
	for _, bad := range []string{"http://127.0.0.1", "https://", "https://u@h", "https://h/?q", "::"} {
		if _, err := enrollclient.NewEST(bad, "", "", noToken); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// TestPrivateCA: the same folder from the CA's API, renewed with a new key.
func TestPrivateCA(t *testing.T) {
	r := newRig(t, "GENERAL_PURPOSE", time.Hour)
	keys := func(context.Context) (enrollclient.Keys, error) { return enrollclient.Keys(r.Root), nil }
	c := &enrollclient.Client{Folder: r.folder, KeyType: "RSA-2048", Names: r.names(), Renew: true, RenewBefore: 1000 * time.Hour,
		Issuer: &enrollclient.PrivateCA{CA: r.ca, Days: 2, Endpoint: r.URL, Keys: keys}}
	var last *x509.Certificate
	for range 2 {
		if changed, _, err := c.Run(t.Context(), time.Now()); err != nil || !changed {
			t.Fatal(err)
		}
		p := r.load()
		if last != nil && string(last.RawSubjectPublicKeyInfo) == string(p.Leaf.RawSubjectPublicKeyInfo) {
			t.Error("renewed with the old key")
		}
		last = p.Leaf
		c.KeyType, c.Names = "P-384", nil
	}
	if kindOf(r.load().Key) != "P-384" {
		t.Error("the renewal has another kind of key than asked for")
	}
	c.Issuer = &enrollclient.PrivateCA{CA: strings.Replace(r.ca, "certificate-authority/", "certificate-authority/0", 1), Days: 2, Endpoint: r.URL, Keys: keys}
	if _, _, err := c.Run(t.Context(), time.Now()); err == nil || !r.load().Leaf.Equal(last) {
		t.Errorf("a CA that is not there: %v", err)
	}
}
