package credclient

import (
	"strings"
	"testing"

	"github.com/rolecall/rolecall/internal/arn"
)

func env(pairs ...string) func(string) string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return m[name] }
}

func TestEndpoint(t *testing.T) {
	const fips, dual = "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"
	tests := []struct {
		name, flag string
		region     arn.Region
		env        []string
		want       string // URL, or "! " and a part of the error
	}{
		{"default", "", "eu-central-1", nil, "https://rolesanywhere.eu-central-1.amazonaws.com"},
		{"China", "", "cn-north-1", nil, "https://rolesanywhere.cn-north-1.amazonaws.com.cn"},
		{"GovCloud", "", "us-gov-west-1", nil, "https://rolesanywhere.us-gov-west-1.amazonaws.com"},
		{"iso", "", "us-iso-east-1", nil, "https://rolesanywhere.us-iso-east-1.c2s.ic.gov"},
		{"iso-b", "", "us-isob-east-1", nil, "https://rolesanywhere.us-isob-east-1.sc2s.sgov.gov"},
		{"iso-e", "", "eu-isoe-west-1", nil, "https://rolesanywhere.eu-isoe-west-1.cloud.adc-e.uk"},
		{"iso-f", "", "us-isof-south-1", nil, "https://rolesanywhere.us-isof-south-1.csp.hci.ic.gov"},
		{"European sovereign", "", "eusc-de-east-1", nil, "https://rolesanywhere.eusc-de-east-1.amazonaws.eu"},
		{"FIPS", "", "us-east-1", []string{fips, "true"}, "https://rolesanywhere-fips.us-east-1.amazonaws.com"},
		{"FIPS off", "", "us-east-1", []string{fips, "false"}, "https://rolesanywhere.us-east-1.amazonaws.com"},
		{"dual-stack", "", "us-east-1", []string{dual, "TRUE"}, "https://rolesanywhere.us-east-1.api.aws"},
		{"dual-stack in China", "", "cn-north-1", []string{dual, "true"}, "https://rolesanywhere.cn-north-1.api.amazonwebservices.com.cn"},
		{"both", "", "us-east-1", []string{fips, "true", dual, "true"}, "https://rolesanywhere-fips.us-east-1.api.aws"},
		{"flag", "https://h:8443/p", "x-1", []string{"AWS_ENDPOINT_URL", "https://e"}, "https://h:8443/p"},
		{"general variable", "", "x-1", []string{"AWS_ENDPOINT_URL", "https://e"}, "https://e"},
		{"own variable first", "", "x-1", []string{"AWS_ENDPOINT_URL", "https://e", "AWS_ENDPOINT_URL_ROLESANYWHERE", "https://r"}, "https://r"},
		{"variables ignored", "", "us-east-1", []string{"AWS_ENDPOINT_URL", "https://e", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"},
			"https://rolesanywhere.us-east-1.amazonaws.com"},
		{"FIPS and flag", "https://h", "x-1", []string{fips, "true"}, "! FIPS and custom endpoint"},
		{"FIPS and variable", "", "x-1", []string{fips, "true", "AWS_ENDPOINT_URL", "https://e"}, "! FIPS and custom endpoint"},
		{"dual-stack and flag", "https://h", "x-1", []string{dual, "true"}, "! dualstack and custom endpoint"},
		{"loopback", "http://127.0.0.2:1", "x-1", nil, "http://127.0.0.2:1"},
		{"loopback, IPv6", "http://[::1]:1", "x-1", nil, "http://[::1]:1"},
		{"localhost", "http://localhost", "x-1", nil, "http://localhost"},
		{"plain", "http://example.com", "x-1", nil, "! is not encrypted"},
		{"plain, looks like loopback", "http://127.0.0.1.example.com", "x-1", nil, "! is not encrypted"},
		{"plain, user looks like loopback", "http://127.0.0.1@example.com", "x-1", nil, "! has a user name"},
		{"plain variable", "", "x-1", []string{"AWS_ENDPOINT_URL", "http://e"}, "! of AWS_ENDPOINT_URL is not encrypted"},
		{"no scheme", "example.com", "x-1", nil, "! is not a URL"},
		{"host and port", "example.com:443", "x-1", nil, "! is not a URL"},
		{"no host", "https://:443", "x-1", nil, "! is not a URL"},
		{"other scheme", "ftp://h", "x-1", nil, `! has the scheme "ftp"`},
		{"query", "https://h/?a=b", "x-1", nil, "! has a query"},
		{"fragment", "https://h/#a", "x-1", nil, "! has a query or a fragment"},
		{"password", "https://u:hush@h/", "x-1", nil, "! has a user name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list, err := endpoints(&Config{Endpoint: tt.flag, Getenv: env(tt.env...)}, tt.region)
			want, refused := strings.CutPrefix(tt.want, "! ")
			switch {
			case refused && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush")):
				t.Errorf("got %v, %v; want an error with %q", list, err, want)
			case !refused && (err != nil || len(list) != 1 || list[0].String() != want):
				t.Errorf("got %v, %v; want %s", list, err, want)
			}
		})
	}
}

// A region becomes part of a host name: nothing else may come in with it.
func TestValidRegion(t *testing.T) {
	for _, r := range []arn.Region{"eu-central-1", "local", "x1"} {
		if !validRegion(r) {
			t.Errorf("%q is refused", r)
		}
	}
	for _, r := range []arn.Region{"", "-a", "a-", "a.b", "a/b", "a@b", "A", "a b", "a:1", "ä", arn.Region(strings.Repeat("a", 64))} {
		if validRegion(r) {
			t.Errorf("%q is accepted", r)
		}
	}
}

func TestRegion(t *testing.T) {
	anchor, profile := "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/a", "arn:aws:rolesanywhere:eu-west-1:111122223333:profile/p"
	other := strings.Replace(profile, "eu-west-1", "eu-west-2", 1)
	tests := []struct {
		flag                  arn.Region
		anchor, profile, role string
		want                  string
	}{
		{"", anchor, profile, "r", "eu-west-1"},
		{"us-east-1", anchor, profile, "r", "us-east-1"},
		{"us-east-1", anchor, other, "r", "! trust anchor and profile regions don't match"},
		{"", anchor, profile, "", "! no role ARN given"},
		{"", "", profile, "r", "! no trust anchor ARN given"},
		{"", anchor, "", "r", "! no profile ARN given"},
		{"", "x", profile, "r", "! failed to parse trust anchor arn: "},
		{"", anchor, "x", "r", "! failed to parse profile arn: "},
		{"", "arn:aws:iam::111122223333:a/b", "arn:aws:iam::111122223333:a/b", "r", `! "" is not a region name`},
	}
	for _, tt := range tests {
		got, err := regionOf(&Config{Region: tt.flag}, &Request{RoleARN: tt.role, ProfileARN: tt.profile, TrustAnchorARN: tt.anchor})
		want, refused := strings.CutPrefix(tt.want, "! ")
		if refused && (err == nil || !strings.HasPrefix(err.Error(), want)) || !refused && (err != nil || string(got) != want) {
			t.Errorf("%+v: got %q, %v", tt, got, err)
		}
	}
}

func TestEndpointList(t *testing.T) {
	cfg := Config{Endpoint: "https://a.example, https://b.example/x"}
	_, got, err := Resolve(cfg, request())
	if err != nil || len(got) != 2 || got[0] != "https://a.example" || got[1] != "https://b.example/x" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, text := range []string{"https://a.example,", "https://a.example,http://b.example", strings.Repeat("https://a.example,", 16) + "https://b"} {
		if _, got, err := Resolve(Config{Endpoint: text}, request()); err == nil {
			t.Errorf("%s: got %q", text, got)
		}
	}
}
