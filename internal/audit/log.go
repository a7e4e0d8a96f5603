package audit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

var (
	// ErrClosed means that the Log has been closed.
	ErrClosed = errors.New("audit: the log is closed")
	// ErrFailed means that an earlier write or sync failed. What the disk holds is unknown then, so the Log takes nothing more
	// until it is opened again.
	ErrFailed = errors.New("audit: the log has failed and takes no more records until the server is restarted")
	// ErrDiskFull is wrapped beside ErrFailed, and by OpenLog, when the disk or the quota is full.
	ErrDiskFull = errors.New("audit: no space left for the log")
	// ErrBacklog means that Options.MaxBacklog bytes wait to be shipped.
	ErrBacklog = errors.New("audit: too many records wait to be shipped into the store")
)

// Options tune a Log. The zero value works.
type Options struct {
	// SegmentBytes is the size at which a segment is sealed and the next begun. Default 32 MiB.
	SegmentBytes int64
	// SegmentAge seals a segment that is older, so that shipped records leave the disk. Default 10 minutes.
	SegmentAge time.Duration
	// MaxBacklog makes Append fail once segments hold this many bytes. 0: no limit on disk, 256 MiB in memory.
	MaxBacklog int64
	// Logger hears of recovery and failure. Default: slog.Default.
	Logger *slog.Logger
}

const (
	defaultSegmentBytes = 32 << 20
	defaultSegmentAge   = 10 * time.Minute
	memorySegmentBytes  = 4 << 20
	memoryBacklog       = 256 << 20
	maxPending          = 16 << 20 // bytes that wait for the next sync; beyond it writers wait to enqueue
	maxUnsynced         = 1 << 20  // bytes that nobody waits for and that are written at once all the same
	noteDelay           = 50 * time.Millisecond
	maxSegmentCerts     = 8192 // certificates remembered per segment; beyond it they are written again
)

// Log is an append-only log of events. Its methods may be called from many goroutines.
type Log struct {
	folder  folder
	id      string // the folder's
	opts    Options
	wake    chan struct{} // one token: there is something to commit
	quit    chan struct{} // closed by Close
	stopped chan struct{} // closed when the committer has ended

	// Used by the committer alone.
	file   segmentFile
	header segmentHeader

	// mu guards what follows: writers fill pending while the committer writes the batch before it.
	mu       sync.Mutex
	pending  *batch
	spare    []byte // a written batch's buffer, for the next batch
	certs    map[fingerprint]struct{}
	segments []segmentState // ascending; the last one is active
	seal     bool           // seal the active segment soon
	closed   bool
	failed   error
	stats    LogStats
}

// segmentState is what is durable of one segment.
type segmentState struct {
	number uint64
	size   int64
	sealed bool
}

// batch is what one sync makes durable.
type batch struct {
	buf     []byte // begins with room for the batch frame
	records int
	awaited bool          // the committer has been woken for it
	done    chan struct{} // closed once err is final
	err     error
}

// LogStats counts what a Log has done since it was opened.
type LogStats struct {
	Records   uint64 // made durable
	Batches   uint64 // syncs
	Bytes     uint64
	Segments  int
	Backlog   int64 // bytes in all segments, shipped parts of the active one included
	Truncated int64 // bytes cut from a torn tail at start
	Failed    bool
}

// OpenLog opens or creates the log in dir, which becomes 0700, and recovers it: a torn tail is cut, with a line in the log.
// It returns ErrLocked when another process has the folder, and ErrDiskFull when there is no room for a segment.
func OpenLog(dir string, opts Options) (*Log, error) {
	d, err := openDisk(dir)
	if err != nil {
		return nil, err
	}
	l, err := newLog(d, opts)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return l, nil
}

// NewMemoryLog is a log that ends with the process, for a server that keeps nothing.
func NewMemoryLog(opts Options) (*Log, error) {
	if opts.SegmentBytes == 0 {
		opts.SegmentBytes = memorySegmentBytes
	}
	if opts.MaxBacklog == 0 {
		opts.MaxBacklog = memoryBacklog
	}
	return newLog(newMemory(), opts)
}

func newLog(f folder, opts Options) (*Log, error) {
	if opts.SegmentBytes <= 0 {
		opts.SegmentBytes = defaultSegmentBytes
	}
	if opts.SegmentAge <= 0 {
		opts.SegmentAge = defaultSegmentAge
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	l := &Log{
		folder:  f,
		opts:    opts,
		wake:    make(chan struct{}, 1),
		quit:    make(chan struct{}),
		stopped: make(chan struct{}),
	}
	var err error
	if l.id, err = f.ID(); err != nil {
		return nil, err
	}
	next, err := l.recover()
	if err != nil {
		return nil, err
	}
	if err := l.begin(next); err != nil {
		return nil, err
	}
	l.certs = map[fingerprint]struct{}{}
	l.pending = l.newBatch()
	go l.commitLoop()
	return l, nil
}

// Append makes the event, and the subject if there is one, durable before it returns nil. Any error means that the request must
// fail; only with ctx's error may the record have become durable all the same. It sets an empty EventID and EventTime.
func (l *Log) Append(ctx context.Context, e *Event, s *SubjectSeen) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("audit: record not written: %w", err)
	}
	e.normalise()
	buf := getBuffer()
	frame, cert, err := appendRecord((*buf)[:0], e, s)
	*buf = frame
	if err != nil {
		putBuffer(buf)
		return err
	}
	b, err := l.enqueue(ctx, frame, cert, true)
	putBuffer(buf)
	if err != nil {
		return err
	}
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done():
		return fmt.Errorf("audit: record not confirmed: %w", ctx.Err())
	}
}

// Note takes the event without waiting for the disk: it is durable within noteDelay or with the next Append, whichever
// comes first. It is for what only looked; an error means that the log takes no records, and the request must fail.
func (l *Log) Note(ctx context.Context, e *Event) error {
	e.normalise()
	buf := getBuffer()
	frame, cert, err := appendRecord((*buf)[:0], e, nil)
	*buf = frame
	if err == nil {
		_, err = l.enqueue(ctx, frame, cert, false)
	}
	putBuffer(buf)
	return err
}

// enqueue adds a frame to the batch that the next sync covers, soon if somebody waits for it.
func (l *Log) enqueue(ctx context.Context, frame []byte, cert certRef, waits bool) (*batch, error) {
	l.mu.Lock()
	for {
		if err := l.refusedLocked(); err != nil {
			l.mu.Unlock()
			return nil, err
		}
		if l.pending.records == 0 || len(l.pending.buf)+len(frame)+len(cert.der) <= maxPending {
			break
		}
		full := l.pending
		l.mu.Unlock()
		select {
		case <-full.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("audit: record not written: %w", ctx.Err())
		}
		l.mu.Lock()
	}
	b := l.pending
	if cert.der != nil {
		if err := l.defineLocked(b, frame, cert); err != nil {
			l.mu.Unlock()
			return nil, err
		}
	}
	b.buf = append(b.buf, frame...)
	b.records++
	first := b.records == 1
	wake := waits && !b.awaited || len(b.buf) > maxUnsynced
	b.awaited = b.awaited || wake
	l.mu.Unlock()
	switch {
	case wake:
		l.nudge()
	case first:
		time.AfterFunc(noteDelay, l.nudge)
	}
	return b, nil
}

// defineLocked writes the certificate before its first use in a segment.
func (l *Log) defineLocked(b *batch, frame []byte, cert certRef) error {
	if _, ok := l.certs[cert.sum]; ok {
		return nil
	}
	if sha256.Sum256(cert.der) != cert.sum {
		return errors.New("audit: the certificate's fingerprint is not that of the certificate")
	}
	if len(l.certs) < maxSegmentCerts {
		l.certs[cert.sum] = struct{}{}
	}
	b.buf = appendCert(b.buf, cert.sum, cert.der)
	return nil
}

func (l *Log) refusedLocked() error {
	switch {
	case l.failed != nil:
		return l.failed
	case l.closed:
		return ErrClosed
	case l.opts.MaxBacklog > 0 && l.backlogLocked() > l.opts.MaxBacklog:
		return ErrBacklog
	}
	return nil
}

func (l *Log) backlogLocked() int64 {
	var n int64
	for i := range l.segments {
		n += l.segments[i].size
	}
	return n
}

// nudge wakes the committer without waiting for it.
func (l *Log) nudge() {
	select {
	case l.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Err returns nil while the log takes records, and why not otherwise.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusedLocked()
}

// Stats returns a copy of the counters.
func (l *Log) Stats() LogStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.Segments = len(l.segments)
	s.Backlog = l.backlogLocked()
	s.Failed = l.failed != nil
	return s
}

// Close commits what is pending and releases the folder. Records that are not shipped stay for the next start.
// Stop the Shipper first.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		<-l.stopped
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	close(l.quit)
	<-l.stopped
	var err error
	if l.file != nil {
		err = l.file.Close()
	}
	return errors.Join(err, l.folder.Close())
}

// describe names the operation that failed, and says plainly when the disk is full.
func describe(doing string, err error) error {
	if isDiskFull(err) {
		return fmt.Errorf("%w: %s: %w", ErrDiskFull, doing, err)
	}
	return fmt.Errorf("audit: %s: %w", doing, err)
}
