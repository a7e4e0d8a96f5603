package store

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"
)

// maxJoined bounds how many callers share a transaction.
const maxJoined = 128

// joins is where callers of [DB.Join] wait for their transaction.
type joins struct {
	mu      sync.Mutex // guards what follows
	waiting []*joiner
	leading bool // a goroutine is at work on waiting
}

type joiner struct {
	fn   func(*Tx) error
	done chan error
}

// Join is [DB.Update] for small mutations that many callers make at once: those that wait at the same time share one
// transaction, and with it the wait for the disk. Each gets its own outcome, and a failure of one is not seen by the others:
// what failed before it wrote anything is left out, and otherwise each runs again in a transaction of its own. fn may see
// what others of the transaction have written. ctx bounds the wait for the transaction's turn only at its beginning: fn
// either has not begun and never will, or Join returns after it.
func (db *DB) Join(ctx context.Context, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &joiner{fn: fn, done: make(chan error, 1)}
	db.joins.mu.Lock()
	db.joins.waiting = append(db.joins.waiting, j)
	lead := !db.joins.leading
	db.joins.leading = true
	db.joins.mu.Unlock()
	if lead {
		// No caller's end may end the others' transaction.
		go db.lead(context.WithoutCancel(ctx))
	}
	return <-j.done
}

// lead runs transactions until nobody waits.
func (db *DB) lead(ctx context.Context) {
	for {
		db.writer <- struct{}{} // those who come while another transaction ends join this one
		db.gather()
		db.joins.mu.Lock()
		n := min(len(db.joins.waiting), maxJoined)
		batch := db.joins.waiting[:n:n]
		if db.joins.waiting = db.joins.waiting[n:]; n == 0 {
			db.joins.waiting, db.joins.leading = nil, false
		}
		db.joins.mu.Unlock()
		if n > 0 {
			db.runJoined(ctx, batch)
		}
		<-db.writer
		if n == 0 {
			return
		}
	}
}

// maxGather bounds how long a transaction waits for callers that are ready to run.
const maxGather = 500 * time.Microsecond

// gather lets callers that are ready to run join, as long as more do.
func (db *DB) gather() {
	end := time.Now().Add(maxGather)
	for before := -1; ; {
		db.joins.mu.Lock()
		n := len(db.joins.waiting)
		db.joins.mu.Unlock()
		if n == before || time.Now().After(end) {
			return
		}
		before = n
		runtime.Gosched()
	}
}

// errSplit means that a transaction cannot be kept for the others of its callers.
var errSplit = errors.New("store: a joined mutation failed after it had written")

// runJoined needs the writer.
func (db *DB) runJoined(ctx context.Context, batch []*joiner) {
	if len(batch) > 1 {
		errs := make([]error, len(batch))
		err := db.updateOnce(ctx, func(tx *Tx) error {
			for i, j := range batch {
				mark := tx.mark()
				if errs[i] = j.fn(tx); errs[i] != nil && !tx.back(mark) {
					return errSplit
				}
			}
			return nil
		})
		if err == nil {
			for i, j := range batch {
				j.done <- errs[i]
			}
			return
		}
		db.stats.retries.Add(1)
	}
	for _, j := range batch {
		j.done <- db.updateLocked(ctx, j.fn)
	}
}

// mark is how far a transaction has come.
type mark struct{ writes, changes, events, issued int }

func (tx *Tx) mark() mark {
	return mark{tx.writes, len(tx.changes), len(tx.events), len(tx.issued)}
}

// back takes the transaction to the mark, which is possible as long as nothing was written since.
func (tx *Tx) back(m mark) bool {
	if tx.failed != nil || tx.writes != m.writes || len(tx.changes) != m.changes {
		return false
	}
	tx.events, tx.issued = tx.events[:m.events], tx.issued[:m.issued]
	return true
}

// QueueEvent adds the event at the end of the transaction, together with others: as a row, or in a block with them. Nothing
// but a failure of the transaction may lead to the same event twice.
func (tx *Tx) QueueEvent(e Event) { tx.events = append(tx.events, e) }

// QueueIssuedCertificate is [Tx.CreateIssuedCertificate] at the end of the transaction, together with others: a serial
// that is taken fails the transaction with [ErrExists].
func (tx *Tx) QueueIssuedCertificate(c IssuedCertificate) { tx.issued = append(tx.issued, c) }

// flush writes what was queued.
func (tx *Tx) flush() error {
	const rows = 64
	for at := 0; at < len(tx.issued); at += rows {
		if err := tx.insertIssued(tx.issued[at:min(at+rows, len(tx.issued))]); err != nil {
			return err
		}
	}
	if len(tx.events) == 0 {
		return nil
	}
	return tx.InsertPackedEvents(packEvents(tx.events, minJoinedEvents))
}

// Once returns load's result for the key, which is loaded once in a transaction. It is for rows that nobody changes in
// the same transaction.
func Once[T any](tx *Tx, key any, load func() (T, error)) (T, error) {
	type result struct {
		row T
		err error
	}
	if r, ok := tx.once[key].(result); ok {
		return r.row, r.err
	}
	row, err := load()
	if tx.once == nil {
		tx.once = map[any]any{}
	}
	tx.once[key] = result{row, err}
	return row, err
}
