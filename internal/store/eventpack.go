package store

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

const (
	// minBlockEvents: fewer events of one account and region stay rows, whose terms find them exactly.
	minBlockEvents = 16
	// minJoinedEvents is that for the events of a transaction that several callers share: there processor time counts more,
	// and what is small is merged soon.
	minJoinedEvents = 2
	// maxPackedRows bounds the rows of one batch, each of which costs as much as a dozen events of a block: with many accounts that
	// have few events each, the rest become small blocks.
	maxPackedRows  = 64
	maxBlockEvents = 1024
	maxBlockBytes  = 4 << 20
	// maxBlockSpan is the longest time between a block's first and last event. LookupEvents depends on it: a block that ends later
	// than this after a moment has nothing from before it.
	maxBlockSpan = 5 * time.Minute
)

// PackedEvents are events made ready for the store outside of a transaction.
type PackedEvents struct {
	rows   []Event
	blocks []eventBlock
}

// eventBlock is many events of one account and region in one row.
type eventBlock struct {
	account    arn.AccountID
	region     arn.Region
	start, end int64 // times of the first and the last event, microseconds
	id         int64 // random
	events     int
	foreign    bool // some event's id is foreign
	filter     []byte
	head, body []byte
}

// writers keeps the buffers of blockWriters, which are large, from batch to batch; the collector takes them when nothing is shipped.
var writers = sync.Pool{New: func() any { return new(blockWriter) }}

// PackEvents sorts events into blocks, and rows where there are few. It keeps nothing of its argument but rows.
func PackEvents(events []Event) *PackedEvents { return packEvents(events, minBlockEvents) }

// packEvents makes blocks of least events and more.
func packEvents(events []Event, least int) *PackedEvents {
	type scope struct {
		account arn.AccountID
		region  arn.Region
	}
	groups := map[scope][]*Event{}
	var order []scope
	for i := range events {
		e := &events[i]
		s := scope{e.Account, e.Region}
		if groups[s] == nil {
			order = append(order, s)
		}
		groups[s] = append(groups[s], e)
	}
	out := new(PackedEvents)
	w := writers.Get().(*blockWriter)
	defer writers.Put(w)
	for _, s := range order {
		group := groups[s]
		byKey := func(a, b *Event) int {
			return cmp.Or(cmp.Compare(toMicros(a.Time), toMicros(b.Time)), cmp.Compare(a.ID, b.ID))
		}
		if !slices.IsSortedFunc(group, byKey) {
			slices.SortFunc(group, byKey)
		}
		for len(group) > 0 {
			n := blockLength(group)
			if n < least && len(out.rows)+n <= maxPackedRows {
				for _, e := range group[:n] {
					out.rows = append(out.rows, *e)
				}
			} else {
				out.blocks = append(out.blocks, w.block(group[:n]))
			}
			group = group[n:]
		}
	}
	return out
}

// blockLength is how many of the sorted events fit into one block, at least one.
func blockLength(group []*Event) int {
	size := 0
	latest := toMicros(group[0].Time) + maxBlockSpan.Microseconds()
	for i, e := range group {
		size += len(e.Body) + len(e.Cert)
		if i > 0 && (i == maxBlockEvents || size > maxBlockBytes || toMicros(e.Time) > latest) {
			return i
		}
	}
	return len(group)
}

// InsertPackedEvents adds the events. Unlike InsertEvents it is not idempotent: see MoveLogPosition.
func (tx *Tx) InsertPackedEvents(p *PackedEvents) error {
	if err := tx.InsertEvents(p.rows); err != nil {
		return err
	}
	for i := range p.blocks {
		b := &p.blocks[i]
		if _, err := tx.execKept(`INSERT INTO event_blocks (account, region, end_time, id, start_time, events, foreign_ids, filter, head, body)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			b.account, b.region, b.end, b.id, b.start, b.events, b.foreign, b.filter, b.head, b.body); err != nil {
			return err
		}
		if b.events < smallBlock {
			tx.small++
		}
	}
	return nil
}

func newBlockID() int64 { return rand.Int64() }
