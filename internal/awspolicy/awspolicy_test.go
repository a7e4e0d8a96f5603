package awspolicy

import (
	"strings"
	"testing"

	"github.com/rolecall/rolecall/iampolicy"
)

// Every embedded policy is one that a managed policy's grammar accepts, under the name its file has.
func TestEmbedded(t *testing.T) {
	all := All()
	if len(all) < 100 {
		t.Fatalf("only %d policies", len(all))
	}
	ids := map[string]string{}
	for i, p := range all {
		if p.Name != index()[i].name || Get(p.Name) != p {
			t.Errorf("%s is in the file %s.json", p.Name, index()[i].name)
		}
		if !namePattern.MatchString(p.Name) || !pathPattern.MatchString(p.Path) || !idPattern.MatchString(p.ID) || p.Number() == 0 {
			t.Errorf("%s: path %q, id %q, version %q", p.Name, p.Path, p.ID, p.Version)
		}
		if p.Created.Year() < 2010 || p.Updated.Before(p.Created) {
			t.Errorf("%s: created %s, updated %s", p.Name, p.Created, p.Updated)
		}
		if other := ids[p.ID]; other != "" {
			t.Errorf("%s and %s share the id %s", p.Name, other, p.ID)
		}
		ids[p.ID] = p.Name
		for _, partition := range []string{"aws", "aws-cn"} {
			if _, err := iampolicy.Parse(p.In(partition), iampolicy.Managed); err != nil {
				t.Errorf("%s in %s: %v", p.Name, partition, err)
			}
		}
		if strings.Contains(p.In("aws-cn"), `"arn:aws:`) {
			t.Errorf("%s in aws-cn speaks of partition aws", p.Name)
		}
	}
}

func TestEmbeddedFacts(t *testing.T) {
	for _, c := range []struct{ name, arn, version, allows, refuses string }{
		{"AmazonS3ReadOnlyAccess", "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess", "v3", "s3:GetObject", "s3:PutObject"},
		{"AdministratorAccess", "arn:aws:iam::aws:policy/AdministratorAccess", "v1", "iam:CreateUser", ""},
		{"ViewOnlyAccess", "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess", "", "s3:ListAllMyBuckets", "s3:GetObject"},
		{"AWSLambdaBasicExecutionRole", "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole", "v1", "logs:PutLogEvents", "s3:GetObject"},
		{"AWSRolesAnywhereReadOnly", "arn:aws:iam::aws:policy/AWSRolesAnywhereReadOnly", "", "rolesanywhere:ListTagsForResource", "rolesanywhere:CreateProfile"},
		{"PowerUserAccess", "arn:aws:iam::aws:policy/PowerUserAccess", "", "s3:PutObject", "iam:CreateUser"},
	} {
		p := Get(c.name)
		if p == nil || p.ARN("aws") != c.arn || c.version != "" && p.Version != c.version {
			t.Errorf("%s: %+v", c.name, p)
			continue
		}
		policy, err := iampolicy.Parse(p.Document, iampolicy.Managed)
		if err != nil {
			t.Fatal(err)
		}
		set := &iampolicy.Set{Identity: []*iampolicy.Policy{policy}}
		who := &iampolicy.Principal{Account: "123456789012", ARN: "arn:aws:iam::123456789012:user/bob"}
		for action, want := range map[string]bool{c.allows: true, c.refuses: false} {
			if action == "" {
				continue
			}
			if got := iampolicy.Evaluate(set, &iampolicy.Request{Action: action, Resource: "*", Principal: who}).Allowed; got != want {
				t.Errorf("%s: %s is %v", c.name, action, got)
			}
		}
	}
	if Get("amazons3readonlyaccess") != nil || Get("None") != nil || Get("") != nil {
		t.Error("a policy that is not there was found")
	}
}

const sample = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`

func TestReadForms(t *testing.T) {
	for _, c := range []struct{ form, data, name, want string }{
		{"merged", `{"Policy":{"PolicyName":"X","Arn":"arn:aws:iam::aws:policy/service-role/X","PolicyId":"ANPAABCDEFGHIJKLMNOPQ","CreateDate":"2020-01-02T03:04:05+00:00"},"PolicyVersion":{"VersionId":"v7","Document":` + sample + `}}`, "", "/service-role/ X v7 ANPAABCDEFGHIJKLMNOPQ"},
		{"version with ARN", `{"PolicyArn":"arn:aws-cn:iam::aws:policy/X","PolicyVersion":{"VersionId":"v7","CreateDate":1577934245.5,"Document":` + sample + `}}`, "", "/ X v7 " + StableID("X")},
		{"version, named by the file", `{"PolicyVersion":{"VersionId":"v2","Document":` + sample + `}}`, "Billing", "/job-function/ Billing v2 " + StableID("Billing")},
		{"encoded", `{"PolicyVersion":{"VersionId":"v2","Document":"%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22a%3Ab%22%2C%22Resource%22%3A%22%2A%22%7D%5D%7D"}}`, "X", "/ X v2 " + StableID("X")},
		{"list", `[{"Arn":"arn:aws:iam::aws:policy/A","PolicyVersion":{"VersionId":"v1","Document":` + sample + `}},{"Policy":{"PolicyName":"B","Path":"/p/"},"PolicyVersion":{"VersionId":"v1","Document":` + sample + `}}]`, "", "/ A v1 " + StableID("A") + "; /p/ B v1 " + StableID("B")},
		{"details", `{"Policies":[{"PolicyName":"A","Arn":"arn:aws:iam::aws:policy/A","PolicyVersionList":[{"VersionId":"v1","Document":{}},{"VersionId":"v2","IsDefaultVersion":true,"Document":` + sample + `}]}]}`, "", "/ A v2 " + StableID("A")},
		{"by name", `{"service-role/B":` + sample + `,"arn:aws:iam::aws:policy/A":` + sample + `}`, "", "/ A  " + StableID("A") + "; /service-role/ B  " + StableID("B")},
		{"bare document", sample, "X", "/ X  " + StableID("X")},
	} {
		got, err := Read([]byte(c.data), c.name)
		if err != nil {
			t.Errorf("%s: %v", c.form, err)
			continue
		}
		var text []string
		for _, p := range got {
			text = append(text, p.Path+" "+p.Name+" "+p.Version+" "+p.ID)
		}
		if strings.Join(text, "; ") != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.form, strings.Join(text, "; "), c.want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for _, c := range []struct{ data, name, want string }{
		{``, "X", "unexpected end"},
		{`{}`, "X", "no policies"},
		{`{"X":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Effect":"Deny","Action":"a:b","Resource":"*"}]}}`, "", "duplicate member"},
		{`{"X":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"a:b","Resource":"*","Conditon":{}}]}}`, "", "unknown element"},
		{`{"arn:aws:iam::123456789012:policy/X":` + sample + `}`, "", "is not the ARN of a policy of AWS's"},
		{`{"a b":` + sample + `}`, "", "names no policy"},
		{sample, "", "names no policy"},
		{`{"Arn":"arn:aws:iam::aws:policy/A","PolicyVersion":{"VersionId":"v01","Document":` + sample + `}}`, "", "is not v1, v2"},
		{`{"Policy":{"PolicyName":"A","PolicyId":"x"},"PolicyVersion":{"VersionId":"v1","Document":` + sample + `}}`, "", "policy id"},
		{`{"Arn":"arn:aws:iam::aws:policy/A","PolicyVersion":{"VersionId":"v1"}}`, "", "no document"},
		{`{"Policies":[{"PolicyName":"A"}]}`, "", "no default version"},
	} {
		if _, err := Read([]byte(c.data), c.name); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.data, err, c.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"X":`+sample+`}`), "")
	f.Add([]byte(sample), "X")
	f.Add([]byte(`[{"Arn":"arn:aws:iam::aws:policy/A","PolicyVersion":{"VersionId":"v1","Document":`+sample+`}}]`), "")
	f.Add([]byte(`{"Policies":[{"PolicyName":"A","PolicyVersionList":[{"VersionId":"v2","IsDefaultVersion":true,"CreateDate":1.5,"Document":"%7B%7D"}]}]}`), "")
	f.Fuzz(func(t *testing.T, data []byte, name string) {
		got, err := Read(data, name)
		for _, p := range got {
			if err != nil {
				t.Fatalf("policies and the error %v", err)
			}
			if _, err := iampolicy.Parse(p.Document, iampolicy.Managed); err != nil || !namePattern.MatchString(p.Name) || !pathPattern.MatchString(p.Path) {
				t.Fatalf("%q is let through: %v", p, err)
			}
		}
	})
}
