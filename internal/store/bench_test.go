package store

import (
	"context"
	"fmt"
	"testing"
)

func benchSizes(b *testing.B, f func(b *testing.B, n int)) {
	for _, n := range []int{10, 1_000, 100_000} {
		b.Run(fmt.Sprintf("rows=%d", n), func(b *testing.B) { f(b, n) })
	}
}

// fillRoles adds n roles in large transactions.
func fillRoles(b *testing.B, db *DB, n int) {
	b.Helper()
	for at := 0; at < n; at += 5_000 {
		update(b, db, func(tx *Tx) error {
			for i := at; i < min(n, at+5_000); i++ {
				if err := tx.CreateRole(testRole(fmt.Sprint("Role", i))); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func BenchmarkViewHit(b *testing.B) {
	benchSizes(b, func(b *testing.B, n int) {
		db := open(b, Config{Source: "memory", CacheEntries: 200_000})
		fillRoles(b, db, n)
		names := make([]string, min(n, 1_000))
		for i := range names {
			names[i] = fmt.Sprint("Role", i*(n/len(names)))
		}
		ctx := context.Background()
		for _, name := range names {
			if _, err := db.View().Role(ctx, acct, name); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			if _, err := db.View().Role(ctx, acct, names[i]); err != nil {
				b.Fatal(err)
			}
			if i++; i == len(names) {
				i = 0
			}
		}
	})
}

func BenchmarkViewMiss(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			benchSizes(b, func(b *testing.B, n int) {
				db := open(b, Config{Source: source(b, engine)})
				fillRoles(b, db, n)
				i := 0
				for b.Loop() {
					db.view.dropAll()
					if _, err := db.View().Role(context.Background(), acct, fmt.Sprint("Role", i*7919%n)); err != nil {
						b.Fatal(err)
					}
					i++
				}
			})
		})
	}
}

func BenchmarkUpdate(b *testing.B) {
	for _, engine := range []string{"memory", "sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			db := open(b, Config{Source: source(b, engine)})
			role := testRole("r")
			for b.Loop() {
				update(b, db, func(tx *Tx) error { return tx.PutRole(role) })
			}
		})
	}
}

func BenchmarkInsertEvents(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			const batch = 256
			db := open(b, Config{Source: source(b, engine)})
			i := 0
			for b.Loop() {
				events := make([]Event, batch)
				for j := range events {
					events[j] = testEvent(i)
					i++
				}
				update(b, db, func(tx *Tx) error { return tx.InsertEvents(events) })
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(i), "µs/event")
		})
	}
}

func BenchmarkLookupEvents(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			benchSizes(b, func(b *testing.B, n int) {
				db := open(b, Config{Source: source(b, engine)})
				for at := 0; at < n; at += 1_000 {
					var events []Event
					for i := at; i < min(n, at+1_000); i++ {
						events = append(events, testEvent(i))
					}
					update(b, db, func(tx *Tx) error { return tx.InsertEvents(events) })
				}
				f := &EventFilter{Account: acct, Region: region, Username: "user1"}
				for b.Loop() {
					read(b, db, func(tx *Tx) error { _, _, err := tx.LookupEvents(f, 2, ""); return err })
				}
			})
		})
	}
}

// BenchmarkLookupBlocks finds events that are shipped in blocks of 512: the newest page, a user with one event in the oldest block,
// one event by its id, one by an id that does not tell its time.
func BenchmarkLookupBlocks(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			benchSizes(b, func(b *testing.B, n int) {
				db := open(b, Config{Source: source(b, engine)})
				var first Event
				for at := 0; at < n; at += 512 {
					var events []Event
					for i := at; i < min(n, at+512); i++ {
						e := testEvent(i)
						e.ID = NewEventID(e.Time)
						if i == 0 {
							e.Username = "rare"
							first = e
						}
						events = append(events, e)
					}
					p := PackEvents(events)
					update(b, db, func(tx *Tx) error { return tx.InsertPackedEvents(p) })
				}
				for name, f := range map[string]EventFilter{"newest": {}, "rare": {Username: "rare"}, "id": {ID: first.ID}, "foreign": {ID: "x"}} {
					f.Account, f.Region = acct, region
					b.Run(name, func(b *testing.B) {
						for b.Loop() {
							read(b, db, func(tx *Tx) error { _, _, err := tx.LookupEvents(&f, 50, ""); return err })
						}
					})
				}
			})
		})
	}
}
