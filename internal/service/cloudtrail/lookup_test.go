package cloudtrail_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/internal/testserver"
)

const (
	account = arn.AccountID("123456789012")
	target  = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"
)

type event struct {
	EventID, EventName, ReadOnly, AccessKeyID, EventSource, Username, CloudTrailEvent string
	EventTime                                                                         float64
	Resources                                                                         []struct{ ResourceType, ResourceName string }
}

type page struct {
	Events    []event
	NextToken string
}

// ids of a page, in its order.
func (p *page) ids() []string {
	out := []string{}
	for _, e := range p.Events {
		out = append(out, e.EventID)
	}
	return out
}

func lookup(t *testing.T, srv *testserver.Server, k testserver.Keys, in map[string]any) *page {
	t.Helper()
	resp := srv.JSON11(t, k, "cloudtrail", target, in)
	if resp.Status != http.StatusOK {
		t.Fatalf("got %d %s", resp.Status, resp.Body)
	}
	var p page
	if err := json.Unmarshal(resp.Body, &p); err != nil {
		t.Fatal(err)
	}
	return &p
}

func refused(t *testing.T, srv *testserver.Server, in map[string]any, code string) {
	t.Helper()
	resp := srv.JSON11(t, srv.Root, "cloudtrail", target, in)
	var e struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(resp.Body, &e); err != nil {
		t.Fatal(err)
	}
	if resp.Status != http.StatusBadRequest || e.Type != code || e.Message == "" {
		t.Errorf("%v: got %d %s, want %s", in, resp.Status, resp.Body, code)
	}
}

func attribute(key, value string) map[string]any {
	return map[string]any{"LookupAttributes": []any{map[string]string{"AttributeKey": key, "AttributeValue": value}}}
}

// start is long ago, so that the events of the tests' own calls are out of the way, but not so long that they are purged.
var start = time.Now().UTC().Add(-30 * 24 * time.Hour).Truncate(time.Second).Add(250 * time.Millisecond)

// put writes n events, one a second; the last one is the newest. The second half is of alice, every third only reads.
func put(t *testing.T, srv *testserver.Server, owner arn.AccountID, region arn.Region, n int) []string {
	t.Helper()
	var ids []string
	var events []store.Event
	for i := range n {
		e := store.Event{
			ID: arn.NewUUID(), Account: owner, Region: region, Time: start.Add(time.Duration(i) * time.Second), Name: fmt.Sprintf("Do%d", i%2),
			Source: "test.amazonaws.com", Username: "bob", AccessKeyID: fmt.Sprintf("AKIA%016d", i), ReadOnly: i%3 == 0,
			Resources: []store.EventResource{{Type: "AWS::Test::Thing", Name: fmt.Sprint("thing-", i), ARN: fmt.Sprint("arn:aws:test:::thing/", i)}},
			Body:      []byte(fmt.Sprintf(`{"eventName":"Do%d"}`, i%2)),
		}
		if i >= n/2 {
			e.Username = "alice"
		}
		ids = append(ids, e.ID)
		events = append(events, e)
	}
	if err := srv.DB().Update(t.Context(), func(tx *store.Tx) error { return tx.InsertEvents(events) }); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(ids)
	return ids
}

// old limits a query to the events of put.
func old(in map[string]any) map[string]any {
	in["EndTime"] = start.Add(time.Hour).Unix()
	return in
}

func TestLookupAttributes(t *testing.T) {
	srv := testserver.Start(t)
	ids := put(t, srv, account, testserver.Region, 6) // newest first: 5 4 3 2 1 0
	put(t, srv, account, "us-east-1", 3)
	put(t, srv, "210987654321", testserver.Region, 3)
	pick := func(of ...int) []string {
		out := []string{}
		for _, i := range of {
			out = append(out, ids[len(ids)-1-i])
		}
		return out
	}
	for _, c := range []struct {
		key, value string
		want       []string
	}{
		{"EventId", ids[2], pick(3)}, {"EventId", "none", pick()},
		{"EventName", "Do1", pick(5, 3, 1)}, {"EventName", "do1", pick()},
		{"ReadOnly", "true", pick(3, 0)}, {"ReadOnly", "False", pick(5, 4, 2, 1)},
		{"Username", "alice", pick(5, 4, 3)}, {"ResourceType", "AWS::Test::Thing", ids},
		{"ResourceName", "thing-2", pick(2)}, {"ResourceName", "arn:aws:test:::thing/2", pick(2)},
		{"EventSource", "test.amazonaws.com", ids}, {"AccessKeyId", "AKIA0000000000000004", pick(4)},
	} {
		t.Run(c.key+" "+c.value, func(t *testing.T) {
			if got := lookup(t, srv, srv.Root, old(attribute(c.key, c.value))); !slices.Equal(got.ids(), c.want) || got.NextToken != "" {
				t.Errorf("got %v, want %v", got.ids(), c.want)
			}
		})
	}
	t.Run("all members", func(t *testing.T) {
		e := lookup(t, srv, srv.Root, attribute("EventId", ids[2])).Events[0]
		if e.EventName != "Do1" || e.ReadOnly != "true" || e.AccessKeyID != "AKIA0000000000000003" || e.EventSource != "test.amazonaws.com" ||
			e.Username != "alice" || e.CloudTrailEvent != `{"eventName":"Do1"}` || e.EventTime != float64(start.Unix())+3.25 ||
			len(e.Resources) != 1 || e.Resources[0].ResourceType != "AWS::Test::Thing" || e.Resources[0].ResourceName != "thing-3" {
			t.Errorf("got %+v", e)
		}
	})
	t.Run("refused", func(t *testing.T) {
		two := []any{map[string]string{"AttributeKey": "EventName", "AttributeValue": "a"}, map[string]string{"AttributeKey": "Username", "AttributeValue": "b"}}
		refused(t, srv, map[string]any{"LookupAttributes": two}, "InvalidLookupAttributesException")
		refused(t, srv, attribute("ReadOnly", "maybe"), "InvalidLookupAttributesException")
		refused(t, srv, attribute("Nonsense", "x"), "ValidationException")
		refused(t, srv, attribute("EventName", ""), "ValidationException")
		refused(t, srv, map[string]any{"MaxResults": 51}, "ValidationException")
		refused(t, srv, map[string]any{"MaxResults": 0}, "ValidationException")
		refused(t, srv, map[string]any{"EventCategory": "other"}, "ValidationException")
	})
	t.Run("no insights", func(t *testing.T) {
		if got := lookup(t, srv, srv.Root, map[string]any{"EventCategory": "insight"}); len(got.Events) != 0 {
			t.Errorf("got %v", got.ids())
		}
	})
}

func TestLookupTimes(t *testing.T) {
	srv := testserver.Start(t)
	ids := put(t, srv, account, testserver.Region, 6)
	at := func(i int) int64 { return start.Unix() + int64(i) }
	for _, c := range []struct {
		name string
		in   map[string]any
		want []string
	}{
		{"until a second, all of it", map[string]any{"EndTime": at(2)}, ids[3:]},
		{"one second", map[string]any{"StartTime": at(2), "EndTime": at(2)}, ids[3:4]},
		{"between", map[string]any{"StartTime": at(1), "EndTime": at(4)}, ids[1:5]},
		{"exact start", map[string]any{"StartTime": float64(at(4)) + 0.25, "EndTime": at(9)}, ids[:2]},
		{"after the start", map[string]any{"StartTime": float64(at(4)) + 0.251, "EndTime": at(9)}, ids[:1]},
		{"before everything", map[string]any{"EndTime": at(-1)}, []string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := lookup(t, srv, srv.Root, c.in).ids(); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	refused(t, srv, map[string]any{"StartTime": at(3), "EndTime": at(2)}, "InvalidTimeRangeException")
}

func TestLookupPages(t *testing.T) {
	srv := testserver.Start(t)
	ids := put(t, srv, account, testserver.Region, 120)
	var got []string
	var sizes []int
	in := old(map[string]any{})
	for {
		p := lookup(t, srv, srv.Root, in)
		got, sizes = append(got, p.ids()...), append(sizes, len(p.Events))
		if p.NextToken == "" {
			break
		}
		in["NextToken"] = p.NextToken
		// A newer event does not shift the pages.
		if err := srv.DB().Update(t.Context(), func(tx *store.Tx) error {
			return tx.InsertEvents([]store.Event{{ID: arn.NewUUID(), Account: account, Region: testserver.Region, Time: start.Add(5 * time.Minute), Name: "Do9"}})
		}); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(got, ids) || !slices.Equal(sizes, []int{50, 50, 20}) {
		t.Errorf("got pages of %v, the right ones in order: %t", sizes, slices.Equal(got, ids))
	}

	query := old(attribute("EventName", "Do1"))
	query["MaxResults"] = 7
	first := lookup(t, srv, srv.Root, query)
	if len(first.Events) != 7 || first.NextToken == "" {
		t.Fatalf("got %d events", len(first.Events))
	}
	query["NextToken"], query["MaxResults"] = first.NextToken, 50 // the size of a page may change
	second := lookup(t, srv, srv.Root, query)
	if want := 60 - 7; min(want, 50) != len(second.Events) || second.Events[0].EventID == first.Events[6].EventID {
		t.Errorf("got %d events", len(second.Events))
	}

	// A token is good for its own query only.
	for name, change := range map[string]func(map[string]any){
		"other attribute": func(m map[string]any) { m["LookupAttributes"] = attribute("EventName", "Do0")["LookupAttributes"] },
		"no attribute":    func(m map[string]any) { delete(m, "LookupAttributes") },
		"other end":       func(m map[string]any) { m["EndTime"] = start.Add(2 * time.Hour).Unix() },
		"a start":         func(m map[string]any) { m["StartTime"] = start.Unix() },
		"altered":         func(m map[string]any) { m["NextToken"] = flipped(first.NextToken) },
		"cut":             func(m map[string]any) { m["NextToken"] = first.NextToken[:10] },
		"empty":           func(m map[string]any) { m["NextToken"] = "" },
		"garbage":         func(m map[string]any) { m["NextToken"] = "%%%" },
	} {
		t.Run(name, func(t *testing.T) {
			in := map[string]any{}
			for k, v := range query {
				in[k] = v
			}
			change(in)
			refused(t, srv, in, "InvalidNextTokenException")
		})
	}
}

// What the API itself does appears within a second: changes at once, reads and refusals through the log.
func TestLookupSeesCalls(t *testing.T) {
	srv := testserver.Start(t)
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"sts:AssumeRole"}]}`
	if resp := srv.Query(t, srv.Root, "iam", "CreateRole", "RoleName", "R", "AssumeRolePolicyDocument", trust); resp.Status != http.StatusOK {
		t.Fatalf("%d %s", resp.Status, resp.Body)
	}
	// IAM's events are in the region that the request was signed for.
	created := lookup(t, srv, srv.Root, attribute("EventName", "CreateRole"))
	if len(created.Events) != 1 || created.Events[0].ReadOnly != "false" || created.Events[0].EventSource != "iam.amazonaws.com" ||
		created.Events[0].Username != "root" && created.Events[0].Username != "" {
		t.Fatalf("got %+v", created.Events)
	}
	if resp := srv.Query(t, srv.Root, "iam", "GetRole", "RoleName", "Absent"); resp.Status != http.StatusNotFound {
		t.Fatalf("%d %s", resp.Status, resp.Body)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		got := lookup(t, srv, srv.Root, attribute("EventName", "GetRole"))
		if len(got.Events) == 1 {
			var body map[string]any
			if err := json.Unmarshal([]byte(got.Events[0].CloudTrailEvent), &body); err != nil || body["errorCode"] != "NoSuchEntity" || got.Events[0].ReadOnly != "true" {
				t.Errorf("got %v, %+v", err, got.Events[0])
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the refused read is not there")
		}
	}
}

// Only who may look, may look; and it sees its own account.
func TestLookupNeedsPermission(t *testing.T) {
	srv := testserver.Start(t)
	if resp := srv.Query(t, srv.Root, "iam", "CreateUser", "UserName", "eve"); resp.Status != http.StatusOK {
		t.Fatalf("%d %s", resp.Status, resp.Body)
	}
	resp := srv.Query(t, srv.Root, "iam", "CreateAccessKey", "UserName", "eve")
	k := testserver.Keys{AccessKeyID: between(string(resp.Body), "<AccessKeyId>"), SecretAccessKey: between(string(resp.Body), "<SecretAccessKey>")}
	denied := srv.JSON11(t, k, "cloudtrail", target, map[string]any{})
	var e struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(denied.Body, &e); err != nil {
		t.Fatal(err)
	}
	want := "User: arn:aws:iam::123456789012:user/eve is not authorized to perform: cloudtrail:LookupEvents on resource: *"
	if denied.Status != http.StatusBadRequest || e.Type != "AccessDeniedException" || len(e.Message) < len(want) || e.Message[:len(want)] != want {
		t.Errorf("got %d %s", denied.Status, denied.Body)
	}
}

// flipped changes one character in the middle.
func flipped(token string) string {
	b := []byte(token)
	if i := len(b) / 2; b[i] == 'x' {
		b[i] = 'y'
	} else {
		b[i] = 'x'
	}
	return string(b)
}

// between is the text after an opening tag.
func between(s, tag string) string {
	_, after, _ := strings.Cut(s, tag)
	text, _, _ := strings.Cut(after, "<")
	return text
}
