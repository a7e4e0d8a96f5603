package awsapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/awsapi/model/sts"
)

const (
	anchorID  = "01234567-89ab-4cde-8f01-23456789abcd"
	stsXML    = `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">`
	iamXML    = `<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">`
	ctTarget  = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101."
	identity  = "Action=GetCallerIdentity&Version=2011-06-15"
	createOK  = "Action=CreateRole&Version=2010-05-08&RoleName=web&AssumeRolePolicyDocument=%7B%7D"
	jsonCT    = "application/json"
	json11    = "application/x-amz-json-1.1"
	identityX = `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><UserId>AIDAEXAMPLE</UserId><Account>111122223333</Account>` +
		`<Arn>arn:aws:iam::111122223333:user/admin</Arn></GetCallerIdentityResult><ResponseMetadata><RequestId>REQUEST-ID</RequestId></ResponseMetadata></GetCallerIdentityResponse>`
)

func queryError(open, code, message string) string {
	return open + "<Error><Type>Sender</Type><Code>" + code + "</Code><Message>" + message + "</Message></Error><RequestId>REQUEST-ID</RequestId></ErrorResponse>"
}

func TestGoldenAnswers(t *testing.T) {
	for _, tc := range []struct {
		name   string
		q      request
		status int
		ctype  string
		etype  string // x-amzn-ErrorType
		body   string
	}{
		// Successes in each protocol.
		{"query", request{service: "sts", ctype: form, body: identity}, 200, "text/xml", "", identityX},
		{"query in the URL", request{method: "GET", path: "/?" + identity, service: "sts"}, 200, "text/xml", "", identityX},
		{"query without content type", request{service: "sts", body: identity}, 200, "text/xml", "", identityX},
		{"create", request{service: "iam", ctype: form, body: createOK + "&Tags.member.1.Key=a&Tags.member.1.Value="}, 200, "text/xml", "",
			`<CreateRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><CreateRoleResult><Role><Path>/</Path><RoleName>web</RoleName><RoleId>AROAEXAMPLE</RoleId>` +
				`<Arn>arn:aws:iam::111122223333:role/web</Arn><CreateDate>2026-05-04T03:02:01Z</CreateDate><Tags><member><Key>a</Key><Value></Value></member></Tags></Role></CreateRoleResult>` +
				`<ResponseMetadata><RequestId>REQUEST-ID</RequestId></ResponseMetadata></CreateRoleResponse>`},
		{"rest label", request{method: "GET", path: "/trustanchor/" + anchorID, service: "rolesanywhere"}, 200, jsonCT, "",
			`{"trustAnchor":{"trustAnchorId":"` + anchorID + `","enabled":true,"createdAt":"2026-05-04T03:02:01.000000Z"}}`},
		{"rest body, status 201", request{path: "/TagResource", service: "rolesanywhere", ctype: jsonCT, body: `{"resourceArn":"arn:x","tags":[{"key":"a","value":"b"}]}`}, 201, jsonCT, "", `{}`},
		{"json 1.1", request{service: "cloudtrail", target: ctTarget + "LookupEvents", ctype: json11, body: `{"StartTime":1700000000.5,"MaxResults":5}`}, 200, json11, "",
			`{"Events":[{"EventName":"X","EventTime":1777863721}]}`},
		{"json 1.1, short target", request{service: "cloudtrail", target: "CloudTrail_20131101.LookupEvents", body: ``}, 200, json11, "", `{"Events":[{"EventName":"X","EventTime":1777863721}]}`},
		{"raw", request{path: "/sessions", service: "rolesanywhere", body: "x"}, 201, jsonCT, "", `{"region":"eu-central-1","body":"x"}`},
		{"raw unsigned reaches its handler", request{path: "/sessions", body: "deny"}, 403, jsonCT, "AccessDeniedException", `{"message":"Untrusted signing certificate"}`},

		// Unknown, unsupported, wrong method.
		{"unknown action", request{service: "sts", ctype: form, body: "Action=Nope&Version=2011-06-15"}, 400, "text/xml", "", queryError(stsXML, "InvalidAction", "Could not find operation Nope for version 2011-06-15")},
		{"no version", request{service: "sts", ctype: form, body: "Action=GetCallerIdentity"}, 400, "text/xml", "", queryError(stsXML, "InvalidAction", "Could not find operation GetCallerIdentity for version NO_VERSION_SPECIFIED")},
		{"wrong version", request{service: "sts", ctype: form, body: "Action=GetCallerIdentity&Version=2010-05-08"}, 400, "text/xml", "", queryError(stsXML, "InvalidAction", "Could not find operation GetCallerIdentity for version 2010-05-08")},
		{"no action", request{service: "iam", ctype: form}, 400, "text/xml", "", queryError(iamXML, "MissingAction", "The request is missing an action or a required parameter.")},
		{"known, not supported", request{service: "iam", ctype: form, body: "Action=CreateGroup&Version=2010-05-08"}, 400, "text/xml", "", queryError(iamXML, "UnsupportedOperation", "The operation CreateGroup is not supported by this server.")},
		{"unsigned sts operation, not supported", request{ctype: form, body: "Action=AssumeRoleWithSAML&Version=2011-06-15"}, 400, "text/xml", "", queryError(stsXML, "UnsupportedOperation", "The operation AssumeRoleWithSAML is not supported by this server.")},
		{"query by PUT", request{method: "PUT", service: "sts", ctype: form, body: identity}, 405, "text/xml", "", queryError(stsXML, "MethodNotAllowed", "The method PUT is not allowed against this resource.")},
		{"unknown target", request{service: "cloudtrail", target: ctTarget + "Nope"}, 400, json11, "", `{"__type":"UnknownOperationException","message":"Unknown operation"}`},
		{"known target, not supported", request{service: "cloudtrail", target: ctTarget + "CreateTrail"}, 400, json11, "", `{"__type":"UnsupportedOperationException","message":"The operation CreateTrail is not supported by this server."}`},
		{"target of another service", request{service: "cloudtrail", target: "ACMPrivateCA.LookupEvents"}, 400, json11, "", `{"__type":"UnknownOperationException","message":"Unknown operation"}`},
		{"no target", request{service: "cloudtrail"}, 400, json11, "", `{"__type":"UnknownOperationException","message":"Unknown operation"}`},
		{"unknown path", request{method: "GET", path: "/nope", service: "rolesanywhere"}, 404, jsonCT, "UnknownOperationException", `{"message":"Unknown operation: GET /nope"}`},
		{"wrong method", request{method: "PUT", path: "/TagResource", service: "rolesanywhere"}, 405, jsonCT, "MethodNotAllowedException", `{"message":"The method PUT is not allowed against this resource."}`},
		{"known path, not supported", request{method: "GET", path: "/subjects", service: "rolesanywhere"}, 400, jsonCT, "UnsupportedOperationException", `{"message":"The operation ListSubjects is not supported by this server."}`},
		{"unknown service", request{method: "GET", path: "/", service: "s3"}, 404, jsonCT, "UnknownOperationException", `{"message":"This endpoint does not serve \"s3\""}`},

		// Authentication.
		{"unsigned query", request{ctype: form, body: identity}, 403, "text/xml", "", queryError(stsXML, "MissingAuthenticationToken", "Request is missing Authentication Token")},
		{"unsigned query in the URL", request{method: "GET", path: "/?" + identity}, 403, "text/xml", "", queryError(stsXML, "MissingAuthenticationToken", "Request is missing Authentication Token")},
		{"unsigned rest", request{method: "GET", path: "/trustanchor/" + anchorID}, 403, jsonCT, "MissingAuthenticationTokenException", `{"message":"Request is missing Authentication Token"}`},
		{"unsigned json", request{target: ctTarget + "LookupEvents"}, 400, json11, "", `{"__type":"MissingAuthenticationTokenException","message":"Request is missing Authentication Token"}`},
		{"unsigned anything", request{method: "GET", path: "/favicon.ico"}, 403, jsonCT, "MissingAuthenticationTokenException", `{"message":"Missing Authentication Token"}`},
		{"unknown key, query", request{service: "sts", key: badKey, ctype: form, body: identity}, 403, "text/xml", "", queryError(stsXML, "InvalidClientTokenId", "The security token included in the request is invalid.")},
		{"unknown key, rest", request{method: "GET", path: "/trustanchor/" + anchorID, service: "rolesanywhere", key: badKey}, 403, jsonCT, "UnrecognizedClientException", `{"message":"The security token included in the request is invalid."}`},
		{"unknown key, json", request{service: "cloudtrail", key: badKey, target: ctTarget + "LookupEvents"}, 400, json11, "", `{"__type":"UnrecognizedClientException","message":"The security token included in the request is invalid."}`},

		// Malformed and invalid input.
		{"malformed json", request{path: "/TagResource", service: "rolesanywhere", body: `{"tags":`}, 400, jsonCT, "SerializationException", `{"message":"Unexpected end of input at byte 8"}`},
		{"wrong type", request{path: "/TagResource", service: "rolesanywhere", body: `{"resourceArn":7}`}, 400, jsonCT, "SerializationException", `{"message":"NUMBER_VALUE can not be converted to a String"}`},
		{"malformed json 1.1", request{service: "cloudtrail", target: ctTarget + "LookupEvents", body: `[`}, 400, json11, "", `{"__type":"SerializationException","message":"Start of list found where not expected"}`},
		{"malformed form", request{service: "iam", ctype: form, body: "Action=%zz"}, 400, "text/xml", "", queryError(iamXML, "MalformedQueryString", "The query string is malformed: invalid percent-encoding")},
		{"empty body", request{path: "/TagResource", service: "rolesanywhere"}, 400, jsonCT, "ValidationException",
			`{"message":"2 validation errors detected: Value null at 'resourceArn' failed to satisfy constraint: Member must not be null; Value null at 'tags' failed to satisfy constraint: Member must not be null"}`},
		{"union and nesting", request{path: "/trustanchors", service: "rolesanywhere", body: `{"name":"a b!","source":{"sourceType":"X","sourceData":{"x509CertificateData":""}}}`}, 400, jsonCT, "ValidationException",
			`{"message":"3 validation errors detected: Value 'a b!' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [ a-zA-Z0-9-_]*; ` +
				`Value 'X' at 'source.sourceType' failed to satisfy constraint: Member must satisfy enum value set: [AWS_ACM_PCA, CERTIFICATE_BUNDLE, SELF_SIGNED_REPOSITORY]; ` +
				`Value '' at 'source.sourceData.x509CertificateData' failed to satisfy constraint: Member must have length greater than or equal to 1"}`},
		{"validation, query", request{service: "iam", ctype: form, body: "Action=CreateRole&Version=2010-05-08&RoleName=a%20b&Tags.member.1.Value=x"}, 400, "text/xml", "",
			queryError(iamXML, "ValidationError", `3 validation errors detected: Value 'a b' at 'roleName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]+; `+
				`Value null at 'assumeRolePolicyDocument' failed to satisfy constraint: Member must not be null; Value null at 'tags.1.member.key' failed to satisfy constraint: Member must not be null`)},
		{"short label", request{method: "GET", path: "/trustanchor/x", service: "rolesanywhere"}, 400, jsonCT, "ValidationException",
			`{"message":"2 validation errors detected: Value 'x' at 'trustAnchorId' failed to satisfy constraint: Member must satisfy regular expression pattern: .*[a-f0-9]{8}-([a-z0-9]{4}-){3}[a-z0-9]{12}.*; Value 'x' at 'trustAnchorId' failed to satisfy constraint: Member must have length greater than or equal to 36"}`},
		{"too large", request{service: "sts", ctype: form, body: identity + "&x=" + strings.Repeat("x", 5000)}, 413, "text/xml", "", queryError(stsXML, "RequestEntityTooLarge", "The request body is larger than 4096 bytes")},
		{"too large, rest", request{path: "/TagResource", service: "rolesanywhere", body: strings.Repeat(" ", 5000)}, 413, jsonCT, "RequestEntityTooLargeException", `{"message":"The request body is larger than 4096 bytes"}`},

		// The handlers' own errors.
		{"denied", request{service: "iam", ctype: form, body: strings.Replace(createOK, "web", "forbidden", 1)}, 403, "text/xml", "",
			queryError(iamXML, "AccessDenied", "User: arn:aws:iam::111122223333:user/admin is not authorized to perform: iam:CreateRole on resource: arn:aws:iam::111122223333:role/forbidden")},
		{"denied, rest", request{method: "GET", path: "/crls", service: "rolesanywhere"}, 403, jsonCT, "AccessDeniedException", `{"message":"User: x is not authorized to perform: rolesanywhere:ListCrls"}`},
		{"modelled error", request{service: "iam", ctype: form, body: strings.Replace(createOK, "web", "exists", 1)}, 409, "text/xml", "", queryError(iamXML, "EntityAlreadyExists", "Role with name exists already exists.")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			got := f.do(tc.q)
			if got.status != tc.status {
				t.Errorf("status: got %d, want %d", got.status, tc.status)
			}
			if got.body != tc.body {
				t.Errorf("body:\ngot  %s\nwant %s", got.body, tc.body)
			}
			if ct := got.header.Get("Content-Type"); ct != tc.ctype {
				t.Errorf("content type: got %s, want %s", ct, tc.ctype)
			}
			if et := got.header.Get("x-amzn-ErrorType"); et != tc.etype {
				t.Errorf("error type: got %q, want %q", et, tc.etype)
			}
			if got := len(f.meter.got); got != 1 {
				t.Errorf("counted %d requests, want 1", got)
			}
		})
	}
}

func TestUnsignedRequestsReachNoHandler(t *testing.T) {
	f := newFixture(t)
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"} {
		for _, path := range []string{"/", "/?" + identity, "/trustanchor/" + anchorID, "/TagResource", "/crls", "/%2e%2e/crls", "//crls", "/?Action=CreateRole&Version=2010-05-08"} {
			for _, target := range []string{"", ctTarget + "LookupEvents"} {
				got := f.do(request{method: method, path: path, target: target, body: "{}"})
				if got.status < 400 || got.status >= 500 {
					t.Errorf("%s %s: status %d, want a refusal", method, path, got.status)
				}
			}
		}
	}
	if f.calls != 0 || len(f.audit.events) != 0 || f.db.commits+f.db.reads != 0 {
		t.Errorf("%d calls, %d events, %d transactions for unsigned requests, want none", f.calls, len(f.audit.events), f.db.commits+f.db.reads)
	}
}

// A signature that cannot be read does not choose a service, and the gate refuses it in the service's own form.
func TestMalformedSignature(t *testing.T) {
	f := newFixture(t)
	q := request{ctype: form, body: identity}.build(t)
	q.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=x/y, SignedHeaders=host, Signature=zz")
	got := f.serve(q)
	if want := queryError(stsXML, "IncompleteSignature", "malformed"); got.body != want || got.status != 400 {
		t.Errorf("got %d %s, want %s", got.status, got.body, want)
	}
}

func TestRegisterRefuses(t *testing.T) {
	f := newFixture(t)
	again := f.bindings()[0]
	if err := f.router.Register(again); err == nil {
		t.Error("an operation was bound twice")
	}
	type wrong struct{ Nope *string }
	bad := awsapi.Bind[wrong, sts.GetCallerIdentityOutput](sts.OpGetCallerIdentity, nil, nil)
	if err := awsapi.NewRouter(awsapi.Config{}).Register(bad); err == nil {
		t.Error("types that do not fit were accepted")
	}
	if err := awsapi.NewRouter(awsapi.Config{}).Register(mutationWithoutAudit()); err == nil {
		t.Error("a mutation without audit was accepted")
	}
	if err := awsapi.NewRouter(awsapi.Config{}).Register(mutationWithoutTx()); err == nil {
		t.Error("a mutation without a transaction was accepted")
	}
}

func TestMetricLabels(t *testing.T) {
	f := newFixture(t)
	f.do(request{service: "sts", ctype: form, body: identity})
	f.do(request{path: "/sessions", service: "rolesanywhere"})
	f.do(request{path: "/sessions", body: "deny"})
	f.do(request{service: "iam", ctype: form, body: "Action=" + strings.Repeat("x", 200) + "&Version=2010-05-08"})
	f.do(request{method: "GET", path: "/anything"})
	want := "sts GetCallerIdentity OK|rolesanywhere CreateSession OK|rolesanywhere CreateSession AccessDeniedException|iam none InvalidAction|none none MissingAuthenticationTokenException"
	if got := strings.Join(f.meter.got, "|"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestPresignedIdentity(t *testing.T) {
	f := newFixture(t)
	q := request{method: "GET", path: "/?" + identity}.build(t)
	u, err := presign(q)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest("GET", u, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if got := f.serve(r); got.status != 200 || got.body != identityX {
		t.Errorf("got %d %s", got.status, got.body)
	}
}
