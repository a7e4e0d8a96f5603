package store

import (
	"encoding/binary"
	"errors"

	"github.com/rolecall/rolecall/internal/arn"
)

// errBlock means that a block does not decode: the database has been damaged or changed by hand.
var errBlock = errors.New("store: an event block is damaged")

// blockEntry is an event of a block without its record.
type blockEntry struct {
	Event
	number int // place in the block
	offset int // of the record in its chunk
	length int
	cert   int // index of the certificate, -1 for none
}

// readHead visits the events of a block, in ascending order of time and id. The entry is valid during the visit only.
func readHead(b *eventBlock, visit func(*blockEntry)) error {
	raw, err := unpack(b.head)
	if err != nil {
		return err
	}
	r := blockReader{rest: raw}
	version, count := r.byte(), r.number(maxUnpacked)
	at := r.varint()
	if version != blockVersion {
		return errBlock
	}
	e := blockEntry{Event: Event{Account: b.account, Region: b.region}}
	offset := 0
	for i := 0; i < count && !r.failed; i++ {
		if i%blockChunk == 0 {
			offset = 0
		}
		at = r.entry(&e, at)
		e.number, e.offset = i, offset
		offset += e.length
		if offset > maxUnpacked {
			return errBlock
		}
		if !r.failed {
			visit(&e)
		}
	}
	if r.failed || len(r.rest) != 0 {
		return errBlock
	}
	return nil
}

// entry reads one event over the one before it and returns its time.
func (r *blockReader) entry(e *blockEntry, at int64) int64 {
	flags, same := r.byte(), r.byte()
	delta, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.failed = true
		return at
	}
	r.rest = r.rest[n:]
	at += int64(delta)
	e.Time = fromMicros(at)
	e.ReadOnly = flags&blockReadOnly != 0
	if flags&blockUUID != 0 {
		e.ID = r.uuid()
	} else {
		e.ID = r.text()
	}
	for i, s := range [...]*string{&e.Name, &e.Source, &e.Username, &e.AccessKeyID} {
		if same&(1<<i) == 0 {
			*s = r.text()
		}
	}
	if same&sameResources == 0 {
		count := r.number(uint64(len(r.rest))) // each takes three bytes or more
		e.Resources = nil                      // visits may have kept the last one's
		for i := 0; i < count && !r.failed; i++ {
			e.Resources = append(e.Resources, EventResource{r.text(), r.text(), r.text()})
		}
	}
	e.length = r.number(maxUnpacked)
	e.cert, e.CertAt = -1, 0
	if flags&blockCert != 0 {
		e.cert, e.CertAt = r.number(maxUnpacked), r.number(uint64(e.length))
	}
	return at
}

// bodyReader takes records out of a block's body.
type bodyReader struct {
	certs  [][]byte
	chunks [][]byte       // packed
	open   map[int][]byte // unpacked
}

func newBodyReader(body []byte) (*bodyReader, error) {
	r := blockReader{rest: body}
	b := &bodyReader{open: map[int][]byte{}}
	count := r.number(uint64(len(body)))
	for i := 0; i < count && !r.failed; i++ {
		b.certs = append(b.certs, r.bytes(r.number(uint64(len(body)))))
	}
	for len(r.rest) > 0 && !r.failed {
		b.chunks = append(b.chunks, r.bytes(r.number(uint64(len(body)))))
	}
	if r.failed {
		return nil, errBlock
	}
	return b, nil
}

// record returns the whole record of an entry, in memory of its own.
func (b *bodyReader) record(e *blockEntry) ([]byte, error) {
	body, cert, err := b.parts(e)
	if err != nil {
		return nil, err
	}
	if cert == nil {
		return append([]byte(nil), body...), nil
	}
	return fillCert(nil, body, cert, e.CertAt), nil
}

// parts returns the record of an entry without its certificate, and that; nil for none.
func (b *bodyReader) parts(e *blockEntry) (body, cert []byte, err error) {
	n := e.number / blockChunk
	if n >= len(b.chunks) || e.cert >= len(b.certs) {
		return nil, nil, errBlock
	}
	chunk, ok := b.open[n]
	if !ok {
		if chunk, err = unpack(b.chunks[n]); err != nil {
			return nil, nil, err
		}
		b.open[n] = chunk
	}
	if e.offset+e.length > len(chunk) {
		return nil, nil, errBlock
	}
	body = chunk[e.offset : e.offset+e.length : e.offset+e.length]
	if e.cert < 0 {
		return body, nil, nil
	}
	return body, b.certs[e.cert], nil
}

// blockReader reads fields from the front of rest; after the first failure all it returns is zero.
type blockReader struct {
	rest   []byte
	failed bool
}

func (r *blockReader) bytes(n int) []byte {
	if r.failed || n > len(r.rest) {
		r.failed = true
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *blockReader) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// number reads a uvarint of at most limit.
func (r *blockReader) number(limit uint64) int {
	v, n := binary.Uvarint(r.rest)
	if r.failed || n <= 0 || v > limit {
		r.failed = true
		return 0
	}
	r.rest = r.rest[n:]
	return int(v)
}

func (r *blockReader) varint() int64 {
	v, n := binary.Varint(r.rest)
	if r.failed || n <= 0 {
		r.failed = true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *blockReader) text() string { return string(r.bytes(r.number(maxUnpacked))) }

func (r *blockReader) uuid() string {
	b := r.bytes(16)
	if b == nil {
		return ""
	}
	return arn.FormatUUID([16]byte(b))
}
