package audit

import (
	"fmt"
	"log/slog"
	"runtime"
	"time"
)

// maxSpare is the largest batch buffer that is kept for reuse.
const maxSpare = 4 << 20

func (l *Log) newBatch() *batch {
	buf := l.spare
	l.spare = nil
	if cap(buf) < batchFrameLen {
		buf = make([]byte, 0, 64<<10)
	}
	return &batch{buf: buf[:batchFrameLen], done: make(chan struct{})}
}

// commitLoop is the committer: the only goroutine that touches the active segment. While it syncs one batch, the next fills up.
func (l *Log) commitLoop() {
	defer close(l.stopped)
	age := time.NewTicker(max(l.opts.SegmentAge/4, time.Millisecond))
	defer age.Stop()
	for {
		select {
		case <-l.wake:
			l.gather()
			l.commit()
		case <-age.C:
			l.commit()
		case <-l.quit:
			l.commit()
			return
		}
	}
}

// maxGather bounds how long a batch is held open for requests that are ready to run.
const maxGather = 500 * time.Microsecond

// gather lets requests that are ready to run join the batch, as long as it grows: on a busy server that saves most of the
// syncs, and while the processors have work nothing waits longer for it. On an idle one it costs a microsecond.
func (l *Log) gather() {
	end := time.Now().Add(maxGather)
	for before := -1; ; {
		l.mu.Lock()
		now := l.pending.records
		l.mu.Unlock()
		if now == before || time.Now().After(end) {
			return
		}
		before = now
		runtime.Gosched()
	}
}

// commit writes and syncs what is pending, and seals the segment when it is full, old or asked for.
func (l *Log) commit() {
	l.mu.Lock()
	if l.failed != nil {
		l.mu.Unlock()
		return
	}
	active := &l.segments[len(l.segments)-1]
	offset := active.size
	b := l.pending
	after := offset
	if b.records > 0 {
		after += int64(len(b.buf))
	}
	old := time.Since(l.header.created) >= l.opts.SegmentAge
	seal := after > segmentHeaderLen && (after >= l.opts.SegmentBytes || old || l.seal) && !l.closed
	if b.records == 0 && !seal {
		l.seal = false
		l.mu.Unlock()
		return
	}
	if b.records > 0 {
		l.pending = l.newBatch()
	}
	if seal {
		// Records that arrive from here on belong to the next segment, which knows no certificates yet. With nothing to write,
		// pending stays as it is: it is empty.
		l.seal = false
		l.certs = map[fingerprint]struct{}{}
	}
	l.mu.Unlock()

	if b.records > 0 && !l.write(b, offset) {
		return
	}
	if seal {
		l.rotate()
	}
}

// write makes one batch durable and releases its writers. It reports whether the log goes on.
func (l *Log) write(b *batch, offset int64) bool {
	putBatchFrame(b.buf, l.header.nonce, offset)
	// A failed sync may have dropped the dirty pages, and the next sync would report success for data that is gone. So the first
	// error ends this log; nothing is ever retried.
	if _, err := l.file.Write(b.buf); err != nil {
		l.fail(b, describe("writing", err))
		return false
	}
	if err := l.file.Sync(); err != nil {
		l.fail(b, describe("syncing", err))
		return false
	}
	l.mu.Lock()
	l.segments[len(l.segments)-1].size += int64(len(b.buf))
	l.stats.Records += uint64(b.records)
	l.stats.Bytes += uint64(len(b.buf))
	l.stats.Batches++
	if cap(b.buf) <= maxSpare {
		l.spare = b.buf
	}
	b.buf = nil
	l.mu.Unlock()
	close(b.done)
	return true
}

// rotate seals the active segment, all of which is durable, and begins the next.
func (l *Log) rotate() {
	if err := l.file.Close(); err != nil {
		l.fail(nil, describe("closing a segment", err))
		return
	}
	l.file = nil
	l.mu.Lock()
	last := &l.segments[len(l.segments)-1]
	last.sealed = true
	next := last.number + 1
	l.mu.Unlock()
	if err := l.begin(next); err != nil {
		l.fail(nil, err)
	}
}

// begin creates segment number and makes it the active one.
func (l *Log) begin(number uint64) error {
	header := newSegmentHeader(number, time.Now())
	file, err := l.folder.Create(number, header.encode())
	if err != nil {
		return err
	}
	l.file, l.header = file, header
	l.mu.Lock()
	l.segments = append(l.segments, segmentState{number: number, size: segmentHeaderLen})
	l.mu.Unlock()
	return nil
}

// fail poisons the log: the batch and everything pending fail, and so does every later Append.
func (l *Log) fail(b *batch, cause error) {
	l.opts.Logger.Error("audit log failed: requests are refused until the server is restarted", slog.Any("error", cause))
	err := fmt.Errorf("%w: %w", ErrFailed, cause)
	l.mu.Lock()
	l.failed = err
	waiting := l.pending
	l.pending = l.newBatch()
	l.mu.Unlock()
	for _, b := range []*batch{b, waiting} {
		if b != nil {
			b.err = err
			close(b.done)
		}
	}
}
