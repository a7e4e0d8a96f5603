package directory_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/enroll/directory"
	"github.com/rolecall/rolecall/internal/testad"
)

func caCertificate(t testing.TB, name string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Organization: []string{"A, B + C"}},
		NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestPublish(t *testing.T) {
	cfg := config(t)
	cfg.BindName, cfg.Password = testad.Admin+"@"+testad.DNSDomain, testad.AdminPass
	c := dial(t, cfg)
	const name = `Rolecall, "Corp" + CA`
	first, second := caCertificate(t, "first"), caCertificate(t, "second")
	all := directory.Containers{NTAuth: true, Roots: true, AIA: true}
	for _, tt := range []struct {
		cert *x509.Certificate
		want int
	}{{first, 3}, {first, 0}, {second, 3}, {second, 0}, {first, 0}} {
		changed, err := c.Publish(t.Context(), name, tt.cert, all)
		if err != nil || len(changed) != tt.want {
			t.Fatalf("%s: changed %v, %v, want %d", tt.cert.Subject.CommonName, changed, err, tt.want)
		}
	}
	service := directory.EnrollmentService{Name: name, Host: testad.CAHost, Certificate: first, Templates: []string{"Machine", "User"}}
	for i, want := range []bool{true, false, true, false, true} {
		switch i {
		case 2:
			service.Certificate = second
		case 4:
			service.Templates = nil
		}
		if changed, err := c.PublishService(t.Context(), service); err != nil || changed != want {
			t.Fatalf("step %d: changed %v, %v, want %v", i, changed, err, want)
		}
	}
	p, err := c.Published(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for what, certs := range map[string][]*x509.Certificate{"NTAuth": p.NTAuth, "Roots": p.Roots, "AIA": p.AIA} {
		if len(certs) != 2 || !first.Equal(certs[0]) && !first.Equal(certs[1]) || !second.Equal(certs[0]) && !second.Equal(certs[1]) {
			t.Errorf("%s has %d certificates", what, len(certs))
		}
	}
	if len(p.Services) != 1 || p.Services[0].Name != name || p.Services[0].Host != testad.CAHost || !second.Equal(p.Services[0].Certificate) || len(p.Services[0].Templates) != 0 {
		t.Errorf("services %+v", p.Services)
	}
	for i, want := range []bool{true, false} {
		if did, err := c.Unpublish(t.Context(), name); err != nil || did != want {
			t.Errorf("unpublish %d: %v, %v", i, did, err)
		}
	}
	if _, err := dial(t, config(t)).Publish(t.Context(), name, caCertificate(t, "third"), all); err == nil {
		t.Error("an account without the right to publishes")
	}
	if _, err := c.Publish(t.Context(), "a\nb", first, all); !errors.Is(err, directory.ErrInput) {
		t.Errorf("a name with a line feed: %v", err)
	}
}

// twice gives two accounts one service principal name. The database's modules refuse that, as AD has since 2012, so it goes
// past them.
const twice = `
import sys, ldb
raw = ldb.Ldb("tdb://%s/dc/private/sam.ldb.d/DC=CORP,DC=EXAMPLE,DC=COM.ldb" % sys.argv[1])
for user in ("bob", "dora"):
    m = ldb.Message()
    m.dn = ldb.Dn(raw, "CN=%s,CN=Users,DC=corp,DC=example,DC=com" % user)
    m["s"] = ldb.MessageElement("HTTP/twice.corp.example.com", ldb.FLAG_MOD_ADD, "servicePrincipalName")
    raw.modify(m)
`

func TestCheckService(t *testing.T) {
	c := dial(t, config(t))
	if dn, err := c.CheckService(t.Context(), testad.SPN); err != nil || dn != testad.ServiceDN {
		t.Errorf("got %s, %v", dn, err)
	}
	if _, err := c.CheckService(t.Context(), "HTTP/rc4.corp.example.com"); !errors.Is(err, directory.ErrNoAES) || !strings.Contains(err.Error(), "svc-rc4") {
		t.Errorf("RC4 only: %v", err)
	}
	if _, err := c.CheckService(t.Context(), "HTTP/*"); !errors.Is(err, directory.ErrNoPrincipal) {
		t.Errorf("a pattern: %v", err)
	}
	d := testad.Start(t)
	d.Run(t, "/usr/bin/python3", "-c", twice, d.Dir)
	if _, err := c.CheckService(t.Context(), "HTTP/twice.corp.example.com"); !errors.Is(err, directory.ErrDuplicatePrincipal) {
		t.Errorf("two accounts: %v", err)
	}
}
