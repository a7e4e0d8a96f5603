package acmpca_test

import (
	"strings"
	"testing"
	"time"
)

// TestDefaultsReadBack: what Terraform compares with its own defaults.
func TestDefaultsReadBack(t *testing.T) {
	r := newRig(t)
	name := r.create("ROOT", "defaults", nil)
	d := r.describe(name)
	for field, want := range map[string]any{"KeyStorageSecurityStandard": "FIPS_140_2_LEVEL_3_OR_HIGHER", "UsageMode": "GENERAL_PURPOSE", "Type": "ROOT", "OwnerAccount": "123456789012", "Arn": name} {
		if d[field] != want {
			t.Errorf("%s is %v, want %v", field, d[field], want)
		}
	}
	if crl := d["RevocationConfiguration"].(object)["CrlConfiguration"].(object); crl["Enabled"] != false {
		t.Errorf("CRL configuration %v", crl)
	}
	if got := d["CertificateAuthorityConfiguration"].(object)["Subject"].(object)["CommonName"]; got != "defaults" {
		t.Errorf("common name %v", got)
	}
	for _, absent := range []string{"Serial", "NotBefore", "NotAfter", "RestorableUntil", "FailureReason"} {
		if v, there := d[absent]; there {
			t.Errorf("%s is %v before there is a certificate", absent, v)
		}
	}
}

// TestRSAKeyIsMadeInTheBackground: the CA is CREATING at first, and then has a CSR.
func TestRSAKeyIsMadeInTheBackground(t *testing.T) {
	r := newRig(t)
	name := r.create("ROOT", "rsa", object{"CertificateAuthorityConfiguration": caConfig("rsa", "RSA_2048", "SHA256WITHRSA")})
	_, cert, _ := r.issue(name, r.csrOf(name), object{"TemplateArn": template("RootCACertificate"), "SigningAlgorithm": "SHA512WITHRSA"})
	r.ok("ImportCertificateAuthorityCertificate", object{"CertificateAuthorityArn": name, "Certificate": []byte(cert)})
	r.await(name, "ACTIVE")
}

// TestStates walks a CA through its states and tries what each forbids.
func TestStates(t *testing.T) {
	r := newRig(t)
	_, csr := leaf(t, "leaf")
	name := r.create("ROOT", "states", nil)
	ca := object{"CertificateAuthorityArn": name}
	with := func(more object) object {
		out := object{"CertificateAuthorityArn": name}
		for k, v := range more {
			out[k] = v
		}
		return out
	}
	issue := with(object{"Csr": csr, "SigningAlgorithm": "SHA256WITHECDSA", "Validity": object{"Value": 1, "Type": "DAYS"}})
	r.refused("InvalidStateException", "IssueCertificate", issue)
	r.refused("InvalidStateException", "GetCertificateAuthorityCertificate", ca)
	r.refused("InvalidStateException", "UpdateCertificateAuthority", with(object{"Status": "ACTIVE"}))
	r.refused("InvalidStateException", "RestoreCertificateAuthority", ca)
	r.refused("InvalidStateException", "RevokeCertificate", with(object{"CertificateSerial": "01", "RevocationReason": "UNSPECIFIED"}))
	certARN, cert, _ := r.issue(name, r.csrOf(name), object{"TemplateArn": template("RootCACertificate")})
	own := object{"CertificateAuthorityArn": name, "Certificate": []byte(cert)}
	r.refused("InvalidRequestException", "ImportCertificateAuthorityCertificate", with(object{"Certificate": []byte(cert), "CertificateChain": []byte(cert)}))
	r.refused("MalformedCertificateException", "ImportCertificateAuthorityCertificate", with(object{"Certificate": []byte("junk")}))
	r.ok("ImportCertificateAuthorityCertificate", own)
	r.await(name, "ACTIVE")
	if got, want := r.describe(name)["Serial"], colons(parse(t, cert)); got != want {
		t.Errorf("serial %v, want %v", got, want)
	}
	serial := certARN[strings.LastIndexByte(certARN, '/')+1:]
	r.refused("InvalidRequestException", "RevokeCertificate", with(object{"CertificateSerial": serial, "RevocationReason": "UNSPECIFIED"}))
	r.refused("InvalidStateException", "DeleteCertificateAuthority", ca)
	r.refused("InvalidArgsException", "UpdateCertificateAuthority", with(object{"Status": "DELETED"}))
	r.ok("IssueCertificate", issue)
	r.ok("UpdateCertificateAuthority", with(object{"Status": "DISABLED"}))
	r.refused("InvalidStateException", "IssueCertificate", issue)
	r.refused("InvalidStateException", "ImportCertificateAuthorityCertificate", own)
	r.ok("GetCertificateAuthorityCertificate", ca)
	r.ok("DeleteCertificateAuthority", with(object{"PermanentDeletionTimeInDays": 7}))
	d := r.describe(name)
	if d["Status"] != "DELETED" || d["RestorableUntil"] == nil {
		t.Errorf("after deletion: %v", d)
	}
	r.refused("InvalidStateException", "GetCertificateAuthorityCsr", ca)
	r.refused("InvalidStateException", "DeleteCertificateAuthority", ca)
	r.refused("InvalidStateException", "TagCertificateAuthority", with(object{"Tags": []object{{"Key": "a"}}}))
	r.ok("RestoreCertificateAuthority", ca)
	r.await(name, "DISABLED")
	r.ok("UpdateCertificateAuthority", with(object{"Status": "ACTIVE"}))
	r.ok("IssueCertificate", issue)
}

func TestCreateRefused(t *testing.T) {
	r := newRig(t)
	config := func(c object) object {
		return object{"CertificateAuthorityType": "ROOT", "CertificateAuthorityConfiguration": c}
	}
	crl := func(c object) object {
		in := config(caConfig("x", "EC_prime256v1", "SHA256WITHECDSA"))
		in["RevocationConfiguration"] = object{"CrlConfiguration": c}
		return in
	}
	ocsp := func(c object) object {
		in := config(caConfig("x", "EC_prime256v1", "SHA256WITHECDSA"))
		in["RevocationConfiguration"] = object{"OcspConfiguration": c}
		return in
	}
	for _, c := range []struct {
		code string
		in   object
	}{
		{"InvalidArgsException", config(caConfig("x", "RSA_2048", "SHA256WITHECDSA"))},
		{"InvalidArgsException", config(caConfig("x", "ML_DSA_65", "ML_DSA_65"))},
		{"InvalidArgsException", config(object{"KeyAlgorithm": "EC_prime256v1", "SigningAlgorithm": "SHA256WITHECDSA", "Subject": object{}})},
		{"ValidationException", config(caConfig(strings.Repeat("x", 65), "EC_prime256v1", "SHA256WITHECDSA"))},
		{"ValidationException", config(caConfig("x", "RSA_1024", "SHA256WITHRSA"))},
		{"InvalidArgsException", crl(object{"Enabled": true})},
		{"InvalidArgsException", crl(object{"Enabled": true, "ExpirationInDays": 7})},
		{"InvalidArgsException", crl(object{"Enabled": true, "ExpirationInDays": 7, "S3BucketName": "bucket"})},
		{"InvalidArgsException", crl(object{"Enabled": true, "ExpirationInDays": 7, "CustomCname": "a/b"})},
		{"InvalidArgsException", crl(object{"Enabled": true, "ExpirationInDays": 7, "CustomCname": "a", "CustomPath": "x/../y"})},
		{"InvalidArgsException", crl(object{"Enabled": true, "ExpirationInDays": 7, "CustomCname": "a", "S3ObjectAcl": "PUBLIC_READ"})},
		{"InvalidArgsException", crl(object{"Enabled": true, "ExpirationInDays": 7, "CustomCname": "a", "CrlDistributionPointExtensionConfiguration": object{"OmitExtension": true}})},
		{"InvalidArgsException", ocsp(object{"Enabled": true})},
		{"InvalidArgsException", ocsp(object{"Enabled": true, "OcspCustomCname": "user@host"})},
	} {
		r.refused(c.code, "CreateCertificateAuthority", c.in)
	}
	if n := len(r.ok("ListCertificateAuthorities", object{})["CertificateAuthorities"].([]any)); n != 0 {
		t.Errorf("%d CAs came of refused calls", n)
	}
}

func TestIdempotencyAndPages(t *testing.T) {
	r := newRig(t)
	in := object{"CertificateAuthorityType": "ROOT", "CertificateAuthorityConfiguration": caConfig("x", "EC_prime256v1", "SHA256WITHECDSA"), "IdempotencyToken": "one"}
	first := r.ok("CreateCertificateAuthority", in)["CertificateAuthorityArn"]
	if again := r.ok("CreateCertificateAuthority", in)["CertificateAuthorityArn"]; again != first {
		t.Errorf("the same token made %v and %v", first, again)
	}
	in["CertificateAuthorityType"] = "SUBORDINATE"
	r.refused("InvalidArgsException", "CreateCertificateAuthority", in)
	for range 4 {
		r.create("ROOT", "more", nil)
	}
	seen, token := map[any]bool{}, any(nil)
	for range 3 {
		in := object{"MaxResults": 2}
		if token != nil {
			in["NextToken"] = token
		}
		out := r.ok("ListCertificateAuthorities", in)
		for _, ca := range out["CertificateAuthorities"].([]any) {
			seen[ca.(object)["Arn"]] = true
		}
		token = out["NextToken"]
	}
	if len(seen) != 5 || token != nil {
		t.Errorf("three pages of two show %d CAs, token %v", len(seen), token)
	}
	r.refused("InvalidNextTokenException", "ListCertificateAuthorities", object{"NextToken": "x"})
}

func TestTags(t *testing.T) {
	r := newRig(t)
	name := r.create("ROOT", "tags", object{"Tags": []object{{"Key": "a", "Value": "1"}, {"Key": "empty"}}})
	ca := func(tags ...object) object { return object{"CertificateAuthorityArn": name, "Tags": tags} }
	r.ok("TagCertificateAuthority", ca(object{"Key": "a", "Value": "2"}, object{"Key": "b", "Value": "3"}))
	r.ok("UntagCertificateAuthority", ca(object{"Key": "b", "Value": "other"}, object{"Key": "empty"}))
	tags := r.ok("ListTags", object{"CertificateAuthorityArn": name})["Tags"].([]any)
	got := ""
	for _, tag := range tags {
		got += tag.(object)["Key"].(string) + "=" + tag.(object)["Value"].(string) + " "
	}
	if got != "a=2 b=3 " {
		t.Errorf("tags %q", got)
	}
	r.refused("InvalidTagException", "TagCertificateAuthority", ca(object{"Key": "aws:x", "Value": ""}))
	r.refused("InvalidTagException", "TagCertificateAuthority", ca(object{"Key": "c"}, object{"Key": "c"}))
}

// TestExpiry: time alone makes a CA EXPIRED, and a new certificate brings it back.
func TestExpiry(t *testing.T) {
	r := newRig(t)
	root := r.root("root", nil)
	sub := r.create("SUBORDINATE", "short", nil)
	give := func(validity object) {
		t.Helper()
		_, cert, chain := r.issue(root, r.csrOf(sub), object{"TemplateArn": template("SubordinateCACertificate_PathLen0"), "Validity": validity})
		r.ok("ImportCertificateAuthorityCertificate", object{"CertificateAuthorityArn": sub, "Certificate": []byte(cert), "CertificateChain": []byte(chain)})
	}
	give(object{"Value": time.Now().Unix() + 2, "Type": "ABSOLUTE"})
	r.await(sub, "ACTIVE")
	r.await(sub, "EXPIRED")
	_, csr := leaf(t, "late")
	issue := object{"CertificateAuthorityArn": sub, "Csr": csr, "SigningAlgorithm": "SHA256WITHECDSA", "Validity": object{"Value": 1, "Type": "DAYS"}}
	r.refused("InvalidStateException", "IssueCertificate", issue)
	r.refused("InvalidStateException", "UpdateCertificateAuthority", object{"CertificateAuthorityArn": sub, "Status": "ACTIVE"})
	r.refused("InvalidStateException", "RevokeCertificate", object{"CertificateAuthorityArn": sub, "CertificateSerial": "01", "RevocationReason": "UNSPECIFIED"})
	give(object{"Value": 2, "Type": "YEARS"})
	r.await(sub, "ACTIVE")
	r.ok("IssueCertificate", issue)
}
