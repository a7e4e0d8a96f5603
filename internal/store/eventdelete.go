package store

import (
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// DeleteEventsBefore removes about limit events older than t, the oldest first, and returns how many: 0 when there are no more. The
// events of a block go together, once the newest of them is older than t, so that some stay up to five minutes longer.
func (tx *Tx) DeleteEventsBefore(t time.Time, limit int) (int, error) {
	if !tx.write {
		return 0, ErrReadOnly
	}
	if limit < 1 || limit > MaxPage {
		limit = MaxPage
	}
	n, err := tx.deleteEventRows(t, limit)
	if err != nil || n >= limit {
		return n, err
	}
	blocks, err := all(tx, func(s scanner, b *eventBlock) error { return s.Scan(&b.account, &b.region, &b.end, &b.id, &b.events) },
		`SELECT account, region, end_time, id, events FROM event_blocks WHERE end_time < $1 ORDER BY end_time LIMIT $2`, toMicros(t), limit-n)
	if err != nil {
		return 0, err
	}
	for i := range blocks {
		if n >= limit {
			break
		}
		b := &blocks[i]
		if _, err := tx.exec(`DELETE FROM event_blocks WHERE account = $1 AND region = $2 AND end_time = $3 AND id = $4`,
			b.account, b.region, b.end, b.id); err != nil {
			return 0, err
		}
		n += b.events
	}
	return n, nil
}

func (tx *Tx) deleteEventRows(t time.Time, limit int) (int, error) {
	old, err := all(tx, scanEvent, `SELECT `+eventColumns+` FROM events WHERE time < $1 ORDER BY time, id LIMIT $2`, toMicros(t), limit)
	if err != nil || len(old) == 0 {
		return 0, err
	}
	// These are the oldest of all: up to the last of them, every row of a term belongs to one of them.
	last := &old[len(old)-1]
	type key struct {
		account arn.AccountID
		region  arn.Region
		term    string
	}
	done := make(map[key]bool)
	for i := range old {
		for _, term := range old[i].terms() {
			k := key{old[i].Account, old[i].Region, term}
			if done[k] {
				continue
			}
			done[k] = true
			if _, err := tx.exec(`DELETE FROM event_terms WHERE account = $1 AND region = $2 AND term = $3
				AND time <= $4 AND (time < $4 OR id <= $5)`, k.account, k.region, k.term, toMicros(last.Time), last.ID); err != nil {
				return 0, err
			}
		}
	}
	_, err = tx.exec(`DELETE FROM events WHERE time <= $1 AND (time < $1 OR id <= $2)`, toMicros(last.Time), last.ID)
	return len(old), err
}
