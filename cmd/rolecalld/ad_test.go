package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/enroll/gpo"
	"github.com/rolecall/rolecall/internal/enroll/setup"
	"github.com/rolecall/rolecall/internal/server"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/internal/testad"
)

// envRun makes the test program be rolecalld, so that it can run inside of the domain.
const envRun = "ROLECALLD_TEST_RUN"

func TestMain(m *testing.M) {
	if off := os.Getenv(envClock); off != "" {
		if err := checkWithClock(off, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if os.Getenv(envRun) != "" {
		os.Exit(process())
	}
	testad.Main(m)
}

// adWorld is a served data folder and a domain.
type adWorld struct {
	*testing.T
	d     *testad.Domain
	dir   string
	srv   *server.Server
	clock string // how wrong the clock of ad check is
}

func newADWorld(t *testing.T) *adWorld {
	t.Helper()
	w := &adWorld{T: t, d: testad.Start(t), dir: t.TempDir()}
	srv, err := server.Start(t.Context(), server.Config{DataDir: w.dir, Listen: []string{"http://127.0.0.1:0"}, MetricsListen: "off"}, server.Output{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Shutdown() })
	w.srv = srv
	return w
}

// run runs a command of rolecalld inside of the domain.
func (w *adWorld) run(env []string, args ...string) (stdout, stderr string, ok bool) {
	w.Helper()
	cmd := w.d.Command(w.Context(), must(os.Executable())(w.T), append(args, "--data-dir", w.dir)...)
	cmd.Env = append(append(cmd.Env, envRun+"=1"), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, exit := err.(*exec.ExitError); err != nil && !exit {
		w.Fatal(err)
	}
	return out.String(), errs.String(), err == nil
}

func (w *adWorld) ok(args ...string) string {
	w.Helper()
	stdout, stderr, ok := w.run(nil, args...)
	if !ok {
		w.Fatalf("rolecalld %s: %s%s", strings.Join(args, " "), stdout, stderr)
	}
	return stdout
}

// fails expects a failure that says want.
func (w *adWorld) fails(want string, args ...string) {
	w.Helper()
	stdout, stderr, ok := w.run(nil, args...)
	if ok || !strings.Contains(stderr, want) {
		w.Errorf("rolecalld %s: %v %s%s, want a failure about %q", strings.Join(args, " "), ok, stdout, stderr, want)
	}
}

func (w *adWorld) file(name, text string) string {
	w.Helper()
	path := filepath.Join(w.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
	return path
}

func must[V any](v V, err error) func(*testing.T) V {
	return func(t *testing.T) V {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// domainFlags describe the test domain.
func (w *adWorld) domainFlags() []string {
	return []string{"--server", "ldaps://" + testad.DCHost, "--ca-file", w.d.Path("cert.pem"), "--bind-user", testad.ServiceUPN,
		"--bind-password-file", w.file("password", testad.Password("svc-rolecall")+"\n"), "--keytab", w.d.Path("http.keytab"), "--policy-host", testad.CAHost}
}

// TestDirectoryCommands: a directory is proved before it is stored, and the running server's store has it at once.
func TestDirectoryCommands(t *testing.T) {
	w := newADWorld(t)
	create := func(more ...string) []string {
		return append(append([]string{"ad", "directory", "create"}, w.domainFlags()...), more...)
	}
	id := strings.TrimSpace(w.ok(create()...))
	if !regexp.MustCompile(`^d-[0-9a-f]{10}$`).MatchString(id) {
		t.Fatalf("id %q", id)
	}
	list := w.ok("ad", "directory", "list")
	for _, want := range []string{id, testad.Realm, testad.NetBIOS, testad.CAHost, "allow", "ldaps://" + testad.DCHost} {
		if !strings.Contains(list, want) {
			t.Errorf("list lacks %s:\n%s", want, list)
		}
	}
	for want, flags := range map[string][]string{
		"not OTHER.EXAMPLE.COM":                        {"--realm", "other.example.com"},
		"not NOPE":                                     {"--netbios-domain", "NOPE"},
		"no key for HTTP/other.corp.example.com":       {"--policy-host", "other.corp.example.com"},
		"no AES key":                                   {"--policy-host", "rc4.corp.example.com", "--keytab", w.d.Path("rc4.keytab")},
		"use ldaps://HOST":                             {"--server", "ldap://dc1.corp.example.com"},
		"use off, allow or require":                    {"--channel-binding", "maybe"},
		"certificate signed by unknown authority":      {"--ca-file", w.file("other.pem", otherCA)},
		"bind as the service account":                  {"--bind-password-file", w.file("wrong", "wrong\n")},
		"not the full DNS name":                        {"--policy-host", "pki"},
		"realm and NetBIOS name of the domain":         {"--offline"},
		"there is no account 111111111111":             {"--account-id", "111111111111"},
		"no certificate in PEM":                        {"--ca-file", w.file("empty.pem", "nothing")},
		"keytab: malformed":                            {"--keytab", w.file("keytab", "nothing")},
		"has no password in its first line":            {"--bind-password-file", w.file("none", "\n")},
		"an account id has 12 digits":                  {"--account-id", "123"},
		"no such file":                                 {"--keytab", "/nonexistent"},
		"\"dc1\" is not a full host name":              {"--server", "ldaps://dc1"},
		"is not a realm":                               {"--realm", "CORP"},
		"is not a NetBIOS name":                        {"--netbios-domain", "much too long a name"},
		"the account that reads the directory is need": {"--bind-user", ""},
	} {
		w.fails(want, create(flags...)...)
	}
	w.ok("ad", "directory", "update", id, "--channel-binding", "require")
	if list := w.ok("ad", "directory", "list"); !strings.Contains(list, "require") {
		t.Errorf("after update:\n%s", list)
	}
	w.fails("has no directory", "ad", "directory", "update", "d-0000000000", "--offline")
	w.fails("has no directory", "ad", "directory", "delete", "d-0000000000")
	w.ok("ad", "directory", "delete", id)

	// Without a connection, and with the password of the environment.
	flags := []string{"ad", "directory", "create", "--offline", "--server", "ldaps://dc9.corp.example.com", "--bind-user", `CORP\svc`, "--policy-host", "pki.corp.example.com"}
	w.fails("hint: give it in a file or in ROLECALLD_BIND_PASSWORD", flags...)
	stdout, stderr, ok := w.run([]string{"ROLECALLD_BIND_PASSWORD=secret"}, append(flags, "--realm", "corp.example.com", "--netbios-domain", "CORP")...)
	if !ok {
		t.Fatal(stdout, stderr)
	}
	if list := w.ok("ad", "directory", "list"); !strings.Contains(list, "no keytab") {
		t.Errorf("list:\n%s", list)
	}
	w.fails("no directory server answered", "ad", "directory", "update", strings.TrimSpace(stdout), "--channel-binding", "off")
}

// store writes rows into the store beside the running server.
func (w *adWorld) store(fn func(tx *store.Tx) error) {
	w.Helper()
	db := must(store.Open(w.Context(), store.Config{Source: "sqlite:" + filepath.Join(w.dir, "rolecall.db")}))(w.T)
	defer db.Close()
	if err := db.Update(w.Context(), fn); err != nil {
		w.Fatal(err)
	}
}

// results are what ad check --json found, by subject.
func (w *adWorld) results(args ...string) map[string]setup.Result {
	w.Helper()
	var env []string
	if w.clock != "" {
		env = []string{envClock + "=" + w.clock}
	}
	stdout, stderr, ok := w.run(env, append([]string{"ad", "check", "--json"}, args...)...)
	var found struct {
		OK      bool
		Results []setup.Result
	}
	if err := json.Unmarshal([]byte(stdout), &found); err != nil || found.OK != ok {
		w.Fatalf("%v %v: %s%s", err, ok, stdout, stderr)
	}
	by := map[string]setup.Result{}
	for _, r := range found.Results {
		by[r.Subject] = r
	}
	return by
}

// TestSetUp: check says what is missing, publish and policy supply it, and check agrees.
func TestSetUp(t *testing.T) {
	w := newADWorld(t)
	id := strings.TrimSpace(w.ok(append([]string{"ad", "directory", "create"}, w.domainFlags()...)...))
	expect := func(found map[string]setup.Result, want map[string]setup.State) {
		t.Helper()
		for subject, state := range want {
			r, ok := found[subject]
			if !ok || r.State != state {
				t.Errorf("%s: got %+v, want %s", subject, r, state)
			}
			if r.State == setup.Problem && r.Fix == "" {
				t.Errorf("%s has no fix", subject)
			}
		}
		if t.Failed() {
			t.Fatalf("all: %+v", found)
		}
	}
	// What a key on paper does not show: the ticket.
	expect(w.results(id), map[string]setup.State{
		"domain controller ldaps://" + testad.DCHost: setup.OK, "clock": setup.OK, "service principal name": setup.OK, "service account": setup.OK, "keytab": setup.OK,
		"Kerberos ticket": setup.OK, "registration": setup.Problem, "connector": setup.Problem, "published CA": setup.Skipped,
		"group policy": setup.Skipped, "policy host " + testad.CAHost: setup.Problem,
	})
	w.fails("no connector", "ad", "publish", id)

	cert, key := rootCA(t)
	var account arn.AccountID
	w.store(func(tx *store.Tx) error {
		accounts, _, err := tx.ListAccounts(1, "")
		if err != nil {
			return err
		}
		account = accounts[0].ID
		const ca, connector = "11111111-2222-3333-4444-555555555555", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
		return errors.Join(
			tx.PutAuthority(&store.CertificateAuthority{Account: account, Region: "us-east-1", ID: ca, Type: "ROOT", UsageMode: "GENERAL_PURPOSE", Status: "ACTIVE",
				Configuration: "{}", Certificate: cert.Raw, NotBefore: cert.NotBefore, NotAfter: cert.NotAfter}),
			tx.CreateDirectoryRegistration(&store.DirectoryRegistration{Account: account, Region: "us-east-1", Directory: id, Status: "ACTIVE"}),
			tx.CreateConnector(&store.Connector{Account: account, Region: "us-east-1", ID: connector, Directory: id, Status: "ACTIVE",
				Authority: "arn:aws:acm-pca:us-east-1:" + string(account) + ":certificate-authority/" + ca}),
			tx.CreateServicePrincipalName(&store.ServicePrincipalName{Account: account, Region: "us-east-1", Directory: id, Connector: connector, Status: "ACTIVE"}),
			tx.CreateConnectorTemplate(&store.ConnectorTemplate{Account: account, Region: "us-east-1", Connector: connector, ID: connector, Name: "User", Definition: "{}", PolicySchema: 4,
				Major: 100, ObjectIdentifier: "1.2.3.4", Status: "ACTIVE"}),
			tx.CreateTemplateAccess(&store.TemplateAccess{Account: account, Region: "us-east-1", Connector: connector, Template: connector, SID: "S-1-5-21-1-2-3-4", Enroll: "ALLOW", AutoEnroll: "ALLOW"}),
		)
	})
	w.fails("has a connector", "ad", "directory", "delete", id)
	const published = "published CA in "
	found := w.results(id)
	expect(found, map[string]setup.State{published + "NTAuthCertificates": setup.Problem, published + "Enrollment Services": setup.Warning})
	if fix := found[published+"AIA"].Fix; !strings.Contains(fix, "--admin-user") {
		t.Errorf("an account without rights is told %q", fix)
	}
	w.fails("hint: use --admin-user", "ad", "publish", id)
	admin := []string{id, "--admin-user", testad.Admin + "@" + testad.DNSDomain, "--admin-password-file", w.file("admin", testad.AdminPass+"\n")}
	if out := w.ok(append([]string{"ad", "publish"}, admin...)...); strings.Count(out, "published ") != 4 {
		t.Errorf("published: %s", out)
	}
	if out := w.ok(append([]string{"ad", "publish"}, admin...)...); out != "nothing to change\n" {
		t.Errorf("a second time: %s", out)
	}

	// The policy joins what the file has.
	pol := filepath.Join(t.TempDir(), "Registry.pol")
	other := gpo.Text(`Software\Policies\Other`, "Keep", "this")
	if err := os.WriteFile(pol, must(gpo.Marshal([]gpo.Value{other}))(t), 0o640); err != nil {
		t.Fatal(err)
	}
	w.ok("ad", "policy", id, "--registry-pol", pol, "--with-ca-certificate")
	values := must(gpo.Parse(must(os.ReadFile(pol))(t)))(t)
	if s, _ := values[0].Text(); s != "this" || len(values) < 9 || values[len(values)-1].Name != "cACertificate" || string(values[len(values)-1].Data) != string(cert.Raw) {
		t.Errorf("Registry.pol: %+v", values)
	}
	if info := must(os.Stat(pol))(t); info.Mode().Perm() != 0o640 {
		t.Errorf("mode %o", info.Mode().Perm())
	}
	script := w.ok("ad", "policy", id)
	for _, want := range []string{`-Key 'HKLM\Software\Policies\Microsoft\Cryptography\AutoEnrollment' -ValueName 'AEPolicy' -Type DWord -Value 7`, "'HKCU\\", "https://" + testad.CAHost + "/ADPolicyProvider_CEP_Kerberos/service.svc/CEP"} {
		if !strings.Contains(script, want) {
			t.Errorf("the script lacks %s:\n%s", want, script)
		}
	}

	// A host with a certificate of the published CA is trusted.
	leaf := tlsLeaf(t, cert, key, testad.CAHost)
	l := tls.NewListener(w.d.Listen(t, testad.CAHost+":443"), &tls.Config{Certificates: []tls.Certificate{leaf}})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); io.Copy(io.Discard, c) }()
		}
	}()
	found = w.results(id, "--registry-pol", pol)
	expect(found, map[string]setup.State{
		published + "NTAuthCertificates": setup.OK, published + "Certification Authorities": setup.OK, published + "AIA": setup.OK, published + "Enrollment Services": setup.OK,
		"group policy": setup.OK, "policy host " + testad.CAHost: setup.OK, "registration": setup.OK, "templates of connector aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee": setup.OK,
	})
	if text := w.ok("ad", "check", id); !strings.Contains(text, "ok       keytab: has AES keys") {
		t.Errorf("text:\n%s", text)
	}
	if out := w.ok(append([]string{"ad", "publish", "--remove"}, admin...)...); strings.Count(out, "removed ") != 4 {
		t.Errorf("removed: %s", out)
	}
	if r := w.results(id)[published+"NTAuthCertificates"]; r.State != setup.Problem {
		t.Errorf("after --remove: %+v", r)
	}
	w.passwordChanges(id)
}

// passwordChanges: with the account's password its key's version changes, and a keytab is out of date.
func (w *adWorld) passwordChanges(id string) {
	w.Helper()
	set := func(password string) {
		w.d.Run(w.T, "samba-tool", "user", "setpassword", "svc-rolecall", "--newpassword="+password, "-H", "ldap://"+testad.DCHost, "-U", testad.Admin+"%"+testad.AdminPass)
	}
	set("Passw0rd!another")
	if _, stderr, ok := w.run([]string{"ROLECALLD_BIND_PASSWORD=Passw0rd!another"}, "ad", "directory", "update", id); !ok {
		w.Fatal(stderr)
	}
	if r := w.results(id)["keytab"]; r.State != setup.Problem || !strings.Contains(r.Text, "the password was changed") {
		w.Errorf("an old keytab: %+v", r)
	}
	set("Passw0rd!third") // the last but one is taken for an hour
	set(testad.Password("svc-rolecall"))
	if r := w.results(id)["domain controller ldaps://"+testad.DCHost]; r.State != setup.Problem || !strings.Contains(r.Fix, "--bind-password-file") {
		w.Errorf("a wrong password: %+v", r)
	}
	// The tests that follow have the domain's keytab of now.
	must(0, os.Remove(w.d.Path("http.keytab")))(w.T)
	w.d.Run(w.T, "samba-tool", "domain", "exportkeytab", w.d.Path("http.keytab"), "--principal="+testad.SPN, "-s", w.d.Path("dc/etc/smb.conf"))
}

// rootCA is a CA's certificate and key.
func rootCA(t *testing.T) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Corp Issuing"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der := must(x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key))(t)
	return must(x509.ParseCertificate(der))(t), key
}

func tlsLeaf(t *testing.T, ca *x509.Certificate, caKey *ecdsa.PrivateKey, host string) tls.Certificate {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{host}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der := must(x509.CreateCertificate(rand.Reader, tmpl, ca, key.Public(), caKey))(t)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// otherCA is nobody's certificate.
const otherCA = `-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIUaS3PB7puvFDQfA4eF7DcDu3YYSAwCgYIKoZIzj0EAwIw
EDEOMAwGA1UEAwwFb3RoZXIwHhcNMjYxMTIyMTkwMzU3WhcNNDYxMTE3MTkwMzU3
WjAQMQ4wDAYDVQQDDAVvdGhlcjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABGLl
OVqbMNI2ihDt0/7nRYNoQzOUKiiUdCe5lmprrs+mCH3klDTMS3CedDydx8KHGnsu
5tVGQZ49rOH4nXhM1UWjUzBRMB0GA1UdDgQWBBTkHhcPK4QV2tK88Lcs8Y+olczi
ZzAfBgNVHSMEGDAWgBTkHhcPK4QV2tK88Lcs8Y+olcziZzAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIGSdylPV7XpaZLYL18gp/irpct0oSPALp+u4
6nW2jF0QAiEAmf1IZLz8LqzrM/76NJy8aumHO3ACM4jt2xjIol1fYR8=
-----END CERTIFICATE-----
`
