package acmpca_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/rolecall/rolecall/internal/server"
	"github.com/rolecall/rolecall/internal/testserver"
)

// twoAccounts is a server with a second account, and the rigs of both roots.
func twoAccounts(t *testing.T) (owner, guest *rig) {
	dir := t.TempDir()
	s := testserver.StartWith(t, func(c *server.Config) { c.Store, c.DataDir = "sqlite", dir })
	made, err := server.CreateAccount(t.Context(), server.Config{DataDir: dir, AccountID: "210987654321"}, "guest")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(made.CredentialsFile)
	if err != nil {
		t.Fatal(err)
	}
	value := func(key string) string {
		m := regexp.MustCompile(key + `\s*=\s*(\S+)`).FindSubmatch(text)
		if m == nil {
			t.Fatalf("no %s in the credentials file", key)
		}
		return string(m[1])
	}
	owner = &rig{t, s, s.Root}
	return owner, owner.as(testserver.Keys{AccessKeyID: value("aws_access_key_id"), SecretAccessKey: value("aws_secret_access_key")})
}

func share(ca, principal, effect, actions string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Principal":{"AWS":"` + principal + `"},"Action":[` + actions + `],"Resource":"` + ca + `"}]}`
}

// TestBothSidesMustAllow: another account uses a CA once the CA's policy and its own allow it, and no longer.
func TestBothSidesMustAllow(t *testing.T) {
	owner, guest := twoAccounts(t)
	ca := owner.root("shared", object{"Tags": []object{{"Key": "secret", "Value": "tag"}}})
	_, csr := leaf(t, "a")
	issue := object{"CertificateAuthorityArn": ca, "Csr": csr, "SigningAlgorithm": "SHA256WITHECDSA", "Validity": object{"Value": 1, "Type": "DAYS"}}
	allowed := guest.user("allowed", `{"Effect":"Allow","Action":"acm-pca:*","Resource":"*"}`)
	nobody := guest.user("nobody", `{"Effect":"Allow","Action":"sts:*","Resource":"*"}`)
	everyone := []*rig{guest, allowed, nobody}
	for _, r := range everyone {
		r.refused("AccessDeniedException", "IssueCertificate", issue)
		r.refused("AccessDeniedException", "DescribeCertificateAuthority", object{"CertificateAuthorityArn": ca})
	}
	owner.ok("PutPolicy", object{"ResourceArn": ca, "Policy": share(ca, "210987654321", "Allow", `"acm-pca:IssueCertificate","acm-pca:GetCertificate","acm-pca:DescribeCertificateAuthority"`)})
	if got := owner.ok("GetPolicy", object{"ResourceArn": ca})["Policy"].(string); !strings.Contains(got, "210987654321") {
		t.Errorf("policy %s", got)
	}
	nobody.refused("AccessDeniedException", "IssueCertificate", issue)
	for _, r := range everyone[:2] {
		name := r.ok("IssueCertificate", issue)["CertificateArn"]
		r.ok("GetCertificate", object{"CertificateAuthorityArn": ca, "CertificateArn": name})
		if got := r.describe(ca)["OwnerAccount"]; got != "123456789012" {
			t.Errorf("owner %v", got)
		}
		// Not shared, and never to be shared.
		r.refused("AccessDeniedException", "GetCertificateAuthorityCertificate", object{"CertificateAuthorityArn": ca})
		for operation, in := range map[string]object{
			"UpdateCertificateAuthority": {"CertificateAuthorityArn": ca, "Status": "DISABLED"}, "DeletePolicy": {"ResourceArn": ca}, "GetPolicy": {"ResourceArn": ca},
			"RevokeCertificate": {"CertificateAuthorityArn": ca, "CertificateSerial": "01", "RevocationReason": "UNSPECIFIED"},
		} {
			r.refused("ResourceNotFoundException", operation, in)
		}
	}
	owner.ok("PutPolicy", object{"ResourceArn": ca, "Policy": share(ca, "*", "Deny", `"acm-pca:IssueCertificate"`)})
	owner.refused("AccessDeniedException", "IssueCertificate", issue)
	owner.ok("DeletePolicy", object{"ResourceArn": ca})
	owner.ok("DeletePolicy", object{"ResourceArn": ca})
	owner.refused("ResourceNotFoundException", "GetPolicy", object{"ResourceArn": ca})
	owner.ok("IssueCertificate", issue)
	guest.refused("AccessDeniedException", "IssueCertificate", issue)
}

func TestPoliciesRefused(t *testing.T) {
	r := newRig(t)
	ca := r.root("policies", nil)
	account := "123456789012"
	for code, policies := range map[string][]string{
		"InvalidPolicyException": {
			"{}", "junk", share(ca, account, "Allow", `"acm-pca:*"`), share(ca, account, "Allow", `"acm-pca:DeleteCertificateAuthority"`), share(ca+"x", account, "Allow", `"acm-pca:GetCertificate"`),
			share("*", account, "Allow", `"acm-pca:GetCertificate"`), strings.Replace(share(ca, account, "Allow", `"acm-pca:GetCertificate"`), "Action", "NotAction", 1),
			share(ca, account, "Allow", `"acm-pca:GetCertificate"`) + strings.Repeat(" ", 20480),
		},
		"LockoutPreventedException": {share(ca, account, "Deny", `"acm-pca:*"`), share(ca, "*", "Deny", `"acm-pca:DeletePolicy"`)},
	} {
		for _, p := range policies {
			if _, got, text := r.call("PutPolicy", object{"ResourceArn": ca, "Policy": p}); got != code {
				t.Errorf("%.120s: %s %s, want %s", p, got, text, code)
			}
		}
	}
	r.refused("ResourceNotFoundException", "GetPolicy", object{"ResourceArn": ca})
	r.refused("ValidationException", "GetPolicy", object{"ResourceArn": "arn:aws:s3:::bucket"})
}

func TestServicePermissions(t *testing.T) {
	r := newRig(t)
	ca := r.root("permissions", nil)
	with := func(more object) object {
		out := object{"CertificateAuthorityArn": ca, "Principal": "acm.amazonaws.com"}
		for k, v := range more {
			out[k] = v
		}
		return out
	}
	all := []string{"IssueCertificate", "GetCertificate", "ListPermissions"}
	r.ok("CreatePermission", with(object{"Actions": all}))
	r.refused("PermissionAlreadyExistsException", "CreatePermission", with(object{"Actions": all[:1]}))
	r.refused("ValidationException", "CreatePermission", with(object{"Actions": all, "Principal": "s3.amazonaws.com"}))
	r.refused("ValidationException", "CreatePermission", with(object{"Actions": all, "SourceAccount": "210987654321"}))
	r.refused("ValidationException", "CreatePermission", with(object{"Actions": []string{"RevokeCertificate"}}))
	r.refused("InvalidNextTokenException", "ListPermissions", object{"CertificateAuthorityArn": ca, "NextToken": "!"})
	list := func() []any {
		return r.ok("ListPermissions", object{"CertificateAuthorityArn": ca})["Permissions"].([]any)
	}
	if got := list(); len(got) != 1 || got[0].(object)["SourceAccount"] != "123456789012" || len(got[0].(object)["Actions"].([]any)) != 3 {
		t.Errorf("permissions %v", got)
	}
	r.ok("DeletePermission", with(nil))
	r.refused("ResourceNotFoundException", "DeletePermission", with(nil))
	if got := list(); len(got) != 0 {
		t.Errorf("permissions %v", got)
	}
}
