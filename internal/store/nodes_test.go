package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestNodesSeeEachOther(t *testing.T) {
	onShared(t, func(t *testing.T, src string) {
		a, b := open(t, Config{Source: src}), open(t, Config{Source: src})
		name := func(db *DB) string {
			c, err := db.View().Account(t.Context(), acct)
			if errors.Is(err, ErrNotFound) {
				return "missing"
			}
			if err != nil {
				t.Fatal(err)
			}
			return c.Row.Name
		}
		if got := name(b); got != "missing" {
			t.Fatalf("got %q", got)
		}
		for i, writer := range []*DB{a, b, a} {
			want := fmt.Sprint("name", i)
			update(t, writer, func(tx *Tx) error { return tx.PutAccount(&Account{acct, want, t0}) })
			if got := name(writer); got != want {
				t.Errorf("own node: got %q, want %q", got, want)
			}
			eventually(t, "both nodes have "+want, func() bool { return name(a) == want && name(b) == want })
		}
	})
}

// A node that was away longer than the changes are kept drops everything.
func TestNodeBehindThePrunedTail(t *testing.T) {
	onShared(t, func(t *testing.T, src string) {
		a, b := open(t, Config{Source: src}), open(t, Config{Source: src, Poll: time.Hour})
		put := func(name string) {
			update(t, a, func(tx *Tx) error { return tx.PutAccount(&Account{acct, name, t0}) })
		}
		put("old")
		if _, err := b.View().Account(t.Context(), acct); err != nil {
			t.Fatal(err)
		}
		put("new")
		for range 5 {
			update(t, a, func(tx *Tx) error { return tx.PutAccount(&Account{other, "n", t0}) })
		}
		if err := a.pruneChanges(t.Context(), time.Hour, 2); err != nil {
			t.Fatal(err)
		}
		read(t, a, func(tx *Tx) error {
			n, err := tx.count(`SELECT COUNT(*) FROM changes`)
			if n != 2 {
				t.Errorf("%d changes are left, want 2", n)
			}
			return err
		})
		if err := b.poll(t.Context()); err != nil {
			t.Fatal(err)
		}
		if c, err := b.View().Account(t.Context(), acct); err != nil || c.Row.Name != "new" {
			t.Errorf("got %v, %v; want the new name", c, err)
		}
		if err := a.pruneChanges(t.Context(), -time.Hour, 1000); err != nil { // all are older than an hour from now
			t.Fatal(err)
		}
		read(t, a, func(tx *Tx) error {
			n, err := tx.count(`SELECT COUNT(*) FROM changes`)
			if n != 0 {
				t.Errorf("%d changes are left, want 0", n)
			}
			return err
		})
	})
}

func TestFresh(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		var mu sync.Mutex
		now := t0
		clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
		db := open(t, Config{Source: src, Poll: time.Hour, Staleness: 10 * time.Second, Clock: clock})
		update(t, db, func(tx *Tx) error {
			if !tx.Now.Equal(t0) {
				t.Errorf("tx.Now = %v, want %v", tx.Now, t0)
			}
			return tx.PutAccount(&Account{acct, "n", t0})
		})
		if _, err := db.View().Account(t.Context(), acct); err != nil {
			t.Fatal(err)
		}
		wantIs(t, "at once", db.Fresh(t0), nil)
		wantIs(t, "at the bound", db.Fresh(t0.Add(10*time.Second)), nil)
		wantIs(t, "after it", db.Fresh(t0.Add(10*time.Second+1)), ErrStale)
		wantIs(t, "a clock turned back", db.Fresh(t0.Add(-time.Minute)), ErrStale)
		mu.Lock()
		now = t0.Add(time.Minute)
		mu.Unlock()
		wantIs(t, "a minute later", db.Fresh(clock()), ErrStale)
		if err := db.poll(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantIs(t, "after a poll", db.Fresh(clock()), nil)
		// The store becomes unreachable: what is in memory is still answered, until the bound says no.
		db.eng.loads.Close()
		if err := db.poll(t.Context()); err == nil {
			t.Error("a poll without a store succeeded")
		}
		if c, err := db.View().Account(t.Context(), acct); err != nil || c.Row.Name != "n" {
			t.Errorf("a cached row without a store: %v", err)
		}
		if _, err := db.View().Account(t.Context(), other); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("a row that is not cached, without a store: %v", err)
		}
		wantIs(t, "within the bound", db.Fresh(clock()), nil)
		wantIs(t, "past the bound", db.Fresh(clock().Add(11*time.Second)), ErrStale)
	})
}

// Nodes that change and delete one row at the same time: every transaction is one step, none is lost.
func TestParallelUpdatesAndDeletes(t *testing.T) {
	onShared(t, func(t *testing.T, src string) {
		nodes := []*DB{open(t, Config{Source: src}), open(t, Config{Source: src})}
		update(t, nodes[0], func(tx *Tx) error {
			return errors.Join(tx.PutProfile(&Profile{Account: acct, Region: region, ID: "p"}), tx.PutServerValue(&ServerValue{"n", []byte("0")}))
		})
		const workers, rounds = 3, 15
		var wg sync.WaitGroup
		var increments, creates, deletes atomic.Int64
		for w := range workers * len(nodes) {
			db := nodes[w%len(nodes)]
			wg.Go(func() {
				for range rounds {
					err := db.Update(t.Context(), func(tx *Tx) error {
						p, err := tx.GetProfile(acct, region, "p")
						if err != nil {
							return err
						}
						p.Duration++
						return tx.PutProfile(p)
					})
					if err != nil {
						t.Error(err)
						return
					}
					increments.Add(1)
					err = db.Update(t.Context(), func(tx *Tx) error { return tx.CreateRole(testRole("contested")) })
					if err == nil {
						creates.Add(1)
					} else if !errors.Is(err, ErrExists) {
						t.Error(err)
					}
					err = db.Update(t.Context(), func(tx *Tx) error { return tx.DeleteRole(acct, "contested") })
					if err == nil {
						deletes.Add(1)
					} else if !errors.Is(err, ErrNotFound) {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		read(t, nodes[0], func(tx *Tx) error {
			p, err := tx.GetProfile(acct, region, "p")
			if err == nil && int64(p.Duration) != increments.Load() {
				t.Errorf("counted to %d in %d increments", p.Duration, increments.Load())
			}
			return err
		})
		if creates.Load() != deletes.Load() {
			t.Errorf("%d creates, %d deletes", creates.Load(), deletes.Load())
		}
	})
}

// Write skew: a role must not lose its row while another node gives it a policy after having seen the row.
func TestNoWriteSkew(t *testing.T) {
	onShared(t, func(t *testing.T, src string) {
		a, b := open(t, Config{Source: src}), open(t, Config{Source: src})
		for round := range 20 {
			name := fmt.Sprint("role", round)
			update(t, a, func(tx *Tx) error { return tx.CreateRole(testRole(name)) })
			var wg sync.WaitGroup
			wg.Go(func() {
				_ = a.Update(t.Context(), func(tx *Tx) error {
					if _, err := tx.GetRole(acct, name); err != nil {
						return err
					}
					return tx.PutInlinePolicy(&InlinePolicy{acct, OwnerRole, name, "p", "{}"})
				})
			})
			wg.Go(func() {
				_ = b.Update(t.Context(), func(tx *Tx) error {
					rows, _, err := tx.ListInlinePolicies(acct, OwnerRole, name, 1, "")
					if err != nil || len(rows) > 0 {
						return errors.Join(err, errors.New("has policies"))
					}
					return tx.DeleteRole(acct, name)
				})
			})
			wg.Wait()
			read(t, a, func(tx *Tx) error {
				_, roleErr := tx.GetRole(acct, name)
				_, policyErr := tx.GetInlinePolicy(acct, OwnerRole, name, "p")
				if (roleErr == nil) != (policyErr == nil) {
					t.Errorf("round %d: role %v, policy %v", round, roleErr, policyErr)
				}
				return nil
			})
		}
	})
}

func TestCancellation(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		ctx, cancel := context.WithCancel(t.Context())
		err := db.Update(ctx, func(tx *Tx) error {
			if err := tx.PutAccount(&Account{acct, "n", t0}); err != nil {
				return err
			}
			cancel()
			return nil
		})
		if err == nil {
			t.Error("a cancelled update succeeded")
		}
		read(t, db, func(tx *Tx) error {
			_, err := tx.GetAccount(acct)
			wantIs(t, "after a cancelled update", err, ErrNotFound)
			return nil
		})
		wantIs(t, "update after cancellation", db.Update(ctx, func(*Tx) error { return nil }), context.Canceled)
		// One writer at a time; who waits can give up.
		release, started := make(chan struct{}), make(chan struct{})
		done := make(chan error)
		go func() { done <- db.Update(t.Context(), func(*Tx) error { close(started); <-release; return nil }) }()
		<-started
		short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		wantIs(t, "waiting update", db.Update(short, func(*Tx) error { return nil }), context.DeadlineExceeded)
		close(release)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// An error of the engine ends the transaction on every engine, even when the caller swallows it.
func TestSwallowedError(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		err := db.Update(t.Context(), func(tx *Tx) error {
			if err := tx.PutAccount(&Account{acct, "n", t0}); err != nil {
				return err
			}
			if _, err := tx.exec(`SELECT nonsense FROM nowhere`); err == nil {
				t.Error("nonsense was executed")
			}
			return nil
		})
		if err == nil {
			t.Error("committed after an error")
		}
		read(t, db, func(tx *Tx) error {
			_, err := tx.GetAccount(acct)
			wantIs(t, "row of the failed transaction", err, ErrNotFound)
			return nil
		})
	})
}
