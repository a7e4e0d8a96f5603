// Package store keeps rolecall's state: accounts, IAM and Roles Anywhere resources, subjects and audit events, in SQLite or
// PostgreSQL through one SQL text.
//
// It stores rows and nothing else: it validates no name, parses no policy, knows no API and makes no page token. What keeps
// a row consistent (quotas, "in use" checks) is the caller's, who does it inside one [DB.Update]: those are serializable on
// both engines.
//
// Start with [Open], [DB.Update] and [Tx]; then [View], the memory copy that answers the hot path without SQL. One file per
// resource holds its row type and its methods on [Tx].
package store

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

var (
	// ErrNotFound means that no row has the key.
	ErrNotFound = errors.New("store: not found")
	// ErrExists means that a row with the key, or with another value that must be unique, is there already.
	ErrExists = errors.New("store: already exists")
	// ErrStale means that this node has not reached the store within [Config.Staleness].
	ErrStale = errors.New("store: not synchronised within the staleness bound")
	// ErrReadOnly means that a mutation was tried inside [DB.Read].
	ErrReadOnly = errors.New("store: mutation in a read-only transaction")
	// ErrClosed means that the DB was closed.
	ErrClosed = errors.New("store: closed")
)

// Config says where the store is and how much of it a node may keep in memory. The zero value of every field but Source works.
type Config struct {
	// Source is "memory" (nothing outlives the process; see openMemory), "sqlite:/path/rolecall.db", or a
	// "postgres://user@host/db" URL with pgx's parameters.
	Source string
	// Staleness is how long cached data may be trusted without having reached the store. Default 10 s.
	Staleness time.Duration
	// Poll is how often changes made by other nodes are looked for. Default 200 ms.
	Poll time.Duration
	// CacheEntries bounds the cached view. A quarter as many "not found" answers are kept beside it. Default 50,000.
	CacheEntries int
	// Partition is the one in which AWS's managed policies are. Default "aws".
	Partition string
	// Clock is read once per transaction and once per poll. Default time.Now.
	Clock func() time.Time
}

func (c *Config) setDefaults() {
	if c.Staleness <= 0 {
		c.Staleness = 10 * time.Second
	}
	if c.Poll <= 0 {
		c.Poll = 200 * time.Millisecond
	}
	if c.CacheEntries <= 0 {
		c.CacheEntries = 50_000
	}
	if c.Partition == "" {
		c.Partition = "aws"
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
}

// DB is one node's handle on the store. It is safe for concurrent use.
type DB struct {
	cfg Config
	eng *engine
	// writer admits one Update at a time per node. SQLite has one writer anyway; on PostgreSQL all mutations meet at the
	// revision row, so that overlapping ones would only abort each other.
	writer chan struct{}
	joins  joins
	view   *View
	sync   syncState
	stats  stats
	known  knownCredentials
	// numbers of issuers, by name.
	numbers issuerNumbers
	small   atomic.Int64 // blocks of few events that this node has written and not merged

	cancel context.CancelFunc // ends the background goroutines
	done   sync.WaitGroup
	closed atomic.Bool
}

type stats struct{ retries atomic.Int64 }

// Open connects to the store, brings its schema up to date and starts the goroutine that follows other nodes' changes. A
// schema newer than the program is refused. ctx bounds the opening only.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	cfg.setDefaults()
	eng, err := openEngine(ctx, cfg.Source)
	if err != nil {
		return nil, err
	}
	if err := eng.migrate(ctx, embeddedMigrations()); err != nil {
		return nil, errors.Join(err, eng.close())
	}
	if err := eng.settle(); err != nil {
		return nil, errors.Join(err, eng.close())
	}
	db := &DB{cfg: cfg, eng: eng, writer: make(chan struct{}, 1)}
	db.view = newView(db, cfg.CacheEntries)
	if err := db.poll(ctx); err != nil {
		return nil, errors.Join(err, eng.close())
	}
	bg, cancel := context.WithCancel(context.Background())
	db.cancel = cancel
	db.done.Go(func() { db.follow(bg) })
	opened := db.now()
	db.done.Go(func() { db.mergeBlocks(bg, opened) })
	return db, nil
}

// Close stops the background work and closes the connections. Transactions still open fail.
func (db *DB) Close() error {
	if db.closed.Swap(true) {
		return nil
	}
	db.cancel()
	db.done.Wait()
	return db.eng.close()
}

// View is this node's memory copy of hot rows.
func (db *DB) View() *View { return db.view }

// Ping reports whether the store answers now, for health checks.
func (db *DB) Ping(ctx context.Context) error {
	var one int64
	return db.eng.queryRow(ctx, db.eng.loads, "SELECT one FROM revision").Scan(&one)
}

// Trim gives back the memory that SQLite's connections keep for pages that they read; after it they read the file again.
// It waits for the transaction that is writing. With PostgreSQL it does nothing.
func (db *DB) Trim(ctx context.Context) error { return db.eng.trim(ctx) }

// Engine is "memory", "sqlite" or "postgres".
func (db *DB) Engine() string { return string(db.eng.kind) }

// Retries is how many transactions have been run again after a serialization failure since Open.
func (db *DB) Retries() int64 { return db.stats.retries.Load() }
