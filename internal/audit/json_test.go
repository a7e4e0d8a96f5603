package audit

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall/rolecall/internal/arn"
)

// stdString is what encoding/json writes without HTML escaping.
func stdString(t testing.TB, s string) string {
	t.Helper()
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(buf.String(), "\n")
}

var hostile = []string{
	"", "plain", `quote " backslash \ slash /`, "\x00\x01\x1f\x7f", "\b\f\n\r\t", "line\u2028para\u2029", "\xff\xfe", "a\xc3", "\xed\xa0\x80",
	"\ufffd", "日本語 🔑", `","errorCode":"none`, "<script>&amp;", strings.Repeat("\xe2\x80", 9), "\xf4\x90\x80\x80", "CN=a\nb,O=\"x\"",
}

func FuzzAppendString(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := string(appendString(nil, s)), stdString(t, s); got != want {
			t.Errorf("appendString(%q) = %s, want %s", s, got, want)
		}
	})
}

func FuzzEventJSON(f *testing.F) {
	for i, s := range hostile {
		f.Add(s, hostile[(i+5)%len(hostile)], []byte(s))
	}
	f.Add("x", "y", []byte(`{"tags":[1,{"a":null}]}`))
	f.Fuzz(func(t *testing.T, a, b string, raw []byte) {
		e := &Event{
			EventID: "id", EventName: a, EventSource: b, UserAgent: a, ErrorMessage: b, SourceIP: a,
			UserIdentity:        UserIdentity{Type: IdentityType(a), UserName: b, Session: &SessionContext{IssuerID: a, SourceIdentity: b}},
			RequestParameters:   raw,
			Session:             &CreateSessionResult{SourceIdentity: a, SubjectARN: b},
			AdditionalEventData: map[string]string{a: b, b: a},
			Resources:           []Resource{{Type: a, Name: b, ARN: a}},
			TLS:                 &TLSDetails{Version: a, ClientProvidedHostHeader: b},
		}
		body := e.AppendJSON(nil)
		if !json.Valid(body) || !utf8.Valid(body) {
			t.Fatalf("not valid JSON: %q", body)
		}
		var got struct {
			EventName    string `json:"eventName"`
			ErrorMessage string `json:"errorMessage"`
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
		if len(a) <= maxText && utf8.ValidString(a) && got.EventName != a {
			t.Errorf("eventName = %q, want %q", got.EventName, a)
		}
		if len(b) <= maxText && utf8.ValidString(b) && got.ErrorMessage != b {
			t.Errorf("errorMessage = %q, want %q", got.ErrorMessage, b)
		}
	})
}

func TestEventJSON(t *testing.T) {
	at := time.Date(2026, 11, 22, 9, 8, 7, 129722999, time.FixedZone("", 3600))
	e := &Event{
		EventTime: at, EventID: "e-1", RequestID: "r-1", EventSource: "rolesanywhere.amazonaws.com", EventName: "CreateSession",
		Account: "123456789012", Region: "eu-central-1", SourceIP: "192.0.2.1", UserAgent: "agent", ErrorCode: "AccessDeniedException",
		ErrorMessage: "Untrusted certificate",
		UserIdentity: UserIdentity{
			Type: IdentityAssumedRole, PrincipalID: "AROAX:0a", ARN: "arn:aws:sts::123456789012:assumed-role/r/0a",
			Account: "123456789012", AccessKeyID: "ASIAX",
			Session: &SessionContext{
				IssuerID: "AROAX", IssuerARN: "arn:aws:iam::123456789012:role/r", IssuerAccount: "123456789012", IssuerName: "r",
				SessionName: "0a", SourceIdentity: "CN=x", CreatedAt: at,
			},
		},
		CreateSession:       &CreateSessionParams{ProfileARN: "p", RoleARN: "r", TrustAnchorARN: "t", DurationSeconds: 900, CertDER: []byte{1, 2, 3, 4}},
		Session:             &CreateSessionResult{AccessKeyID: "ASIAY", Expiration: at, AssumedRoleARN: "a", RoleARN: "r", SubjectARN: "s", PackedPolicySize: 7},
		AdditionalEventData: map[string]string{"b": "2", "a": "1"},
		Resources:           []Resource{{Type: "AWS::IAM::Role", Name: "r", ARN: "arn"}},
		TLS:                 &TLSDetails{Version: "TLSv1.3", CipherSuite: "c", ClientProvidedHostHeader: "h"},
	}
	want := `{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","principalId":"AROAX:0a",` +
		`"arn":"arn:aws:sts::123456789012:assumed-role/r/0a","accountId":"123456789012","accessKeyId":"ASIAX",` +
		`"sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAX","arn":"arn:aws:iam::123456789012:role/r",` +
		`"accountId":"123456789012","userName":"r"},"sourceIdentity":"CN=x",` +
		`"attributes":{"creationDate":"2026-11-22T08:08:07.129722Z","mfaAuthenticated":"false"}}},` +
		`"eventTime":"2026-11-22T08:08:07.129722Z","eventSource":"rolesanywhere.amazonaws.com","eventName":"CreateSession",` +
		`"awsRegion":"eu-central-1","sourceIPAddress":"192.0.2.1","userAgent":"agent","errorCode":"AccessDeniedException",` +
		`"errorMessage":"Untrusted certificate","requestParameters":{"profileArn":"p","roleArn":"r","trustAnchorArn":"t",` +
		`"durationSeconds":900,"cert":"AQIDBA=="},"responseElements":{"subjectArn":"s","credentialSet":[{"assumedRoleUser":{"arn":"a"},` +
		`"credentials":{"accessKeyId":"ASIAY","expiration":"2026-11-22T08:08:07.129722Z"},"packedPolicySize":7,"roleArn":"r"}]},` +
		`"additionalEventData":{"a":"1","b":"2"},"requestID":"r-1","eventID":"e-1","readOnly":false,` +
		`"resources":[{"accountId":"123456789012","type":"AWS::IAM::Role","ARN":"arn"}],"eventType":"AwsApiCall","managementEvent":true,` +
		`"recipientAccountId":"123456789012","eventCategory":"Management",` +
		`"tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"c","clientProvidedHostHeader":"h"}}`
	if diff := cmp.Diff(want, string(e.AppendJSON(nil))); diff != "" {
		t.Errorf("AppendJSON (-want +got):\n%s", diff)
	}
	if got := string(e.AppendJSON([]byte("before"))); got != "before"+want {
		t.Errorf("AppendJSON behind other bytes = %s", got)
	}
}

func TestIdentities(t *testing.T) {
	for _, tt := range []struct {
		id             UserIdentity
		json, username string
	}{
		{UserIdentity{Type: IdentityRoot, PrincipalID: "123456789012", Account: "123456789012", AccessKeyID: "AKIA1"},
			`{"type":"Root","principalId":"123456789012","accountId":"123456789012","accessKeyId":"AKIA1"}`, "root"},
		{UserIdentity{Type: IdentityUser, PrincipalID: "AIDA", UserName: "ann"}, `{"type":"IAMUser","principalId":"AIDA","userName":"ann"}`, "ann"},
		{UserIdentity{Type: IdentityService, InvokedBy: "rolesanywhere.amazonaws.com"},
			`{"type":"AWSService","invokedBy":"rolesanywhere.amazonaws.com"}`, "rolesanywhere.amazonaws.com"},
		{UserIdentity{}, `{"type":"Unknown"}`, ""},
	} {
		if got := string(tt.id.appendJSON(nil)); got != tt.json {
			t.Errorf("%+v: JSON = %s, want %s", tt.id, got, tt.json)
		}
		if got := tt.id.username(); got != tt.username {
			t.Errorf("%+v: username = %q, want %q", tt.id, got, tt.username)
		}
	}
}

func TestEventLimits(t *testing.T) {
	e := &Event{
		EventID: "id", UserAgent: strings.Repeat("é", 4000), ErrorMessage: strings.Repeat("\x01", 1<<20),
		RequestParameters:   json.RawMessage(`"` + strings.Repeat("x", maxParams) + `"`),
		ResponseElements:    json.RawMessage(`{"half":`),
		CreateSession:       nil,
		AdditionalEventData: map[string]string{"k": strings.Repeat("\x00", 1<<20), "z": strings.Repeat("y", 1<<20)},
	}
	long := strings.Repeat("\x03", 1<<16)
	e.EventName, e.EventSource, e.SourceIP, e.ErrorCode, e.RequestID, e.Region = long, long, long, long, long, arn.Region(long)
	e.UserIdentity = UserIdentity{
		Type: IdentityType(long), PrincipalID: long, ARN: long, AccessKeyID: long, UserName: long, InvokedBy: long,
		Session: &SessionContext{IssuerType: IssuerType(long), IssuerID: long, IssuerARN: long, IssuerName: long, SourceIdentity: long},
	}
	e.TLS = &TLSDetails{Version: long, CipherSuite: long, ClientProvidedHostHeader: long}
	for i := range 1000 {
		e.AdditionalEventData[long+strconv.Itoa(i)] = long
	}
	for range 1000 {
		e.Resources = append(e.Resources, Resource{Type: long, Name: long, ARN: long})
	}
	b, _, err := appendRecord(nil, e, nil)
	if err != nil {
		t.Fatalf("the limits of the fields add up to more than a record: %v", err)
	}
	var rec record
	err = rec.decode(b[frameHeader+1:])
	if err != nil {
		t.Fatal(err)
	}
	full := json.RawMessage(`"` + strings.Repeat("x", maxParams-2) + `"`)
	worst := *e
	worst.RequestParameters, worst.ResponseElements = full, full
	if _, _, err := appendRecord(nil, &worst, &SubjectSeen{SubjectID: long, DN: long, Serial: long, Issuer: long}); err != nil {
		t.Errorf("the largest event is no record: %v", err)
	}
	var got struct {
		UserAgent         string `json:"userAgent"`
		RequestParameters struct {
			Omitted      bool `json:"omitted"`
			OriginalSize int  `json:"originalSize"`
		} `json:"requestParameters"`
		ResponseElements struct {
			Unparsable string `json:"unparsable"`
		} `json:"responseElements"`
		Resources []any `json:"resources"`
	}
	if err := json.Unmarshal(rec.row.Body, &got); err != nil {
		t.Fatal(err)
	}
	if got.UserAgent != strings.Repeat("é", 512) {
		t.Errorf("userAgent has %d bytes", len(got.UserAgent))
	}
	if !got.RequestParameters.Omitted || got.RequestParameters.OriginalSize != maxParams+2 {
		t.Errorf("requestParameters = %+v", got.RequestParameters)
	}
	if got.ResponseElements.Unparsable != `{"half":` {
		t.Errorf("responseElements = %+v", got.ResponseElements)
	}
	if len(got.Resources) != maxResources {
		t.Errorf("%d resources, want %d", len(got.Resources), maxResources)
	}
}

func TestRowIsFitForColumns(t *testing.T) {
	row := (&Event{EventName: "a\x00b", EventSource: "\xff", UserIdentity: UserIdentity{UserName: strings.Repeat("u", 9999)}}).Row()
	if row.Name != "a\ufffdb" || row.Source != "\ufffd" || len(row.Username) != maxIdentifier || row.ID == "" || row.Time.IsZero() {
		t.Errorf("Row = %q %q %d bytes %q %v", row.Name, row.Source, len(row.Username), row.ID, row.Time)
	}
}
