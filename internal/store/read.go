package store

import (
	"context"
	"database/sql"
	"fmt"
)

// readFrom runs fn in a read-only transaction of the pool. Snapshot reads do not conflict on PostgreSQL; SQLite can report a
// busy log while another process recovers it, so a few tries are made.
func (db *DB) readFrom(ctx context.Context, pool *sql.DB, fn func(*Tx) error) error {
	const tries = 5
	for attempt := 1; ; attempt++ {
		err, again := db.readOnce(ctx, pool, fn)
		if !again || attempt == tries {
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

func (db *DB) readOnce(ctx context.Context, pool *sql.DB, fn func(*Tx) error) (err error, again bool) {
	sqlTx, err := pool.BeginTx(ctx, db.eng.readOptions())
	if err != nil {
		return fmt.Errorf("store: %w", err), retryable(err)
	}
	defer sqlTx.Rollback() // nothing to commit
	tx := &Tx{Now: db.now(), ctx: ctx, db: db, eng: db.eng, tx: sqlTx}
	err = fn(tx)
	if err == nil && tx.failed != nil {
		err = fmt.Errorf("store: %w", tx.failed)
	}
	return err, err != nil && tx.failed != nil && retryable(tx.failed)
}
