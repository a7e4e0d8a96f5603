package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// syncState is how far this node has followed the changes of all nodes.
type syncState struct {
	mu sync.Mutex // guards all fields; never held during SQL
	// last is the revision up to which the view has been told of every change.
	last int64
	// at is when the last successful poll began: what it did not see was committed later.
	at time.Time
	// own are revisions after last that this node made, and invalidated at their commit.
	own map[int64]bool
}

// committed notes an own revision, which the next poll need not invalidate again. 0 is none.
func (s *syncState) committed(revision int64) {
	if revision == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if revision <= s.last {
		return // a poll was faster
	}
	if s.own == nil {
		s.own = make(map[int64]bool)
	}
	s.own[revision] = true
}

func (s *syncState) position() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// advance ends a successful poll that began at start.
func (s *syncState) advance(revision int64, start time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.at = revision, start
	for r := range s.own {
		if r <= revision {
			delete(s.own, r)
		}
	}
}

func (s *syncState) isOwn(revision int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.own[revision]
}

// Fresh is nil if this node reached the store less than [Config.Staleness] before now, else [ErrStale]: the view may then
// hold what another node has revoked. It costs no SQL. A clock that jumped makes the node stale until its next poll.
func (db *DB) Fresh(now time.Time) error {
	db.sync.mu.Lock()
	age := now.Sub(db.sync.at)
	db.sync.mu.Unlock()
	if age > db.cfg.Staleness || age < -db.cfg.Staleness || db.closed.Load() {
		return ErrStale
	}
	return nil
}

const (
	// changeRetention and changeLimit bound the changes table. A node further behind drops its whole view.
	changeRetention = time.Hour
	changeLimit     = 100_000
	pruneEvery      = time.Minute
	// tailLimit is how many changes are worth reading one by one.
	tailLimit = 20_000
)

// follow polls until ctx ends, and prunes the changes now and then.
func (db *DB) follow(ctx context.Context) {
	tick := time.NewTicker(db.cfg.Poll)
	defer tick.Stop()
	// Nodes started together need not prune together.
	prune := time.NewTimer(pruneEvery + rand.N(pruneEvery))
	defer prune.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			// A failure shows in Fresh; the next tick tries again.
			_ = db.poll(ctx)
		case <-prune.C:
			_ = db.pruneChanges(ctx, changeRetention, changeLimit) // the next round makes up for it
			prune.Reset(pruneEvery)
		}
	}
}

// pollTimeout ends a poll that hangs, so that the next can try a new connection.
func (db *DB) pollTimeout() time.Duration { return max(db.cfg.Staleness/4, time.Second) }

// poll brings the view up to date with the store. Only one runs at a time.
func (db *DB) poll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, db.pollTimeout())
	defer cancel()
	start := db.cfg.Clock()
	last := db.sync.position()
	var value, pruned int64
	if err := db.eng.queryRow(ctx, db.eng.loads, `SELECT value, pruned FROM revision`).Scan(&value, &pruned); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if value != last {
		if err := db.catchUp(ctx, last, &value); err != nil {
			return err
		}
	}
	db.sync.advance(value, start)
	return nil
}

// tailed is one row of the changes table.
type tailed struct {
	revision int64
	change   change
}

func scanTailed(s scanner, t *tailed) error {
	return s.Scan(&t.revision, &t.change.kind, &t.change.account, &t.change.region, &t.change.id)
}

// catchUp invalidates what changed after last, and sets value to the revision it has seen.
func (db *DB) catchUp(ctx context.Context, last int64, value *int64) error {
	var rows []tailed
	var pruned int64
	err := db.readFrom(ctx, db.eng.loads, func(tx *Tx) error {
		var err error
		// Both in one snapshot: what is not among the changes is below pruned.
		if _, err = one(tx, func(s scanner, _ *struct{}) error { return s.Scan(value, &pruned) }, `SELECT value, pruned FROM revision`); err != nil {
			return err
		}
		rows, err = all(tx, scanTailed, `SELECT revision, kind, account, region, id FROM changes
			WHERE revision > $1 ORDER BY revision, n LIMIT $2`, last, tailLimit+1)
		return err
	})
	if err != nil {
		return err
	}
	// Behind the tail, too far to be worth it, or a database restored from a backup.
	if pruned > last || len(rows) > tailLimit || *value < last {
		db.view.dropAll()
		return nil
	}
	for _, r := range rows {
		if !db.sync.isOwn(r.revision) {
			db.view.invalidate([]change{r.change})
		}
	}
	return nil
}

// pruneChanges forgets changes older than keep and all but about the last limit revisions.
func (db *DB) pruneChanges(ctx context.Context, keep time.Duration, limit int) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return db.Update(ctx, func(tx *Tx) error {
		scan := func(s scanner, n *int64) error { return s.Scan(n) }
		old, err := one(tx, scan, `SELECT COALESCE(MAX(revision), 0) FROM changes WHERE at < $1`, tx.Now.Add(-keep).UnixMicro())
		if err != nil {
			return err
		}
		over, err := one(tx, scan, `SELECT COALESCE(MAX(revision), 0) FROM
			(SELECT revision FROM changes ORDER BY revision DESC, n DESC LIMIT 1 OFFSET $1) AS past`, limit)
		if err != nil {
			return err
		}
		upTo := max(*old, *over)
		if upTo == 0 {
			return nil
		}
		if _, err := tx.exec(`DELETE FROM changes WHERE revision <= $1`, upTo); err != nil {
			return err
		}
		_, err = tx.exec(`UPDATE revision SET pruned = $1 WHERE pruned < $1`, upTo)
		return err
	})
}
