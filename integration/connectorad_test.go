package integration

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/pcaconnectorad"
	adtypes "github.com/aws/aws-sdk-go-v2/service/pcaconnectorad/types"

	"github.com/rolecall/rolecall/internal/testldap"
)

const groupSID = "S-1-5-21-1111111111-2222222222-3333333333-1105"

// connectorWorld is a server with a directory and a root CA that is in force.
func connectorWorld(t *testing.T) (n *node, c *cli, ca, directory string) {
	t.Helper()
	n = serve(t, nodeConfig{dir: t.TempDir()})
	domain := testldap.Start(t)
	files := t.TempDir()
	for name, data := range map[string][]byte{"ca.pem": domain.CA, "keytab": testldap.Keytab("pki.corp.example.com"), "password": []byte(testldap.Password)} {
		if err := os.WriteFile(filepath.Join(files, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	directory = strings.TrimSpace(mustRun(t, files, environment(files), program(t, "rolecalld"), "ad", "directory", "create", "--data-dir", n.dir, "--region", region, "--server", domain.URL, "--ca-file", "ca.pem",
		"--bind-user", testldap.BindUser, "--bind-password-file", "password", "--keytab", "keytab", "--policy-host", "pki.corp.example.com").stdout)
	c = newCLI(t, n, "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(n.dir, "root-credentials"))
	ca = c.do("CertificateAuthorityArn", "acm-pca", "create-certificate-authority", "--certificate-authority-type", "ROOT",
		"--certificate-authority-configuration", "KeyAlgorithm=EC_prime256v1,SigningAlgorithm=SHA256WITHECDSA,Subject={CommonName=Corp}")
	csr := c.write("csr.pem", c.do("Csr", "acm-pca", "get-certificate-authority-csr", "--certificate-authority-arn", ca))
	issued := c.do("CertificateArn", "acm-pca", "issue-certificate", "--certificate-authority-arn", ca, "--csr", "fileb://"+csr, "--signing-algorithm", "SHA256WITHECDSA",
		"--template-arn", "arn:aws:acm-pca:::template/RootCACertificate/V1", "--validity", "Value=10,Type=YEARS")
	cert := c.write("ca.pem", c.do("Certificate", "acm-pca", "get-certificate", "--certificate-authority-arn", ca, "--certificate-arn", issued))
	c.do("", "acm-pca", "import-certificate-authority-certificate", "--certificate-authority-arn", ca, "--certificate", "fileb://"+cert)
	return n, c, ca, directory
}

// awaitActive waits until show reports ACTIVE.
func awaitActive(t *testing.T, show func() string) {
	t.Helper()
	within(t, 20*time.Second, func() error {
		if got := show(); got != "ACTIVE" {
			return errors.New("it is " + got)
		}
		return nil
	})
}

// Every operation of the CLI's pca-connector-ad, and the two commands about predefined templates.
func TestConnectorADWithTheCLI(t *testing.T) {
	n, c, ca, directory := connectorWorld(t)
	ad := func(path string, args ...string) string {
		t.Helper()
		return c.do(path, append([]string{"pca-connector-ad"}, args...)...)
	}
	registration := ad("DirectoryRegistrationArn", "create-directory-registration", "--directory-id", directory, "--tags", "team=pki")
	awaitActive(t, func() string {
		return ad("DirectoryRegistration.Status", "get-directory-registration", "--directory-registration-arn", registration)
	})
	if got := ad("DirectoryRegistrations.Arn", "list-directory-registrations"); got != registration {
		t.Errorf("list-directory-registrations shows %s", got)
	}
	connector := ad("ConnectorArn", "create-connector", "--directory-id", directory, "--certificate-authority-arn", ca, "--vpc-information", "SecurityGroupIds=sg-01234567")
	awaitActive(t, func() string { return ad("Connector.Status", "get-connector", "--connector-arn", connector) })
	if got, want := ad("Connectors.CertificateEnrollmentPolicyServerEndpoint", "list-connectors"), "https://pki.corp.example.com/ADPolicyProvider_CEP_Kerberos/service.svc/CEP"; got != want {
		t.Errorf("got endpoint %s, want %s", got, want)
	}
	names := []string{"--directory-registration-arn", registration, "--connector-arn", connector}
	ad("", append([]string{"create-service-principal-name"}, names...)...)
	awaitActive(t, func() string {
		return ad("ServicePrincipalName.Status", append([]string{"get-service-principal-name"}, names...)...)
	})
	if got := ad("ServicePrincipalNames.ConnectorArn", "list-service-principal-names", "--directory-registration-arn", registration); got != connector {
		t.Errorf("list-service-principal-names shows %s", got)
	}
	template := predefinedTemplate(t, n, connector)
	definition := c.write("definition.json", `{"TemplateV2":{"CertificateValidity":{"ValidityPeriod":{"Period":7,"PeriodType":"DAYS"},"RenewalPeriod":{"Period":1,"PeriodType":"DAYS"}},
		"EnrollmentFlags":{},"Extensions":{"KeyUsage":{"UsageFlags":{"DigitalSignature":true}}},"GeneralFlags":{"MachineType":true},
		"PrivateKeyAttributes":{"KeySpec":"SIGNATURE","MinimalKeyLength":2048},"PrivateKeyFlags":{"ClientVersion":"WINDOWS_SERVER_2003"},"SubjectNameFlags":{"SanRequireDns":true}}}`)
	second := ad("TemplateArn", "create-template", "--connector-arn", connector, "--name", "Second", "--definition", "file://"+definition)
	c.fails("ConflictException", "pca-connector-ad", "create-template", "--connector-arn", connector, "--name", "second", "--definition", "file://"+definition)
	ad("", "update-template", "--template-arn", template, "--definition", "file://"+definition, "--reenroll-all-certificate-holders")
	if got := ad("Template.Revision.MajorRevision", "get-template", "--template-arn", template); got != "101" {
		t.Errorf("major revision %s after all holders have to enroll again", got)
	}
	if out := ad("", "list-templates", "--connector-arn", connector, "--page-size", "1"); !strings.Contains(out, template) || !strings.Contains(out, second) {
		t.Errorf("list-templates shows %s", out)
	}
	group := []string{"--template-arn", second, "--group-security-identifier", groupSID}
	ad("", append([]string{"create-template-group-access-control-entry", "--group-display-name", "Engineers", "--access-rights", "Enroll=ALLOW,AutoEnroll=DENY"}, group...)...)
	ad("", append([]string{"update-template-group-access-control-entry", "--access-rights", "Enroll=DENY"}, group...)...)
	if got := ad("AccessControlEntry.AccessRights.Enroll", append([]string{"get-template-group-access-control-entry"}, group...)...); got != "DENY" {
		t.Errorf("the group's right is %s, want DENY", got)
	}
	if got := ad("AccessControlEntries.GroupDisplayName", "list-template-group-access-control-entries", "--template-arn", second); got != "Engineers" {
		t.Errorf("the group is %s", got)
	}
	ad("", append([]string{"delete-template-group-access-control-entry"}, group...)...)
	c.fails("ResourceNotFoundException", append([]string{"pca-connector-ad", "get-template-group-access-control-entry"}, group...)...)
	ad("", "tag-resource", "--resource-arn", template, "--tags", "a=b,c=d")
	ad("", "untag-resource", "--resource-arn", template, "--tag-keys", "a")
	if got := ad("Tags.team", "list-tags-for-resource", "--resource-arn", registration); got != "pki" {
		t.Errorf("tag team is %s", got)
	}
	if got := ad("Tags.c", "list-tags-for-resource", "--resource-arn", template); got != "d" {
		t.Errorf("tag c is %s", got)
	}
	ad("", "delete-template", "--template-arn", second)
	ad("", append([]string{"delete-service-principal-name"}, names...)...)
	c.fails("ConflictException", "pca-connector-ad", "delete-directory-registration", "--directory-registration-arn", registration)
	ad("", "delete-connector", "--connector-arn", connector)
	within(t, 20*time.Second, func() error {
		if out := c.try("pca-connector-ad", "get-template", "--template-arn", template); !strings.Contains(out.stderr, "ResourceNotFoundException") {
			return errors.New("the connector's template is there: " + out.stdout + out.stderr)
		}
		return nil
	})
	ad("", "delete-directory-registration", "--directory-registration-arn", registration)
}

// predefinedTemplate makes one by command, with a group that may enroll.
func predefinedTemplate(t *testing.T, n *node, connector string) string {
	t.Helper()
	env := environment(t.TempDir(), "AWS_ENDPOINT_URL="+n.endpoint, "AWS_CA_BUNDLE="+n.caFile(), "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(n.dir, "root-credentials"))
	command := func(args ...string) outcome {
		return run(t, "", env, program(t, "rolecalld"), append([]string{"template"}, args...)...)
	}
	if out := command("list-predefined"); out.code != 0 || strings.Count(out.stdout, "\n") != 14 || !strings.HasPrefix(strings.Split(out.stdout, "\n")[1], "UserSignature ") {
		t.Errorf("list-predefined: exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	out := command("create", "--predefined", "User Signature", "--connector-arn", connector, "--name", "Signers", "--validity", "7d", "--renewal", "1d",
		"--group-sid", groupSID, "--group-name", "Engineers", "--auto-enroll")
	name := strings.TrimSpace(out.stdout)
	if out.code != 0 || !strings.HasPrefix(name, connector+"/template/") {
		t.Fatalf("template create: exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	for want, args := range map[string][]string{
		"no predefined template":  {"--predefined", "x", "--connector-arn", connector},
		"shorter":                 {"--predefined", "Computer", "--connector-arn", connector, "--validity", "1d", "--renewal", "24h"},
		"--renewal":               {"--predefined", "Computer", "--connector-arn", connector, "--renewal", "7"},
		"not the ARN":             {"--predefined", "Computer", "--connector-arn", "x"},
		"need a group":            {"--predefined", "Computer", "--connector-arn", connector, "--auto-enroll"},
		"not a security":          {"--predefined", "Computer", "--connector-arn", connector, "--group-sid", "x"},
		"has a template with the": {"--predefined", "UserSignature", "--connector-arn", connector, "--name", "signers"},
	} {
		if out := command(append([]string{"create"}, args...)...); out.code != 1 || !strings.Contains(out.stderr, want) || out.stdout != "" {
			t.Errorf("%v: exit %d, want %q in\n%s%s", args, out.code, want, out.stdout, out.stderr)
		}
	}
	return name
}

// Every operation of the Go SDK, by reflection on its client.
func TestEveryConnectorADOperation(t *testing.T) {
	n, _, ca, directory := connectorWorld(t)
	log := &callLog{done: map[string]bool{}}
	c, ctx := n.as(t, n.root, log.option()).connectors, t.Context()
	registration := must(c.CreateDirectoryRegistration(ctx, &pcaconnectorad.CreateDirectoryRegistrationInput{DirectoryId: aws.String(directory)}))(t).DirectoryRegistrationArn
	connector := must(c.CreateConnector(ctx, &pcaconnectorad.CreateConnectorInput{DirectoryId: aws.String(directory), CertificateAuthorityArn: &ca,
		VpcInformation: &adtypes.VpcInformation{SecurityGroupIds: []string{"sg-01234567"}}}))(t).ConnectorArn
	must(c.CreateServicePrincipalName(ctx, &pcaconnectorad.CreateServicePrincipalNameInput{ConnectorArn: connector, DirectoryRegistrationArn: registration}))(t)
	awaitActive(t, func() string {
		return string(must(c.GetServicePrincipalName(ctx, &pcaconnectorad.GetServicePrincipalNameInput{ConnectorArn: connector, DirectoryRegistrationArn: registration}))(t).ServicePrincipalName.Status)
	})
	if got := must(c.GetDirectoryRegistration(ctx, &pcaconnectorad.GetDirectoryRegistrationInput{DirectoryRegistrationArn: registration}))(t).DirectoryRegistration; got.Status != adtypes.DirectoryRegistrationStatusActive {
		t.Errorf("the registration is %s", got.Status)
	}
	if got := must(c.GetConnector(ctx, &pcaconnectorad.GetConnectorInput{ConnectorArn: connector}))(t).Connector; got.Status != adtypes.ConnectorStatusActive || got.CreatedAt.IsZero() {
		t.Errorf("the connector is %+v", got)
	}
	must(c.ListConnectors(ctx, &pcaconnectorad.ListConnectorsInput{}))(t)
	must(c.ListDirectoryRegistrations(ctx, &pcaconnectorad.ListDirectoryRegistrationsInput{}))(t)
	must(c.ListServicePrincipalNames(ctx, &pcaconnectorad.ListServicePrincipalNamesInput{DirectoryRegistrationArn: registration}))(t)
	tryConnectorTemplates(t, c, connector)
	must(c.TagResource(ctx, &pcaconnectorad.TagResourceInput{ResourceArn: connector, Tags: map[string]string{"a": "b", "c": "d"}}))(t)
	must(c.UntagResource(ctx, &pcaconnectorad.UntagResourceInput{ResourceArn: connector, TagKeys: []string{"a"}}))(t)
	if got := must(c.ListTagsForResource(ctx, &pcaconnectorad.ListTagsForResourceInput{ResourceArn: connector}))(t).Tags; len(got) != 1 || got["c"] != "d" {
		t.Errorf("tags %v", got)
	}
	must(c.DeleteServicePrincipalName(ctx, &pcaconnectorad.DeleteServicePrincipalNameInput{ConnectorArn: connector, DirectoryRegistrationArn: registration}))(t)
	must(c.DeleteConnector(ctx, &pcaconnectorad.DeleteConnectorInput{ConnectorArn: connector}))(t)
	must(c.DeleteDirectoryRegistration(ctx, &pcaconnectorad.DeleteDirectoryRegistrationInput{DirectoryRegistrationArn: registration}))(t)
	var missing []string
	operations := 0
	for m := range reflect.TypeFor[*pcaconnectorad.Client]().Methods() {
		if m.Name == "Options" {
			continue
		}
		operations++
		if !log.done[m.Name] {
			missing = append(missing, m.Name)
		}
	}
	if operations != 25 || len(missing) > 0 {
		t.Errorf("the SDK has %d operations, want 25; never succeeded: %v", operations, missing)
	}
}

func tryConnectorTemplates(t *testing.T, c *pcaconnectorad.Client, connector *string) {
	ctx := t.Context()
	definition := &adtypes.TemplateDefinitionMemberTemplateV3{Value: adtypes.TemplateV3{
		CertificateValidity: &adtypes.CertificateValidity{
			ValidityPeriod: &adtypes.ValidityPeriod{Period: aws.Int64(1), PeriodType: adtypes.ValidityPeriodTypeYears},
			RenewalPeriod:  &adtypes.ValidityPeriod{Period: aws.Int64(6), PeriodType: adtypes.ValidityPeriodTypeWeeks},
		},
		EnrollmentFlags: &adtypes.EnrollmentFlagsV3{}, GeneralFlags: &adtypes.GeneralFlagsV3{MachineType: aws.Bool(true)}, HashAlgorithm: adtypes.HashAlgorithmSha256,
		Extensions: &adtypes.ExtensionsV3{KeyUsage: &adtypes.KeyUsage{UsageFlags: &adtypes.KeyUsageFlags{DigitalSignature: aws.Bool(true)}},
			ApplicationPolicies: &adtypes.ApplicationPolicies{Policies: []adtypes.ApplicationPolicy{
				&adtypes.ApplicationPolicyMemberPolicyType{Value: adtypes.ApplicationPolicyTypeServerAuthentication}, &adtypes.ApplicationPolicyMemberPolicyObjectIdentifier{Value: "1.2.3.4"}}}},
		PrivateKeyAttributes: &adtypes.PrivateKeyAttributesV3{Algorithm: adtypes.PrivateKeyAlgorithmEcdhP256, KeySpec: adtypes.KeySpecSignature, MinimalKeyLength: aws.Int32(256),
			KeyUsageProperty: &adtypes.KeyUsagePropertyMemberPropertyType{Value: adtypes.KeyUsagePropertyTypeAll}},
		PrivateKeyFlags: &adtypes.PrivateKeyFlagsV3{ClientVersion: adtypes.ClientCompatibilityV3WindowsServer2008}, SubjectNameFlags: &adtypes.SubjectNameFlagsV3{SanRequireDns: aws.Bool(true)},
	}}
	create := &pcaconnectorad.CreateTemplateInput{ConnectorArn: connector, Name: aws.String("Web"), Definition: definition}
	template := must(c.CreateTemplate(ctx, create))(t).TemplateArn
	again, err := c.CreateTemplate(ctx, create) // the SDK left its token in the input
	if err != nil || aws.ToString(again.TemplateArn) != *template {
		t.Errorf("the same request again: %v, %v", again, err)
	}
	create.ClientToken = nil
	_, err = c.CreateTemplate(ctx, create)
	if conflict, ok := errors.AsType[*adtypes.ConflictException](err); !ok || conflict.ErrorMessage() == "" || aws.ToString(conflict.ResourceType) == "" {
		t.Errorf("a second template of the name: %v", err)
	}
	must(c.UpdateTemplate(ctx, &pcaconnectorad.UpdateTemplateInput{TemplateArn: template, Definition: definition}))(t)
	got := must(c.GetTemplate(ctx, &pcaconnectorad.GetTemplateInput{TemplateArn: template}))(t).Template
	back, ok := got.Definition.(*adtypes.TemplateDefinitionMemberTemplateV3)
	if !ok || !reflect.DeepEqual(back.Value.Extensions.ApplicationPolicies, definition.Value.Extensions.ApplicationPolicies) || aws.ToInt32(got.Revision.MinorRevision) != 1 {
		t.Errorf("came back as %+v", got)
	}
	must(c.ListTemplates(ctx, &pcaconnectorad.ListTemplatesInput{ConnectorArn: connector}))(t)
	sid := aws.String(groupSID)
	must(c.CreateTemplateGroupAccessControlEntry(ctx, &pcaconnectorad.CreateTemplateGroupAccessControlEntryInput{TemplateArn: template, GroupSecurityIdentifier: sid, GroupDisplayName: aws.String("G"),
		AccessRights: &adtypes.AccessRights{Enroll: adtypes.AccessRightAllow}}))(t)
	must(c.UpdateTemplateGroupAccessControlEntry(ctx, &pcaconnectorad.UpdateTemplateGroupAccessControlEntryInput{TemplateArn: template, GroupSecurityIdentifier: sid,
		AccessRights: &adtypes.AccessRights{Enroll: adtypes.AccessRightAllow, AutoEnroll: adtypes.AccessRightAllow}}))(t)
	entry := must(c.GetTemplateGroupAccessControlEntry(ctx, &pcaconnectorad.GetTemplateGroupAccessControlEntryInput{TemplateArn: template, GroupSecurityIdentifier: sid}))(t).AccessControlEntry
	if entry.AccessRights.AutoEnroll != adtypes.AccessRightAllow {
		t.Errorf("rights %+v", entry.AccessRights)
	}
	must(c.ListTemplateGroupAccessControlEntries(ctx, &pcaconnectorad.ListTemplateGroupAccessControlEntriesInput{TemplateArn: template}))(t)
	must(c.DeleteTemplateGroupAccessControlEntry(ctx, &pcaconnectorad.DeleteTemplateGroupAccessControlEntryInput{TemplateArn: template, GroupSecurityIdentifier: sid}))(t)
	must(c.DeleteTemplate(ctx, &pcaconnectorad.DeleteTemplateInput{TemplateArn: template}))(t)
}
