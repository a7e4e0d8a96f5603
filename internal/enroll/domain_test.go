package enroll

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rolecall/rolecall/internal/certchain/dn"
	"github.com/rolecall/rolecall/internal/enroll/cmctest"
	"github.com/rolecall/rolecall/internal/enroll/directory"
	"github.com/rolecall/rolecall/internal/enroll/kerberos"
	"github.com/rolecall/rolecall/internal/enroll/kerberos/initiate"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/internal/testad"
)

func TestMain(m *testing.M) { testad.Main(m) }

// TestRealDomain: tickets, groups and names of a real Active Directory domain, from the ticket to the certificate.
func TestRealDomain(t *testing.T) {
	d := testad.Start(t)
	w := newWorld(t)
	file := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(d.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	w.h.cfg.Open = func(row *store.Directory) (Acceptor, Directory, func(), error) {
		a, err := kerberos.New(kerberos.Config{Keytab: file("http.keytab"), Services: []string{row.ServicePrincipal()}})
		if err != nil {
			return nil, nil, nil, err
		}
		c, err := directory.New(directory.Config{Servers: []string{testad.DCHost}, Roots: d.Roots, BindName: testad.ServiceUPN, Password: testad.Password("svc-rolecall"), Dial: d.Dial})
		return a, c, c.Close, err
	}
	sid := func(name string) string {
		s, _, _ := strings.Cut(d.Run(t, "wbinfo", "-n", name), " ")
		return s
	}
	w.template(1, "User", nil, allowed(sid("CertUsers")))
	w.template(2, "Computer", machine, allowed(sid("Domain Computers")))

	send := func(account, path, message string) *httptest.ResponseRecorder {
		k, err := initiate.New(initiate.Config{Krb5Conf: string(file("krb5.conf")), Principal: account, Password: testad.Password(account)})
		if err != nil {
			t.Fatal(err)
		}
		defer k.Close()
		var header string
		if err := d.Do(func() (err error) { header, _, err = k.Negotiate(testad.CAHost, nil); return err }); err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodPost, "https://"+testad.CAHost+path, strings.NewReader(message))
		r.TLS = nil
		r.Header.Set("Content-Type", "application/soap+xml")
		r.Header.Set("Authorization", header)
		rec := httptest.NewRecorder()
		w.h.ServeHTTP(rec, r)
		return rec
	}
	enrolled := func(account string, n int) *x509.Certificate {
		rec := send(account, cesPath, rst(issueType, w.windows(cmctest.Request{Key: key(t)}, n), ""))
		if rec.Code != 200 {
			t.Fatalf("%s: %d %s", account, rec.Code, rec.Body)
		}
		leaf, response, _ := w.certificate(rec.Body.String())
		w.verifyCMC(response)
		return leaf
	}
	user := enrolled("alice", 1)
	name, err := dn.Parse(user.RawSubject)
	if err != nil || name.String() != "emailAddress=alice@corp.example.com,CN=alice,CN=Users,"+testad.BaseDN {
		t.Errorf("subject %s, %v", name, err)
	}
	if san := string(extension(user, "2.5.29.17")); !strings.Contains(san, "alice.liddell@corp.example.com") {
		t.Errorf("alternative names %q", san)
	}
	if got := string(extension(user, oidSecurity)); !strings.HasSuffix(got, sid("alice")) {
		t.Errorf("SID extension %q", got)
	}
	if computer := enrolled("WS2$", 2); len(computer.DNSNames) != 1 || computer.Subject.CommonName != computer.DNSNames[0] {
		t.Errorf("computer %s %v", computer.Subject, computer.DNSNames)
	}
	ask := envelope("x", "", getPolicies("", noFilter))
	for account, want := range map[string]string{"alice": "User", "WS2$": "Computer", "bob": ""} {
		if rec := send(account, cepPath, ask); rec.Code != 200 || offered(rec.Body.String()) != want {
			t.Errorf("%s sees %q: %d %s", account, offered(rec.Body.String()), rec.Code, rec.Body)
		}
	}
	// And with a password inside the message.
	rec := w.send("", strings.Replace(cepPath, "Kerberos", "UsernamePassword", 1), envelope("x", token("alice", testad.Password("alice")), getPolicies("", noFilter)))
	if rec.Code != 200 || offered(rec.Body.String()) != "User" {
		t.Errorf("password: %d %s", rec.Code, rec.Body)
	}
}
