package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

// ShipperConfig tunes a Shipper. Log and Sink are required.
type ShipperConfig struct {
	Log  *Log
	Sink Sink
	// Interval is the pause between rounds: a record is in the store about this long after Append. Default 500 ms.
	Interval time.Duration
	// MaxBatch is the largest number of events in one transaction. Default 512: more costs memory, fewer costs processor time.
	MaxBatch int
	// Logger hears when shipping fails, resumes or meets damage. Default: slog.Default.
	Logger *slog.Logger
}

const (
	defaultInterval = 500 * time.Millisecond
	defaultMaxBatch = 512
	maxBatchBytes   = 4 << 20
	minBackoff      = 50 * time.Millisecond
	maxBackoff      = 800 * time.Millisecond // below a second: that soon after the store is back, records flow again
)

// ShipperStats counts what a Shipper has done since it was made.
type ShipperStats struct {
	Shipped  uint64        // events
	Batches  uint64        // transactions
	Failures uint64        // transactions that failed and were repeated
	Damaged  uint64        // damaged places met in segments
	LagBytes int64         // durable but not shipped
	Lag      time.Duration // how long there has been something to ship; 0 when all is shipped
}

// Shipper moves a Log's records into the store, in order and exactly once, and deletes segments that are shipped.
type Shipper struct {
	cfg  ShipperConfig
	turn chan struct{} // holds one token: whoever has it ships

	// Used only by the holder of the turn.
	reader   *segmentReader
	batch    shipment  // its memory serves one batch after the other
	damaged  bool      // the open segment has damage
	reported position  // the damage told of last
	stored   []byte    // the log's position as the store has it
	places   positions // stored, decoded
	known    bool      // stored is what the store has: not before it has been read, nor after a failure

	mu     sync.Mutex // guards what follows, which Stats reads
	stats  ShipperStats
	at     position
	behind time.Time // since when there is something to ship
}

// NewShipper makes a Shipper that goes on where the last one left off. There must be only one per Log.
func NewShipper(cfg ShipperConfig) (*Shipper, error) {
	if cfg.Log == nil || cfg.Sink == nil {
		return nil, errors.New("audit: a Shipper needs a Log and a Sink")
	}
	if cfg.Interval <= 0 {
		cfg.Interval = defaultInterval
	}
	if cfg.MaxBatch <= 0 {
		cfg.MaxBatch = defaultMaxBatch
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	s := &Shipper{cfg: cfg, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s, nil
}

// Run ships until ctx ends, whose error it returns. The store being away is not an error: Run keeps trying.
func (s *Shipper) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		// Errors other than ctx's have been logged and counted, and the next round tries again.
		if err := s.Flush(ctx); err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		timer.Reset(s.cfg.Interval)
	}
}

// Flush ships everything that was durable when it was called, repeating what fails until ctx ends. Then it returns ctx's error and
// the last failure.
func (s *Shipper) Flush(ctx context.Context) error {
	select {
	case <-s.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { s.turn <- struct{}{} }()
	segments := s.cfg.Log.durable()
	backoff := minBackoff
	failures := 0 // in a row
	for {
		err := s.shipAll(ctx, &segments, &failures)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
		s.count(func(st *ShipperStats) { st.Failures++ })
		if failures == 0 {
			s.cfg.Logger.Error("audit: cannot ship events into the store; they stay in the log", slog.Any("error", err))
			backoff = minBackoff
		}
		failures++
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// shipAll ships the given segments as far as they were durable. Finished ones leave the list, so that a repetition does not look for
// files that are gone.
func (s *Shipper) shipAll(ctx context.Context, segments *[]segmentState, failures *int) error {
	for ; len(*segments) > 0; *segments = (*segments)[1:] {
		seg := (*segments)[0]
		for more := true; more; {
			var err error
			if more, err = s.shipBatch(ctx, seg); err != nil {
				return err
			}
			if *failures > 0 {
				s.cfg.Logger.Info("audit: shipping events again", slog.Int("failures", *failures))
				*failures = 0
			}
		}
		if seg.sealed {
			if err := s.finish(seg); err != nil {
				return err
			}
		}
	}
	return nil
}

// shipBatch ships one batch of a segment; more is false when the segment has been read to its end.
func (s *Shipper) shipBatch(ctx context.Context, seg segmentState) (more bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if err := s.resume(ctx); err != nil {
		return false, err
	}
	if readable, err := s.open(seg); err != nil || !readable {
		return false, err
	}
	start := s.reader.offset
	s.reader.arena.recycle() // the batch before this one has been stored, or is read again
	s.batch.reset()
	more, err = s.collect(seg)
	if err != nil {
		s.reader.offset = start // the same records again
		return false, err
	}
	here := position{seg.number, s.reader.header.nonce, s.reader.offset}
	events := s.batch.events
	if len(events) > 0 {
		places := s.places.with(here)
		batch := Batch{Log: s.cfg.Log.id, From: s.stored, To: places.encode(), Events: events, Subjects: s.batch.subjects}
		if err := s.cfg.Sink.Ship(ctx, &batch); err != nil {
			// It may have been stored all the same: the position will tell.
			s.reader.offset, s.known = start, false
			return false, err
		}
		s.stored, s.places = batch.To, places
	}
	s.advance(here, len(events))
	if len(events) == 0 && !more {
		s.rest()
	}
	return more, nil
}

// rest lets go of memory that only a load needs.
func (s *Shipper) rest() {
	s.batch = shipment{}
	s.reader.rest()
}

// resume asks the store how far this log has been shipped.
func (s *Shipper) resume(ctx context.Context) error {
	if s.known {
		return nil
	}
	stored, err := s.cfg.Sink.Position(ctx, s.cfg.Log.id)
	if err != nil {
		return err
	}
	places, ok := decodePositions(stored)
	if !ok {
		s.cfg.Logger.Error("audit: the store's position of this log is damaged; what is left in the log will be shipped again")
	}
	s.stored, s.places, s.known = stored, places, true
	return nil
}

// open makes reader that of seg. It reports false when seg has no readable header; any other failure is an error, to be repeated.
func (s *Shipper) open(seg segmentState) (bool, error) {
	if s.reader != nil && s.reader.header.number == seg.number {
		return true, nil
	}
	s.closeReader()
	r, err := openSegment(s.cfg.Log.folder, seg.number)
	switch {
	case errors.Is(err, errBadHeader) || errors.Is(err, errShortHeader):
		s.report(seg.number, 0, err)
		return false, nil
	case err != nil:
		return false, err
	}
	s.reader = r
	return true, nil
}

func (s *Shipper) closeReader() {
	if s.reader != nil {
		s.reader.close()
	}
	s.reader, s.damaged = nil, false
}

// collect reads the next batch of seg.
func (s *Shipper) collect(seg segmentState) (more bool, err error) {
	b := &s.batch
	shipped := s.places.offset(seg.number, s.reader.header.nonce)
	skip := func(end int64) bool { return end <= shipped }
	for size := 0; len(b.events) < s.cfg.MaxBatch && size < maxBatchBytes; {
		rec, err := s.reader.next(seg.size, skip)
		var bad *damage
		switch {
		case errors.Is(err, io.EOF):
			return false, nil
		case errors.As(err, &bad):
			s.report(seg.number, bad.offset, bad)
			found, err := s.reader.resync(seg.size)
			if err != nil {
				return false, err
			}
			if !found {
				s.reader.offset = seg.size
				return false, nil
			}
			continue
		case err != nil:
			return false, err
		}
		b.add(rec)
		size += len(rec.row.Body) + len(rec.row.Cert)/8 // certificates repeat
	}
	return true, nil
}

// report tells of damage. The segment will be set aside once what is readable has been shipped.
func (s *Shipper) report(segment uint64, offset int64, err error) {
	s.damaged = true
	at := position{segment: segment, offset: offset}
	if at == s.reported {
		return // a repeated batch meets the same damage again
	}
	s.reported = at
	s.count(func(st *ShipperStats) { st.Damaged++ })
	s.cfg.Logger.Error("audit: a log segment is damaged: acknowledged records may be lost; it will be set aside, not deleted",
		slog.Uint64("segment", segment), slog.Any("error", err))
	s.cfg.Log.sealActive(segment)
}

// advance records that everything before p is in the store.
func (s *Shipper) advance(p position, events int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = p
	s.stats.Shipped += uint64(events)
	if events > 0 {
		s.stats.Batches++
	}
}

// finish removes a sealed segment that has been read to its end, or sets it aside when it has damage.
func (s *Shipper) finish(seg segmentState) error {
	if !s.damaged {
		if err := s.cfg.Log.folder.Remove(seg.number); err != nil {
			return err
		}
	} else {
		name, err := s.cfg.Log.folder.SetAside(seg.number)
		if err != nil {
			return err
		}
		s.cfg.Logger.Error("audit: a damaged log segment was set aside", slog.String("file", name))
	}
	s.closeReader()
	s.cfg.Log.forget(seg.number)
	return nil
}

func (s *Shipper) count(f func(*ShipperStats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.stats)
}

// Stats returns a copy of the counters, with the lag of this moment.
func (s *Shipper) Stats() ShipperStats {
	segments := s.cfg.Log.durable()
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	for _, seg := range segments {
		switch {
		case seg.number == s.at.segment:
			st.LagBytes += max(seg.size-s.at.offset, 0)
		case seg.number > s.at.segment:
			st.LagBytes += seg.size - segmentHeaderLen
		}
	}
	if st.LagBytes == 0 {
		s.behind = time.Time{}
	} else if s.behind.IsZero() {
		s.behind = time.Now()
	}
	if !s.behind.IsZero() {
		st.Lag = time.Since(s.behind)
	}
	return st
}

// Close releases what the Shipper has open. Call it after Run has returned and before the Log is closed.
func (s *Shipper) Close(ctx context.Context) error {
	select {
	case <-s.turn:
	case <-ctx.Done():
		return fmt.Errorf("audit: closing the shipper: %w", ctx.Err())
	}
	s.closeReader()
	s.turn <- struct{}{}
	return nil
}
