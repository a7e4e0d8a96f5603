package iampolicy

import (
	"fmt"
	"strings"
	"testing"
)

// requestContext has the keys of an ordinary signed request by a Roles Anywhere session.
func requestContext() *Context {
	c := contextOf(
		KeyCurrentTime, "2026-01-02T03:04:05Z", KeyEpochTime, "1767323045", KeySecureTransport, "true", KeySourceIP, "10.1.2.3",
		KeyUserAgent, "aws-cli/2.31.0", KeyRequestedRegion, "eu-central-1", KeyPrincipalArn, roleARN, KeyPrincipalAccount, acct,
		KeyPrincipalType, "AssumedRole", KeyUserID, "AROAEXAMPLE:s1", KeyTokenIssueTime, "2026-01-02T03:00:00Z", KeySourceIdentity, "CN=web",
		KeyResourceAccount, acct, KeyViaAWSService, "false", "s3:prefix", "a/", "s3:x-amz-acl", "private")
	for _, k := range []string{"Subject/CN", "Subject/OU", "Subject/O", "Subject/C", "Issuer/CN", "Issuer/O", "SAN/DNS", "SAN/URI"} {
		c.Set(KeyPrincipalTagPrefix+"x509"+k, "value of "+k)
	}
	return c
}

// typicalRole is three policies with 20 statements, the last of which allows.
func typicalRole(t testing.TB) []*Policy {
	logs := []string{
		`{"Effect":"Allow","Action":["logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"arn:aws:logs:*:*:*"}`,
		`{"Effect":"Allow","Action":"cloudwatch:PutMetricData","Resource":"*","Condition":{"StringEquals":{"cloudwatch:namespace":"app"}}}`,
		`{"Effect":"Allow","Action":["ec2:Describe*","ec2:GetConsoleOutput"],"Resource":"*"}`,
		`{"Effect":"Allow","Action":["sqs:SendMessage","sqs:ReceiveMessage","sqs:DeleteMessage"],"Resource":"arn:aws:sqs:eu-central-1:111122223333:app-*"}`,
		`{"Effect":"Allow","Action":"sns:Publish","Resource":"arn:aws:sns:eu-central-1:111122223333:app"}`,
		`{"Effect":"Deny","Action":"iam:*","Resource":"*"}`,
	}
	secrets := []string{
		`{"Effect":"Allow","Action":["secretsmanager:GetSecretValue","secretsmanager:DescribeSecret"],"Resource":"arn:aws:secretsmanager:*:111122223333:secret:app/*"}`,
		`{"Effect":"Allow","Action":["kms:Decrypt","kms:GenerateDataKey"],"Resource":"arn:aws:kms:*:111122223333:key/*","Condition":{"StringLike":{"kms:ViaService":"*.amazonaws.com"}}}`,
		`{"Effect":"Allow","Action":["dynamodb:GetItem","dynamodb:PutItem","dynamodb:Query","dynamodb:UpdateItem"],"Resource":["arn:aws:dynamodb:*:111122223333:table/app","arn:aws:dynamodb:*:111122223333:table/app/index/*"]}`,
		`{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::*:role/reader"}`,
		`{"Effect":"Allow","Action":"ssm:GetParameter*","Resource":"arn:aws:ssm:*:*:parameter/app/*"}`,
		`{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":"2026-01-01T00:00:00Z"}}}`,
		`{"Effect":"Deny","NotAction":["s3:Get*","s3:List*","s3:Put*"],"Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}`,
	}
	s3 := []string{
		`{"Effect":"Allow","Action":["s3:ListAllMyBuckets","s3:GetBucketLocation"],"Resource":"*"}`,
		`{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::data","Condition":{"StringLike":{"s3:prefix":["","a/*"]}}}`,
		`{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::data/secret/*"}`,
		`{"Effect":"Deny","Action":"s3:PutObject","Resource":"*","Condition":{"StringNotEquals":{"s3:x-amz-acl":["private"]}}}`,
		`{"Effect":"Allow","Action":"s3:*Object","Resource":"arn:aws:s3:::logs/*"}`,
		`{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::home/${aws:PrincipalTag/x509Subject/CN}/*"}`,
		`{"Effect":"Allow","Action":["s3:GetObject","s3:GetObjectVersion"],"Resource":"arn:aws:s3:::data/*","Condition":{"StringEquals":{"aws:PrincipalTag/x509Issuer/CN":"value of Issuer/CN"},"IpAddress":{"aws:SourceIp":["192.168.0.0/16","10.0.0.0/8"]}}}`,
	}
	var out []*Policy
	for _, list := range [][]string{logs, secrets, s3} {
		out = append(out, identity(t, strings.Join(list, ",")))
	}
	return out
}

func BenchmarkTypicalRole(b *testing.B) {
	set := &Set{Identity: typicalRole(b)}
	ctx := requestContext()
	for name, req := range map[string]*Request{
		"allowed":       {Action: "s3:GetObject", Resource: "arn:aws:s3:::data/2026/a.txt", Principal: session(), Context: ctx},
		"variable":      {Action: "s3:PutObject", Resource: "arn:aws:s3:::home/value of Subject/CN/a.txt", Principal: session(), Context: ctx},
		"implicit-deny": {Action: "s3:DeleteObject", Resource: "arn:aws:s3:::data/2026/a.txt", Principal: session(), Context: ctx},
		"explicit-deny": {Action: "s3:GetObject", Resource: "arn:aws:s3:::data/secret/a.txt", Principal: session(), Context: ctx},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			want := name == "allowed" || name == "variable"
			for b.Loop() {
				if Evaluate(set, req).Allowed != want {
					b.Fatal("wrong decision")
				}
			}
		})
	}
}

func BenchmarkThousandStatements(b *testing.B) {
	var list []string
	for i := range 999 {
		effect := "Allow"
		if i%10 == 0 {
			effect = "Deny"
		}
		list = append(list, fmt.Sprintf(`{"Effect":%q,"Action":["s3:GetObject","s3:List*"],"Resource":"arn:aws:s3:::bucket%d/*"}`, effect, i))
	}
	list = append(list, `{"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::data/*"}`)
	set := &Set{Identity: []*Policy{identity(b, strings.Join(list, ","))}}
	req := &Request{Action: "s3:GetObject", Resource: objectARN, Principal: session(), Context: requestContext()}
	b.ReportAllocs()
	for b.Loop() {
		if !Evaluate(set, req).Allowed {
			b.Fatal("wrong decision")
		}
	}
}

// rolesAnywhereTrust is the trust policy that Roles Anywhere documents, narrowed to one
// anchor and issuer.
const rolesAnywhereTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},
	"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],
	"Condition":{"StringEquals":{"aws:PrincipalTag/x509Issuer/CN":"value of Issuer/CN"},
		"ArnEquals":{"aws:SourceArn":"arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/11111111-2222-3333-4444-555555555555"}}}]}`

func rolesAnywhereRequest() (*Set, *Request, []string) {
	ctx := requestContext()
	ctx.Set(KeySourceArn, "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/11111111-2222-3333-4444-555555555555")
	set := &Set{Trust: true, ResourceAccount: acct}
	req := &Request{Resource: roleARN, Principal: service("rolesanywhere.amazonaws.com"), Context: ctx}
	return set, req, []string{"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"}
}

func TestRolesAnywhereTrust(t *testing.T) {
	set, req, actions := rolesAnywhereRequest()
	set.Resource = mustParse(t, rolesAnywhereTrust, Trust)
	for _, req.Action = range actions {
		if d := Evaluate(set, req); !d.Allowed || d.By != RoleTrust {
			t.Errorf("%s: %s", req.Action, d.Explain())
		}
	}
	for key, value := range map[string]string{"AWS:PrincipalTag/X509issuer/cn": "Other CA", KeySourceArn: "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/other"} {
		_, req, _ := rolesAnywhereRequest()
		req.Action = actions[0]
		req.Context.Set(key, value)
		if d := Evaluate(set, req); d.Allowed {
			t.Errorf("%s %s is trusted", key, value)
		}
		req.Context.Set(key)
		if d := Evaluate(set, req); d.Allowed {
			t.Errorf("without %s it is trusted", key)
		}
	}
}

func BenchmarkRolesAnywhereTrust(b *testing.B) {
	set, req, actions := rolesAnywhereRequest()
	set.Resource = mustParse(b, rolesAnywhereTrust, Trust)
	b.ReportAllocs()
	for b.Loop() {
		for _, req.Action = range actions {
			if !Evaluate(set, req).Allowed {
				b.Fatal("wrong decision")
			}
		}
	}
}

func BenchmarkContext(b *testing.B) {
	from := requestContext()
	var keys, values []string
	from.Each(func(key string, _ bool, v []string) {
		keys, values = append(keys, key), append(values, v[0])
	})
	c := NewContext(32)
	b.ReportAllocs()
	for b.Loop() {
		c.Reset()
		for i, k := range keys {
			c.Set(k, values[i])
		}
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(rolesAnywhereTrust, Trust); err != nil {
			b.Fatal(err)
		}
	}
}

// TestNoAllocation keeps the hot path free of allocations.
func TestNoAllocation(t *testing.T) {
	set := &Set{Identity: typicalRole(t)}
	trust, req, _ := rolesAnywhereRequest()
	trust.Resource = mustParse(t, rolesAnywhereTrust, Trust)
	req.Action = "sts:AssumeRole"
	put := &Request{Action: "s3:PutObject", Resource: "arn:aws:s3:::home/value of Subject/CN/a.txt", Principal: session(), Context: requestContext()}
	ctx := NewContext(4)
	if n := testing.AllocsPerRun(100, func() {
		if !Evaluate(trust, req).Allowed || !Evaluate(set, put).Allowed {
			t.Error("wrong decision")
		}
		ctx.Reset()
		ctx.Set(KeySourceIP, "10.0.0.1")
		ctx.SetMulti(KeyTagKeys, "a", "b")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
