package awsapi_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/store"
)

func newLogger(b *strings.Builder) *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

// testDB is a real store that can be told to conflict once or to fail at commit.
type testDB struct {
	db      *store.DB
	commits int
	reads   int
	retry   bool
	err     error
}

func newTestDB(t testing.TB) *testDB {
	t.Helper()

	db, err := store.Open(t.Context(), store.Config{Source: "memory", Poll: time.Hour, Staleness: 24 * 365 * 10 * time.Hour, Clock: func() time.Time { return testTime }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &testDB{db: db}
}

func (d *testDB) Update(ctx context.Context, fn func(*awsapi.Tx) error) error {
	if d.retry {
		conflict := errors.New("conflict")
		err := d.db.Update(ctx, func(tx *awsapi.Tx) error {
			if err := fn(tx); err != nil {
				return err
			}
			return conflict
		})
		if !errors.Is(err, conflict) {
			return err
		}
	}
	err := d.db.Update(ctx, func(tx *awsapi.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return d.err
	})
	if err == nil {
		d.commits++
	}
	return err
}

func (d *testDB) Join(ctx context.Context, fn func(*awsapi.Tx) error) error {
	return d.db.Join(ctx, fn)
}

func (d *testDB) Read(ctx context.Context, fn func(*awsapi.Tx) error) error {
	d.reads++
	return d.db.Read(ctx, fn)
}

// bodies is the stored events as JSON.
func (d *testDB) bodies(t testing.TB) []string {
	t.Helper()
	var out []string
	err := d.db.Read(t.Context(), func(tx *store.Tx) error {
		events, _, err := tx.LookupEvents(&store.EventFilter{Account: testAccount, Region: "eu-central-1"}, 50, "")
		for _, e := range events {
			out = append(out, string(e.Body))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
