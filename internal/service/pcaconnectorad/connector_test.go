package pcaconnectorad_test

import (
	"strings"
	"testing"

	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/internal/testserver"
)

// TestLifeOfAConnector walks from the registration to the end and tries what each state refuses.
func TestLifeOfAConnector(t *testing.T) {
	r := newRig(t)
	ca := r.activeCA()
	create := object{"CertificateAuthorityArn": ca, "DirectoryId": directory, "VpcInformation": vpc(), "ClientToken": "one", "Tags": object{"k": "v"}}
	r.refused("ValidationException", "not registered", "POST", "/connectors", create)
	registration := r.register(directory)
	r.refused("ConflictException", "registered already", "POST", "/directoryRegistrations", object{"DirectoryId": directory})
	r.refused("ResourceNotFoundException", "not found", "POST", "/directoryRegistrations", object{"DirectoryId": "d-ffffffffff"})
	name := r.ok(202, "POST", "/connectors", create)["ConnectorArn"].(string)
	if again := r.ok(202, "POST", "/connectors", create)["ConnectorArn"]; again != name {
		t.Errorf("the same token made %v and %v", name, again)
	}
	create["Tags"] = object{}
	r.refused("ConflictException", "token", "POST", "/connectors", create)
	delete(create, "ClientToken")
	r.refused("ConflictException", "a connector already", "POST", "/connectors", create)
	c := r.await("/connectors/"+escape(name), "Connector", "ACTIVE")
	for field, want := range map[string]any{
		"Arn": name, "CertificateAuthorityArn": ca, "DirectoryId": directory,
		"CertificateEnrollmentPolicyServerEndpoint": "https://pki.corp.example.com/ADPolicyProvider_CEP_Kerberos/service.svc/CEP",
	} {
		if c[field] != want {
			t.Errorf("%s is %v, want %v", field, c[field], want)
		}
	}
	if list := r.ok(200, "GET", "/connectors", nil)["Connectors"].([]any); len(list) != 1 || list[0].(object)["Arn"] != name {
		t.Errorf("connectors: %v", list)
	}
	if list := r.ok(200, "GET", "/directoryRegistrations", nil)["DirectoryRegistrations"].([]any); len(list) != 1 || list[0].(object)["Arn"] != registration {
		t.Errorf("registrations: %v", list)
	}
	principals := "/directoryRegistrations/" + escape(registration) + "/servicePrincipalNames"
	spn := principals + "/" + escape(name)
	r.refused("ResourceNotFoundException", "not found", "GET", spn, nil)
	r.ok(202, "POST", spn, object{})
	r.await(spn, "ServicePrincipalName", "ACTIVE")
	r.refused("ConflictException", "already", "POST", spn, object{})
	if list := r.ok(200, "GET", principals, nil)["ServicePrincipalNames"].([]any); len(list) != 1 || list[0].(object)["ConnectorArn"] != name {
		t.Errorf("service principal names: %v", list)
	}
	r.ok(202, "DELETE", spn, nil)
	r.await(spn, "ServicePrincipalName", "gone")
	r.ok(202, "DELETE", spn, nil)
	r.ok(202, "POST", spn, object{})
	template := r.template(name, "One")
	r.refused("ConflictException", "in use", "DELETE", "/directoryRegistrations/"+escape(registration), nil)
	r.ok(202, "DELETE", "/connectors/"+escape(name), nil)
	r.await("/connectors/"+escape(name), "Connector", "gone")
	r.refused("ResourceNotFoundException", "not found", "GET", "/templates/"+escape(template), nil)
	r.refused("ResourceNotFoundException", "not found", "GET", spn, nil)
	r.refused("ResourceNotFoundException", "not found", "DELETE", "/connectors/"+escape(name), nil)
	r.ok(202, "DELETE", "/directoryRegistrations/"+escape(registration), nil)
	r.await("/directoryRegistrations/"+escape(registration), "DirectoryRegistration", "gone")
	r.ok(202, "DELETE", "/directoryRegistrations/"+escape(registration), nil)
}

// TestWhichAuthoritiesConnect: those of the account, in force, with a common name, of both usage modes.
func TestWhichAuthoritiesConnect(t *testing.T) {
	r := newRig(t)
	r.register(directory)
	try := func(ca string) object {
		return object{"CertificateAuthorityArn": ca, "DirectoryId": directory, "VpcInformation": vpc()}
	}
	named := object{"CommonName": "Corp"}
	r.refused("ResourceNotFoundException", "not found", "POST", "/connectors", try("arn:aws:acm-pca:"+testserver.Region+":"+account+":certificate-authority/"+noUUID))
	r.refused("AccessDeniedException", "no resource-based policy", "POST", "/connectors", try("arn:aws:acm-pca:"+testserver.Region+":210987654321:certificate-authority/"+noUUID))
	for _, tc := range []struct{ ca, reason string }{
		{r.ca(named, "GENERAL_PURPOSE", "PENDING_CERTIFICATE"), "INVALID_STATE"},
		{r.ca(object{"Organization": "Corp"}, "GENERAL_PURPOSE", "ACTIVE"), "INVALID_CA_SUBJECT"},
	} {
		if out := r.refused("ValidationException", "certificate authority", "POST", "/connectors", try(tc.ca)); out["Reason"] != tc.reason {
			t.Errorf("got reason %v, want %s", out["Reason"], tc.reason)
		}
	}
	short := r.connector(r.ca(named, "SHORT_LIVED_CERTIFICATE", "ACTIVE"))
	d := definition(t, "UserSignature")
	r.refused("ValidationException", "at most 7 days", "POST", "/templates", object{"ConnectorArn": short, "Name": "a", "Definition": d})
	d["TemplateV2"].(object)["CertificateValidity"] = object{"ValidityPeriod": object{"Period": 7, "PeriodType": "DAYS"}, "RenewalPeriod": object{"Period": 1, "PeriodType": "DAYS"}}
	r.ok(200, "POST", "/templates", object{"ConnectorArn": short, "Name": "a", "Definition": d})
}

// TestWhatFails: a directory that is gone, and one without a key.
func TestWhatFails(t *testing.T) {
	r := newRig(t)
	const bare = "d-aaaaaaaaaa"
	r.directory(bare, "other.example.com", nil)
	registration := r.register(bare)
	ca := r.activeCA()
	name := r.ok(202, "POST", "/connectors", object{"CertificateAuthorityArn": ca, "DirectoryId": bare, "VpcInformation": vpc()})["ConnectorArn"].(string)
	spn := "/directoryRegistrations/" + escape(registration) + "/servicePrincipalNames/" + escape(name)
	r.ok(202, "POST", spn, object{})
	if p := r.await(spn, "ServicePrincipalName", "FAILED"); p["StatusReason"] != "DIRECTORY_ACCESS_DENIED" {
		t.Errorf("got %v", p)
	}
	mine := r.ready()
	other := r.refused("ValidationException", "belongs to directory", "POST", "/directoryRegistrations/"+escape(registration)+"/servicePrincipalNames/"+escape(mine), object{})
	if other["Reason"] != "MISMATCHED_CONNECTOR" {
		t.Errorf("got %v", other)
	}
	err := r.DB().Update(t.Context(), func(tx *store.Tx) error {
		for _, row := range []struct{ id, authority string }{{"00000000-0000-4000-8000-00000000000a", ca}, {"00000000-0000-4000-8000-00000000000b", strings.ReplaceAll(ca, account, "210987654321")}} {
			c := &store.Connector{Account: account, Region: testserver.Region, ID: row.id, Directory: bare, Authority: row.authority, Status: "CREATING"}
			if row.authority == ca {
				c.Directory = "d-bbbbbbbbbb"
			}
			if err := tx.CreateConnector(c); err != nil {
				return err
			}
		}
		return tx.CreateDirectoryRegistration(&store.DirectoryRegistration{Account: account, Region: testserver.Region, Directory: "d-cccccccccc", Status: "CREATING"})
	})
	if err != nil {
		t.Fatal(err)
	}
	r.template(mine, "wakes the worker")
	prefix := "arn:aws:pca-connector-ad:" + testserver.Region + ":" + account + ":"
	for path, want := range map[string]string{
		"/connectors/" + escape(prefix+"connector/00000000-0000-4000-8000-00000000000a"):  "DIRECTORY_ACCESS_DENIED",
		"/connectors/" + escape(prefix+"connector/00000000-0000-4000-8000-00000000000b"):  "PRIVATECA_RESOURCE_NOT_FOUND",
		"/directoryRegistrations/" + escape(prefix+"directory-registration/d-cccccccccc"): "DIRECTORY_RESOURCE_NOT_FOUND",
	} {
		member := "Connector"
		if strings.HasPrefix(path, "/directory") {
			member = "DirectoryRegistration"
		}
		if o := r.await(path, member, "FAILED"); o["StatusReason"] != want {
			t.Errorf("%s: got %v, want %s", path, o["StatusReason"], want)
		}
	}
}

// TestNamesOfOthers: another account's and region's resources are not there; what is no ARN of the kind is invalid.
func TestNamesOfOthers(t *testing.T) {
	r := newRig(t)
	connector := r.ready()
	for _, name := range []string{
		strings.ReplaceAll(connector, account, "210987654321"),
		strings.ReplaceAll(connector, testserver.Region, "us-west-2"),
		strings.ReplaceAll(connector, "arn:aws:", "arn:aws-cn:"),
		connector[:len(connector)-36] + noUUID,
	} {
		r.refused("ResourceNotFoundException", "not found", "GET", "/connectors/"+escape(name), nil)
		r.refused("ResourceNotFoundException", "not found", "GET", "/tags/"+escape(name), nil)
	}
	for _, name := range []string{"x", "arn:aws:iam::123456789012:role/x", connector + "/template", connector + "/other/" + noUUID} {
		r.refused("ValidationException", "", "GET", "/connectors/"+escape(name), nil)
		r.refused("ValidationException", "Invalid ARN", "GET", "/tags/"+escape(name), nil)
	}
}
