package store

import (
	"context"
	"database/sql"
)

// maxKept bounds the statements that are kept prepared.
const maxKept = 64

// kept are statements of SQLite's writer that run all the time: SQLite takes longer to compile an insertion of a few rows
// than to run it. pgx keeps its own. Who has the writer uses it, and nobody else.
type kept struct {
	ready  map[string]*sql.Stmt
	wanted []string // to be prepared when no transaction has the connection
}

// execKept is exec for one of a few texts.
func (tx *Tx) execKept(q string, args ...any) (int64, error) {
	if tx.eng.kind == kindPostgres || !tx.write {
		return tx.exec(q, args...)
	}
	s := tx.eng.kept.find(q)
	if s == nil {
		return tx.exec(q, args...)
	}
	tx.writes++
	res, err := tx.tx.StmtContext(tx.ctx, s).ExecContext(tx.ctx, args...)
	if err != nil {
		return 0, tx.fail(err)
	}
	n, err := res.RowsAffected()
	return n, tx.fail(err)
}

// find returns a statement that was prepared, or remembers that it is wanted.
func (k *kept) find(q string) *sql.Stmt {
	s := k.ready[q]
	if s == nil && len(k.ready)+len(k.wanted) < maxKept {
		k.wanted = append(k.wanted, q)
	}
	return s
}

// prepare prepares what is wanted. A failure costs speed and nothing else.
func (e *engine) prepare(ctx context.Context) {
	for _, q := range e.kept.wanted {
		if e.kept.ready[q] != nil {
			continue
		}
		s, err := e.write.PrepareContext(ctx, e.text(q))
		if err != nil {
			break
		}
		if e.kept.ready == nil {
			e.kept.ready = map[string]*sql.Stmt{}
		}
		e.kept.ready[q] = s
	}
	e.kept.wanted = e.kept.wanted[:0]
}
