package pcaconnectorad_test

import (
	"encoding/xml"
	"testing"

	"github.com/rolecall/rolecall/internal/testserver"
)

// user makes a user with a policy and returns the rig in its name.
func (r *rig) user(name, statements string) *rig {
	r.t.Helper()
	query := func(action string, params ...string) []byte {
		r.t.Helper()
		res := r.Query(r.t, r.Root, "iam", action, params...)
		if res.Status != 200 {
			r.t.Fatalf("%s: %d %s", action, res.Status, res.Body)
		}
		return res.Body
	}
	query("CreateUser", "UserName", name)
	query("PutUserPolicy", "UserName", name, "PolicyName", "p", "PolicyDocument", `{"Version":"2012-10-17","Statement":[`+statements+`]}`)
	var out struct {
		ID     string `xml:"CreateAccessKeyResult>AccessKey>AccessKeyId"`
		Secret string `xml:"CreateAccessKeyResult>AccessKey>SecretAccessKey"`
	}
	if err := xml.Unmarshal(query("CreateAccessKey", "UserName", name), &out); err != nil {
		r.t.Fatal(err)
	}
	return r.as(testserver.Keys{AccessKeyID: out.ID, SecretAccessKey: out.Secret})
}

// TestCreatingAConnectorNeedsTheCA: all that the connector will do with it, not only the action of this service.
func TestCreatingAConnectorNeedsTheCA(t *testing.T) {
	r := newRig(t)
	r.register(directory)
	in := object{"CertificateAuthorityArn": r.activeCA(), "DirectoryId": directory, "VpcInformation": vpc()}
	const own = `{"Effect":"Allow","Action":["pca-connector-ad:*","acm-pca:DescribeCertificateAuthority","acm-pca:GetCertificate","acm-pca:GetCertificateAuthorityCertificate"],"Resource":"*"}`
	r.user("without", own).refused("AccessDeniedException", "acm-pca:IssueCertificate", "POST", "/connectors", in)
	// As AWS documents it.
	issue := `,{"Effect":"Allow","Action":"acm-pca:IssueCertificate","Resource":"*","Condition":{"StringLike":{"acm-pca:TemplateArn":"arn:aws:acm-pca:::template/BlankEndEntityCertificate_APIPassthrough/V*"},"ForAnyValue:StringEquals":{"aws:CalledVia":"pca-connector-ad.amazonaws.com"}}}`
	r.user("with", own+issue).ok(202, "POST", "/connectors", in)
}

// TestPermissions: the resource's ARN, its tags, and the tags of a request decide.
func TestPermissions(t *testing.T) {
	r := newRig(t)
	connector := r.ready()
	mine, theirs := r.template(connector, "Mine"), r.template(connector, "Theirs")
	r.ok(204, "POST", "/tags/"+escape(mine), object{"Tags": object{"team": "a"}})
	u := r.user("u", `{"Effect":"Allow","Action":"pca-connector-ad:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"a"}}},
		{"Effect":"Allow","Action":"pca-connector-ad:CreateTemplate","Resource":"`+connector+`"}`)
	u.ok(200, "GET", "/templates/"+escape(mine), nil)
	u.refused("AccessDeniedException", "pca-connector-ad:GetTemplate", "GET", "/templates/"+escape(theirs), nil)
	u.refused("AccessDeniedException", "pca-connector-ad:GetTemplate", "GET", "/templates/"+escape(connector+"/template/"+noUUID), nil)
	u.refused("AccessDeniedException", "pca-connector-ad:CreateTemplateGroupAccessControlEntry", "POST", "/templates/"+escape(theirs)+"/accessControlEntries",
		object{"GroupSecurityIdentifier": "S-1-5-11", "GroupDisplayName": "g", "AccessRights": object{"Enroll": "ALLOW"}})
	in := object{"ConnectorArn": connector, "Name": "New", "Definition": definition(t, "Computer"), "Tags": object{"k": "v"}}
	u.refused("AccessDeniedException", "pca-connector-ad:TagResource", "POST", "/templates", in)
	delete(in, "Tags")
	u.ok(200, "POST", "/templates", in)
	u.ok(204, "DELETE", "/tags/"+escape(mine)+"?tagKeys=team", nil)
	u.refused("AccessDeniedException", "pca-connector-ad:GetTemplate", "GET", "/templates/"+escape(mine), nil)
	nobody := r.user("nobody", `{"Effect":"Allow","Action":"pca-connector-ad:*","Resource":"*"}`)
	nobody.refused("AccessDeniedException", "ds:AuthorizeApplication", "POST", "/directoryRegistrations", object{"DirectoryId": directory})
}

// TestTags: AWS's norms hold for what the model leaves open.
func TestTags(t *testing.T) {
	r := newRig(t)
	path := "/tags/" + escape(r.ready())
	for _, tags := range []object{{"": "v"}, {"AWS:x": "v"}, {"k": string(make([]byte, 3))}} {
		r.refused("ValidationException", "", "POST", path, object{"Tags": tags})
	}
	many := object{}
	for i := range 51 {
		many[string(rune('A'+i))] = "v"
	}
	r.refused("ValidationException", "at most 50", "POST", path, object{"Tags": many})
	r.ok(204, "POST", path, object{"Tags": object{"k": "v", "empty": ""}})
	if got := r.ok(200, "GET", path, nil)["Tags"].(object); len(got) != 2 || got["k"] != "v" {
		t.Errorf("got %v", got)
	}
}
