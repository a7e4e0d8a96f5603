package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// embeddedMigrations are the schema's steps; number N is at index N-1. A step that has been released never changes.
func embeddedMigrations() []string {
	entries, err := migrationFiles.ReadDir("migrations")
	if err != nil {
		return nil
	}
	steps := make([]string, 0, len(entries))
	for i, e := range entries { // in the order of their names, which is that of their numbers
		text, err := migrationFiles.ReadFile("migrations/" + e.Name())
		if err != nil || !strings.HasPrefix(e.Name(), fmt.Sprintf("%04d_", i+1)) {
			panic("store: " + e.Name() + " is not migration " + strconv.Itoa(i+1)) // of this program itself: no test gets past it
		}
		steps = append(steps, string(text))
	}
	return steps
}

// NewerSchemaError means that a newer program has written to the database.
type NewerSchemaError struct{ Found, Known int }

func (e *NewerSchemaError) Error() string {
	return fmt.Sprintf("store: the database has schema version %d, this program knows versions up to %d: start a newer rolecalld, or restore an older backup", e.Found, e.Known)
}

// migrate runs the steps that the database has not seen, in one transaction. Nodes that start together on PostgreSQL
// collide in its catalogue; the loser tries again and finds the work done.
func (e *engine) migrate(ctx context.Context, steps []string) error {
	for attempt := 1; ; attempt++ {
		err := e.migrateOnce(ctx, steps)
		if err == nil || attempt == 20 || !(retryable(err) || schemaRace(err)) {
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

func (e *engine) migrateOnce(ctx context.Context, steps []string) error {
	sqlTx, err := e.write.BeginTx(ctx, e.writeOptions())
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer sqlTx.Rollback() // no effect after the commit
	if _, err := sqlTx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_version (version BIGINT PRIMARY KEY, applied_at BIGINT NOT NULL)`); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	var found int
	if err := sqlTx.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM schema_version`).Scan(&found); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if found > len(steps) {
		return &NewerSchemaError{Found: found, Known: len(steps)}
	}
	if found == len(steps) {
		return nil
	}
	for i, step := range steps[found:] {
		for _, stmt := range strings.Split(e.ddl(step), ";\n") {
			if strings.TrimSpace(stmt) == "" {
				continue
			}
			if _, err := sqlTx.ExecContext(ctx, stmt); err != nil {
				return fmt.Errorf("store: migration %d: %w", found+i+1, err)
			}
		}
		if _, err := sqlTx.ExecContext(ctx, e.text(`INSERT INTO schema_version (version, applied_at) VALUES ($1, $2)`),
			found+i+1, time.Now().UnixMicro()); err != nil {
			return fmt.Errorf("store: migration %d: %w", found+i+1, err)
		}
	}
	if err := sqlTx.Commit(); err != nil {
		return fmt.Errorf("store: migration: %w", err)
	}
	if e.kind != kindPostgres && found > 0 {
		// A step may have written a table anew: the log gives its room back, unless another process reads the file just now.
		_, err := e.write.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
		if err != nil {
			return fmt.Errorf("store: checkpoint after the migration: %w", err)
		}
	}
	return nil
}

// ddl fills in the three words that differ. KEYTEXT sorts bytewise on both engines, so that keyset pages have one order
// whatever the database's locale; CLUSTERED saves SQLite a second tree where the key is nearly the whole row; UNHEX makes
// bytes of hex digits.
func (e *engine) ddl(step string) string {
	if e.kind == kindPostgres {
		return strings.NewReplacer("KEYTEXT", `TEXT COLLATE "C"`, " CLUSTERED", "", "UNHEX(c.serial)", "decode(c.serial, 'hex')").Replace(uncommented(step))
	}
	return strings.NewReplacer("KEYTEXT", "TEXT", "CLUSTERED", "WITHOUT ROWID").Replace(uncommented(step))
}

func uncommented(step string) string {
	var b strings.Builder
	for line := range strings.Lines(step) {
		if !strings.HasPrefix(line, "--") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// schemaRace reports that another node created the same table or type in the same moment.
func schemaRace(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "23505" || pg.Code == "42P07")
}
