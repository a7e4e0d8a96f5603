package store

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/testdb"
)

const (
	acct   arn.AccountID = "111122223333"
	other  arn.AccountID = "444455556666"
	region arn.Region    = "eu-central-1"
)

// t0 is a time in the store's precision.
var t0 = time.Date(2026, 3, 4, 5, 6, 7, 123456000, time.UTC)

// source is a fresh store of the engine; two Opens of it, except for memory, meet in one database.
func source(t testing.TB, engine string) string {
	t.Helper()
	switch engine {
	case "memory":
		return "memory"
	case "sqlite":
		return "sqlite:" + filepath.Join(t.TempDir(), "rolecall.db")
	}
	return testdb.Postgres(t)
}

func open(t testing.TB, cfg Config) *DB {
	t.Helper()
	db, err := Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return db
}

// onEngines runs a test of the conformance suite on every engine.
func onEngines(t *testing.T, f func(t *testing.T, src string)) {
	for _, engine := range []string{"memory", "sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			f(t, source(t, engine))
		})
	}
}

// onShared is onEngines without memory, which one handle has to itself.
func onShared(t *testing.T, f func(t *testing.T, src string)) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			f(t, source(t, engine))
		})
	}
}

func update(t testing.TB, db *DB, f func(*Tx) error) {
	t.Helper()
	if err := db.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, db *DB, f func(*Tx) error) {
	t.Helper()
	if err := db.Read(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// wantIs checks an error by identity.
func wantIs(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// eventually waits for what another node's poll brings: a bound for a hung test, not a measure of speed.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

func testRole(name string) *Role {
	return &Role{Account: acct, Name: name, Path: "/", ID: "AROA" + name, Description: "d", TrustPolicy: "{}", MaxSession: 3600,
		Tags: []Tag{{"k", "v"}}, CreatedAt: t0}
}
