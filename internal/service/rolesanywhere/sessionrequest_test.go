package rolesanywhere

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	testAnchor  = "arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/3c5a2a2e-5a5e-4b1f-9d57-0c4d5f6a7b8c"
	testProfile = "arn:aws:rolesanywhere:eu-central-1:123456789012:profile/5e0c1a0e-6f53-4b0c-8a55-6a7b8c9d0e1f"
	testRole    = "arn:aws:iam::123456789012:role/path/Worker"
)

func testQuery() url.Values {
	return url.Values{"trustAnchorArn": {testAnchor}, "profileArn": {testProfile}, "roleArn": {testRole}}
}

func TestParseSessionRequest(t *testing.T) {
	inBody := `{"trustAnchorArn":"` + testAnchor + `","profileArn":"` + testProfile + `","roleArn":"` + testRole + `"`
	for _, c := range []struct {
		name        string
		query       url.Values
		body        string
		duration    int
		sessionName string
	}{
		{"empty body", testQuery(), "", 0, ""},
		{"white space", testQuery(), " \r\n\t", 0, ""},
		{"all in the body", nil, inBody + `}`, 0, ""},
		{"both, equal", testQuery(), inBody + `}`, 0, ""},
		{"both ends of the duration", testQuery(), `{"durationSeconds":900}`, 900, ""},
		{"longest", testQuery(), `{"durationSeconds":43200,"roleSessionName":"` + strings.Repeat("a", 64) + `"}`, 43200, strings.Repeat("a", 64)},
		{"null is absent", testQuery(), `{"durationSeconds":null,"roleSessionName":null,"roleArn":null}`, 0, ""},
		{"empty name is absent", testQuery(), `{"roleSessionName":""}`, 0, ""},
		{"members are matched exactly", testQuery(), `{"RoleArn":"arn:x","DURATIONSECONDS":1}`, 0, ""},
		{"unknown members", testQuery(), `{"sessionName":"x","instanceProperties":{"a":"b"},"x":{"y":[1,2,{"z":null}]}}`, 0, ""},
		{"unknown query parameters", url.Values{"trustAnchorArn": {testAnchor}, "profileArn": {testProfile}, "roleArn": {testRole}, "x": {"1", "2"}}, "", 0, ""},
		{"every character of a name", testQuery(), `{"roleSessionName":"aZ_0+=,.@-"}`, 0, "aZ_0+=,.@-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, failed, err := parseSessionRequest(c.query, []byte(c.body))
			if err != nil || len(failed) > 0 {
				t.Fatalf("got %v, %v", failed, err)
			}
			if got.trustAnchorARN != testAnchor || got.profileARN != testProfile || got.roleARN != testRole ||
				got.durationSeconds != c.duration || got.roleSessionName != c.sessionName {
				t.Errorf("got %+v", got)
			}
			if name, _ := got.role.RoleName(); name != "Worker" || got.trustAnchor.String() != testAnchor || got.profile.String() != testProfile {
				t.Errorf("got %v, %v, %v", got.role, got.trustAnchor, got.profile)
			}
		})
	}
}

func TestParseSessionRequestFailures(t *testing.T) {
	long := strings.Repeat("é", 400)
	for _, c := range []struct {
		name  string
		query url.Values
		body  string
		want  []string
	}{
		{"nothing at all", nil, "", []string{
			"Value at 'trustAnchorArn' failed to satisfy constraint: Member must not be null",
			"Value at 'profileArn' failed to satisfy constraint: Member must not be null",
			"Value at 'roleArn' failed to satisfy constraint: Member must not be null",
		}},
		{"empty value", url.Values{"trustAnchorArn": {""}, "profileArn": {testProfile}, "roleArn": {testRole}}, "", []string{
			"Value '' at 'trustAnchorArn' failed to satisfy constraint: Member must be the ARN of a trust-anchor",
		}},
		{"kinds exchanged", url.Values{"trustAnchorArn": {testProfile}, "profileArn": {testAnchor}, "roleArn": {testRole}}, "", []string{
			"Value '" + testProfile + "' at 'trustAnchorArn' failed to satisfy constraint: Member must be the ARN of a trust-anchor",
			"Value '" + testAnchor + "' at 'profileArn' failed to satisfy constraint: Member must be the ARN of a profile",
		}},
		{"no account", url.Values{"trustAnchorArn": {testAnchor}, "profileArn": {testProfile}, "roleArn": {"arn:aws:iam:::role/x"}}, "", []string{
			"Value 'arn:aws:iam:::role/x' at 'roleArn' failed to satisfy constraint: Member must be the ARN of a role",
		}},
		{"no name", url.Values{"trustAnchorArn": {testAnchor}, "profileArn": {testProfile}, "roleArn": {"arn:aws:iam::123456789012:role/"}}, "", []string{
			"Value 'arn:aws:iam::123456789012:role/' at 'roleArn' failed to satisfy constraint: Member must be the ARN of a role",
		}},
		{"what is repeated is clipped between characters", url.Values{"trustAnchorArn": {testAnchor}, "profileArn": {testProfile}, "roleArn": {long}}, "", []string{
			"Value '" + strings.Repeat("é", 128) + "…' at 'roleArn' failed to satisfy constraint: Member must be the ARN of a role",
		}},
		{"number out of range", testQuery(), `{"durationSeconds":1e3}`, []string{
			"Value '1e3' at 'durationSeconds' failed to satisfy constraint: Member must be an integer",
		}},
		{"number that overflows", testQuery(), `{"durationSeconds":99999999999999999999}`, []string{
			"Value '99999999999999999999' at 'durationSeconds' failed to satisfy constraint: Member must be an integer",
		}},
		{"negative", testQuery(), `{"durationSeconds":-900}`, []string{
			"Value '-900' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900",
		}},
		{"name too short", testQuery(), `{"roleSessionName":"a"}`, []string{
			`Value 'a' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]{2,64}`,
		}},
		{"name with a line break", testQuery(), `{"roleSessionName":"ab\n"}`, []string{
			"Value 'ab\n' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: " + `[\w+=,.@-]{2,64}`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, failed, err := parseSessionRequest(c.query, []byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, failed); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestParseSessionRequestMalformed(t *testing.T) {
	var many strings.Builder
	for i := range 100 {
		many.WriteString(`"` + strings.Repeat("m", i+1) + `":1,`)
	}
	for _, body := range []string{
		"{", "[]", "null", "1", `"x"`, "{}{}", "{} x", `{"a":1,}`, `{"a"}`, `{a:1}`, "\xff", `{"roleArn":1}`, `{"durationSeconds":"x"}`,
		`{"durationSeconds":true}`, `{"instanceProperties":[]}`, `{"instanceProperties":{"a":1}}`, `{"roleArn":"a","roleArn":"b"}`,
		`{"roleArn":"a","role\u0041rn":"b"}`, `{` + many.String() + `"z":1}`, `{"a":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`,
	} {
		req, failed, err := parseSessionRequest(testQuery(), []byte(body))
		if err == nil || failed != nil {
			t.Errorf("%.40q: got %v, %v, want an error", body, failed, err)
		}
		// The audit event needs to know whose it is.
		if req == nil || req.trustAnchor.Account != "123456789012" || req.durationSeconds != 0 || req.roleSessionName != "" {
			t.Errorf("%.40q: got %+v, want what the query says", body, req)
		}
	}
}

func FuzzParseSessionRequest(f *testing.F) {
	for _, body := range []string{
		"", "{}", `{"durationSeconds":3600}`, `{"roleSessionName":"abc","sessionName":"x"}`, `{"instanceProperties":{"a":"b"}}`,
		`{"trustAnchorArn":"` + testAnchor + `","profileArn":"` + testProfile + `","roleArn":"` + testRole + `","durationSeconds":900}`,
		`{"durationSeconds":1,"durationSeconds":2}`, `{"a":[[[[`, "\xff", `{"\u0072oleArn":"x"}`,
	} {
		f.Add(testQuery().Encode(), []byte(body))
	}
	f.Add("", []byte("{}"))
	f.Add("roleArn=a&roleArn=b", []byte(`{"roleArn":"c"}`))
	f.Fuzz(func(t *testing.T, rawQuery string, body []byte) {
		query, err := url.ParseQuery(rawQuery)
		if err != nil {
			return
		}
		req, failed, err := parseSessionRequest(query, body)
		if req == nil {
			t.Fatal("no request")
		}
		if err != nil || len(failed) > 0 {
			for _, f := range failed {
				if len(f) > 1024 {
					t.Errorf("a message of %d bytes", len(f))
				}
			}
			return
		}
		// Whatever passes is within the bounds that the rest relies on, and says what was sent.
		if req.trustAnchor.Service != "rolesanywhere" || req.profile.Service != "rolesanywhere" || req.role.Service != "iam" ||
			len(req.trustAnchor.Account) != 12 || len(req.profile.Account) != 12 || len(req.role.Account) != 12 {
			t.Errorf("got %+v", req)
		}
		if d := req.durationSeconds; d != 0 && (d < minDuration || d > maxDuration) {
			t.Errorf("duration %d", d)
		}
		if n := req.roleSessionName; n != "" && (len(n) < 2 || len(n) > 64 || strings.ContainsAny(n, " /:\n\"<>")) {
			t.Errorf("session name %q", n)
		}
		var members map[string]any
		if len(query["roleArn"]) == 1 && query["roleArn"][0] != req.roleARN {
			t.Errorf("role %q against %q in the query", req.roleARN, query["roleArn"])
		}
		if len(query["roleArn"]) == 0 && (json.Unmarshal(body, &members) != nil || members["roleArn"] != req.roleARN) {
			t.Errorf("role %q from nowhere", req.roleARN)
		}
	})
}
