package store

import (
	"math"
	"slices"
)

// lookupBlocks merges the n newest matching events of blocks into found, which has at most n. Blocks are visited by their end,
// the newest first, until what has been found is newer than all that follow.
func (tx *Tx) lookupBlocks(q *eventQuery, n int, found []foundEvent) ([]foundEvent, error) {
	hashes := make([]uint64, len(q.terms))
	for i, t := range q.terms {
		hashes[i] = t.hash()
	}
	last := q.end
	if last < math.MaxInt64-maxBlockSpan.Microseconds() {
		last += maxBlockSpan.Microseconds()
	}
	afterID := int64(math.MaxInt64)
	for size := 8; ; size = min(4*size, 256) {
		blocks, err := tx.blockHeads(q, last, afterID, size)
		if err != nil {
			return nil, err
		}
		for i := range blocks {
			b := &blocks[i]
			if len(found) == n && toMicros(found[n-1].Time) > b.end {
				return found, nil
			}
			if slices.ContainsFunc(hashes, func(h uint64) bool { return !bloomHas(b.filter, h) }) {
				continue
			}
			if found, err = tx.searchBlock(q, n, b, found); err != nil {
				return nil, err
			}
		}
		if len(blocks) < size {
			return found, nil
		}
		last, afterID = blocks[size-1].end, blocks[size-1].id
	}
}

// blockHeads reads the next blocks, all but their contents.
func (tx *Tx) blockHeads(q *eventQuery, last, afterID int64, size int) ([]eventBlock, error) {
	foreign := ""
	if q.foreign {
		foreign = ` AND foreign_ids`
	}
	return all(tx, func(s scanner, b *eventBlock) error {
		b.account, b.region = q.Account, q.Region
		return s.Scan(&b.end, &b.id, &b.start, blob{&b.filter})
	}, `SELECT end_time, id, start_time, filter FROM event_blocks
		WHERE account = $1 AND region = $2 AND end_time <= $3 AND (end_time < $3 OR id < $4) AND end_time >= $5 AND start_time <= $6`+foreign+`
		ORDER BY end_time DESC, id DESC LIMIT $7`, q.Account, q.Region, last, afterID, q.start, q.end, size)
}

// searchBlock merges one block's matching events into found.
func (tx *Tx) searchBlock(q *eventQuery, n int, b *eventBlock, found []foundEvent) ([]foundEvent, error) {
	head, err := one(tx, func(s scanner, raw *[]byte) error { return s.Scan(blob{raw}) },
		`SELECT head FROM event_blocks WHERE account = $1 AND region = $2 AND end_time = $3 AND id = $4`, b.account, b.region, b.end, b.id)
	if err != nil {
		return nil, err
	}
	b.head = *head
	err = readHead(b, func(e *blockEntry) {
		at := toMicros(e.Time)
		if at < q.start || at > q.end || at == q.beforeTime && e.ID >= q.beforeID || !q.matches(&e.Event) {
			return
		}
		found = append(found, foundEvent{*e, b})
		if len(found) >= 4*n {
			found = sortFound(found, n)
		}
	})
	b.head = nil
	if err != nil {
		return nil, err
	}
	return sortFound(found, n), nil
}
