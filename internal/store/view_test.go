package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// viewStep is a change and what the view must show right after it.
type viewStep struct {
	what   string
	mutate func(*Tx) error
	check  func() error
}

// viewChecks are the questions that the steps ask.
type viewChecks struct {
	ctx context.Context
	v   *View
}

func expect(got, want any, err error) error {
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("got %v, want %v", got, want)
	}
	return nil
}

func missing(err error) error {
	if !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("got %v, want ErrNotFound", err)
	}
	return nil
}

func (c *viewChecks) role() (*RoleBundle, error) {
	row, err := c.v.Role(c.ctx, acct, "rOLE")
	if err != nil {
		return nil, err
	}
	return &row.Row, nil
}

func (c *viewChecks) roleShape(inline, attached int) func() error {
	return func() error {
		b, err := c.role()
		if err != nil {
			return err
		}
		return expect([2]int{len(b.Inline), len(b.Attached)}, [2]int{inline, attached}, nil)
	}
}

func (c *viewChecks) groupShape(inline, attached int) func() error {
	return func() error {
		row, err := c.v.Group(c.ctx, acct, "oPS")
		if err != nil {
			return err
		}
		return expect([2]int{len(row.Row.Inline), len(row.Row.Attached)}, [2]int{inline, attached}, nil)
	}
}

// groups checks which groups bob is in.
func (c *viewChecks) groups(want ...string) func() error {
	return func() error {
		row, err := c.v.User(c.ctx, acct, "bob")
		if err != nil {
			return err
		}
		return expect(strings.Join(row.Row.Groups, " "), strings.Join(want, " "), nil)
	}
}

func (c *viewChecks) crls(anchor string, want int) func() error {
	return func() error {
		row, err := c.v.AnchorCRLs(c.ctx, acct, region, anchor)
		if err != nil {
			return err
		}
		return expect(len(row.Row), want, nil)
	}
}

func (c *viewChecks) identitySteps() []viewStep {
	policy := &ManagedPolicy{Account: acct, ARN: "arn:p", Name: "p", ID: "ANPA", DefaultVersion: "v1", CreatedAt: t0, UpdatedAt: t0}
	user := &User{Account: acct, Name: "Bob", ID: "AIDA", Path: "/", CreatedAt: t0}
	return []viewStep{
		{"nothing", func(*Tx) error { return nil }, func() error { _, err := c.role(); return missing(err) }},
		{"role", func(tx *Tx) error { return tx.CreateRole(testRole("Role")) }, c.roleShape(0, 0)},
		{"inline", func(tx *Tx) error { return tx.PutInlinePolicy(&InlinePolicy{acct, OwnerRole, "ROLE", "p", "{}"}) }, c.roleShape(1, 0)},
		{"attach", func(tx *Tx) error { return tx.PutAttachment(&Attachment{acct, OwnerRole, "role", "arn:p"}) }, c.roleShape(1, 1)},
		{"detach", func(tx *Tx) error { return tx.DeleteAttachment(acct, OwnerRole, "Role", "arn:p") }, c.roleShape(1, 0)},
		{"no inline", func(tx *Tx) error { return tx.DeleteInlinePolicy(acct, OwnerRole, "Role", "p") }, c.roleShape(0, 0)},
		{"role gone", func(tx *Tx) error { return tx.DeleteRole(acct, "role") }, func() error { _, err := c.role(); return missing(err) }},
		{"user", func(tx *Tx) error { return tx.PutUser(user) }, func() error {
			row, err := c.v.User(c.ctx, acct, "BOB")
			if err != nil {
				return err
			}
			return expect(row.Row.User.Name+fmt.Sprint(len(row.Row.Inline)), "Bob0", nil)
		}},
		{"user's policy", func(tx *Tx) error { return tx.PutInlinePolicy(&InlinePolicy{acct, OwnerUser, "bob", "p", "{}"}) }, func() error {
			row, err := c.v.User(c.ctx, acct, "bob")
			if err != nil {
				return err
			}
			return expect(len(row.Row.Inline), 1, nil)
		}},
		{"user joins", func(tx *Tx) error {
			if err := tx.CreateGroup(&Group{Account: acct, Name: "Ops", Path: "/", ID: "AGPA", CreatedAt: t0}); err != nil {
				return err
			}
			return tx.AddMember(acct, "OPS", "BOB")
		}, c.groups("ops")},
		{"group", func(*Tx) error { return nil }, c.groupShape(0, 0)},
		{"group's inline", func(tx *Tx) error { return tx.PutInlinePolicy(&InlinePolicy{acct, OwnerGroup, "OPS", "p", "{}"}) }, c.groupShape(1, 0)},
		{"group's policy", func(tx *Tx) error { return tx.PutAttachment(&Attachment{acct, OwnerGroup, "ops", "arn:p"}) }, c.groupShape(1, 1)},
		{"group renamed", func(tx *Tx) error {
			return tx.RenameGroup("ops", &Group{Account: acct, Name: "Team", Path: "/t/", ID: "AGPA", CreatedAt: t0})
		}, c.groups("team")},
		{"old name", func(*Tx) error { return nil }, func() error { _, err := c.v.Group(c.ctx, acct, "ops"); return missing(err) }},
		{"back", func(tx *Tx) error {
			return tx.RenameGroup("TEAM", &Group{Account: acct, Name: "OPS", Path: "/", ID: "AGPA", CreatedAt: t0})
		}, c.groupShape(1, 1)},
		{"user leaves", func(tx *Tx) error { return tx.RemoveMember(acct, "ops", "bob") }, c.groups()},
		{"group gone", func(tx *Tx) error { return tx.DeleteGroup(acct, "ops") }, func() error { _, err := c.v.Group(c.ctx, acct, "ops"); return missing(err) }},
		{"policy without version", func(tx *Tx) error { return tx.CreatePolicy(policy) }, func() error {
			_, err := c.v.Policy(c.ctx, acct, "arn:p")
			return missing(err)
		}},
		{"policy version", func(tx *Tx) error { return tx.CreatePolicyVersion(&PolicyVersion{acct, "arn:p", "v1", "one", t0}) }, func() error {
			row, err := c.v.Policy(c.ctx, acct, "arn:p")
			if err != nil {
				return err
			}
			return expect(row.Row.Document, "one", nil)
		}},
	}
}

func (c *viewChecks) anywhereSteps() []viewStep {
	return []viewStep{
		{"no CRLs", func(*Tx) error { return nil }, c.crls("a", 0)},
		{"CRL", func(tx *Tx) error {
			return tx.CreateCRL(&CRL{Account: acct, Region: region, ID: "c", TrustAnchorID: "a"})
		}, c.crls("a", 1)},
		{"other anchor's CRLs", func(*Tx) error { return nil }, c.crls("b", 0)},
		{"CRL moves", func(tx *Tx) error { return tx.PutCRL(&CRL{Account: acct, Region: region, ID: "c", TrustAnchorID: "b"}) }, c.crls("a", 0)},
		{"CRL moved", func(*Tx) error { return nil }, c.crls("b", 1)},
		{"CRL gone", func(tx *Tx) error { return tx.DeleteCRL(acct, region, "c") }, c.crls("b", 0)},
		{"anchor", func(tx *Tx) error {
			return tx.PutTrustAnchor(&TrustAnchor{Account: acct, Region: region, ID: "a", Enabled: true})
		}, func() error {
			row, err := c.v.TrustAnchor(c.ctx, acct, region, "a")
			if err != nil {
				return err
			}
			return expect(row.Row.Enabled, true, nil)
		}},
		{"anchor disabled", func(tx *Tx) error { return tx.PutTrustAnchor(&TrustAnchor{Account: acct, Region: region, ID: "a"}) }, func() error {
			row, err := c.v.TrustAnchor(c.ctx, acct, region, "a")
			if err != nil {
				return err
			}
			return expect(row.Row.Enabled, false, nil)
		}},
		{"other region", func(*Tx) error { return nil }, func() error { _, err := c.v.TrustAnchor(c.ctx, acct, "us-east-1", "a"); return missing(err) }},
		{"other account", func(*Tx) error { return nil }, func() error { _, err := c.v.TrustAnchor(c.ctx, other, region, "a"); return missing(err) }},
		{"profile", func(tx *Tx) error {
			return tx.PutProfile(&Profile{Account: acct, Region: region, ID: "a", Duration: 9})
		}, func() error {
			row, err := c.v.Profile(c.ctx, acct, region, "a")
			if err != nil {
				return err
			}
			return expect(row.Row.Duration, 9, nil)
		}},
		{"account", func(tx *Tx) error { return tx.PutAccount(&Account{acct, "n", t0}) }, func() error {
			row, err := c.v.Account(c.ctx, acct)
			if err != nil {
				return err
			}
			return expect(row.Row.Name, "n", nil)
		}},
		{"key", func(tx *Tx) error { return tx.PutAccessKey(&AccessKey{ID: "AKIA", Account: acct, Active: true}) }, func() error {
			row, err := c.v.AccessKey(c.ctx, "AKIA")
			if err != nil {
				return err
			}
			return expect(row.Row.Active, true, nil)
		}},
		{"key gone", func(tx *Tx) error { return tx.DeleteAccessKey("AKIA") }, func() error { _, err := c.v.AccessKey(c.ctx, "AKIA"); return missing(err) }},
	}
}

func TestViewFollowsOwnCommits(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src, Poll: time.Hour}) // nothing but the commit itself may tell
		c := &viewChecks{ctx: t.Context(), v: db.View()}
		for _, s := range append(c.identitySteps(), c.anywhereSteps()...) {
			update(t, db, s.mutate)
			for range 2 { // loaded, then from memory
				if err := s.check(); err != nil {
					t.Errorf("%s: %v", s.what, err)
				}
			}
		}
		loads := c.v.Stats().Loads
		for _, s := range []func() error{c.crls("b", 0), func() error { _, err := c.v.AccessKey(c.ctx, "AKIA"); return missing(err) }} {
			if err := s(); err != nil {
				t.Error(err)
			}
		}
		if got := c.v.Stats().Loads; got != loads {
			t.Errorf("warm reads went to the store %d times", got-loads)
		}
	})
}

// A view read inside a transaction sees what is committed and waits for nothing, on every engine.
func TestViewInsideUpdate(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		update(t, db, func(tx *Tx) error {
			if err := tx.PutAccount(&Account{acct, "uncommitted", t0}); err != nil {
				return err
			}
			_, err := db.View().Account(t.Context(), acct)
			wantIs(t, "uncommitted row", err, ErrNotFound)
			return nil
		})
		if c, err := db.View().Account(t.Context(), acct); err != nil || c.Row.Name != "uncommitted" {
			t.Errorf("after the commit: %v", err)
		}
		_ = db.Update(t.Context(), func(tx *Tx) error {
			if err := tx.PutAccount(&Account{acct, "rolled back", t0}); err != nil {
				return err
			}
			return errors.New("no")
		})
		if c, err := db.View().Account(t.Context(), acct); err != nil || c.Row.Name != "uncommitted" {
			t.Errorf("after the rollback: %v", err)
		}
	})
}

// After each own commit every reader must see at least that commit, while others load and invalidate the same key.
func TestViewNeverBehindOwnCommit(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src, Poll: time.Millisecond})
		update(t, db, func(tx *Tx) error { return tx.PutProfile(&Profile{Account: acct, Region: region, ID: "p"}) })
		var committed atomic.Int64
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					least := committed.Load()
					c, err := db.View().Profile(t.Context(), acct, region, "p")
					if err != nil {
						t.Error(err)
						return
					}
					if got := int64(c.Row.Duration); got < least {
						t.Errorf("view has %d after %d was committed", got, least)
						return
					}
				}
			})
		}
		for i := range 300 {
			update(t, db, func(tx *Tx) error {
				return tx.PutProfile(&Profile{Account: acct, Region: region, ID: "p", Duration: i + 1})
			})
			committed.Store(int64(i + 1))
		}
		close(stop)
		wg.Wait()
	})
}

// A load that began before an invalidation serves those who already wait, and is forgotten.
func TestLoadThatLostARace(t *testing.T) {
	c := newCache(1000)
	key := change{kindRole, acct, "", "r"}
	_, first, mine := c.start(key)
	if !mine {
		t.Fatal("the first load is not the caller's")
	}
	if _, again, mine := c.start(key); mine || again != first {
		t.Error("a second miss did not join the first")
	}
	c.drop(key)
	_, second, mine := c.start(key)
	if !mine || second == first {
		t.Error("a miss after the invalidation joined a load from before it")
	}
	first.row = &Cached[Role]{Row: Role{Name: "old"}}
	c.finish(key, first, true)
	if c.get(key) != nil {
		t.Error("the old load was remembered")
	}
	second.row = &Cached[Role]{Row: Role{Name: "new"}}
	c.finish(key, second, true)
	if e := c.get(key); e == nil || e.row.(*Cached[Role]).Row.Name != "new" {
		t.Error("the new load was not remembered")
	}
	_, third, _ := c.start(change{kindRole, acct, "", "s"})
	c.dropAll()
	c.finish(change{kindRole, acct, "", "s"}, third, true)
	if rows, absent := c.size(); rows+absent != 0 {
		t.Errorf("%d entries after dropAll", rows+absent)
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := newCache(64 * 8)
	add := func(id string, row any) {
		k := change{kindRole, acct, "", id}
		_, l, mine := c.start(k)
		if !mine {
			return
		}
		l.row = row
		c.finish(k, l, true)
	}
	hot := change{kindRole, acct, "", "hot"}
	add("hot", new(Cached[Role]))
	for i := range 20_000 {
		add(fmt.Sprint("row", i), new(Cached[Role]))
		if i%3 == 0 {
			if c.get(hot) == nil {
				t.Fatalf("a row in use was evicted after %d others", i)
			}
		}
	}
	rows, _ := c.size()
	if rows != 64*8 {
		t.Errorf("%d rows, want the bound of 512", rows)
	}
	for i := range 20_000 {
		add(fmt.Sprint("absent", i), nil)
	}
	rows, absent := c.size()
	if rows != 64*8 || absent != 64*2 {
		t.Errorf("%d rows and %d absent, want 512 and 128", rows, absent)
	}
	entries := 0
	for i := range c.shards {
		s := &c.shards[i]
		entries += len(s.entries)
		for _, e := range s.entries {
			if s.ring(e).slots[e.slot] != e {
				t.Fatal("an entry is not in its slot")
			}
		}
	}
	if entries != rows+absent {
		t.Errorf("%d entries for %d slots", entries, rows+absent)
	}
	for i := range 20_000 {
		c.drop(change{kindRole, acct, "", fmt.Sprint("absent", i)})
		c.drop(change{kindRole, acct, "", fmt.Sprint("row", i)})
	}
	if rows, absent := c.size(); rows > 1 || absent != 0 {
		t.Errorf("%d rows and %d absent after all were dropped", rows, absent)
	}
}

func TestViewHitsDoNotAllocate(t *testing.T) {
	db := open(t, Config{Source: "memory"})
	update(t, db, func(tx *Tx) error { return tx.CreateRole(testRole("MixedCaseRole")) })
	ctx := context.Background()
	compile := func(*RoleBundle) (any, error) { return 1, nil }
	for _, name := range []string{"MixedCaseRole", "mixedcaserole", "Missing"} {
		_, want := db.View().Role(ctx, acct, name)
		got := testing.AllocsPerRun(100, func() {
			c, err := db.View().Role(ctx, acct, name)
			if err == nil {
				_, err = c.Compiled(compile)
			}
			if err != want {
				t.Fatal(err)
			}
		})
		if got > 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}

func TestCompiledOnce(t *testing.T) {
	c := &Cached[int]{Row: 7}
	var calls atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got, err := c.Compiled(func(n *int) (any, error) { calls.Add(1); return *n * 2, errors.ErrUnsupported })
			if got != 14 || err != errors.ErrUnsupported {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	wg.Wait()
	if calls.Load() != 1 {
		t.Errorf("compiled %d times", calls.Load())
	}
}
