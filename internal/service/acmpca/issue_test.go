package acmpca_test

import (
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/testserver"
)

func TestIssueWithPassthrough(t *testing.T) {
	r := newRig(t)
	ca := r.root("passthrough", nil)
	_, csr := leaf(t, "csr")
	_, text, _ := r.issue(ca, csr, object{"TemplateArn": template("BlankEndEntityCertificate_APIPassthrough"), "ApiPassthrough": object{
		"Subject": object{"CommonName": "api", "Country": "DE"},
		"Extensions": object{
			"KeyUsage":                object{"DigitalSignature": true, "KeyAgreement": true},
			"ExtendedKeyUsage":        []object{{"ExtendedKeyUsageType": "CLIENT_AUTH"}, {"ExtendedKeyUsageObjectIdentifier": "1.2.3.4"}},
			"CertificatePolicies":     []object{{"CertPolicyId": "2.5.29.32.0", "PolicyQualifiers": []object{{"PolicyQualifierId": "CPS", "Qualifier": object{"CpsUri": "https://x.example/"}}}}},
			"SubjectAlternativeNames": []object{{"DnsName": "a.example"}, {"IpAddress": "::1"}, {"OtherName": object{"TypeId": "1.3.6.1.4.1.311.20.2.3", "Value": "u@a"}}, {"DirectoryName": object{"CommonName": "d"}}},
			"CustomExtensions":        []object{{"ObjectIdentifier": "1.2.3.4.5", "Value": "BQA=", "Critical": false}},
		},
	}})
	cert := parse(t, text)
	if cert.Subject.CommonName != "api" || cert.DNSNames[0] != "a.example" || len(cert.IPAddresses) != 1 || len(cert.ExtKeyUsage) != 1 || len(cert.UnknownExtKeyUsage) != 1 || len(cert.PolicyIdentifiers) != 1 {
		t.Errorf("got %v %v %v %v", cert.Subject, cert.DNSNames, cert.ExtKeyUsage, cert.PolicyIdentifiers)
	}
	// Ignored by a template that takes nothing from the API, as the API documents it.
	_, text, _ = r.issue(ca, csr, object{"ApiPassthrough": object{"Subject": object{"CommonName": "api"}}})
	if got := parse(t, text).Subject.CommonName; got != "csr" {
		t.Errorf("common name %s", got)
	}
}

func TestIssueRefused(t *testing.T) {
	r := newRig(t)
	ca := r.root("refusals", nil)
	_, csr := leaf(t, "a")
	with := func(more object) object {
		in := object{"CertificateAuthorityArn": ca, "Csr": csr, "SigningAlgorithm": "SHA256WITHECDSA", "Validity": object{"Value": 1, "Type": "DAYS"}}
		for k, v := range more {
			in[k] = v
		}
		return in
	}
	for _, c := range []struct {
		code string
		in   object
	}{
		{"MalformedCSRException", with(object{"Csr": []byte("junk")})},
		{"InvalidArgsException", with(object{"SigningAlgorithm": "SHA256WITHRSA"})},
		{"ValidationException", with(object{"Validity": object{"Value": 11, "Type": "YEARS"}})},
		{"ValidationException", with(object{"Validity": object{"Value": 0, "Type": "DAYS"}})},
		{"InvalidArgsException", with(object{"TemplateArn": template("NoSuchTemplate")})},
		{"InvalidArgsException", with(object{"TemplateArn": template("RootCACertificate")})},
		{"InvalidArnException", with(object{"CertificateAuthorityArn": "arn:aws:acm-pca:eu-central-1:123456789012:certificate-authority/x"})},
		{"ResourceNotFoundException", with(object{"CertificateAuthorityArn": "arn:aws:acm-pca:eu-central-1:123456789012:certificate-authority/00000000-0000-4000-8000-000000000000"})},
		{"AccessDeniedException", with(object{"CertificateAuthorityArn": strings.Replace(ca, "123456789012", "210987654321", 1)})},
		{"InvalidArgsException", with(object{"TemplateArn": template("EndEntityCertificate_APIPassthrough"), "ApiPassthrough": object{"Extensions": object{"ExtendedKeyUsage": []object{{}}}}})},
	} {
		r.refused(c.code, "IssueCertificate", c.in)
	}
	r.refused("ResourceNotFoundException", "GetCertificate", object{"CertificateAuthorityArn": ca, "CertificateArn": ca + "/certificate/" + strings.Repeat("0", 32)})
	r.refused("InvalidArnException", "GetCertificate", object{"CertificateAuthorityArn": ca, "CertificateArn": ca})
	// The same token is the same certificate, and no other request's.
	in := with(object{"IdempotencyToken": "t"})
	first := r.ok("IssueCertificate", in)["CertificateArn"]
	if again := r.ok("IssueCertificate", in)["CertificateArn"]; again != first {
		t.Errorf("the same token issued %v and %v", first, again)
	}
	r.refused("InvalidArgsException", "IssueCertificate", with(object{"IdempotencyToken": "t", "Validity": object{"Value": 2, "Type": "DAYS"}}))
}

// TestPermissions: each operation by its own action, on its CA, with template and tags as conditions.
func TestPermissions(t *testing.T) {
	r := newRig(t)
	ca, other := r.root("mine", object{"Tags": []object{{"Key": "team", "Value": "blue"}}}), r.root("other", nil)
	_, csr := leaf(t, "a")
	u := r.user("issuer", `{"Effect":"Allow","Action":"acm-pca:IssueCertificate","Resource":"*","Condition":{"StringEquals":{"acm-pca:TemplateArn":"`+template("EndEntityCertificate")+`","aws:ResourceTag/team":"blue"}}},
		{"Effect":"Allow","Action":"acm-pca:GetCertificate","Resource":"`+ca+`"}`)
	issue := func(ca, tmpl string) object {
		in := object{"CertificateAuthorityArn": ca, "Csr": csr, "SigningAlgorithm": "SHA256WITHECDSA", "Validity": object{"Value": 1, "Type": "DAYS"}}
		if tmpl != "" {
			in["TemplateArn"] = tmpl
		}
		return in
	}
	u.ok("IssueCertificate", issue(ca, template("EndEntityCertificate")))
	name := u.ok("IssueCertificate", issue(ca, ""))["CertificateArn"]
	u.ok("GetCertificate", object{"CertificateAuthorityArn": ca, "CertificateArn": name})
	u.refused("AccessDeniedException", "IssueCertificate", issue(ca, template("SubordinateCACertificate_PathLen0")))
	u.refused("AccessDeniedException", "IssueCertificate", issue(other, ""))
	u.refused("AccessDeniedException", "RevokeCertificate", object{"CertificateAuthorityArn": ca, "CertificateSerial": "01", "RevocationReason": "UNSPECIFIED"})
	u.refused("AccessDeniedException", "CreateCertificateAuthority", object{"CertificateAuthorityType": "ROOT", "CertificateAuthorityConfiguration": caConfig("x", "EC_prime256v1", "SHA256WITHECDSA")})
	for _, op := range []string{"DescribeCertificateAuthority", "GetCertificateAuthorityCsr", "GetCertificateAuthorityCertificate", "DeleteCertificateAuthority", "RestoreCertificateAuthority", "UpdateCertificateAuthority", "ListTags"} {
		u.refused("AccessDeniedException", op, object{"CertificateAuthorityArn": ca})
	}
	u.refused("AccessDeniedException", "ListCertificateAuthorities", object{})
	tags := object{"CertificateAuthorityArn": ca, "Tags": []object{{"Key": "a"}}}
	u.refused("AccessDeniedException", "TagCertificateAuthority", tags)
	u.refused("AccessDeniedException", "UntagCertificateAuthority", tags)
}

// user is the rig as a user with one inline policy, given as its statements.
func (r *rig) user(name, statements string) *rig {
	r.t.Helper()
	iam := func(action string, params ...string) []byte {
		res := r.Query(r.t, r.keys, "iam", action, params...)
		if res.Status != 200 {
			r.t.Fatalf("%s: %s", action, res.Body)
		}
		return res.Body
	}
	iam("CreateUser", "UserName", name)
	iam("PutUserPolicy", "UserName", name, "PolicyName", "p", "PolicyDocument", `{"Version":"2012-10-17","Statement":[`+statements+`]}`)
	var key struct {
		AccessKeyID string `xml:"CreateAccessKeyResult>AccessKey>AccessKeyId"`
		Secret      string `xml:"CreateAccessKeyResult>AccessKey>SecretAccessKey"`
	}
	if err := xml.Unmarshal(iam("CreateAccessKey", "UserName", name), &key); err != nil {
		r.t.Fatal(err)
	}
	return r.as(testserver.Keys{AccessKeyID: key.AccessKeyID, SecretAccessKey: key.Secret})
}

// TestAuditTrail: an issuance and a refusal are found by LookupEvents.
func TestAuditTrail(t *testing.T) {
	r := newRig(t)
	ca := r.root("audited", nil)
	r.refused("MalformedCSRException", "IssueCertificate", object{"CertificateAuthorityArn": ca, "Csr": []byte("x"), "SigningAlgorithm": "SHA256WITHECDSA", "Validity": object{"Value": 1, "Type": "DAYS"}})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		res := r.JSON11(t, r.keys, "cloudtrail", "CloudTrail_20131101.LookupEvents", object{"LookupAttributes": []object{{"AttributeKey": "EventName", "AttributeValue": "IssueCertificate"}}})
		var out struct {
			Events []struct{ CloudTrailEvent string }
		}
		if err := json.Unmarshal(res.Body, &out); err != nil {
			t.Fatal(err)
		}
		all := ""
		for _, e := range out.Events {
			all += e.CloudTrailEvent
		}
		if strings.Contains(all, "MalformedCSRException") && strings.Contains(all, "/certificate/") && strings.Contains(all, "acm-pca.amazonaws.com") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("events: %s", all)
		}
	}
}
