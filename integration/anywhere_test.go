package integration

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	ratypes "github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"
	"github.com/google/go-cmp/cmp"
)

// All operations of Roles Anywhere that the SDK knows succeed at least once, with what they answer read back.
func TestEveryRolesAnywhereOperation(t *testing.T) {
	n := serveMemory(t)
	log := &callLog{done: map[string]bool{}}
	c := n.as(t, n.root, log.option())
	w := newWorld(t, c, n.account)
	t.Run("trust anchors", func(t *testing.T) { tryTrustAnchors(t, c.anywhere, w) })
	t.Run("profiles", func(t *testing.T) { tryProfiles(t, c.anywhere, w) })
	t.Run("mappings", func(t *testing.T) { tryMappings(t, c.anywhere, w) })
	t.Run("crls", func(t *testing.T) { tryCRLs(t, n, c.anywhere, w) })
	t.Run("subjects", func(t *testing.T) { trySubjects(t, n, c.anywhere, w) })
	t.Run("tags", func(t *testing.T) { tryTags(t, c.anywhere, w) })
	var missing []string
	client := reflect.TypeFor[*rolesanywhere.Client]()
	operations := 0
	for m := range client.Methods() {
		if m.Name == "Options" {
			continue
		}
		operations++
		if !log.done[m.Name] {
			missing = append(missing, m.Name)
		}
	}
	if operations != 30 || len(missing) > 0 {
		t.Errorf("the SDK has %d operations, want 30; never succeeded: %v", operations, missing)
	}
}

func tryTrustAnchors(t *testing.T, c *rolesanywhere.Client, w *world) {
	ctx := t.Context()
	ca := newAuthority(t, "Second CA")
	made := must(c.CreateTrustAnchor(ctx, &rolesanywhere.CreateTrustAnchorInput{Name: aws.String("second"), Source: bundle(ca.pem)}))(t).TrustAnchor
	id := made.TrustAnchorId
	if aws.ToBool(made.Enabled) {
		t.Error("an anchor is enabled without being asked to")
	}
	if len(made.NotificationSettings) != 2 {
		t.Errorf("%d notification settings, want the two defaults", len(made.NotificationSettings))
	}
	got := must(c.GetTrustAnchor(ctx, &rolesanywhere.GetTrustAnchorInput{TrustAnchorId: id}))(t).TrustAnchor
	if data, ok := got.Source.SourceData.(*ratypes.SourceDataMemberX509CertificateData); !ok || data.Value != ca.pem {
		t.Errorf("the bundle does not come back byte for byte: %#v", got.Source.SourceData)
	}
	if on := must(c.EnableTrustAnchor(ctx, &rolesanywhere.EnableTrustAnchorInput{TrustAnchorId: id}))(t); !aws.ToBool(on.TrustAnchor.Enabled) {
		t.Error("not enabled")
	}
	if off := must(c.DisableTrustAnchor(ctx, &rolesanywhere.DisableTrustAnchorInput{TrustAnchorId: id}))(t); aws.ToBool(off.TrustAnchor.Enabled) {
		t.Error("not disabled")
	}
	must(c.UpdateTrustAnchor(ctx, &rolesanywhere.UpdateTrustAnchorInput{TrustAnchorId: id, Name: aws.String("renamed"), Source: bundle(newAuthority(t, "Third CA").pem)}))(t)
	put := must(c.PutNotificationSettings(ctx, &rolesanywhere.PutNotificationSettingsInput{TrustAnchorId: id, NotificationSettings: []ratypes.NotificationSetting{
		{Event: ratypes.NotificationEventCaCertificateExpiry, Enabled: aws.Bool(true), Threshold: aws.Int32(30), Channel: ratypes.NotificationChannelAll}}}))(t).TrustAnchor
	if i := slices.IndexFunc(put.NotificationSettings, func(s ratypes.NotificationSettingDetail) bool { return aws.ToInt32(s.Threshold) == 30 }); i < 0 || aws.ToString(put.NotificationSettings[i].ConfiguredBy) != w.accountID {
		t.Errorf("settings after Put: %+v", put.NotificationSettings)
	}
	reset := must(c.ResetNotificationSettings(ctx, &rolesanywhere.ResetNotificationSettingsInput{TrustAnchorId: id, NotificationSettingKeys: []ratypes.NotificationSettingKey{{Event: ratypes.NotificationEventCaCertificateExpiry}}}))(t).TrustAnchor
	for _, s := range reset.NotificationSettings {
		if aws.ToInt32(s.Threshold) != 45 || aws.ToString(s.ConfiguredBy) != "rolesanywhere.amazonaws.com" {
			t.Errorf("setting after Reset: %+v", s)
		}
	}
	pages := rolesanywhere.NewListTrustAnchorsPaginator(c, &rolesanywhere.ListTrustAnchorsInput{PageSize: aws.Int32(1)})
	names := []string{}
	for pages.HasMorePages() {
		for _, a := range must(pages.NextPage(ctx))(t).TrustAnchors {
			names = append(names, *a.Name)
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"anchor", "renamed"}, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	must(c.DeleteTrustAnchor(ctx, &rolesanywhere.DeleteTrustAnchorInput{TrustAnchorId: id}))(t)
	_, err := c.GetTrustAnchor(ctx, &rolesanywhere.GetTrustAnchorInput{TrustAnchorId: id})
	if _, ok := errors.AsType[*ratypes.ResourceNotFoundException](err); !ok {
		t.Errorf("get after delete: %v", err)
	}
}

func tryProfiles(t *testing.T, c *rolesanywhere.Client, w *world) {
	ctx := t.Context()
	policy := allow("sts:*")
	made := must(c.CreateProfile(ctx, &rolesanywhere.CreateProfileInput{Name: aws.String("second"), RoleArns: []string{w.roleARN}, SessionPolicy: &policy}))(t).Profile
	id := made.ProfileId
	if aws.ToBool(made.Enabled) || aws.ToInt32(made.DurationSeconds) != 3600 || aws.ToString(made.SessionPolicy) != policy || len(made.AttributeMappings) != 3 {
		t.Errorf("defaults of a new profile: %+v", made)
	}
	if on := must(c.EnableProfile(ctx, &rolesanywhere.EnableProfileInput{ProfileId: id}))(t); !aws.ToBool(on.Profile.Enabled) {
		t.Error("not enabled")
	}
	if off := must(c.DisableProfile(ctx, &rolesanywhere.DisableProfileInput{ProfileId: id}))(t); aws.ToBool(off.Profile.Enabled) {
		t.Error("not disabled")
	}
	must(c.UpdateProfile(ctx, &rolesanywhere.UpdateProfileInput{ProfileId: id, Name: aws.String("renamed"), DurationSeconds: aws.Int32(900), AcceptRoleSessionName: aws.Bool(true)}))(t)
	got := must(c.GetProfile(ctx, &rolesanywhere.GetProfileInput{ProfileId: id}))(t).Profile
	if *got.Name != "renamed" || aws.ToInt32(got.DurationSeconds) != 900 || !aws.ToBool(got.AcceptRoleSessionName) || aws.ToString(got.SessionPolicy) != policy {
		t.Errorf("after the update: %+v", got)
	}
	if list := must(c.ListProfiles(ctx, &rolesanywhere.ListProfilesInput{}))(t).Profiles; len(list) != 2 {
		t.Errorf("%d profiles, want 2", len(list))
	}
	must(c.DeleteProfile(ctx, &rolesanywhere.DeleteProfileInput{ProfileId: id}))(t)
	_, err := c.GetProfile(ctx, &rolesanywhere.GetProfileInput{ProfileId: id})
	if _, ok := errors.AsType[*ratypes.ResourceNotFoundException](err); !ok {
		t.Errorf("get after delete: %v", err)
	}
}

func tryMappings(t *testing.T, c *rolesanywhere.Client, w *world) {
	ctx := t.Context()
	rules := []ratypes.MappingRule{{Specifier: aws.String("CN")}}
	put := must(c.PutAttributeMapping(ctx, &rolesanywhere.PutAttributeMappingInput{ProfileId: &w.profileID, CertificateField: ratypes.CertificateFieldX509Issuer, MappingRules: rules}))(t)
	if got := mapping(put.Profile, ratypes.CertificateFieldX509Issuer); !slices.Equal(got, []string{"CN"}) {
		t.Errorf("issuer mapping %v", got)
	}
	deleted := must(c.DeleteAttributeMapping(ctx, &rolesanywhere.DeleteAttributeMappingInput{ProfileId: &w.profileID, CertificateField: ratypes.CertificateFieldX509SAN, Specifiers: []string{"DNS", "URI"}}))(t)
	if got := mapping(deleted.Profile, ratypes.CertificateFieldX509SAN); !slices.Equal(got, []string{"Name/*"}) {
		t.Errorf("SAN mapping %v", got)
	}
	whole := must(c.DeleteAttributeMapping(ctx, &rolesanywhere.DeleteAttributeMappingInput{ProfileId: &w.profileID, CertificateField: ratypes.CertificateFieldX509SAN}))(t)
	if got := mapping(whole.Profile, ratypes.CertificateFieldX509SAN); len(got) != 0 {
		t.Errorf("SAN mapping %v, want none", got)
	}
}

func mapping(p *ratypes.ProfileDetail, field ratypes.CertificateField) (specifiers []string) {
	for _, m := range p.AttributeMappings {
		if m.CertificateField == field {
			for _, r := range m.MappingRules {
				specifiers = append(specifiers, *r.Specifier)
			}
		}
	}
	return specifiers
}

func tryCRLs(t *testing.T, n *node, c *rolesanywhere.Client, w *world) {
	ctx := t.Context()
	login := func() error {
		_, err := w.createSession(ctx, n.client(), n.endpoint, w.leaf)
		return err
	}
	data := w.ca.crl(t, w.leaf.cert.SerialNumber.Int64())
	crl := must(c.ImportCrl(ctx, &rolesanywhere.ImportCrlInput{Name: aws.String("crl"), CrlData: data, TrustAnchorArn: &w.anchorARN}))(t).Crl
	if aws.ToBool(crl.Enabled) || !bytes.Equal(crl.CrlData, data) || aws.ToString(crl.TrustAnchorArn) != w.anchorARN {
		t.Errorf("imported %+v", crl)
	}
	if err := login(); err != nil {
		t.Errorf("a CRL that is not enabled refuses: %v", err)
	}
	must(c.EnableCrl(ctx, &rolesanywhere.EnableCrlInput{CrlId: crl.CrlId}))(t)
	if err := login(); err == nil || !strings.Contains(err.Error(), "Certificate revoked") {
		t.Errorf("with the CRL enabled: %v, want Certificate revoked", err)
	}
	must(c.UpdateCrl(ctx, &rolesanywhere.UpdateCrlInput{CrlId: crl.CrlId, Name: aws.String("empty"), CrlData: w.ca.crl(t)}))(t)
	if err := login(); err != nil {
		t.Errorf("with the serial number taken off the CRL: %v", err)
	}
	must(c.UpdateCrl(ctx, &rolesanywhere.UpdateCrlInput{CrlId: crl.CrlId, CrlData: data}))(t)
	must(c.DisableCrl(ctx, &rolesanywhere.DisableCrlInput{CrlId: crl.CrlId}))(t)
	if err := login(); err != nil {
		t.Errorf("with the CRL disabled: %v", err)
	}
	if got := must(c.GetCrl(ctx, &rolesanywhere.GetCrlInput{CrlId: crl.CrlId}))(t).Crl; *got.Name != "empty" || !bytes.Equal(got.CrlData, data) {
		t.Errorf("got %s", *got.Name)
	}
	if list := must(c.ListCrls(ctx, &rolesanywhere.ListCrlsInput{}))(t).Crls; len(list) != 1 {
		t.Errorf("%d CRLs, want 1", len(list))
	}
	_, err := c.ImportCrl(ctx, &rolesanywhere.ImportCrlInput{Name: aws.String("foreign"), CrlData: newAuthority(t, "Integration CA").crl(t, 1), TrustAnchorArn: &w.anchorARN})
	if _, ok := errors.AsType[*ratypes.ValidationException](err); !ok {
		t.Errorf("a CRL that another CA signed: %v", err)
	}
	must(c.DeleteCrl(ctx, &rolesanywhere.DeleteCrlInput{CrlId: crl.CrlId}))(t)
}

func trySubjects(t *testing.T, n *node, c *rolesanywhere.Client, w *world) {
	ctx := t.Context()
	s := w.login(t, n)
	var list []ratypes.SubjectSummary
	within(t, 5*time.Second, func() error {
		list = must(c.ListSubjects(ctx, &rolesanywhere.ListSubjectsInput{}))(t).Subjects
		if len(list) == 0 {
			return errors.New("no subject yet")
		}
		return nil
	})
	if len(list) != 1 || aws.ToString(list[0].SubjectArn) != s.SubjectArn {
		t.Fatalf("subjects %+v, want %s", list, s.SubjectArn)
	}
	within(t, 5*time.Second, func() error {
		got := must(c.GetSubject(ctx, &rolesanywhere.GetSubjectInput{SubjectId: list[0].SubjectId}))(t).Subject
		if !strings.Contains(aws.ToString(got.X509Subject), "CN=host.example") || len(got.Credentials) != 1 {
			t.Fatalf("subject %+v", got)
		}
		cred := got.Credentials[0]
		if aws.ToBool(cred.Failed) || aws.ToString(cred.X509CertificateData) != string(pemBlock("CERTIFICATE", w.leaf.cert.Raw)) {
			return fmt.Errorf("failed %v, certificate %s", aws.ToBool(cred.Failed), aws.ToString(cred.X509CertificateData))
		}
		return nil
	})
	must(c.TagResource(ctx, &rolesanywhere.TagResourceInput{ResourceArn: list[0].SubjectArn, Tags: []ratypes.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}))(t)
	w.login(t, n) // seeing the subject again keeps its tags
	time.Sleep(time.Second)
	if tags := must(c.ListTagsForResource(ctx, &rolesanywhere.ListTagsForResourceInput{ResourceArn: list[0].SubjectArn}))(t).Tags; len(tags) != 1 {
		t.Errorf("tags of the subject: %v", tags)
	}
}

func tryTags(t *testing.T, c *rolesanywhere.Client, w *world) {
	ctx := t.Context()
	for _, resource := range []string{w.anchorARN, w.profileARN} {
		must(c.TagResource(ctx, &rolesanywhere.TagResourceInput{ResourceArn: &resource, Tags: []ratypes.Tag{{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("b"), Value: aws.String("")}}}))(t)
		must(c.TagResource(ctx, &rolesanywhere.TagResourceInput{ResourceArn: &resource, Tags: []ratypes.Tag{{Key: aws.String("a"), Value: aws.String("2")}}}))(t)
		must(c.UntagResource(ctx, &rolesanywhere.UntagResourceInput{ResourceArn: &resource, TagKeys: []string{"b", "never there"}}))(t)
		tags := must(c.ListTagsForResource(ctx, &rolesanywhere.ListTagsForResourceInput{ResourceArn: &resource}))(t).Tags
		if len(tags) != 1 || *tags[0].Key != "a" || *tags[0].Value != "2" {
			t.Errorf("tags of %s: %+v", resource, tags)
		}
	}
	var many []ratypes.Tag
	for i := range 51 {
		many = append(many, ratypes.Tag{Key: aws.String(fmt.Sprint("k", i)), Value: aws.String("v")})
	}
	_, err := c.TagResource(ctx, &rolesanywhere.TagResourceInput{ResourceArn: &w.anchorARN, Tags: many})
	if _, ok := errors.AsType[*ratypes.TooManyTagsException](err); !ok {
		t.Errorf("51 tags: %v, want TooManyTagsException", err)
	}
}

// Errors are the SDK's own types, carry a request id, and none of them is tried again.
func TestErrorsAreTypedAndNotRetried(t *testing.T) {
	n := serveMemory(t)
	ctx := t.Context()
	badSecret, badKey := n.root, n.root
	badSecret.SecretAccessKey = "not-the-secret"
	badKey.AccessKeyID = "AKIAIOSFODNN7EXAMPLE"
	const nobody = "00000000-0000-0000-0000-000000000000"
	for _, c := range []struct {
		name string
		as   aws.Credentials
		call func(*rolesanywhere.Client) error
		want error // its type
		text string
	}{
		{"not there", n.root, func(c *rolesanywhere.Client) error {
			return errOf(c.GetProfile(ctx, &rolesanywhere.GetProfileInput{ProfileId: aws.String(nobody)}))
		}, &ratypes.ResourceNotFoundException{}, "404"},
		{"invalid", n.root, func(c *rolesanywhere.Client) error {
			return errOf(c.CreateTrustAnchor(ctx, &rolesanywhere.CreateTrustAnchorInput{Name: aws.String("bad/name"), Source: bundle("x")}))
		}, &ratypes.ValidationException{}, "failed to satisfy constraint"},
		{"no CA", n.root, func(c *rolesanywhere.Client) error {
			leaf := newAuthority(t, "CA").issue(t, "leaf.example", 2)
			return errOf(c.CreateTrustAnchor(ctx, &rolesanywhere.CreateTrustAnchorInput{Name: aws.String("leaf"), Source: bundle(string(pemBlock("CERTIFICATE", leaf.cert.Raw)))}))
		}, &ratypes.ValidationException{}, "Incorrect basic constraints for CA certificate"},
		{"wrong secret", badSecret, func(c *rolesanywhere.Client) error {
			return errOf(c.ListProfiles(ctx, &rolesanywhere.ListProfilesInput{}))
		}, nil, "StatusCode: 403"},
		{"unknown key", badKey, func(c *rolesanywhere.Client) error {
			return errOf(c.ListProfiles(ctx, &rolesanywhere.ListProfilesInput{}))
		}, nil, "UnrecognizedClientException"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := n.as(t, c.as)
			err := c.call(cl.anywhere)
			if err == nil {
				t.Fatal("went through")
			}
			if c.want != nil && !asTypeOf(err, c.want) {
				t.Errorf("%v is not a %T", err, c.want)
			}
			for _, text := range []string{"RequestID: ", c.text} {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("no %q in %v", text, err)
				}
			}
			if sent := cl.sent.count(); sent != 1 {
				t.Errorf("%d requests, want 1", sent)
			}
		})
	}
}

// asTypeOf is errors.As with the type of want.
func asTypeOf(err, want error) bool {
	target := reflect.New(reflect.TypeOf(want))
	return errors.As(err, target.Interface())
}
