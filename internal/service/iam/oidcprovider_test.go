package iam_test

import (
	"slices"
	"strings"
	"testing"
)

const idp = "idp.example.com/realms/a"

func TestOIDCProviderLifecycle(t *testing.T) {
	e := start(t)
	arn := arnOf("oidc-provider/" + idp)
	thumb := strings.Repeat("0A", 20)
	e.do("CreateOpenIDConnectProvider", "Url", "https://"+idp, "ClientIDList.member.1", "one", "ClientIDList.member.2", "one", "ThumbprintList.member.1", thumb, "Tags.member.1.Key", "team", "Tags.member.1.Value", "x").
		has("OpenIDConnectProviderArn", arn)
	e.refused(409, "EntityAlreadyExists", "Provider with url https://"+idp+" already exists.", "CreateOpenIDConnectProvider", "Url", "https://"+idp)
	of := func(more ...string) []string { return append([]string{"OpenIDConnectProviderArn", arn}, more...) }
	e.do("GetOpenIDConnectProvider", of()...).has("Url", idp, "Key", "team")
	e.do("AddClientIDToOpenIDConnectProvider", of("ClientID", "two")...)
	e.do("AddClientIDToOpenIDConnectProvider", of("ClientID", "two")...)
	e.do("RemoveClientIDFromOpenIDConnectProvider", of("ClientID", "absent")...)
	e.do("UpdateOpenIDConnectProviderThumbprint", of("ThumbprintList.member.1", strings.Repeat("b", 40))...)
	got := e.do("GetOpenIDConnectProvider", of()...)
	for _, want := range []string{"<member>one</member>", "<member>two</member>", "<member>" + strings.Repeat("b", 40) + "</member>"} {
		if strings.Count(got.body, want) != 1 {
			t.Errorf("no single %s in %s", want, got.body)
		}
	}
	if strings.Contains(got.body, strings.ToLower(thumb)) {
		t.Errorf("the old thumbprint is still there: %s", got.body)
	}
	e.do("TagOpenIDConnectProvider", of("Tags.member.1.Key", "cost", "Tags.member.1.Value", "1")...)
	e.do("UntagOpenIDConnectProvider", of("TagKeys.member.1", "TEAM")...)
	e.do("ListOpenIDConnectProviderTags", of()...).has("Key", "cost", "IsTruncated", "false")
	e.do("CreateOpenIDConnectProvider", "Url", "https://a.example:8443")
	if got := e.do("ListOpenIDConnectProviders").all("Arn"); !slices.Equal(got, []string{arnOf("oidc-provider/a.example:8443"), arn}) {
		t.Errorf("providers %q", got)
	}
	e.do("DeleteOpenIDConnectProvider", of()...)
	for _, call := range [][]string{
		{"GetOpenIDConnectProvider"}, {"DeleteOpenIDConnectProvider"}, {"AddClientIDToOpenIDConnectProvider", "ClientID", "x"},
		{"RemoveClientIDFromOpenIDConnectProvider", "ClientID", "x"}, {"UpdateOpenIDConnectProviderThumbprint", "ThumbprintList.member.1", thumb},
		{"TagOpenIDConnectProvider", "Tags.member.1.Key", "k", "Tags.member.1.Value", "v"}, {"UntagOpenIDConnectProvider", "TagKeys.member.1", "k"}, {"ListOpenIDConnectProviderTags"},
	} {
		e.refused(404, "NoSuchEntity", "OpenIDConnect Provider not found for arn "+arn, call[0], of(call[1:]...)...)
	}
}

func TestOIDCProviderLimits(t *testing.T) {
	e := start(t)
	for _, url := range []string{
		"http://idp.example", "https://", "idp.example", "https://idp.example/?q=1", "https://idp.example/#f", "https://user@idp.example",
		"https://IDP.example", "https://idp.example/a b", "https://idp.example/*", "https://idp.example/${x}", "https://idp.example/a/../b", "https://idp.example//a",
	} {
		e.refused(400, "ValidationError", "Invalid Open ID Connect Provider URL", "CreateOpenIDConnectProvider", "Url", url)
	}
	many := func(list string, n int, value func(int) string) []string {
		p := []string{"Url", "https://idp.example"}
		for i := range n {
			p = append(p, list+".member."+itoa(i+1), value(i))
		}
		return p
	}
	e.refused(409, "LimitExceeded", "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100", "CreateOpenIDConnectProvider", many("ClientIDList", 101, func(i int) string { return "c" + itoa(i) })...)
	e.refused(400, "InvalidInput", "Thumbprint list must contain fewer than 5 entries.", "CreateOpenIDConnectProvider", many("ThumbprintList", 6, func(i int) string { return strings.Repeat(itoa(i), 40) })...)
	e.refused(400, "InvalidInput", "The thumbprint "+strings.Repeat("g", 40)+" is not valid: it has 40 hexadecimal digits.", "CreateOpenIDConnectProvider", "Url", "https://idp.example", "ThumbprintList.member.1", strings.Repeat("g", 40))
	e.do("CreateOpenIDConnectProvider", many("ClientIDList", 100, func(i int) string { return "c" + itoa(i) })...)
	arn := arnOf("oidc-provider/idp.example")
	e.refused(409, "LimitExceeded", "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100", "AddClientIDToOpenIDConnectProvider", "OpenIDConnectProviderArn", arn, "ClientID", "more")
	e.refused(400, "InvalidInput", "ARN "+arnOf("role/idp.example")+" is not valid.", "GetOpenIDConnectProvider", "OpenIDConnectProviderArn", arnOf("role/idp.example"))
	other := "arn:aws:iam::999999999999:oidc-provider/idp.example"
	e.refused(404, "NoSuchEntity", "OpenIDConnect Provider not found for arn "+other, "DeleteOpenIDConnectProvider", "OpenIDConnectProviderArn", other)
}

func TestOIDCProviderPermissions(t *testing.T) {
	e := start(t)
	arn := arnOf("oidc-provider/" + idp)
	u := e.user("dev", allow("iam:*OpenIDConnectProvider*", arn, `{"StringNotEquals":{"aws:ResourceTag/locked":"yes"}}`))
	u.do("CreateOpenIDConnectProvider", "Url", "https://"+idp)
	u.denied(arnOf("user/dev"), "iam:CreateOpenIDConnectProvider", arnOf("oidc-provider/other.example"), "CreateOpenIDConnectProvider", "Url", "https://other.example")
	e.do("TagOpenIDConnectProvider", "OpenIDConnectProviderArn", arn, "Tags.member.1.Key", "locked", "Tags.member.1.Value", "yes")
	u.denied(arnOf("user/dev"), "iam:DeleteOpenIDConnectProvider", arn, "DeleteOpenIDConnectProvider", "OpenIDConnectProviderArn", arn)
}

func TestOutboundFederationSwitch(t *testing.T) {
	e := start(t)
	const off = "Outbound web identity federation is disabled for this account."
	e.refused(404, "FeatureDisabled", off, "GetOutboundWebIdentityFederationInfo")
	e.refused(404, "FeatureDisabled", off, "DisableOutboundWebIdentityFederation")
	issuer := e.do("EnableOutboundWebIdentityFederation").one("IssuerIdentifier")
	if issuer != e.URL+"/oidc/"+account {
		t.Errorf("issuer %s", issuer)
	}
	e.refused(409, "FeatureEnabled", "Outbound web identity federation is already enabled for this account.", "EnableOutboundWebIdentityFederation")
	e.do("GetOutboundWebIdentityFederationInfo").has("IssuerIdentifier", issuer, "JwtVendingEnabled", "true")
	e.do("DisableOutboundWebIdentityFederation")
	e.refused(404, "FeatureDisabled", off, "GetOutboundWebIdentityFederationInfo")
	e.do("EnableOutboundWebIdentityFederation").has("IssuerIdentifier", issuer)
}
