package iam

import (
	"net/url"
	"strings"
	"testing"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
)

func FuzzEncodeDocument(f *testing.F) {
	for _, s := range []string{"", `{"a": "*~-._+%20"}`, "é\t\n\x00\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		enc := *encodeDocument(s)
		got, err := url.PathUnescape(enc)
		if err != nil || got != s {
			t.Errorf("%q became %q, %v", s, got, err)
		}
		if got, err := url.QueryUnescape(enc); err != nil || got != s { // what Terraform does
			t.Errorf("%q became %q, %v", s, got, err)
		}
	})
}

func FuzzMarker(f *testing.F) {
	c := &awsapi.Call{Op: api.OpListRoles}
	for _, key := range []string{"a", "bound-role:", "x\ny"} {
		_, m := (&page{op: "ListRoles"}).end(key)
		f.Add(*m)
	}
	f.Add("")
	f.Add("////")
	f.Fuzz(func(t *testing.T, marker string) {
		if strings.ContainsAny(marker, "\r\n") {
			return // the model does not let these through
		}
		p, err := newPage(c, &marker, nil)
		if err != nil {
			return
		}
		if _, back := p.end(p.after); p.after == "" || *back != marker {
			t.Errorf("marker %q means %q and came back as %q", marker, p.after, *back)
		}
	})
}

func FuzzIsPolicyARN(f *testing.F) {
	for _, s := range []string{"arn:aws:iam::123456789012:policy/p", "arn:aws:iam::aws:policy/x/p", "arn:aws:iam::1:policy/p", "arn:aws:iam::123456789012:policy/p/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !isPolicyARN(s) {
			return
		}
		s = strings.Replace(s, ":iam::aws:", ":iam::123456789012:", 1) // Parse knows accounts only
		a, err := arn.Parse(s)
		if err != nil || a.String() != s || a.Service != "iam" || a.Region != "" || lastSegment(s) == "" {
			t.Errorf("%q passes", s)
		}
	})
}

// Every operation that the model has is bound, once, without an error.
func TestEveryOperationIsBound(t *testing.T) {
	got := len(New(Config{}).Bindings())
	if want := len(api.Operations()); got != want {
		t.Errorf("%d operations bound, the model has %d", got, want)
	}
}

func TestQuotasOfAWS(t *testing.T) {
	q := AWSQuotas().withDefaults()
	want := Quotas{
		Roles: 1000, Users: 5000, Policies: 1500, Groups: 300, InstanceProfiles: 1000, OIDCProviders: 100,
		AttachedPerRole: 10, AttachedPerUser: 10, AttachedPerGroup: 10, GroupsPerUser: 10, TrustPolicySize: 2048,
	}
	if q != want {
		t.Errorf("got %+v, want %+v", q, want)
	}
	for n, refused := range map[int]bool{299: false, 300: false, 301: true} {
		err := below(q.Groups, "GroupsPerAccount", func() (int, error) { return n, nil })
		if (err != nil) != refused || refused && !strings.Contains(err.Error(), "Cannot exceed quota for GroupsPerAccount: 300") {
			t.Errorf("%d groups: %v", n, err)
		}
	}
	if err := below(0, "", func() (int, error) { return 1 << 20, nil }); err != nil {
		t.Errorf("without a quota: %v", err)
	}
}
