package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestNewerSchemaIsRefused(t *testing.T) {
	onShared(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		if _, err := db.eng.write.Exec(`INSERT INTO schema_version (version, applied_at) VALUES (99, 0)`); err != nil {
			t.Fatal(err)
		}
		_, err := Open(t.Context(), Config{Source: src})
		var newer *NewerSchemaError
		if !errors.As(err, &newer) || newer.Found != 99 || newer.Known != len(embeddedMigrations()) {
			t.Errorf("got %v", err)
		}
	})
}

func TestMigrationSteps(t *testing.T) {
	onShared(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		steps := append(embeddedMigrations(), "-- a comment;\nCREATE TABLE extra (n BIGINT NOT NULL);\nINSERT INTO extra (n) VALUES (1);\n")
		broken := append(steps, "INSERT INTO extra (n) VALUES (2);\nINSERT INTO missing (n) VALUES (1);\n")
		if err := db.eng.migrate(t.Context(), broken); err == nil {
			t.Fatal("a broken migration succeeded")
		}
		if _, err := db.eng.write.Exec(`SELECT n FROM extra`); err == nil {
			t.Error("the broken migration left a table behind")
		}
		for range 2 { // the second time there is nothing to do
			if err := db.eng.migrate(t.Context(), steps); err != nil {
				t.Fatal(err)
			}
		}
		var rows, version int
		if err := db.eng.write.QueryRow(`SELECT (SELECT COUNT(*) FROM extra), (SELECT MAX(version) FROM schema_version)`).Scan(&rows, &version); err != nil {
			t.Fatal(err)
		}
		if rows != 1 || version != len(steps) {
			t.Errorf("%d rows at version %d, want 1 at %d", rows, version, len(steps))
		}
	})
}

func TestNodesStartTogether(t *testing.T) {
	onShared(t, func(t *testing.T, src string) {
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				db, err := Open(t.Context(), Config{Source: src})
				if err != nil {
					t.Error(err)
					return
				}
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

func TestReopen(t *testing.T) {
	onShared(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		update(t, db, func(tx *Tx) error { return tx.PutAccount(&Account{acct, "n", t0}) })
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		wantIs(t, "update after Close", db.Update(t.Context(), func(*Tx) error { return nil }), ErrClosed)
		wantIs(t, "Fresh after Close", db.Fresh(time.Now()), ErrStale)
		db = open(t, Config{Source: src})
		if c, err := db.View().Account(t.Context(), acct); err != nil || c.Row.Name != "n" {
			t.Errorf("after reopening: %v", err)
		}
		if err := db.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestSourcesThatAreNone(t *testing.T) {
	for _, src := range []string{"", "mysql://x", "sqlite:" + filepath.Join(t.TempDir(), "missing", "x.db"), "postgres://%zz",
		"postgres://user:hunter2@127.0.0.1:1/x?connect_timeout=1"} {
		db, err := Open(t.Context(), Config{Source: src})
		if err == nil {
			db.Close()
			t.Errorf("%q was opened", src)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

func TestSQLiteFileModeAndOddPath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c#d%41&e.db")
	db := open(t, Config{Source: "sqlite:" + path})
	update(t, db, func(tx *Tx) error { return tx.PutAccount(&Account{acct, "n", t0}) })
	for _, suffix := range []string{"", "-wal", "-shm"} {
		st, err := os.Stat(path + suffix)
		if err != nil {
			t.Error(err)
		} else if st.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", st.Name(), st.Mode())
		}
	}
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000"} {
		var got string
		if err := db.eng.write.QueryRow(`PRAGMA ` + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q (%v), want %q", pragma, got, err, want)
		}
	}
}

func TestPostgresKeepsAcknowledgedWrites(t *testing.T) {
	src := source(t, "postgres") + "&options=-c%20synchronous_commit%3Doff"
	db := open(t, Config{Source: src})
	var got string
	if err := db.eng.write.QueryRow(`SHOW synchronous_commit`).Scan(&got); err != nil || got != "on" {
		t.Errorf("synchronous_commit = %q (%v), want on", got, err)
	}
}

func TestMemoryLeavesNothing(t *testing.T) {
	db := open(t, Config{Source: "memory"})
	dir := filepath.Dir(db.eng.path)
	// What a killed process left: a folder whose lock nobody holds. One without a lock may be coming up.
	left, err := os.MkdirTemp(filepath.Dir(dir), memoryPrefix)
	if err != nil {
		t.Fatal(err)
	}
	starting, err := os.MkdirTemp(filepath.Dir(dir), memoryPrefix)
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(starting)
	if err := os.WriteFile(filepath.Join(left, "lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	second := open(t, Config{Source: "memory"})
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a killed process's folder stays: %v", err)
	}
	for _, d := range []string{dir, starting} {
		if _, err := os.Stat(d); err != nil {
			t.Errorf("a folder in use is gone: %v", err)
		}
	}
	update(t, db, func(tx *Tx) error { return tx.PutAccount(&Account{acct, "n", t0}) })
	read(t, second, func(tx *Tx) error {
		_, err := tx.GetAccount(acct)
		wantIs(t, "another memory store's row", err, ErrNotFound)
		return nil
	})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder outlives Close: %v", err)
	}
}

// Placeholders keep their numbers on both engines, repeated and out of order.
func TestPlaceholders(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		read(t, db, func(tx *Tx) error {
			got, err := one(tx, func(s scanner, row *[3]string) error { return s.Scan(&row[0], &row[1], &row[2]) },
				`SELECT CAST($2 AS TEXT), CAST($1 AS TEXT), CAST($2 AS TEXT)`, "one", "two")
			if err == nil && *got != [3]string{"two", "one", "two"} {
				t.Errorf("got %v", *got)
			}
			return err
		})
	})
}

func FuzzEventKey(f *testing.F) {
	for _, s := range []string{"", "1/a", "-1/", "/", "9223372036854775807/\x00", "9999999999999999999999/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		micros, id, err := parseEventKey(key)
		if err != nil || key == "" {
			return
		}
		if clean(id) != id {
			t.Errorf("%q: the id %q cannot be a parameter", key, id)
		}
		e := Event{ID: id, Time: time.UnixMicro(micros)}
		if again, _, err := parseEventKey(eventKey(&e)); err != nil || again != micros && !e.Time.IsZero() {
			t.Errorf("%q: comes back as %d, %v", key, again, err)
		}
	})
}
