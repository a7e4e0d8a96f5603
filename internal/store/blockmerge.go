package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// smallBlock is how many events a block has at least that is not worth merging.
	smallBlock = maxBlockEvents / 2
	// mergeAt is how many small blocks are left alone: a search reads them all.
	mergeAt = 64
	// mergeSpan is how far back small blocks are looked for: transactions take less from an event to their end.
	mergeSpan = time.Minute
	// mergeRead bounds the blocks that are looked at in one go.
	mergeRead = 2048
	// mergeBytes bounds what one merge has in memory.
	mergeBytes = 1 << 20
	mergeEvery = time.Second
)

// mergeBlocks replaces small blocks that ended at from or later by large ones until ctx ends: a busy node writes hundreds of a
// few events each second, and LookupEvents looks at every block of the time it is asked about. Blocks that nobody merges are
// found all the same.
func (db *DB) mergeBlocks(ctx context.Context, from time.Time) {
	tick := time.NewTicker(mergeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		count := db.small.Load()
		if count < mergeAt {
			continue
		}
		start := db.now()
		if db.mergeSmall(ctx, from.Add(-mergeSpan)) == nil { // the next round makes up for it
			db.small.Add(-count)
			from = start
		}
	}
}

// mergeSmall merges blocks that end at since or later, of all accounts and regions. It looks at each once.
func (db *DB) mergeSmall(ctx context.Context, since time.Time) error {
	var small []eventBlock
	err := db.readFrom(ctx, db.eng.loads, func(tx *Tx) (err error) {
		small, err = all(tx, func(s scanner, b *eventBlock) error {
			return s.Scan(&b.account, &b.region, &b.end, &b.id, &b.start, &b.events)
		}, `SELECT account, region, end_time, id, start_time, events FROM event_blocks WHERE end_time >= $1 AND events < $2
			ORDER BY end_time LIMIT $3`, toMicros(since), smallBlock, mergeRead)
		return err
	})
	if err != nil {
		return err
	}
	slices.SortFunc(small, func(a, b eventBlock) int {
		return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.region, b.region), cmp.Compare(a.end, b.end), cmp.Compare(a.id, b.id))
	})
	for len(small) > 0 {
		n := mergeable(small)
		if n > 1 {
			if err := db.mergeRun(ctx, small[:n]); err != nil {
				return err
			}
		}
		small = small[max(n, 1):]
	}
	return nil
}

// mergeable is how many blocks at the front make a block that is not small; 0 if they do not.
func mergeable(blocks []eventBlock) int {
	events, start := 0, blocks[0].start
	for i := range blocks {
		b := &blocks[i]
		start = min(start, b.start)
		if b.account != blocks[0].account || b.region != blocks[0].region || b.end-start > maxBlockSpan.Microseconds() || events+b.events > maxBlockEvents {
			if events >= smallBlock {
				return i
			}
			return 0
		}
		events += b.events
	}
	if events >= smallBlock {
		return len(blocks)
	}
	return 0
}

// mergeRun puts blocks of one account and region, in the order of their ends, into one. Those that wait for the writer do not
// wait for the packing.
func (db *DB) mergeRun(ctx context.Context, run []eventBlock) error {
	events, n, err := db.blockEvents(ctx, run)
	if err != nil || n < 2 {
		return err
	}
	run = run[:n]
	packed := packEvents(events, 1)
	return db.Update(ctx, func(tx *Tx) error {
		args := []any{run[0].account, run[0].region, run[0].end, run[n-1].end}
		var ids strings.Builder
		for i := range run {
			args = append(args, run[i].id)
			ids.WriteString(",$" + strconv.Itoa(len(args)))
		}
		deleted, err := tx.exec(`DELETE FROM event_blocks WHERE account = $1 AND region = $2 AND end_time >= $3 AND end_time <= $4 AND id IN (`+ids.String()[1:]+`)`, args...)
		if err != nil {
			return err
		}
		if deleted != int64(n) {
			return errMerged
		}
		return tx.InsertPackedEvents(packed)
	})
}

// errMerged means that another node merged or deleted some of the blocks.
var errMerged = errors.New("store: event blocks are gone")

// blockEvents reads everything in the first n blocks, as PackEvents takes it: as many as become one block.
func (db *DB) blockEvents(ctx context.Context, run []eventBlock) (events []Event, n int, err error) {
	err = db.readFrom(ctx, db.eng.loads, func(tx *Tx) error {
		size := 0
		for n = range run {
			b, err := one(tx, func(s scanner, b *eventBlock) error {
				*b = eventBlock{account: run[n].account, region: run[n].region}
				return s.Scan(blob{&b.head}, blob{&b.body})
			}, `SELECT head, body FROM event_blocks WHERE account = $1 AND region = $2 AND end_time = $3 AND id = $4`, run[n].account, run[n].region, run[n].end, run[n].id)
			if err != nil {
				return err
			}
			more, err := b.all()
			if err != nil {
				return err
			}
			for i := range more {
				size += len(more[i].Body) + len(more[i].Cert)
			}
			if size > mergeBytes {
				return nil
			}
			events = append(events, more...)
		}
		n = len(run)
		return nil
	})
	return events, n, err
}

// all returns the block's events.
func (b *eventBlock) all() (events []Event, err error) {
	records, err := newBodyReader(b.body)
	if err != nil {
		return nil, err
	}
	var bad error
	err = readHead(b, func(e *blockEntry) {
		own := e.Event
		if own.Body, own.Cert, err = records.parts(e); err != nil {
			bad = err
		}
		events = append(events, own)
	})
	return events, errors.Join(err, bad)
}
