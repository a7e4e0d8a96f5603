package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/keytab"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/enroll"
	"github.com/rolecall/rolecall/internal/enroll/setup"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/server"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/internal/testad"
)

// envClock has the test program check a directory with a clock that is wrong by a duration, as the server's would be.
const envClock = "ROLECALLD_TEST_CLOCK"

// checkWithClock is ad check --json in a process whose clock is off.
func checkWithClock(off string, args []string) error {
	by, err := time.ParseDuration(off)
	if err != nil || len(args) != 6 { // ad check --json ID --data-dir DIR, as without a wrong clock
		return fmt.Errorf("%v: %w", args, err)
	}
	ctx := context.Background()
	return server.DirectorySetup(ctx, server.Config{DataDir: args[5]}, server.DirectoryKey{ID: args[3], Region: "us-east-1"}, func(s *setup.Setup) error {
		return writeResults(os.Stdout, s.Check(ctx, setup.Options{Now: func() time.Time { return time.Now().Add(by) }}), true)
	})
}

// admin runs samba-tool with the administrator's password, over the network as from any machine of the domain.
func (w *adWorld) admin(args ...string) {
	w.Helper()
	w.d.Run(w.T, "samba-tool", append(args, "-H", "ldap://"+testad.DCHost, "-U", testad.Admin+"%"+testad.AdminPass)...)
}

// ldif applies changes as the administrator.
func (w *adWorld) ldif(text string) {
	w.Helper()
	cmd := w.d.Command(w.Context(), "ldapmodify", "-H", "ldaps://"+testad.DCHost, "-x", "-D", testad.Admin+"@"+testad.DNSDomain, "-w", testad.AdminPass)
	cmd.Env = append(cmd.Env, "LDAPTLS_CACERT="+w.d.Path("cert.pem"))
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		w.Fatalf("ldapmodify: %v\n%s", err, out)
	}
}

// TestCheckSaysWhatIsBroken breaks one thing after the other in a real domain: the check names that thing, says how to repair
// it, and agrees when it is repaired.
func TestCheckSaysWhatIsBroken(t *testing.T) {
	w := newADWorld(t)
	id := strings.TrimSpace(w.ok(append([]string{"ad", "directory", "create"}, w.domainFlags()...)...))
	const dc = "domain controller ldaps://" + testad.DCHost
	only := func(found map[string]setup.Result, subject, text, fix string) {
		t.Helper()
		if r := found[subject]; r.State != setup.Problem || !strings.Contains(r.Text, text) || !strings.Contains(r.Fix, fix) {
			t.Errorf("%s: got %+v, want a problem with %q and %q", subject, r, text, fix)
		}
		for s, r := range found {
			unset := s == "registration" || s == "connector" || strings.HasPrefix(s, "policy host")
			if s != subject && !unset && r.State == setup.Problem {
				t.Errorf("%s is broken, and the check also complains of %+v", subject, r)
			}
		}
	}
	whole := func() {
		t.Helper()
		found := w.results(id)
		for _, subject := range []string{dc, "clock", "service principal name", "service account", "keytab", "Kerberos ticket"} {
			if r := found[subject]; r.State != setup.OK {
				t.Fatalf("repaired, but %+v", r)
			}
		}
	}
	whole()
	keepKeytab := w.d.Keytab(t, "http")
	t.Cleanup(func() { // the tests that follow share the account
		if err := os.WriteFile(w.d.Path("http.keytab"), keepKeytab, 0o600); err != nil {
			t.Error(err)
		}
	})

	t.Run("service principal name", func(t *testing.T) {
		w.admin("spn", "delete", testad.SPN, "svc-rolecall")
		defer w.admin("spn", "add", testad.SPN, "svc-rolecall")
		only(w.results(id), "service principal name", "no account has "+testad.SPN, "setspn -S "+testad.SPN)
	})
	t.Run("service principal name twice", func(t *testing.T) {
		w.d.Run(t, "/usr/bin/python3", "-c", spnTwice, w.d.Dir, "ADD")
		defer w.d.Run(t, "/usr/bin/python3", "-c", spnTwice, w.d.Dir, "DELETE")
		only(w.results(id), "service principal name", "several accounts have "+testad.SPN, "setspn -Q "+testad.SPN)
	})
	t.Run("encryption types of the account", func(t *testing.T) {
		types := func(n string) {
			w.ldif("dn: " + testad.ServiceDN + "\nchangetype: modify\nreplace: msDS-SupportedEncryptionTypes\nmsDS-SupportedEncryptionTypes: " + n + "\n")
		}
		types("4") // RC4 alone
		defer types("24")
		found := w.results(id)
		if r := found["Kerberos ticket"]; r.State != setup.Problem { // the KDC does what the account says
			t.Errorf("a ticket of RC4: %+v", r)
		}
		delete(found, "Kerberos ticket")
		only(found, "service account", "has no AES in msDS-SupportedEncryptionTypes", "to 24, set its password again, and export the keytab again")
	})
	t.Run("encryption types of the keytab", func(t *testing.T) {
		w.fails("no AES key: set msDS-SupportedEncryptionTypes", "ad", "directory", "update", id, "--keytab", w.rc4Keytab())
		defer w.ok("ad", "directory", "update", id, "--keytab", w.d.Path("http.keytab"))
		w.sealed(id, must(os.ReadFile(w.rc4Keytab()))(t)) // as it could be sealed before that was refused
		only(w.results(id), "keytab", "it has RC4 keys of "+testad.SPN+" only", "msDS-SupportedEncryptionTypes to 24 first")
	})
	t.Run("LDAPS trust", func(t *testing.T) {
		other := w.file("other.pem", otherCA)
		w.fails("certificate signed by unknown authority", "ad", "directory", "update", id, "--ca-file", other)
		w.ok("ad", "directory", "update", id, "--ca-file", other, "--offline")
		defer w.ok("ad", "directory", "update", id, "--ca-file", w.d.Path("cert.pem"))
		only(w.results(id), dc, "certificate signed by unknown authority", "ad directory update --ca-file")
	})
	t.Run("no LDAPS there", func(t *testing.T) {
		w.ok("ad", "directory", "update", id, "--server", "ldaps://"+testad.CAHost, "--offline")
		defer w.ok("ad", "directory", "update", id, "--server", "ldaps://"+testad.DCHost)
		only(w.results(id), "domain controller ldaps://"+testad.CAHost, "connection refused", "open port 636")
	})
	for _, off := range []string{"6m30s", "-6m30s"} {
		t.Run("clock "+off, func(t *testing.T) {
			w.clock = off
			defer func() { w.clock = "" }()
			found := w.results(id)
			if r := found["Kerberos ticket"]; r.State != setup.Problem {
				t.Errorf("a ticket of another time: %+v", r)
			}
			delete(found, "Kerberos ticket")
			only(found, "clock", "differs from ldaps://"+testad.DCHost+" by 6m", "chrony")
		})
	}
	whole()
	w.delegation(id)
}

// delegation: each place that the account may not write is named on its own.
func (w *adWorld) delegation(id string) {
	t := w.T
	w.connect(id, "S-1-5-21-1-2-3-4")
	// An account of its own: there is no command that takes rights back.
	w.ok("ad", "directory", "update", id, "--bind-user", "svc-rc4@"+testad.DNSDomain, "--bind-password-file", w.file("password", testad.Password("svc-rc4")+"\n"))
	const pks = "CN=Public Key Services,CN=Services,CN=Configuration," + testad.BaseDN
	account, _, _ := strings.Cut(w.d.Run(t, "wbinfo", "-n", "svc-rc4"), " ")
	sddl := "--sddl=(A;CI;RPWPCCLC;;;" + account + ")"
	allow := func(container string) {
		w.admin("dsacl", "set", "--action=allow", "--objectdn="+container, sddl)
	}
	containers := []string{"CN=AIA," + pks, "CN=Certification Authorities," + pks, pks}
	places := []string{"NTAuthCertificates", "Certification Authorities", "AIA", "Enrollment Services"}
	expect := func(writable string) {
		t.Helper()
		found := w.results(id)
		for _, name := range places {
			r := found["published CA in "+name]
			if r.State != setup.Problem && (r.State != setup.Warning || name != "Enrollment Services") || !strings.HasPrefix(r.Fix, "rolecalld ad publish "+id) ||
				strings.Contains(r.Fix, "--admin-user") == strings.Contains(writable, name) {
				t.Errorf("may write %q: %s: %+v", writable, name, r)
			}
		}
	}
	expect("")
	allow(containers[0])
	expect("AIA")
	w.fails("hint: use --admin-user", "ad", "publish", id)
	allow(containers[1])
	expect("AIA Certification Authorities")
	allow(containers[2]) // NTAuthCertificates is made there by a forest's first CA
	expect("AIA Certification Authorities NTAuthCertificates Enrollment Services")
	if out := w.ok("ad", "publish", id); strings.Count(out, "published ") != 4 {
		t.Errorf("published by the account itself: %s", out)
	}
	found := w.results(id)
	for _, name := range places {
		if r := found["published CA in "+name]; r.State != setup.OK {
			t.Errorf("%+v", r)
		}
	}
	w.ok("ad", "publish", id, "--remove", "--admin-user", testad.Admin+"@"+testad.DNSDomain, "--admin-password-file", w.file("admin", testad.AdminPass+"\n"))
}

// spnTwice adds the service's name to a second account, or takes it away, past the database's modules: they refuse that.
const spnTwice = `
import sys, ldb
raw = ldb.Ldb("tdb://%s/dc/private/sam.ldb.d/DC=CORP,DC=EXAMPLE,DC=COM.ldb" % sys.argv[1])
m = ldb.Message()
m.dn = ldb.Dn(raw, "CN=bob,CN=Users,DC=corp,DC=example,DC=com")
m["s"] = ldb.MessageElement("HTTP/ca.corp.example.com", getattr(ldb, "FLAG_MOD_" + sys.argv[2]), "servicePrincipalName")
raw.modify(m)
`

// rc4Keytab has a key of type 23 for the service, and no other.
func (w *adWorld) rc4Keytab() string {
	w.Helper()
	kt := keytab.New()
	must(0, kt.AddEntry(testad.SPN, testad.Realm, testad.Password("svc-rolecall"), time.Now(), 2, etypeID.RC4_HMAC))(w.T)
	return w.file("rc4.keytab", string(must(kt.Marshal())(w.T)))
}

// sealed puts a keytab into the directory's row without looking at it.
func (w *adWorld) sealed(id string, keys []byte) {
	w.Helper()
	ring := must(keyring.Load(w.dir + "/" + server.KeyRingFile))(w.T)
	w.store(func(tx *store.Tx) error {
		accounts, _, err := tx.ListAccounts(1, "")
		if err != nil {
			return err
		}
		row, err := tx.GetDirectory(accounts[0].ID, arn.Region("us-east-1"), id)
		if err != nil {
			return err
		}
		_, password, err := enroll.OpenCredentials(ring, row)
		if err != nil {
			return err
		}
		enroll.SealCredentials(ring, row, keys, password)
		return tx.PutDirectory(row)
	})
}
