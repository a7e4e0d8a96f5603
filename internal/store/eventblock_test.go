package store

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall/rolecall/internal/arn"
)

// blockEvents are n events with every kind of id, spread over a while, several at the same time.
func blockEvents(r *rand.Rand, n int, from time.Time) []Event {
	var out []Event
	for i := range n {
		e := testEvent(i)
		e.Time = from.Add(time.Duration(r.IntN(2*n)) * 300 * time.Millisecond)
		if r.IntN(8) == 0 && i > 0 {
			e.Time = out[i-1].Time
		}
		switch r.IntN(6) {
		case 0:
			e.ID = fmt.Sprintf("foreign-%d", r.Uint64())
		case 1:
			e.ID = arn.NewUUID()
		case 2:
			e.ID = NewEventID(e.Time.Add(time.Hour)) // tells another time than the event's
		default:
			e.ID = NewEventID(e.Time)
		}
		if r.IntN(3) > 0 {
			e.Body = []byte(`{"who":"` + e.ID + `","cert":""}`)
			e.Cert = []byte{0x30, byte(r.IntN(5)), 7}
			e.CertAt = len(e.Body) - 2
		}
		out = append(out, e)
	}
	return out
}

// pack ships events as a Sink does.
func pack(t *testing.T, db *DB, events []Event) (rows, blocks int) {
	t.Helper()
	p := PackEvents(events)
	update(t, db, func(tx *Tx) error { return tx.InsertPackedEvents(p) })
	return len(p.rows), len(p.blocks)
}

// Blocks of several nodes that overlap, and rows between them, are one list to LookupEvents: every filter, every page.
func TestEventsInBlocksAndRows(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		r := rand.New(rand.NewPCG(1, 2))
		db := open(t, Config{Source: src})
		var events []Event
		rows, blocks := 0, 0
		add := func(batch []Event) {
			n, m := pack(t, db, batch)
			rows, blocks = rows+n, blocks+m
			events = append(events, batch...)
		}
		for node := range 3 {
			add(blockEvents(r, 150, t0.Add(time.Duration(node)*20*time.Second)))
			add(blockEvents(r, 60, t0.Add(time.Duration(node)*5*time.Second)))
			add(blockEvents(r, 5, t0))
		}
		direct := blockEvents(r, 40, t0)
		update(t, db, func(tx *Tx) error { return tx.InsertEvents(direct) })
		events = append(events, direct...)
		elsewhere := blockEvents(r, 80, t0)
		for i := range elsewhere {
			elsewhere[i].Account = other
		}
		pack(t, db, elsewhere)
		if rows < 15 || blocks < 6 {
			t.Fatalf("%d rows and %d blocks: the test is too weak", rows, blocks)
		}
		slices.SortFunc(events, func(a, b Event) int { return newestFirst(&a, &b) })

		yes, no := true, false
		filters := map[string]EventFilter{
			"all": {}, "name": {Name: "GetRole"}, "source": {Source: "iam"}, "user": {Username: "user2"}, "key": {AccessKeyID: "AKIA3"},
			"type": {ResourceType: "AWS::IAM::Role"}, "resource": {ResourceName: "role3"}, "arn": {ResourceName: "arn:role1"},
			"read": {ReadOnly: &yes}, "write": {ReadOnly: &no}, "two": {Name: "GetRole", Source: "iam"}, "three": {Name: "GetRole", Username: "user1", ReadOnly: &yes},
			"nobody": {Username: "nobody"}, "range": {Start: t0.Add(10 * time.Second), End: t0.Add(12 * time.Second)},
			"instant": {Start: events[100].Time, End: events[100].Time}, "from": {Start: events[30].Time}, "until": {End: events[len(events)-20].Time},
			"none": {Start: t0.Add(time.Hour)}, "backwards": {Start: t0.Add(time.Second), End: t0}, "name until": {Name: "GetRole", End: t0.Add(9 * time.Second)},
			"unknown id": {ID: "x"}, "unknown uuid": {ID: NewEventID(t0)}, "other's id": {ID: elsewhere[3].ID},
		}
		for i := 0; i < len(events); i += 23 {
			filters[fmt.Sprint("id ", i)] = EventFilter{ID: events[i].ID}
			filters[fmt.Sprint("id and name ", i)] = EventFilter{ID: events[i].ID, Name: "GetRole"}
			filters[fmt.Sprint("id and range ", i)] = EventFilter{ID: events[i].ID, End: t0.Add(15 * time.Second)}
		}
		for name, f := range filters {
			f.Account, f.Region = acct, region
			var want []string
			for i := range events {
				e := &events[i]
				if f.matches(e) && (f.Start.IsZero() || !e.Time.Before(f.Start)) && (f.End.IsZero() || !e.Time.After(f.End)) {
					want = append(want, e.ID)
				}
			}
			for _, limit := range []int{1, 13, 0} {
				if limit == 1 && len(want) > 20 {
					continue
				}
				if d := cmp.Diff(want, lookupAll(t, db, &f, limit)); d != "" {
					t.Errorf("%s, pages of %d: -want +got\n%s", name, limit, d)
				}
			}
		}
		for i := 0; i < len(events); i += 17 {
			want := events[i]
			want.Body, want.Cert, want.CertAt = want.WholeBody(), nil, 0
			read(t, db, func(tx *Tx) error {
				got, _, err := tx.LookupEvents(&EventFilter{Account: acct, Region: region, ID: want.ID}, 1, "")
				if d := cmp.Diff([]Event{want}, got); d != "" {
					t.Errorf("event %d: -want +got\n%s", i, d)
				}
				return err
			})
		}
	})
}

// A block never spans more than LookupEvents assumes, nor grows without bound, and many small accounts do not become rows without end.
func TestPackEventsBounds(t *testing.T) {
	var events []Event
	for i := range 5000 {
		e := testEvent(i)
		e.Time = t0.Add(time.Duration(5000-i) * time.Second)
		if i < 600 {
			e.Account = arn.AccountID(fmt.Sprintf("%012d", i/2))
		}
		events = append(events, e)
	}
	p := PackEvents(events)
	if len(p.rows) != maxPackedRows {
		t.Errorf("%d rows, want %d", len(p.rows), maxPackedRows)
	}
	total := len(p.rows)
	for _, b := range p.blocks {
		if b.events > maxBlockEvents || b.end-b.start > maxBlockSpan.Microseconds() || b.end < b.start {
			t.Errorf("a block of %d events from %d to %d", b.events, b.start, b.end)
		}
		total += b.events
	}
	if total != len(events) {
		t.Errorf("%d events, want %d", total, len(events))
	}
	big := make([]Event, 40)
	for i := range big {
		big[i] = testEvent(i)
		big[i].Body = make([]byte, 1<<20)
	}
	if p := PackEvents(big); len(p.blocks)+len(p.rows) < 10 {
		t.Errorf("40 MiB in %d blocks and %d rows", len(p.blocks), len(p.rows))
	}
}

func TestDeleteBlocksBefore(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		for i := range 4 { // blocks that end after 0, 100, 200, 300 seconds, and rows beside them
			var batch []Event
			for j := range 30 {
				e := testEvent(j)
				e.Time = t0.Add(time.Duration(i*100)*time.Second - time.Duration(j)*time.Second)
				e.ID = NewEventID(e.Time)
				batch = append(batch, e)
			}
			pack(t, db, batch)
			pack(t, db, []Event{{ID: NewEventID(batch[0].Time), Account: acct, Region: region, Time: batch[0].Time}})
		}
		deleted := 0
		for {
			var n int
			update(t, db, func(tx *Tx) (err error) { n, err = tx.DeleteEventsBefore(t0.Add(190*time.Second), 20); return err })
			if n == 0 {
				break
			}
			deleted += n
		}
		// The block that ends at 200 s began before the cut and stays.
		left := lookupAll(t, db, &EventFilter{Account: acct, Region: region}, 0)
		if deleted != 62 || len(left) != 62 {
			t.Errorf("%d deleted, %d left, want 62 and 62", deleted, len(left))
		}
	})
}

func TestHostileTextInBlocks(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		var events []Event
		for i := range 40 {
			events = append(events, Event{ID: fmt.Sprint("a\x00", i), Account: acct, Region: region, Time: t0, Name: "n\x00", Username: "u\xff\xfe",
				Resources: []EventResource{{"t\x00", "ok", "\xff"}}, Body: []byte("b\x00\xff")})
		}
		pack(t, db, events)
		for _, f := range []EventFilter{{Username: "u\xff\xfe"}, {ResourceName: "\xff"}, {ResourceType: "t\x00"}, {Name: "n\x00", ResourceName: "ok"}} {
			f.Account, f.Region = acct, region
			if got := lookupAll(t, db, &f, 0); len(got) != 40 {
				t.Errorf("filter %.60v: %d events, want 40", f, len(got))
			}
		}
		if events[0].Resources[0].Type != "t\x00" {
			t.Error("PackEvents changed its argument")
		}
	})
}

func TestNewEventID(t *testing.T) {
	e := Event{ID: NewEventID(t0), Time: t0}
	if ms, ok := eventIDMillis(e.ID); !ok || ms != t0.UnixMilli() || e.foreignID() {
		t.Errorf("%s tells %d, %v", e.ID, ms, ok)
	}
	for _, id := range []string{"", "x", arn.NewUUID(), "0195A0B0-0000-7000-8000-000000000000", "0195a0b0-0000-7000-c000-000000000000", e.ID + "0"} {
		if _, ok := eventIDMillis(id); ok {
			t.Errorf("%q passes for an id that tells its time", id)
		}
	}
}

func TestMoveLogPosition(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		move := func(log string, from, to string) error {
			return db.Update(t.Context(), func(tx *Tx) error { return tx.MoveLogPosition(log, []byte(from), []byte(to)) })
		}
		for _, c := range []struct {
			log, from, to string
			want          error
		}{{"a", "", "1", nil}, {"a", "", "2", ErrMoved}, {"a", "1", "2", nil}, {"a", "1", "3", ErrMoved}, {"b", "", "9", nil}, {"a", "2", "", ErrMoved}} {
			wantIs(t, fmt.Sprintf("%+v", c), move(c.log, c.from, c.to), c.want)
		}
		read(t, db, func(tx *Tx) error {
			a, err := tx.LogPosition("a")
			none, err2 := tx.LogPosition("c")
			if string(a) != "2" || none != nil || err2 != nil {
				t.Errorf("positions %q and %q, %v", a, none, err2)
			}
			return err
		})
	})
}

// TestMergeBlocks: what busy nodes wrote in small blocks becomes few large ones, with every event as it was.
func TestMergeBlocks(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		r := rand.New(rand.NewPCG(3, 4))
		db := open(t, Config{Source: src})
		var events []Event
		for i := range 300 {
			batch := blockEvents(r, 3+r.IntN(12), t0.Add(time.Duration(i)*100*time.Millisecond))
			if i%3 == 0 {
				for j := range batch {
					batch[j].Account = other
				}
			}
			p := packEvents(batch, minJoinedEvents)
			if len(p.blocks) != 1 {
				t.Fatalf("%d blocks", len(p.blocks))
			}
			update(t, db, func(tx *Tx) error {
				err := tx.InsertPackedEvents(p)
				if tx.small != 1 {
					t.Errorf("%d small blocks", tx.small)
				}
				return err
			})
			events = append(events, batch...)
		}
		if err := db.mergeSmall(t.Context(), t0); err != nil {
			t.Fatal(err)
		}
		counts := func() (blocks, small int) {
			read(t, db, func(tx *Tx) (err error) {
				if blocks, err = tx.count(`SELECT COUNT(*) FROM event_blocks`); err == nil {
					small, err = tx.count(`SELECT COUNT(*) FROM event_blocks WHERE events < $1`, smallBlock)
				}
				return err
			})
			return blocks, small
		}
		blocks, small := counts()
		if blocks-small < 2 || blocks > 150 {
			t.Errorf("%d blocks, %d of them small", blocks, small)
		}
		if err := db.mergeSmall(t.Context(), t0); err != nil {
			t.Fatal(err)
		}
		if again, _ := counts(); again != blocks {
			t.Errorf("%d blocks became %d", blocks, again)
		}
		slices.SortFunc(events, func(a, b Event) int { return newestFirst(&a, &b) })
		for _, account := range []arn.AccountID{acct, other} {
			var want []Event
			for _, e := range events {
				if e.Account == account {
					e.Body, e.Cert, e.CertAt = e.WholeBody(), nil, 0
					want = append(want, e)
				}
			}
			var got []Event
			for after, more := "", true; more; more = after != "" {
				read(t, db, func(tx *Tx) error {
					list, next, err := tx.LookupEvents(&EventFilter{Account: account, Region: region}, 0, after)
					got, after = append(got, list...), next
					return err
				})
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		}
	})
}

// TestMergeGivesWay: blocks that another node has merged or deleted meanwhile are not written twice.
func TestMergeGivesWay(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		var run []eventBlock
		for i := range 4 {
			p := packEvents(blockEvents(rand.New(rand.NewPCG(5, uint64(i))), 200, t0), 1)
			run = append(run, p.blocks[0])
			if i > 0 {
				update(t, db, func(tx *Tx) error { return tx.InsertPackedEvents(p) })
			}
		}
		slices.SortFunc(run, func(a, b eventBlock) int { return int(a.end - b.end) })
		if err := db.mergeRun(t.Context(), run); err == nil {
			t.Error("merged a block that is not there")
		}
		read(t, db, func(tx *Tx) error {
			n, err := tx.count(`SELECT COUNT(*) FROM event_blocks`)
			if n != 3 {
				t.Errorf("%d blocks", n)
			}
			return err
		})
	})
}
