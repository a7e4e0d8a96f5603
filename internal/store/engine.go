package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

type engineKind string

const (
	kindMemory   engineKind = "memory"
	kindSQLite   engineKind = "sqlite"
	kindPostgres engineKind = "postgres"
)

// engine is the connections of one node. Reads and view loads have pools of their own: a caller may hold a transaction and
// ask the view for a row, so that a shared pool could fill up with callers that all wait for one more connection.
type engine struct {
	kind  engineKind
	write *sql.DB
	read  *sql.DB
	loads *sql.DB
	kept  kept
	path  string       // SQLite: the database file
	after func() error // what close has to clean up
}

// busyTimeout is how long SQLite waits for another process's lock before the transaction is retried.
const busyTimeout = 5 * time.Second

func openEngine(ctx context.Context, source string) (*engine, error) {
	switch {
	case source == "memory":
		return openMemory()
	case strings.HasPrefix(source, "sqlite:"):
		path, err := filepath.Abs(strings.TrimPrefix(source, "sqlite:"))
		if err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		return openSQLite(kindSQLite, path, "FULL")
	case strings.HasPrefix(source, "postgres://"), strings.HasPrefix(source, "postgresql://"):
		return openPostgres(ctx, source)
	}
	return nil, errors.New(`store: source must be "memory", "sqlite:PATH" or "postgres://…"`)
}

// openSQLite opens path in WAL mode. synchronous FULL syncs the log at every commit: an acknowledged write survives power loss.
func openSQLite(kind engineKind, path, synchronous string) (*engine, error) {
	// The log and its index take over the mode of the database file.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	open := func(n, cacheKiB int, params ...string) (*sql.DB, error) {
		q := url.Values{
			"_pragma": {
				fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
				"journal_mode(WAL)", "synchronous(" + synchronous + ")", "foreign_keys(1)", fmt.Sprintf("cache_size(-%d)", cacheKiB),
				// What a statement needs to undo itself is written to a file otherwise. A log of 16 MiB is four times the default:
				// pages that change all the time are written back less often.
				"temp_store(MEMORY)", "wal_autocheckpoint(4000)",
			},
			"_dqs":       {"0"},
			"_defensive": {"1"},
		}
		for i := 0; i < len(params); i += 2 {
			q.Add(params[i], params[i+1])
		}
		u := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
		pool, err := sql.Open("sqlite", u.String())
		if err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		pool.SetMaxOpenConns(n)
		pool.SetMaxIdleConns(n)
		return pool, nil
	}
	e := &engine{kind: kind, path: path}
	if e.write, err = open(1, writerCacheKiB, "_txlock", "immediate"); err == nil {
		if e.read, err = open(readers(), readerCacheKiB, "_query_only", "1"); err == nil {
			e.loads, err = open(loaders, readerCacheKiB, "_query_only", "1")
		}
	}
	if err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

// trim closes the connections for reading that are idle, and empties the writer's page cache: the writer stays open,
// because the last connection to close would write the whole log back.
func (e *engine) trim(ctx context.Context) error {
	if e.kind == kindPostgres {
		return nil
	}
	for _, pool := range []*sql.DB{e.read, e.loads} {
		pool.SetMaxIdleConns(0)
		pool.SetMaxIdleConns(pool.Stats().MaxOpenConnections)
	}
	if _, err := e.write.ExecContext(ctx, "PRAGMA shrink_memory"); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

const loaders = 4

// Page caches of SQLite's connections. The writer's holds the upper levels of the trees that issuing writes to.
const (
	writerCacheKiB = 4 << 10
	readerCacheKiB = 2 << 10
)

func readers() int { return max(4, 2*runtime.GOMAXPROCS(0)) }

func openPostgres(ctx context.Context, source string) (*engine, error) {
	cfg, err := pgx.ParseConfig(source)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err) // pgx leaves the password out
	}
	// A database or role default of synchronous_commit=off would lose acknowledged writes; stronger settings stay.
	durable := stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`)
		return err
	})
	open := func(n int) *sql.DB {
		pool := sql.OpenDB(stdlib.GetConnector(*cfg, durable))
		pool.SetMaxOpenConns(n)
		pool.SetMaxIdleConns(n)
		pool.SetConnMaxIdleTime(5 * time.Minute)
		return pool
	}
	e := &engine{kind: kindPostgres, write: open(2), read: open(readers()), loads: open(loaders)}
	if err := e.write.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("store: PostgreSQL does not answer: %w", err), e.close())
	}
	return e, nil
}

// settle makes the directory entries of a new database and its log durable.
func (e *engine) settle() error {
	if e.kind != kindSQLite {
		return nil
	}
	d, err := os.Open(filepath.Dir(e.path))
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("store: sync of the data folder: %w", err)
	}
	return nil
}

func (e *engine) close() error {
	var errs []error
	for _, p := range []*sql.DB{e.loads, e.read, e.write} { // the writer last: it checkpoints the log
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	if e.after != nil {
		errs = append(errs, e.after())
	}
	return errors.Join(errs...)
}

// text turns the one SQL text into the engine's. SQLite takes $1 for a named parameter and numbers those by appearance;
// ?1 is its numbered form. No statement has a dollar sign elsewhere.
func (e *engine) text(q string) string {
	if e.kind == kindPostgres {
		return q
	}
	return strings.ReplaceAll(q, "$", "?")
}

func (e *engine) queryRow(ctx context.Context, pool *sql.DB, q string, args ...any) *sql.Row {
	return pool.QueryRowContext(ctx, e.text(q), args...)
}

// writeOptions and readOptions: SQLite's transactions are serializable by nature and take no options.
func (e *engine) writeOptions() *sql.TxOptions {
	if e.kind == kindPostgres {
		return &sql.TxOptions{Isolation: sql.LevelSerializable}
	}
	return nil
}

func (e *engine) readOptions() *sql.TxOptions {
	if e.kind == kindPostgres {
		return &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	}
	return nil
}

// retryable reports a conflict with another transaction: running the same one again can succeed.
func retryable(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "40001" || pg.Code == "40P01"
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		code := lite.Code() & 0xff
		return code == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_LOCKED
	}
	return false
}

// uniqueViolation reports that a row collides with another on a unique key.
func uniqueViolation(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "23505"
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return lite.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || lite.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	return false
}
