package iam_test

import (
	"strings"
	"testing"
)

// What there is none of answers as AWS does for an account without any, and to nobody who may not ask.
func TestNothing(t *testing.T) {
	e := start(t)
	bob := e.user("bob", "")
	for action, list := range map[string]string{
		"ListMFADevices": "MFADevices", "ListSSHPublicKeys": "SSHPublicKeys", "ListSigningCertificates": "Certificates",
		"ListServiceSpecificCredentials": "ServiceSpecificCredentials",
	} {
		e.do(action, "UserName", "bob").empty(list)
		e.refused(404, "NoSuchEntity", "The user with name eve cannot be found.", action, "UserName", "eve")
		bob.denied(arnOf("user/bob"), "iam:"+action, arnOf("user/bob"), action)
	}
	e.do("ListVirtualMFADevices", "AssignmentStatus", "Assigned").has("IsTruncated", "false").empty("VirtualMFADevices")
	e.do("ListServiceSpecificCredentials", "AllUsers", "true").empty("ServiceSpecificCredentials")
	bob.denied(arnOf("user/bob"), "iam:ListServiceSpecificCredentials", "*", "ListServiceSpecificCredentials", "AllUsers", "true")
	for _, action := range []string{"GetLoginProfile", "DeleteLoginProfile"} {
		e.refused(404, "NoSuchEntity", "Login Profile for User bob cannot be found.", action, "UserName", "BOB")
		e.refused(404, "NoSuchEntity", "The user with name eve cannot be found.", action, "UserName", "eve")
		bob.denied(arnOf("user/bob"), "iam:"+action, arnOf("user/bob"), action, "UserName", "bob")
	}
	const credential = "ACCAEXAMPLEEXAMPLEEXAMPLE"
	for action, more := range map[string][]string{"DeleteServiceSpecificCredential": nil, "ResetServiceSpecificCredential": nil, "UpdateServiceSpecificCredential": {"Status", "Inactive"}} {
		params := append([]string{"UserName", "bob", "ServiceSpecificCredentialId", credential}, more...)
		e.refused(404, "NoSuchEntity", "No such credential "+credential+" exists", action, params...)
		bob.denied(arnOf("user/bob"), "iam:"+action, arnOf("user/bob"), action, params...)
	}
	e.refused(404, "NoSuchEntity", "The account policy with name PasswordPolicy cannot be found.", "DeleteAccountPasswordPolicy")
	bob.denied(arnOf("user/bob"), "iam:DeleteAccountPasswordPolicy", "*", "DeleteAccountPasswordPolicy")
	e.do("SetSecurityTokenServicePreferences", "GlobalEndpointTokenVersion", "v2Token")
	if status, code, message := e.try("SetSecurityTokenServicePreferences", "GlobalEndpointTokenVersion", "v1Token"); status != 400 || code != "ValidationError" || !strings.Contains(message, "v1Token is not supported") {
		t.Errorf("v1Token: %d %s %s", status, code, message)
	}
	bob.denied(arnOf("user/bob"), "iam:SetSecurityTokenServicePreferences", "*", "SetSecurityTokenServicePreferences", "GlobalEndpointTokenVersion", "v2Token")
	if m := e.do("GetAccountSummary").body; !strings.Contains(m, "<key>GlobalEndpointTokenVersion</key><value>2</value>") {
		t.Errorf("summary %s", m)
	}
	e.refused(404, "NoSuchEntity", "The Password Policy with domain name "+account+" cannot be found.", "GetAccountPasswordPolicy")
	bob.denied(arnOf("user/bob"), "iam:GetAccountPasswordPolicy", "*", "GetAccountPasswordPolicy")
}

func TestOutOfScope(t *testing.T) {
	e := start(t)
	for _, action := range []string{"CreateLoginProfile", "EnableMFADevice", "UploadSSHPublicKey", "CreateSAMLProvider", "ListOrganizationsFeatures", "UploadServerCertificate"} {
		e.refused(400, "UnsupportedOperation", "The operation "+action+" is not supported by this server. It is out of its scope.", action)
	}
	if _, _, message := e.try("GenerateServiceLastAccessedDetailsX"); strings.Contains(message, "scope") {
		t.Errorf("an operation that nobody knows: %s", message)
	}
}

// A user or role that is deleted and made again is not the one that a trust policy meant.
func TestTrustMeansWhoItWas(t *testing.T) {
	e := start(t)
	naming := func(principals string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":[` + principals + `]},"Action":"sts:AssumeRole"}]}`
	}
	bobARN := `"` + arnOf("user/bob") + `"`
	bob := e.user("bob", "")
	e.do("CreateRole", "RoleName", "target", "AssumeRolePolicyDocument", naming(bobARN))
	bob.assume("target", "s1")
	if doc := e.do("GetRole", "RoleName", "target").document("AssumeRolePolicyDocument"); doc != naming(bobARN) {
		t.Errorf("the stored text is %s", doc)
	}
	e.do("DeleteAccessKey", "UserName", "bob", "AccessKeyId", bob.keys.AccessKeyID)
	e.do("DeleteUser", "UserName", "bob")
	again := e.user("bob", allow("sts:AssumeRole", "*", ""))
	refused := func(who *env) {
		t.Helper()
		r := who.Query(t, who.keys, "sts", "AssumeRole", "RoleArn", arnOf("role/target"), "RoleSessionName", "s1")
		if r.Status != 403 || !strings.Contains(string(r.Body), "AccessDenied") {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	}
	refused(again)
	// What the policy says of the account still holds.
	e.do("UpdateAssumeRolePolicy", "RoleName", "target", "PolicyDocument", naming(`"`+account+`"`))
	again.assume("target", "s1")
	e.do("UpdateAssumeRolePolicy", "RoleName", "target", "PolicyDocument", naming(bobARN)) // means the new one
	again.assume("target", "s1")
	e.do("UpdateUser", "UserName", "bob", "NewUserName", "rob")
	refused(again)

	// The same for a role.
	e.do("CreateRole", "RoleName", "hop", "AssumeRolePolicyDocument", naming(`"`+account+`"`))
	e.do("UpdateAssumeRolePolicy", "RoleName", "target", "PolicyDocument", naming(`"`+arnOf("role/hop")+`"`))
	again.assume("hop", "s1").assume("target", "s1")
	e.do("DeleteRole", "RoleName", "hop")
	e.do("CreateRole", "RoleName", "hop", "AssumeRolePolicyDocument", naming(`"`+account+`"`))
	refused(again.assume("hop", "s1"))
	// One who was not there when the policy was saved is tied to nothing.
	e.do("UpdateAssumeRolePolicy", "RoleName", "target", "PolicyDocument", naming(`"`+arnOf("user/later")+`"`))
	e.user("later", "").assume("target", "s1")
}
