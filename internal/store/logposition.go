package store

import "errors"

// ErrMoved means that a log's position is not what the caller took it for: another transaction has shipped since.
var ErrMoved = errors.New("store: the log's position has moved")

// LogPosition is how far a node's audit log has been shipped, as the last MoveLogPosition of that log left it; nil for an
// unknown log.
func (tx *Tx) LogPosition(log string) ([]byte, error) {
	pos, err := one(tx, func(s scanner, b *[]byte) error { return s.Scan(blob{b}) }, `SELECT position FROM log_positions WHERE log = $1`, log)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return *pos, nil
}

// MoveLogPosition replaces a log's position, or fails with [ErrMoved] unless it is from (nil: unknown). Done in the transaction
// that ships the records between the two, that makes shipping exactly once: even a transaction of a killed process that
// PostgreSQL commits late comes either first or not at all. to is not empty.
func (tx *Tx) MoveLogPosition(log string, from, to []byte) error {
	if len(to) == 0 {
		return ErrMoved
	}
	// Not an UPDATE: PostgreSQL would read all of a small table, and nodes would conflict.
	n, err := tx.exec(`INSERT INTO log_positions (log, position) VALUES ($1, $2)
		ON CONFLICT (log) DO UPDATE SET position = excluded.position WHERE log_positions.position = $3`, log, to, notNil(from))
	if err != nil {
		return err
	}
	if n != 1 {
		return ErrMoved
	}
	return nil
}
