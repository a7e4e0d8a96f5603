package credclient

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestDecodeError(t *testing.T) {
	tests := []struct{ header, body, want string }{
		{"AccessDeniedException", `{"message":"m"}`, "AccessDeniedException: m (HTTP status 400, request id r)"},
		{"a.b#Name:http://x/", `{"__type":"Other"}`, "Name (HTTP status 400, request id r)"},
		{"", `{"__type":"x#T","code":"C","Message":"M"}`, "T: M (HTTP status 400, request id r)"},
		{"", `{"code":"C"}`, "C (HTTP status 400, request id r)"},
		{"", `{"code":403,"message":"m"}`, "UnknownError: m (HTTP status 400, request id r)"},
		{"", `<html>`, "UnknownError (HTTP status 400, request id r)"},
		{"", ``, "UnknownError (HTTP status 400, request id r)"},
	}
	for _, tt := range tests {
		resp := &http.Response{StatusCode: 400, Header: http.Header{"X-Amzn-Errortype": {tt.header}, "X-Amzn-Requestid": {"r"}}}
		if got := decodeError(resp, []byte(tt.body)).Error(); got != tt.want {
			t.Errorf("%q %s: got %s, want %s", tt.header, tt.body, got, tt.want)
		}
	}
	long := &http.Response{StatusCode: 400, Header: http.Header{}}
	if got := len(decodeError(long, []byte(`{"message":"`+strings.Repeat("ä", 9000)+`"}`)).Message); got > maxText+3 {
		t.Errorf("a message of %d bytes", got)
	}
}

func TestHints(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	tests := []struct {
		status        int
		message, date string
		want          string
	}{
		{403, "Untrusted signing certificate", "", "pass --intermediates"},
		{403, "Untrusted Signing Certificate: reason", at(0), "pass --intermediates"},
		{403, "Untrusted certificate. Insufficient certificate", "", "digitalSignature"},
		{403, "Invalid signature", "", "check the clock, that --region"},
		{403, "Invalid signature", "nonsense", "check the clock, that --region"},
		{403, "Invalid signature", at(0), "the clock is right (the same as the server's)"},
		{403, "Invalid signature", at(3 * time.Second), "the clock is right (3s behind the server's)"},
		{403, "Invalid signature", at(-10 * time.Minute), "the local clock is 10m0s ahead of the server's: set the clock"},
		{403, "something", at(time.Hour), "the local clock is 1h0m0s behind the server's: set the clock"},
		{403, "something", at(0), ""},
		{403, "Not authorized to set roleSessionName", "", "--role-session-name"},
		{403, "Unable to assume role for x. The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", "", "--session-duration"},
		{403, "Unable to assume role for x.", "", "trust policy"},
		{403, "Specified Trust Anchor is disabled.", "", "enabled"},
		{403, "Specified Trust Anchor wasn't found.", "", "--trust-anchor-arn"},
		{403, "Invalid or empty profile provided.", "", "--profile-arn"},
		{403, "Requested Role isn't one of those listed in the Profile.", "", "--role-arn"},
		{403, "Certificate revoked", "", "new certificate"},
		{404, "", "", "check the ARNs"},
		{429, "", "", "less often"},
		{503, "", "", "try again later"},
	}
	for _, tt := range tests {
		e := &ServiceError{Status: tt.status, Message: tt.message}
		e.skew(tt.date, now)
		got := e.Hint()
		if !strings.Contains(got, tt.want) || (tt.want == "") != (got == "") {
			t.Errorf("%s (%s): got %q, want %q", tt.message, tt.date, got, tt.want)
		}
	}
}

// FuzzAnswer: whatever a server sends, there are complete credentials or an error that quotes none of it.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{answered, `{"credentialSet":[]}`, `{}`, `null`, `[`, `{"credentialSet":[{"credentials":null}]}`,
		`{"__type":"a#b:c","message":"m"}`, `{"code":1,"Message":"m"}`} {
		f.Add([]byte(s), "h#c:d")
	}
	f.Fuzz(func(t *testing.T, body []byte, header string) {
		c, err := decodeCredentials(body)
		if err == nil && (c.AccessKeyID == "" || c.SecretAccessKey == "" || c.SessionToken == "" || c.Expiration == "") {
			t.Fatal("incomplete credentials")
		}
		resp := &http.Response{StatusCode: 400, Header: http.Header{"X-Amzn-Errortype": {header}}}
		if e := decodeError(resp, body); e.Code == "" || len(e.Code) > 131 || len(e.Message) > maxText+3 {
			t.Fatalf("code %q, message of %d bytes", e.Code, len(e.Message))
		}
	})
}
