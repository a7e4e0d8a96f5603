package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
)

// damage says where a segment stopped making sense.
type damage struct {
	offset int64
	cause  error
}

func (d *damage) Error() string { return fmt.Sprintf("at offset %d: %v", d.offset, d.cause) }
func (d *damage) Unwrap() error { return d.cause }

// certPlace is where a certificate's DER is in a segment.
type certPlace struct {
	offset int64
	length int
	der    []byte // nil when maxKeptCerts was reached
}

const maxKeptCerts = 4 << 20 // bytes of certificates that a reader holds in memory; it reads others again

// segmentReader reads the frames of one segment in order. It trusts nothing that a checksum does not cover.
type segmentReader struct {
	src    segmentSource
	header segmentHeader
	offset int64 // of the next frame
	certs  map[fingerprint]certPlace
	kept   int    // bytes of certificates held in certs
	rec    record // what next returned last
	arena  arena  // where bodies are copied to
	limit  int64  // read no further: what lies behind may be half written
	buf    []byte // read-ahead
	start  int64  // offset of buf[0]
}

const readAhead = 256 << 10

// openSegment opens segment number for reading from its beginning.
func openSegment(f folder, number uint64) (*segmentReader, error) {
	src, err := f.Open(number)
	if err != nil {
		return nil, err
	}
	size, err := src.Size()
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	header, err := readSegmentHeader(src, size, number)
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	return &segmentReader{src: src, header: header, offset: segmentHeaderLen, certs: map[fingerprint]certPlace{}}, nil
}

func (r *segmentReader) close() error { return r.src.Close() }

// rest gives up buffers between loads.
func (r *segmentReader) rest() { r.buf, r.arena = nil, arena{} }

// window returns n bytes at offset. They are valid until the next call.
func (r *segmentReader) window(offset int64, n int) ([]byte, error) {
	if from := offset - r.start; from >= 0 && from+int64(n) <= int64(len(r.buf)) {
		return r.buf[from : from+int64(n)], nil
	}
	want := int(min(int64(max(n, readAhead)), r.limit-offset))
	if want < n {
		return nil, io.ErrUnexpectedEOF
	}
	if cap(r.buf) < want {
		r.buf = make([]byte, want)
	}
	got, err := r.src.ReadAt(r.buf[:want], offset)
	r.buf, r.start = r.buf[:got], offset
	if got < n {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return r.buf[:n], nil
}

// frame returns the next frame's payload, valid until the next call, and moves past it. It reads no further than limit: io.EOF
// when exactly there, *damage when what lies before it is no frame, any other error when reading failed.
func (r *segmentReader) frame(limit int64) ([]byte, error) {
	r.limit = limit
	if r.offset == limit {
		return nil, io.EOF
	}
	if limit-r.offset < frameHeader {
		return nil, &damage{r.offset, fmt.Errorf("%w: cut short", errFrame)}
	}
	head, err := r.window(r.offset, frameHeader)
	if err != nil {
		return nil, r.readError(err)
	}
	n, err := frameLength(head)
	if err != nil {
		return nil, &damage{r.offset, err}
	}
	if limit-r.offset-frameHeader < int64(n) {
		return nil, &damage{r.offset, fmt.Errorf("%w: cut short", errFrame)}
	}
	whole, err := r.window(r.offset, frameHeader+n)
	if err != nil {
		return nil, r.readError(err)
	}
	if err := checkFrame(whole, whole[frameHeader:]); err != nil {
		return nil, &damage{r.offset, err}
	}
	r.offset += frameHeader + int64(n)
	return whole[frameHeader:], nil
}

// readError turns a file that ends early into damage and leaves real read errors alone.
func (r *segmentReader) readError(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return &damage{r.offset, fmt.Errorf("%w: file ends early", errFrame)}
	}
	return fmt.Errorf("audit: reading a segment: %w", err)
}

// next returns the next event, valid until the call after. Errors are those of frame. With skip, events are checked but not decoded, and the record is nil.
func (r *segmentReader) next(limit int64, skip func(end int64) bool) (*record, error) {
	for {
		at := r.offset
		p, err := r.frame(limit)
		if err != nil {
			return nil, err
		}
		kind, body := recordKind(p[0]), p[1:]
		switch kind {
		case kindBatch:
			if !isBatchPayload(p, r.header.nonce, at) {
				return nil, r.damaged(at, "batch frame of another place")
			}
		case kindCert:
			if err := r.remember(at, body); err != nil {
				return nil, err
			}
		case kindEvent:
			if skip != nil && skip(r.offset) {
				continue
			}
			if err := r.rec.decode(body); err != nil {
				return nil, r.damaged(at, err.Error())
			}
			return &r.rec, r.complete(&r.rec)
		default:
			return nil, r.damaged(at, fmt.Sprintf("unknown kind %d", kind))
		}
	}
}

func (r *segmentReader) damaged(at int64, why string) error {
	r.offset = at
	return &damage{at, fmt.Errorf("%w: %s", errFrame, why)}
}

func isBatchPayload(p []byte, nonce uint64, offset int64) bool {
	var want [batchFrameLen]byte
	putBatchFrame(want[:], nonce, offset)
	return bytes.Equal(p, want[frameHeader:])
}

// remember notes where a certificate is.
func (r *segmentReader) remember(at int64, body []byte) error {
	var sum fingerprint
	if len(body) <= len(sum) || len(body) > len(sum)+maxCert {
		return r.damaged(at, "certificate frame of a wrong size")
	}
	copy(sum[:], body)
	der := body[len(sum):]
	if sha256.Sum256(der) != sum {
		return r.damaged(at, "certificate does not match its fingerprint")
	}
	place := certPlace{offset: at + frameHeader + 1 + int64(len(sum)), length: len(der)}
	if r.kept+len(der) <= maxKeptCerts && r.certs[sum].der == nil {
		r.kept += len(der)
		place.der = bytes.Clone(der)
	} else {
		place.der = r.certs[sum].der
	}
	r.certs[sum] = place
	return nil
}

// complete gives the record a body of its own, and the certificate.
func (r *segmentReader) complete(rec *record) error {
	if !rec.hasCert {
		rec.row.Body = r.arena.keep(rec.row.Body)
		return nil
	}
	place, ok := r.certs[rec.cert]
	if !ok {
		// Its definition was lost with damaged frames. The event still counts: it keeps the fingerprint.
		if rec.hole > 0 {
			note := "sha256:" + hex.EncodeToString(rec.cert[:])
			rec.row.Body = slices.Concat(rec.row.Body[:rec.hole], []byte(note), rec.row.Body[rec.hole:])
			return nil
		}
		rec.row.Body = r.arena.keep(rec.row.Body)
		return nil
	}
	rec.row.Body = r.arena.keep(rec.row.Body)
	der := place.der
	if der == nil {
		der = make([]byte, place.length)
		if _, err := r.src.ReadAt(der, place.offset); err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("audit: reading a certificate: %w", err)
		}
	}
	if rec.hole > 0 {
		rec.row.Cert, rec.row.CertAt = der, rec.hole
	}
	if rec.subjectCert {
		rec.subject.CertDER = der
	}
	return nil
}

// resync moves to the next batch frame before limit, behind damage. It reports whether there is one.
func (r *segmentReader) resync(limit int64) (bool, error) {
	r.limit = limit
	// The part of a batch frame that is the same everywhere in this segment.
	var frame [batchFrameLen]byte
	putBatchFrame(frame[:], r.header.nonce, 0)
	constant := frame[frameHeader : frameHeader+9]
	for at := r.offset + 1; at < limit; {
		n := int(min(limit-at, readAhead))
		b, err := r.window(at, n)
		if err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				return false, nil
			}
			return false, fmt.Errorf("audit: reading a segment: %w", err)
		}
		i := bytes.Index(b, constant)
		if i < 0 {
			at += int64(max(n-len(constant)+1, 1))
			continue
		}
		start := at + int64(i) - frameHeader
		at += int64(i) + 1
		if start <= r.offset || start+batchFrameLen > limit {
			continue
		}
		candidate, err := r.window(start, batchFrameLen)
		if err != nil {
			return false, fmt.Errorf("audit: reading a segment: %w", err)
		}
		if isBatchFrame(candidate, r.header.nonce, start) {
			r.offset = start
			return true, nil
		}
	}
	return false, nil
}
