package integration

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cedar-policy/cedar-go"

	"github.com/rolecall/rolecall/iampolicy"
)

// rule is one statement in a form that both languages can say: a few actions on what begins with a prefix, for one region.
type rule struct {
	deny    bool
	actions []string
	prefix  string
	region  string // "" for any
}

// rules are n statements like those of a role that works with some buckets and queues; the last one decides.
func rules(n int) []rule {
	var out []rule
	for i := range n - 1 {
		r := rule{actions: []string{"s3:GetObject", "s3:PutObject"}, prefix: fmt.Sprintf("arn:aws:s3:::bucket%d/", i)}
		switch i % 4 {
		case 1:
			r.deny, r.actions = true, []string{"s3:DeleteObject"}
		case 2:
			r.actions, r.prefix = []string{"sqs:SendMessage", "sqs:ReceiveMessage"}, fmt.Sprintf("arn:aws:sqs:eu-central-1:111122223333:queue%d", i)
		case 3:
			r.region = "us-east-1"
		}
		out = append(out, r)
	}
	return append(out, rule{actions: []string{"s3:GetObject"}, prefix: "arn:aws:s3:::data/", region: "eu-central-1"})
}

func asIAM(t testing.TB, list []rule) *iampolicy.Set {
	t.Helper()
	var statements []map[string]any
	for _, r := range list {
		s := map[string]any{"Effect": "Allow", "Action": r.actions, "Resource": r.prefix + "*"}
		if r.deny {
			s["Effect"] = "Deny"
		}
		if r.region != "" {
			s["Condition"] = map[string]any{"StringEquals": map[string]string{"aws:RequestedRegion": r.region}}
		}
		statements = append(statements, s)
	}
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		t.Fatal(err)
	}
	return &iampolicy.Set{Identity: []*iampolicy.Policy{must(iampolicy.Parse(string(text), iampolicy.Identity))(t)}}
}

func asCedar(t testing.TB, list []rule) *cedar.PolicySet {
	t.Helper()
	var b strings.Builder
	for _, r := range list {
		effect := "permit"
		if r.deny {
			effect = "forbid"
		}
		var actions []string
		for _, a := range r.actions {
			actions = append(actions, fmt.Sprintf("Action::%q", a))
		}
		fmt.Fprintf(&b, "%s(principal, action in [%s], resource) when { context.arn like %q", effect, strings.Join(actions, ", "), r.prefix+"*")
		if r.region != "" {
			fmt.Fprintf(&b, " && context.region == %q", r.region)
		}
		b.WriteString(" };\n")
	}
	return must(cedar.NewPolicySetFromBytes("rules.cedar", []byte(b.String())))(t)
}

// ask is one request in both languages.
type ask struct {
	own   *iampolicy.Request
	cedar cedar.Request
}

func newAsk(action, resource, region string) ask {
	ctx := iampolicy.NewContext(1)
	ctx.Set(iampolicy.KeyRequestedRegion, region)
	who := &iampolicy.Principal{Account: "111122223333", ARN: "arn:aws:sts::111122223333:assumed-role/web/s1", RoleARN: "arn:aws:iam::111122223333:role/web"}
	return ask{
		own: &iampolicy.Request{Action: action, Resource: resource, Principal: who, Context: ctx},
		cedar: cedar.Request{
			Principal: cedar.NewEntityUID("Role", "web"), Action: cedar.NewEntityUID("Action", cedar.String(action)), Resource: cedar.NewEntityUID("Object", cedar.String(resource)),
			Context: cedar.NewRecord(cedar.RecordMap{"arn": cedar.String(resource), "region": cedar.String(region)}),
		},
	}
}

// The two engines decide the same of the same rules: what the benchmark compares is equal work.
func TestCedarDecidesAlike(t *testing.T) {
	list := rules(20)
	set, policies := asIAM(t, list), asCedar(t, list)
	allowed := 0
	for _, action := range []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "sqs:SendMessage", "iam:GetUser"} {
		for _, resource := range []string{"arn:aws:s3:::data/a", "arn:aws:s3:::bucket0/a", "arn:aws:s3:::bucket1/a", "arn:aws:s3:::bucket3/a", "arn:aws:sqs:eu-central-1:111122223333:queue2", "arn:aws:s3:::none/a"} {
			for _, region := range []string{"eu-central-1", "us-east-1"} {
				a := newAsk(action, resource, region)
				own := iampolicy.Evaluate(set, a.own).Allowed
				decision, _ := cedar.Authorize(policies, cedar.EntityMap{}, a.cedar)
				if own != bool(decision) {
					t.Errorf("%s on %s in %s: %v, Cedar %v", action, resource, region, own, decision)
				}
				if own {
					allowed++
				}
			}
		}
	}
	if allowed == 0 {
		t.Error("nothing is allowed")
	}
}

// BenchmarkAgainstCedar measures both engines in one run and reports how many times as long cedar-go takes.
func BenchmarkAgainstCedar(b *testing.B) {
	for _, n := range []int{20, 1000} {
		list := rules(n)
		set, policies := asIAM(b, list), asCedar(b, list)
		a := newAsk("s3:GetObject", "arn:aws:s3:::data/2026/a.txt", "eu-central-1")
		b.Run(fmt.Sprintf("statements=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			var own, other time.Duration
			for b.Loop() {
				start := time.Now()
				for range 10 {
					if !iampolicy.Evaluate(set, a.own).Allowed {
						b.Fatal("denied")
					}
				}
				between := time.Now()
				for range 10 {
					if decision, _ := cedar.Authorize(policies, cedar.EntityMap{}, a.cedar); !bool(decision) {
						b.Fatal("Cedar denied")
					}
				}
				own, other = own+between.Sub(start), other+time.Since(between)
			}
			b.ReportMetric(float64(own.Nanoseconds())/float64(10*b.N), "ns/iampolicy")
			b.ReportMetric(float64(other.Nanoseconds())/float64(10*b.N), "ns/cedar")
			b.ReportMetric(float64(other)/float64(own), "cedar/iampolicy")
		})
	}
}
