package audit

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// recover reads what an earlier run left and returns the number of the next segment. Only the last segment can have a torn tail:
// a segment is begun only once everything in the one before it is durable.
func (l *Log) recover() (next uint64, err error) {
	numbers, err := l.folder.List()
	if err != nil {
		return 0, err
	}
	for i, n := range numbers {
		next = max(next, n)
		if err := l.recoverSegment(n, i == len(numbers)-1); err != nil {
			return 0, err
		}
	}
	return next + 1, nil
}

func (l *Log) recoverSegment(number uint64, last bool) error {
	log := l.opts.Logger.With(slog.Uint64("segment", number))
	r, err := openSegment(l.folder, number)
	switch {
	case errors.Is(err, errShortHeader) && last:
		// The header is synced before the first record is taken, so there is none.
		log.Info("audit log: removed a segment that was never begun")
		return l.folder.Remove(number)
	case errors.Is(err, errShortHeader) || errors.Is(err, errBadHeader):
		name, asideErr := l.folder.SetAside(number)
		if asideErr != nil {
			return asideErr
		}
		log.Error("audit log: a segment is unreadable and was set aside", slog.Any("error", err), slog.String("file", name))
		return nil
	case err != nil:
		return err
	}
	defer r.close()
	size, err := r.src.Size()
	if err != nil {
		return fmt.Errorf("audit: reading a segment: %w", err)
	}
	if last {
		if size, err = l.recoverTail(r, size, log); err != nil {
			return err
		}
		if size == segmentHeaderLen {
			return l.folder.Remove(number)
		}
	}
	l.segments = append(l.segments, segmentState{number: number, size: size, sealed: true})
	return nil
}

// onlyZeros reports whether the bytes from offset to end are all zero.
func onlyZeros(r io.ReaderAt, offset, end int64) (bool, error) {
	buf := make([]byte, 64<<10)
	for offset < end {
		b := buf[:min(int64(len(buf)), end-offset)]
		if _, err := r.ReadAt(b, offset); err != nil && !errors.Is(err, io.EOF) {
			return false, fmt.Errorf("audit: reading a segment: %w", err)
		}
		for _, c := range b {
			if c != 0 {
				return false, nil
			}
		}
		offset += int64(len(b))
	}
	return true, nil
}

// recoverTail cuts the last segment behind its last whole record and returns its new size.
func (l *Log) recoverTail(r *segmentReader, size int64, log *slog.Logger) (int64, error) {
	everything := func(int64) bool { return true }
	_, err := r.next(size, everything)
	var bad *damage
	switch {
	case errors.Is(err, io.EOF):
		return size, l.folder.Truncate(r.header.number, size)
	case !errors.As(err, &bad):
		return 0, err
	}
	valid := bad.offset
	r.offset = valid
	later, err := r.resync(size)
	if err != nil {
		return 0, err
	}
	if later {
		// A later batch exists, so this place had been synced: no crash tore it. The Shipper carries on behind it and sets the
		// segment aside; cutting here would lose acknowledged records.
		log.Error("audit log: damage in the middle of the last segment", slog.Int64("offset", valid), slog.Any("error", bad))
		return size, l.folder.Truncate(r.header.number, size)
	}
	if zeros, err := onlyZeros(r.src, valid, size); err != nil {
		return 0, err
	} else if zeros { // filled ahead of records that never came
		return valid, l.folder.Truncate(r.header.number, valid)
	}
	l.stats.Truncated = size - valid
	log.Warn("audit log: cut a torn tail of unacknowledged records",
		slog.Int64("offset", valid), slog.Int64("bytes", size-valid), slog.Any("error", bad))
	return valid, l.folder.Truncate(r.header.number, valid)
}
