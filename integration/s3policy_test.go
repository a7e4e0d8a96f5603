package integration

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
)

// A certificate's subject decides which folder its holder gets.
func TestS3PolicyVariables(t *testing.T) {
	t.Parallel()
	g := serveS3(t)
	g.fill(t, "data", "host.example/x", "other.example/x", "x")
	w, _ := s3World(t, g, document(
		statement("Allow", "s3:GetObject s3:PutObject", "arn:aws:s3:::data/${aws:PrincipalTag/x509Subject/CN}/*", ""),
		statement("Allow", "s3:ListBucket", "arn:aws:s3:::data", `{"StringLike":{"s3:prefix":"${aws:PrincipalTag/x509Subject/CN}/*"}}`)))
	client := g.s3(t, w.login(t, g.node).credentials())
	for key, want := range map[string]string{"host.example/x": "", "other.example/x": "AccessDenied", "x": "AccessDenied"} {
		if _, err := read(t.Context(), client, "data", key); s3Code(err) != want {
			t.Errorf("%s: %v, want %q", key, err, want)
		}
	}
	for prefix, want := range map[string]string{"host.example/": "", "other.example/": "AccessDenied", "": "AccessDenied"} {
		if _, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("data"), Prefix: &prefix}); s3Code(err) != want {
			t.Errorf("list %q: %v, want %q", prefix, err, want)
		}
	}
}

// The condition keys that an S3 request brings.
func TestS3Conditions(t *testing.T) {
	t.Parallel()
	g := serveS3(t)
	g.fill(t, "data", "a.txt")
	w, c := s3World(t, g, readOnly)
	client := g.s3(t, w.login(t, g.node).credentials())
	list := func(in s3.ListObjectsV2Input) error {
		in.Bucket = aws.String("data")
		_, err := client.ListObjectsV2(t.Context(), &in)
		return err
	}
	get := func() error {
		_, err := read(t.Context(), client, "data", "a.txt")
		return err
	}
	for _, tc := range []struct {
		condition string
		do        func() error
		allowed   bool
	}{
		{`{"Bool":{"aws:SecureTransport":"true"}}`, get, true},
		{`{"Bool":{"aws:SecureTransport":"false"}}`, get, false},
		{`{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}`, get, true},
		{`{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`, get, false},
		{`{"StringLike":{"aws:UserAgent":"*aws-sdk-go-v2*"}}`, get, true},
		{`{"DateLessThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}`, get, false},
		{`{"DateGreaterThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}`, get, true},
		{`{"StringEquals":{"aws:RequestedRegion":"us-east-1"}}`, get, true},
		{`{"StringEquals":{"aws:ResourceAccount":"` + g.account + `"}}`, get, true},
		{`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/workload"}}`, get, true},
		{`{"Null":{"aws:PrincipalTag/nobody":"false"}}`, get, false},
		{`{"StringEquals":{"s3:prefix":""}}`, func() error { return list(s3.ListObjectsV2Input{}) }, true},
		{`{"StringEquals":{"s3:prefix":""}}`, func() error { return list(s3.ListObjectsV2Input{Prefix: aws.String("a")}) }, false},
		{`{"StringEquals":{"s3:delimiter":"/"}}`, func() error { return list(s3.ListObjectsV2Input{Delimiter: aws.String("/")}) }, true},
		{`{"StringEquals":{"s3:delimiter":"/"}}`, func() error { return list(s3.ListObjectsV2Input{}) }, false},
		{`{"NumericLessThanEquals":{"s3:max-keys":"10"}}`, func() error { return list(s3.ListObjectsV2Input{MaxKeys: aws.Int32(10)}) }, true},
		{`{"NumericLessThanEquals":{"s3:max-keys":"10"}}`, func() error { return list(s3.ListObjectsV2Input{MaxKeys: aws.Int32(11)}) }, false},
	} {
		w.putPolicy(t, c, "everything", document(statement("Allow", "s3:*", "*", tc.condition)))
		if err := tc.do(); (err == nil) != tc.allowed || err != nil && s3Code(err) != "AccessDenied" {
			t.Errorf("%s: %v, want allowed=%v", tc.condition, err, tc.allowed)
		}
	}
}

// bucketPolicy replaces the bucket's policy; "" removes it.
func (g *s3Gateway) bucketPolicy(t *testing.T, policy string) {
	t.Helper()
	c := g.s3(t, g.admin)
	if policy == "" {
		must(c.DeleteBucketPolicy(t.Context(), &s3.DeleteBucketPolicyInput{Bucket: aws.String("data")}))(t)
		return
	}
	must(c.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String("data"), Policy: &policy}))(t)
}

// grant is a bucket policy of one statement.
func grant(effect, principal, action string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Principal":{"AWS":"` + principal + `"},"Action":"` + action + `","Resource":"arn:aws:s3:::data/*"}]}`
}

// Identity policies, boundary, session policies and the gateway's own bucket policy come together in AWS's order.
func TestS3EvaluationOrder(t *testing.T) {
	t.Parallel()
	g := serveS3(t)
	g.fill(t, "data", "a.txt")
	c := g.as(t, g.root)
	ctx := t.Context()
	user := aws.String("caller")
	must(c.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: user}))(t)
	must(c.iam.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: user, PolicyName: aws.String("p"), PolicyDocument: aws.String(allow("sts:AssumeRole"))}))(t)
	key := must(c.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: user}))(t).AccessKey
	caller := g.as(t, toSDK(key.AccessKeyId, key.SecretAccessKey, nil))
	role := must(c.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("r"), Path: aws.String("/team/"), AssumeRolePolicyDocument: aws.String(trustPolicy(`{"AWS":"`+g.account+`"}`, ""))}))(t).Role
	noS3 := must(c.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("no-s3"), PolicyDocument: aws.String(allow("sts:*"))}))(t).Policy.Arn
	assumed := "arn:aws:sts::" + g.account + ":assumed-role/r/one"
	const none, get, denies = "", "allow", "deny"
	for _, tc := range []struct {
		name     string
		identity string // the role's own policy
		boundary bool   // one that allows nothing of S3
		session  string // the session's policy
		bucket   string
		want     string
	}{
		{"nothing", none, false, none, "", "AccessDenied"},
		{"identity", get, false, none, "", ""},
		{"identity, boundary without it", get, true, none, "", "AccessDenied"},
		{"identity, session policy without it", get, false, "other", "", "AccessDenied"},
		{"identity, session policy with it", get, false, get, "", ""},
		{"identity, denied by the session policy", get, false, denies, "", "AccessDenied"},
		{"denied by identity, allowed by the bucket", denies, false, none, grant("Allow", *role.Arn, "s3:GetObject"), "AccessDenied"},
		{"identity, denied by the bucket", get, false, none, grant("Deny", *role.Arn, "s3:GetObject"), "AccessDenied"},
		{"identity, the account denied by the bucket", get, false, none, grant("Deny", "arn:aws:iam::"+g.account+":root", "s3:GetObject"), "AccessDenied"},
		{"the bucket names the role", none, false, none, grant("Allow", *role.Arn, "s3:GetObject"), ""},
		{"the bucket names the session", none, false, none, grant("Allow", assumed, "s3:GetObject"), ""},
		{"the bucket names another session", none, false, none, grant("Allow", assumed+"x", "s3:GetObject"), "AccessDenied"},
		{"the bucket names the account: a delegation only", none, false, none, grant("Allow", g.account, "s3:GetObject"), "AccessDenied"},
		{"the bucket names the role, boundary without it", none, true, none, grant("Allow", *role.Arn, "s3:GetObject"), "AccessDenied"},
		{"the bucket names the role, session policy without it", none, false, "other", grant("Allow", *role.Arn, "s3:GetObject"), "AccessDenied"},
		{"the bucket allows something else", none, false, none, grant("Allow", *role.Arn, "s3:PutObject"), "AccessDenied"},
	} {
		policies := map[string]string{get: allow("s3:GetObject"), "other": allow("s3:PutObject"), denies: document(statement("Allow", "*", "*", ""), statement("Deny", "s3:GetObject", "*", ""))}
		if tc.identity == none {
			c.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: role.RoleName, PolicyName: aws.String("p")}) // may not be there
		} else {
			must(c.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: role.RoleName, PolicyName: aws.String("p"), PolicyDocument: aws.String(policies[tc.identity])}))(t)
		}
		if tc.boundary {
			must(c.iam.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: role.RoleName, PermissionsBoundary: noS3}))(t)
		}
		in := &sts.AssumeRoleInput{RoleArn: role.Arn, RoleSessionName: aws.String("one")}
		if tc.session != none {
			in.Policy = aws.String(policies[tc.session])
		}
		g.bucketPolicy(t, tc.bucket)
		s := must(caller.sts.AssumeRole(ctx, in))(t).Credentials
		client := g.s3(t, toSDK(s.AccessKeyId, s.SecretAccessKey, s.SessionToken))
		if _, err := read(ctx, client, "data", "a.txt"); s3Code(err) != tc.want {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
		if tc.boundary {
			must(c.iam.DeleteRolePermissionsBoundary(ctx, &iam.DeleteRolePermissionsBoundaryInput{RoleName: role.RoleName}))(t)
		}
	}
	// A managed session policy that is gone leaves a session that may do nothing.
	must(c.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: role.RoleName, PolicyName: aws.String("p"), PolicyDocument: aws.String(allow("s3:*"))}))(t)
	managed := must(c.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("read"), PolicyDocument: aws.String(allow("s3:Get*"))}))(t).Policy.Arn
	s := must(caller.sts.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: role.Arn, RoleSessionName: aws.String("one"), PolicyArns: []ststypes.PolicyDescriptorType{{Arn: managed}}}))(t).Credentials
	client := g.s3(t, toSDK(s.AccessKeyId, s.SecretAccessKey, s.SessionToken))
	g.bucketPolicy(t, "")
	if _, err := read(ctx, client, "data", "a.txt"); err != nil {
		t.Errorf("managed session policy: %v", err)
	}
	must(c.iam.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: managed}))(t)
	if _, err := read(ctx, client, "data", "a.txt"); s3Code(err) != "AccessDenied" {
		t.Errorf("managed session policy is gone: %v", err)
	}
}

// A bucket policy can name only who exists, in this account.
func TestS3BucketPolicyPrincipals(t *testing.T) {
	t.Parallel()
	g := serveS3(t)
	g.fill(t, "data")
	newWorld(t, g.as(t, g.root), g.account)
	admin := g.s3(t, g.admin)
	iamARN, stsARN := "arn:aws:iam::"+g.account+":", "arn:aws:sts::"+g.account+":"
	for principal, want := range map[string]string{
		iamARN + "role/workload": "", iamARN + "root": "", g.account: "", stsARN + "assumed-role/workload/any": "",
		iamARN + "role/Workload": "MalformedPolicy", iamARN + "role/x/workload": "MalformedPolicy", iamARN + "role/nobody": "MalformedPolicy", iamARN + "user/nobody": "MalformedPolicy",
		stsARN + "assumed-role/workload/*": "MalformedPolicy", stsARN + "assumed-role/workload/a/b": "MalformedPolicy", stsARN + "assumed-role/nobody/any": "MalformedPolicy",
		"arn:aws:iam::210987654321:root": "MalformedPolicy", "210987654321": "MalformedPolicy", "arn:aws-cn:iam::" + g.account + ":root": "MalformedPolicy", "AKIAWHATEVER": "MalformedPolicy",
	} {
		_, err := admin.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String("data"), Policy: aws.String(grant("Allow", principal, "s3:GetObject"))})
		if s3Code(err) != want || want != "" && !strings.Contains(err.Error(), "Invalid principal") {
			t.Errorf("%s: %v, want %q", principal, err, want)
		}
	}
}
