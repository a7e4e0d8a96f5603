package pcaconnectorad_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/enroll"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/internal/testldap"
	"github.com/rolecall/rolecall/internal/testserver"
)

// nobody is an address where no controller answers.
const nobody = "ldaps://127.0.0.1:1"

// change edits the directory's row as its operator does.
func (r *rig) change(fn func(*store.Directory)) {
	r.t.Helper()
	err := r.DB().Update(r.t.Context(), func(tx *store.Tx) error {
		d, err := tx.GetDirectory(account, testserver.Region, directory)
		if err != nil {
			return err
		}
		fn(d)
		return tx.PutDirectory(d)
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// moved sends the server to another address until the returned function is called.
func (r *rig) moved(to string) (back func()) {
	r.change(func(d *store.Directory) { d.Servers = []string{to} })
	return func() { r.change(func(d *store.Directory) { d.Servers = []string{r.domain.URL} }) }
}

// TestRegistrationAsksTheDomain: each reason, and after its cause is gone a registration in the failed one's place.
func TestRegistrationAsksTheDomain(t *testing.T) {
	r := newRig(t)
	path := ""
	try := func(want string) {
		t.Helper()
		name := r.ok(202, "POST", "/directoryRegistrations", object{"DirectoryId": directory})["DirectoryRegistrationArn"].(string)
		path = "/directoryRegistrations/" + escape(name)
		if o := r.await(path, "DirectoryRegistration", "FAILED"); o["StatusReason"] != want {
			t.Errorf("got %v, want %s", o["StatusReason"], want)
		}
	}
	for want, state := range map[string]testldap.State{
		"DIRECTORY_ACCESS_DENIED":      {RefuseBind: true},
		"DIRECTORY_TYPE_NOT_SUPPORTED": {NoDomain: true},
	} {
		r.domain.Set(state)
		try(want)
	}
	r.domain.Set(testldap.State{Realm: "OTHER.EXAMPLE.COM"})
	try("DIRECTORY_TYPE_NOT_SUPPORTED")
	back := r.moved(nobody)
	try("DIRECTORY_NOT_REACHABLE")
	back()
	r.change(func(d *store.Directory) { d.BindPassword = []byte("sealed under no key") })
	try("INTERNAL_FAILURE")
	r.change(func(d *store.Directory) {
		keytab, _, err := enroll.OpenCredentials(r.ring, &store.Directory{Account: d.Account, Region: d.Region, ID: d.ID, Keytab: d.Keytab, BindPassword: d.BindPassword})
		if err == nil {
			t.Error("rubbish opens")
		}
		enroll.SealCredentials(r.ring, d, append(keytab, 1), testldap.Password)
	})
	r.refused("ValidationException", "it is FAILED", "POST", "/connectors", object{"CertificateAuthorityArn": r.activeCA(), "DirectoryId": directory, "VpcInformation": vpc()})
	r.domain.Set(testldap.State{})
	r.register(directory)
	if o := r.await(path, "DirectoryRegistration", "ACTIVE"); o["StatusReason"] != nil {
		t.Errorf("ACTIVE with the reason %v", o["StatusReason"])
	}
}

// TestConnectorAsksTheDomain: a connector registers its CA if its account was given the right, leaves that to an
// administrator if not, and fails for what it should be able to do and is not.
func TestConnectorAsksTheDomain(t *testing.T) {
	r := newRig(t)
	r.register(directory)
	ca := r.activeCA() // CN=Corp Issuing
	try := func(status, reason string) string {
		t.Helper()
		name := r.ok(202, "POST", "/connectors", object{"CertificateAuthorityArn": ca, "DirectoryId": directory, "VpcInformation": vpc()})["ConnectorArn"].(string)
		o := r.await("/connectors/"+escape(name), "Connector", status)
		if got, _ := o["StatusReason"].(string); got != reason {
			t.Errorf("got %s %q, want %q", status, got, reason)
		}
		return name
	}
	const registration = "CA_CERTIFICATE_REGISTRATION_FAILED"
	r.domain.Set(testldap.State{Writable: true, RefuseWrite: true})
	try("FAILED", registration)
	r.domain.Set(testldap.State{Enrolls: "Corp Issuing"})
	try("FAILED", registration)
	r.domain.Set(testldap.State{RefuseBind: true})
	try("FAILED", "DIRECTORY_ACCESS_DENIED")
	r.domain.Set(testldap.State{NoDomain: true})
	try("FAILED", registration)
	back := r.moved(nobody)
	try("FAILED", registration)
	back()
	if w := r.domain.Written(); len(w) > 0 {
		t.Errorf("written by connectors that failed: %v", w)
	}
	r.domain.Set(testldap.State{})
	without := try("ACTIVE", "")
	if w := r.domain.Written(); len(w) > 0 {
		t.Errorf("written without a right: %v", w)
	}
	r.ok(202, "DELETE", "/connectors/"+escape(without), nil)
	r.await("/connectors/"+escape(without), "Connector", "gone")
	r.domain.Set(testldap.State{Writable: true})
	try("ACTIVE", "")
	written := strings.Join(r.domain.Written(), "\n")
	for _, place := range []string{"CN=NTAuthCertificates,", "CN=Corp Issuing,CN=Certification Authorities,", "CN=Corp Issuing,CN=AIA,", "CN=Corp Issuing,CN=Enrollment Services,"} {
		if !strings.Contains(written, place) {
			t.Errorf("nothing written at %s:\n%s", place, written)
		}
	}
}

// TestPrincipalAsksTheDomain: the name must be on one account.
func TestPrincipalAsksTheDomain(t *testing.T) {
	r := newRig(t)
	registration := r.register(directory)
	spn := "/directoryRegistrations/" + escape(registration) + "/servicePrincipalNames/" + escape(r.connector(r.activeCA()))
	try := func(want string) {
		t.Helper()
		r.ok(202, "POST", spn, object{})
		if o := r.await(spn, "ServicePrincipalName", "FAILED"); o["StatusReason"] != want {
			t.Errorf("got %v, want %s", o["StatusReason"], want)
		}
	}
	r.domain.Set(testldap.State{Accounts: []string{}})
	try("DIRECTORY_ACCESS_DENIED")
	r.domain.Set(testldap.State{Accounts: []string{"svc", "web"}})
	try("SPN_EXISTS_ON_DIFFERENT_AD_OBJECT")
	r.domain.Set(testldap.State{RefuseBind: true})
	try("DIRECTORY_ACCESS_DENIED")
	back := r.moved(nobody)
	try("DIRECTORY_NOT_REACHABLE")
	back()
	r.domain.Set(testldap.State{})
	r.ok(202, "POST", spn, object{})
	r.await(spn, "ServicePrincipalName", "ACTIVE")
}

// TestDeletionsDoNotWait: what goes away does so while a domain is waited for.
func TestDeletionsDoNotWait(t *testing.T) {
	r := newRig(t)
	connector := r.ready()
	hang := testldap.Start(t)
	hang.Set(testldap.State{Hang: true})
	const slow = "d-eeeeeeeeee"
	r.directory(slow, "slow.example.com", nil)
	err := r.DB().Update(t.Context(), func(tx *store.Tx) error {
		d, err := tx.GetDirectory(account, testserver.Region, slow)
		if err != nil {
			return err
		}
		d.Servers, d.Trust = []string{hang.URL}, string(hang.CA)
		return tx.PutDirectory(d)
	})
	if err != nil {
		t.Fatal(err)
	}
	r.ok(202, "POST", "/directoryRegistrations", object{"DirectoryId": slow})
	time.Sleep(100 * time.Millisecond) // for the question to be put
	r.ok(202, "DELETE", "/connectors/"+escape(connector), nil)
	r.await("/connectors/"+escape(connector), "Connector", "gone")
	list := r.ok(200, "GET", "/directoryRegistrations", nil)["DirectoryRegistrations"].([]any)
	if !slices.ContainsFunc(list, func(o any) bool { return o.(object)["DirectoryId"] == slow && o.(object)["Status"] == "CREATING" }) {
		t.Errorf("the slow directory's registration: %v", list)
	}
}
