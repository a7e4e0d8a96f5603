package iampolicy

import "testing"

func TestAllowsService(t *testing.T) {
	doc := func(statements string) string { return `{"Version":"2012-10-17","Statement":[` + statements + `]}` }
	allow := func(element string) string { return `{"Effect":"Allow",` + element + `,"Resource":"*"}` }
	deny := `{"Effect":"Deny","Action":"*","Resource":"*"}`
	for _, c := range []struct {
		statements, service string
		want                bool
	}{
		{allow(`"Action":"s3:GetObject"`), "s3", true},
		{allow(`"Action":"S3:getobject"`), "s3", true},
		{allow(`"Action":"s3:GetObject"`), "S3", true},
		{allow(`"Action":"s3:GetObject"`), "s", false},
		{allow(`"Action":"s3:GetObject"`), "s3-object-lambda", false},
		{allow(`"Action":"s3-object-lambda:Get*"`), "s3", false},
		{allow(`"Action":["ec2:*","iam:Get*"]`), "iam", true},
		{allow(`"Action":["ec2:*","iam:Get*"]`), "s3", false},
		{allow(`"Action":"*"`), "s3", true},
		{allow(`"Action":"*"`), "", false},
		{allow(`"Action":"*:*"`), "s3", true},
		{allow(`"Action":"*:Get*"`), "s3", true},
		{allow(`"Action":"s3:?*"`), "s3", true},
		{deny, "s3", false},
		{deny + "," + allow(`"Action":"s3:*"`), "s3", true},
		{allow(`"NotAction":"iam:*"`), "s3", true},
		{allow(`"NotAction":"iam:*"`), "iam", false},
		{allow(`"NotAction":"IAM:**"`), "iam", false},
		{allow(`"NotAction":"iam:Get*"`), "iam", true},
		{allow(`"NotAction":"iam:GetUser"`), "iam", true},
		{allow(`"NotAction":["sts:*","*:*"]`), "iam", false},
		{allow(`"NotAction":"*"`), "iam", false},
		{allow(`"NotAction":"*:Get*"`), "iam", true},
		{allow(`"NotAction":"iam:*"`) + "," + allow(`"Action":"iam:GetUser"`), "iam", true},
	} {
		p, err := Parse(doc(c.statements), Identity)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.AllowsService(c.service); got != c.want {
			t.Errorf("%s: %q is %t", c.statements, c.service, got)
		}
	}
}
