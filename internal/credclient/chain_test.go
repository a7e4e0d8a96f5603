package credclient

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/sigv4"
)

const (
	roleB = "arn:aws:iam::444455556666:role/b"
	roleC = "arn:aws:iam::444455556666:role/path/c"
)

const firstSession = `{"credentialSet":[{"assumedRoleUser":{"arn":"arn:aws:sts::111122223333:assumed-role/r/0a1b"},` +
	`"credentials":{"accessKeyId":"K0","secretAccessKey":"S0","sessionToken":"T-0","expiration":"E0"}}]}`

func assumedAnswer(n int) string {
	return fmt.Sprintf(`<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>K%d</AccessKeyId>`+
		`<SecretAccessKey>S%d</SecretAccessKey><SessionToken>T-%d</SessionToken><Expiration>2031-02-03T04:05:06Z</Expiration></Credentials>`+
		`<SourceIdentity>x</SourceIdentity></AssumeRoleResult><ResponseMetadata><RequestId>q</RequestId></ResponseMetadata></AssumeRoleResponse>`, n, n, n)
}

// chainServer answers CreateSession, then AssumeRole, each signed with the credentials that the step before gave.
func chainServer(t *testing.T, forms *[]url.Values, busy *int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == sessionsPath {
			io.WriteString(w, firstSession)
			return
		}
		body, _ := io.ReadAll(r.Body)
		n := len(*forms)
		claims, err := sigv4.Parse(r)
		if err != nil {
			t.Errorf("parse: %v", err)
			return
		}
		key := sigv4.DeriveKey(fmt.Sprintf("S%d", n), claims.Time.UTC().Format("20060102"), "eu-west-1", "sts")
		if err := claims.Verify(r, key, &sigv4.Check{Now: time.Now(), BodySHA256: sha256.Sum256(body)}); err != nil {
			t.Errorf("step %d: %v", n, err)
		}
		if want := fmt.Sprintf("K%d", n); claims.KeyID != want || r.Header.Get("X-Amz-Security-Token") != fmt.Sprintf("T-%d", n) || claims.Service != "sts" || r.URL.Path != "/" {
			t.Errorf("step %d: key %s, service %s, path %s", n, claims.KeyID, claims.Service, r.URL.Path)
		}
		if *busy > 0 {
			*busy--
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		form, _ := url.ParseQuery(string(body))
		if form.Get("RoleArn") == "arn:aws:iam::444455556666:role/denied" {
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, `<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: u is not authorized to perform: sts:AssumeRole on resource: r</Message></Error><RequestId>q-1</RequestId></ErrorResponse>`)
			return
		}
		*forms = append(*forms, form)
		io.WriteString(w, assumedAnswer(n+1))
	}
}

// Every role is assumed with the credentials of the one before, under the name of the first session.
func TestChain(t *testing.T) {
	var forms []url.Values
	busy := 1
	c, _ := start(t, chainServer(t, &forms, &busy), Config{})
	in := request()
	in.Chain = []string{roleB, roleC}
	got, err := c.CreateSession(context.Background(), identity(t), in)
	if err != nil || *got != (Credentials{AccessKeyID: "K2", SecretAccessKey: "S2", SessionToken: "T-2", Expiration: "2031-02-03T04:05:06Z"}) {
		t.Fatalf("got %+v, %v", got, err)
	}
	var roles []string
	for _, f := range forms {
		roles = append(roles, f.Get("RoleArn"))
		if f.Get("Action") != "AssumeRole" || f.Get("Version") != "2011-06-15" || f.Get("RoleSessionName") != "0a1b" || f.Get("DurationSeconds") != "900" || len(f) != 5 {
			t.Errorf("form %v", f)
		}
	}
	if !slices.Equal(roles, in.Chain) {
		t.Errorf("assumed %v", roles)
	}
	forms, in.SessionName, in.Chain = nil, "mine", []string{roleB}
	if _, err := c.CreateSession(context.Background(), identity(t), in); err != nil || forms[0].Get("RoleSessionName") != "mine" {
		t.Errorf("with a name of its own: %v, %v", forms, err)
	}
}

func TestChainRefused(t *testing.T) {
	var forms []url.Values
	var lines []string
	busy := 0
	c, _ := start(t, chainServer(t, &forms, &busy), Config{Debug: func(line string) { lines = append(lines, line) }})
	in := request()
	in.Chain = []string{"arn:aws:iam::444455556666:role/denied"}
	_, err := c.CreateSession(context.Background(), identity(t), in)
	if err == nil || !strings.Contains(err.Error(), "cannot assume arn:aws:iam::444455556666:role/denied: AccessDenied: User: u is not") || !strings.Contains(err.Error(), "q-1") {
		t.Errorf("got %v", err)
	}
	if text := strings.Join(lines, "\n"); strings.Contains(text, "T-0") || !strings.Contains(text, "X-Amz-Security-Token: (hidden)") {
		t.Errorf("the debug log has a session token:\n%s", text)
	}
	for _, tt := range []struct {
		chain []string
		secs  int
		want  string
	}{
		{[]string{roleB}, 3601, "exceeds the 1 hour session limit for roles assumed by role chaining"},
		{[]string{"x"}, 900, "failed to parse role arn"},
		{[]string{"arn:aws:iam::444455556666:user/b"}, 900, "is not the ARN of a role"},
		{slices.Repeat([]string{roleB}, 9), 900, "more than 8 roles"},
	} {
		in.Chain, in.DurationSeconds = tt.chain, tt.secs
		if _, err := c.CreateSession(context.Background(), identity(t), in); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want %q", tt.chain, err, tt.want)
		}
	}
}

func TestSTSEndpoints(t *testing.T) {
	const own, vpc = "https://roles.example", "https://vpce-1.rolesanywhere.eu-west-1.vpce.amazonaws.com"
	for _, tt := range []struct {
		endpoint, sts string
		env           map[string]string
		want          string
	}{
		{"", "", nil, "https://sts.eu-west-1.amazonaws.com/"},
		{"", "", map[string]string{"AWS_USE_FIPS_ENDPOINT": "true"}, "https://sts-fips.eu-west-1.amazonaws.com/"},
		{"", "", map[string]string{"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"}, "https://sts-fips.eu-west-1.api.aws/"},
		{own + "," + own + "/x", "", nil, own + "/ " + own + "/x/"},
		{vpc, "", nil, "https://sts.eu-west-1.amazonaws.com/"},
		{vpc, "https://sts.example", nil, "https://sts.example/"},
		{own, "", map[string]string{"AWS_ENDPOINT_URL_STS": "https://other.example"}, "https://other.example/"},
		{vpc, "", map[string]string{"AWS_ENDPOINT_URL": own}, own + "/"},
		{"", "", map[string]string{"AWS_ENDPOINT_URL_ROLESANYWHERE": own}, own + "/"},
		{"", "", map[string]string{"AWS_ENDPOINT_URL_STS": own, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, "https://sts.eu-west-1.amazonaws.com/"},
		{"", "http://sts.example", nil, ""},
	} {
		cfg := &Config{Endpoint: tt.endpoint, STSEndpoint: tt.sts, Getenv: func(name string) string { return tt.env[name] }}
		list, err := stsEndpoints(cfg, "eu-west-1")
		var got []string
		for _, u := range list {
			got = append(got, u.String())
		}
		if strings.Join(got, " ") != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%+v: got %v, %v", tt, got, err)
		}
	}
}

// FuzzAssumeRoleAnswer: whatever comes, credentials are complete or there is an error.
func FuzzAssumeRoleAnswer(f *testing.F) {
	f.Add([]byte(assumedAnswer(1)))
	f.Add([]byte(`<ErrorResponse><Error><Code>AccessDenied</Code><Message>m</Message></Error></ErrorResponse>`))
	f.Add([]byte(`<AssumeRoleResponse/>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := decodeAssumed(body)
		if err == nil && (c.AccessKeyID == "" || c.SecretAccessKey == "" || c.SessionToken == "" || c.Expiration == "") {
			t.Errorf("incomplete credentials of %q", body)
		}
		if e := decodeQueryError(&http.Response{StatusCode: 400, Header: http.Header{}}, body); e.Code == "" || len(e.Message) > maxText+3 {
			t.Errorf("%+v", e)
		}
	})
}
