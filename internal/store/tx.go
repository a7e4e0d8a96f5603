package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Tx is one transaction. It belongs to the function it was handed to: not for use by several goroutines, nor after the
// function has returned.
//
// Naming: Create… fails with [ErrExists] when the key or another unique value is taken and leaves the transaction usable;
// Put… inserts or replaces the whole row; Get… and Delete… fail with [ErrNotFound]; List… returns a page and the key to
// continue after, "" when there is no more. Any other error ends the transaction: even if the function swallows it,
// nothing is committed.
type Tx struct {
	// Now is the transaction's only clock reading: UTC, whole microseconds, as the store keeps times.
	Now time.Time

	ctx     context.Context
	db      *DB
	eng     *engine
	tx      *sql.Tx
	write   bool
	changes []change
	seen    map[change]bool
	failed  error // the first error of the engine
	writes  int   // mutations that were run
	small   int   // blocks written that are worth merging
	events  []Event
	issued  []IssuedCertificate
	once    map[any]any
	// numbered has the issuers' numbers that this transaction has given.
	numbered map[issuerName]int64
}

// Context is the context the transaction was started with. Cancelling it rolls the transaction back.
func (tx *Tx) Context() context.Context { return tx.ctx }

// fail records an error of the engine and gives it its public face.
func (tx *Tx) fail(err error) error {
	if err == nil {
		return nil
	}
	if tx.failed == nil {
		tx.failed = err
	}
	if uniqueViolation(err) {
		return fmt.Errorf("%w: %w", ErrExists, err)
	}
	return fmt.Errorf("store: %w", err)
}

// exec runs one mutation and returns how many rows it touched.
func (tx *Tx) exec(q string, args ...any) (int64, error) {
	if !tx.write {
		return 0, ErrReadOnly
	}
	tx.writes++
	res, err := tx.tx.ExecContext(tx.ctx, tx.eng.text(q), args...)
	if err != nil {
		return 0, tx.fail(err)
	}
	n, err := res.RowsAffected()
	return n, tx.fail(err)
}

// insert runs an INSERT … ON CONFLICT DO NOTHING. Unlike a violation, that leaves PostgreSQL's transaction alive.
func (tx *Tx) insert(q string, args ...any) error {
	n, err := tx.exec(q+" ON CONFLICT DO NOTHING", args...)
	if err == nil && n == 0 {
		return ErrExists
	}
	return err
}

// remove runs a DELETE that should find its row.
func (tx *Tx) remove(q string, args ...any) error {
	n, err := tx.exec(q, args...)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// scanner is one result row: *sql.Row or *sql.Rows.
type scanner interface{ Scan(dest ...any) error }

// one runs a query for a single row.
func one[T any](tx *Tx, scan func(scanner, *T) error, q string, args ...any) (*T, error) {
	row := new(T)
	err := scan(tx.tx.QueryRowContext(tx.ctx, tx.eng.text(q), args...), row)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, tx.fail(err)
	}
	return row, nil
}

// all runs a query and returns every row.
func all[T any](tx *Tx, scan func(scanner, *T) error, q string, args ...any) ([]T, error) {
	rows, err := tx.tx.QueryContext(tx.ctx, tx.eng.text(q), args...)
	if err != nil {
		return nil, tx.fail(err)
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		var row T
		if err := scan(rows, &row); err != nil {
			return nil, tx.fail(err)
		}
		out = append(out, row)
	}
	return out, tx.fail(rows.Err())
}

// MaxPage bounds every page.
const MaxPage = 1000

// page runs a query whose last parameter is the limit: one row more than asked for tells whether there is a next page.
// A limit outside 1..MaxPage means MaxPage.
func page[T any](tx *Tx, scan func(scanner, *T) error, key func(*T) string, limit int, q string, args ...any) ([]T, string, error) {
	if limit < 1 || limit > MaxPage {
		limit = MaxPage
	}
	rows, err := all(tx, scan, q, append(args, limit+1)...)
	if err != nil {
		return nil, "", err
	}
	if len(rows) <= limit {
		return rows, "", nil
	}
	rows = rows[:limit]
	return rows, key(&rows[limit-1]), nil
}

// count runs a SELECT COUNT(*).
func (tx *Tx) count(q string, args ...any) (int, error) {
	n, err := one(tx, func(s scanner, n *int) error { return s.Scan(n) }, q, args...)
	if err != nil {
		return 0, err
	}
	return *n, nil
}

// values appends "($1,$2),($3,$4)" for rows of width columns to a multi-row statement that has no other parameters. SQLite
// gets bare question marks: it looks a numbered one up by walking over all before it, which a thousand of them make slow.
func (e *engine) values(b *strings.Builder, rows, width int) {
	n := 0
	for i := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('(')
		for j := range width {
			if j > 0 {
				b.WriteByte(',')
			}
			n++
			if e.kind != kindPostgres {
				b.WriteByte('?')
				continue
			}
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(n))
		}
		b.WriteByte(')')
	}
}

// prefixEnd is the least string above every string that begins with prefix; "" if there is none.
func prefixEnd(prefix string) string {
	b := []byte(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < 0x7f { // stay within ASCII: PostgreSQL takes only valid UTF-8
			b[i]++
			return string(b[:i+1])
		}
	}
	return ""
}
