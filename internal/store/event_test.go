package store

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func testEvent(i int) Event {
	return Event{ID: fmt.Sprintf("id-%04d", i), Account: acct, Region: region, Time: t0.Add(time.Duration(i/2) * time.Second), // pairs share a time
		Name: []string{"CreateSession", "GetRole", "DeleteRole"}[i%3], Source: []string{"rolesanywhere", "iam"}[i%2], Username: fmt.Sprintf("user%d", i%5),
		AccessKeyID: fmt.Sprintf("AKIA%d", i%7), ReadOnly: i%3 == 1,
		Resources: []EventResource{{"AWS::IAM::Role", fmt.Sprintf("role%d", i%4), fmt.Sprintf("arn:role%d", i%4)}, {"AWS::IAM::Role", "all", ""}},
		Body:      []byte(`{"n":` + fmt.Sprint(i) + `}`)}
}

func TestEvents(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		const n = 130
		var events []Event
		for i := range n {
			events = append(events, testEvent(i))
		}
		elsewhere := testEvent(0)
		elsewhere.ID, elsewhere.Account = "elsewhere", other
		revision := db.sync.position()
		update(t, db, func(tx *Tx) error { return tx.InsertEvents(events[:70]) })
		update(t, db, func(tx *Tx) error { return tx.InsertEvents(events) }) // overlapping: idempotent
		update(t, db, func(tx *Tx) error { return tx.InsertEvents([]Event{elsewhere}) })
		if err := db.poll(t.Context()); err != nil || db.sync.position() != revision {
			t.Errorf("events moved the revision from %d to %d (%v)", revision, db.sync.position(), err)
		}
		yes, no := true, false
		for name, c := range map[string]struct {
			f    EventFilter
			want func(e *Event, i int) bool
		}{
			"all":           {EventFilter{}, func(*Event, int) bool { return true }},
			"id":            {EventFilter{ID: "id-0077"}, func(e *Event, i int) bool { return i == 77 }},
			"id and name":   {EventFilter{ID: "id-0077", Name: "GetRole"}, func(e *Event, i int) bool { return false }},
			"name":          {EventFilter{Name: "GetRole"}, func(e *Event, i int) bool { return i%3 == 1 }},
			"source":        {EventFilter{Source: "iam"}, func(e *Event, i int) bool { return i%2 == 1 }},
			"user":          {EventFilter{Username: "user2"}, func(e *Event, i int) bool { return i%5 == 2 }},
			"access key":    {EventFilter{AccessKeyID: "AKIA3"}, func(e *Event, i int) bool { return i%7 == 3 }},
			"type":          {EventFilter{ResourceType: "AWS::IAM::Role"}, func(e *Event, i int) bool { return true }},
			"resource name": {EventFilter{ResourceName: "role3"}, func(e *Event, i int) bool { return i%4 == 3 }},
			"resource ARN":  {EventFilter{ResourceName: "arn:role3"}, func(e *Event, i int) bool { return i%4 == 3 }},
			"read only":     {EventFilter{ReadOnly: &yes}, func(e *Event, i int) bool { return i%3 == 1 }},
			"not read only": {EventFilter{ReadOnly: &no}, func(e *Event, i int) bool { return i%3 != 1 }},
			"two":           {EventFilter{Name: "GetRole", Source: "iam"}, func(e *Event, i int) bool { return i%3 == 1 && i%2 == 1 }},
			"range": {EventFilter{Start: t0.Add(10 * time.Second), End: t0.Add(20 * time.Second)},
				func(e *Event, i int) bool { return i/2 >= 10 && i/2 <= 20 }},
			"nobody":        {EventFilter{Username: "user"}, func(*Event, int) bool { return false }},
			"other region":  {EventFilter{Region: "us-east-1"}, func(*Event, int) bool { return false }},
			"odd bytes":     {EventFilter{Username: "a\x00\xff"}, func(*Event, int) bool { return false }},
			"range of name": {EventFilter{Name: "GetRole", End: t0.Add(9 * time.Second)}, func(e *Event, i int) bool { return i%3 == 1 && i/2 <= 9 }},
		} {
			f := c.f
			f.Account = acct
			if f.Region == "" {
				f.Region = region
			}
			var want []string
			for i := n - 1; i >= 0; i-- {
				if c.want(&events[i], i) {
					want = append(want, events[i].ID)
				}
			}
			for _, limit := range []int{1, 13, 0} {
				if limit == 1 && len(want) > 40 {
					continue
				}
				if d := cmp.Diff(want, lookupAll(t, db, &f, limit)); d != "" {
					t.Errorf("%s, pages of %d: -want +got\n%s", name, limit, d)
				}
			}
		}
		read(t, db, func(tx *Tx) error {
			got, _, err := tx.LookupEvents(&EventFilter{Account: acct, Region: region, ID: "id-0005"}, 1, "")
			if d := cmp.Diff(events[5:6], got); d != "" {
				t.Errorf("event 5: -want +got\n%s", d)
			}
			return err
		})
		for _, key := range []string{"x", "12", "/", "9999999999999999999999/x"} {
			err := db.Read(t.Context(), func(tx *Tx) error {
				_, _, err := tx.LookupEvents(&EventFilter{Account: acct, Region: region}, 1, key)
				return err
			})
			wantIs(t, "key "+key, err, errEventKey)
		}
	})
}

func lookupAll(t *testing.T, db *DB, f *EventFilter, limit int) []string {
	t.Helper()
	var ids []string
	after := ""
	for range 200 {
		read(t, db, func(tx *Tx) error {
			page, next, err := tx.LookupEvents(f, limit, after)
			for _, e := range page {
				ids = append(ids, e.ID)
			}
			after = next
			return err
		})
		if after == "" {
			return ids
		}
	}
	t.Fatal("the pages do not end")
	return nil
}

// An event carries whatever an unauthenticated caller sent.
func TestEventsOfHostileText(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		long := strings.Repeat("x", 20_000)
		e := Event{ID: "a", Account: acct, Region: region, Time: t0, Name: "n\x00", Username: "u\xff\xfe" + long, AccessKeyID: long,
			Resources: []EventResource{{"t\x00", long, "\xff"}}, Body: []byte("b\x00\xff")}
		update(t, db, func(tx *Tx) error { return tx.InsertEvents([]Event{e}) })
		for _, f := range []EventFilter{{Username: e.Username}, {AccessKeyID: long}, {ResourceName: long}, {ResourceName: "\xff"}, {ResourceType: "t\x00"}} {
			f.Account, f.Region = acct, region
			if got := lookupAll(t, db, &f, 0); len(got) != 1 {
				t.Errorf("filter %.60v: %d events, want 1", f, len(got))
			}
		}
	})
}

func TestDeleteEventsBefore(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		var events []Event
		for i := range 60 {
			events = append(events, testEvent(i))
		}
		update(t, db, func(tx *Tx) error { return tx.InsertEvents(events) })
		cut := t0.Add(20 * time.Second) // events 0..39 are older
		var counts []int
		for range 4 {
			update(t, db, func(tx *Tx) error {
				n, err := tx.DeleteEventsBefore(cut, 15)
				counts = append(counts, n)
				return err
			})
		}
		if d := cmp.Diff([]int{15, 15, 10, 0}, counts[len(counts)-4:]); d != "" {
			t.Errorf("deleted: -want +got\n%s", d)
		}
		if got := lookupAll(t, db, &EventFilter{Account: acct, Region: region}, 0); len(got) != 20 {
			t.Errorf("%d events are left, want 20", len(got))
		}
		read(t, db, func(tx *Tx) error {
			left, err := tx.count(`SELECT COUNT(*) FROM event_terms t WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.id = t.id)`)
			if left != 0 {
				t.Errorf("%d terms are left of deleted events", left)
			}
			return err
		})
	})
}
