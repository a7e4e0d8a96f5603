package iampolicy_test

import (
	"fmt"

	"github.com/rolecall/rolecall/iampolicy"
)

func Example() {
	policy, err := iampolicy.Parse(`{"Version": "2012-10-17", "Statement": {
		"Effect": "Allow", "Action": "s3:Get*",
		"Resource": "arn:aws:s3:::home/${aws:PrincipalTag/x509Subject/CN}/*"}}`, iampolicy.Identity)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := iampolicy.NewContext(8)
	ctx.Set(iampolicy.KeyPrincipalTagPrefix+"x509Subject/CN", "web-1")
	caller := &iampolicy.Principal{
		Account: "111122223333",
		ARN:     "arn:aws:sts::111122223333:assumed-role/web/1a2b",
		RoleARN: "arn:aws:iam::111122223333:role/web",
	}
	set := &iampolicy.Set{Identity: []*iampolicy.Policy{policy.Named("home")}}
	for _, folder := range []string{"web-1", "web-2"} {
		resource := "arn:aws:s3:::home/" + folder + "/notes.txt"
		d := iampolicy.Evaluate(set, &iampolicy.Request{Action: "s3:GetObject", Resource: resource, Principal: caller, Context: ctx})
		fmt.Println(d.Explain())
		if !d.Allowed {
			fmt.Println(d.Message(caller.ARN, "s3:GetObject", resource))
		}
	}
	// Output:
	// allowed by an identity-based policy: statement 1 of home
	// implicit deny: no identity-based policy allows the action
	// User: arn:aws:sts::111122223333:assumed-role/web/1a2b is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::home/web-2/notes.txt because no identity-based policy allows the s3:GetObject action
}
