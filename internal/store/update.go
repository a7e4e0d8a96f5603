package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// maxAttempts bounds how often a transaction is run again after a conflict with another node's. With the pauses between
// them, that is about four seconds.
const maxAttempts = 40

// Update runs fn in a serializable transaction and commits it if fn returns nil. After a conflict it runs fn again, in a new
// transaction with a new clock reading: fn must have no other effects, or set them anew each time. When Update returns nil
// the changes are durable and this node's view no longer holds what they replaced. An error of the commit itself leaves
// the outcome open, as any lost answer does.
//
// fn must not call Update: a node runs one at a time. It may use the view, which does not see the uncommitted changes.
func (db *DB) Update(ctx context.Context, fn func(*Tx) error) error {
	select {
	case db.writer <- struct{}{}:
		defer func() { <-db.writer }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return db.updateLocked(ctx, fn)
}

// updateLocked is Update for who has the writer.
func (db *DB) updateLocked(ctx context.Context, fn func(*Tx) error) error {
	for attempt := 1; ; attempt++ {
		err := db.updateOnce(ctx, fn)
		var c *conflictError
		if !errors.As(err, &c) {
			return err
		}
		if attempt == maxAttempts {
			return fmt.Errorf("store: gave up after %d conflicts: %w", attempt, c.err)
		}
		db.stats.retries.Add(1)
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

// conflictError marks what Update retries.
type conflictError struct{ err error }

func (e *conflictError) Error() string { return e.err.Error() }

func (db *DB) updateOnce(ctx context.Context, fn func(*Tx) error) error {
	if db.closed.Load() {
		return ErrClosed
	}
	sqlTx, err := db.eng.write.BeginTx(ctx, db.eng.writeOptions())
	if err != nil {
		return conflictOr(err)
	}
	defer sqlTx.Rollback() // no effect after the commit
	tx := &Tx{Now: db.now(), ctx: ctx, db: db, eng: db.eng, tx: sqlTx, write: true}
	err = fn(tx)
	if err == nil {
		err = tx.failed
	}
	if err == nil {
		err = tx.flush()
	}
	var revision int64
	if err == nil {
		revision, err = tx.recordChanges()
	}
	if err != nil {
		// fn may have wrapped the conflict in an error of its own: what the engine said decides.
		if tx.failed != nil && retryable(tx.failed) {
			return &conflictError{tx.failed}
		}
		return err
	}
	err = sqlTx.Commit()
	// Even a failed commit may have happened.
	db.view.invalidate(tx.changes)
	if err != nil {
		return conflictOr(err)
	}
	db.sync.committed(revision)
	db.small.Add(int64(tx.small))
	db.eng.prepare(ctx)
	return nil
}

// Read runs fn in a read-only transaction that sees one state of the store.
func (db *DB) Read(ctx context.Context, fn func(*Tx) error) error {
	if db.closed.Load() {
		return ErrClosed
	}
	return db.readFrom(ctx, db.eng.read, fn)
}

func conflictOr(err error) error {
	if retryable(err) {
		return &conflictError{err}
	}
	return fmt.Errorf("store: %w", err)
}

// now reads the clock in the store's precision.
func (db *DB) now() time.Time { return db.cfg.Clock().UTC().Truncate(time.Microsecond) }

// pause sleeps before attempt+1: up to 2 ms at first, doubling to at most 200 ms, at random so that nodes come apart.
func pause(ctx context.Context, attempt int) error {
	limit := min(2*time.Millisecond<<min(attempt-1, 10), 200*time.Millisecond)
	t := time.NewTimer(rand.N(limit) + 1)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
