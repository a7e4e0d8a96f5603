package store

import (
	"fmt"
	"sync"
	"testing"
)

// TestTrim gives memory back while others read and write, and expects nothing to be lost and no connection to stay.
func TestTrim(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := range 25 {
					e := testEvent(0)
					e.ID = fmt.Sprintf("id-%d-%d", w, i)
					if err := db.Update(t.Context(), func(tx *Tx) error { return tx.InsertEvents([]Event{e}) }); err != nil {
						t.Error(err)
						return
					}
					if err := db.Ping(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for range 20 {
			if err := db.Trim(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		wg.Wait()
		idle := 1
		for range 20 { // the store's own poll may come in between
			if err := db.Trim(t.Context()); err != nil {
				t.Fatal(err)
			}
			if idle = db.eng.read.Stats().Idle + db.eng.loads.Stats().Idle; idle == 0 {
				break
			}
		}
		if idle > 0 && db.eng.kind != kindPostgres {
			t.Errorf("%d connections keep their pages", idle)
		}
		read(t, db, func(tx *Tx) error {
			n := 0
			for after := ""; ; {
				events, next, err := tx.LookupEvents(&EventFilter{Account: acct, Region: region}, 50, after)
				if err != nil {
					return err
				}
				n += len(events)
				if after = next; after == "" {
					break
				}
			}
			if n != 100 {
				t.Errorf("%d of 100 events are there", n)
			}
			return nil
		})
	})
}
