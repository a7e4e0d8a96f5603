package sessiontoken

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"sync"
)

// The packed part holds what callers choose the size of: session policy, managed policy ARNs, tags, transitive keys.
// STS gives it a limit of its own and reports how much of that is used (PackedPolicySize); the real limit is not
// published, ours is [PackedLimit]. In the record it stands last:
//
//	[length before compression, if deflated] ‖ policy ‖ n, ARNs ‖ n, key and value of each tag ‖ n, transitive keys
const (
	// PackedLimit is the most that the packed part may take, in bytes after compression. It keeps a token below 8 KiB,
	// so that its header passes the usual proxies.
	PackedLimit = 4096

	deflateFrom = 1024 // smaller parts stay as they are: compressing costs more than it saves

	maxPolicy = 100_000 // profiles accept a session policy of that many characters
	maxARNs   = 50
	maxARN    = 2048
	maxTags   = 50      // STS: session tags, transitive keys likewise
	maxTagKey = 128 * 4 // 128 characters of any script
	maxTagVal = 256 * 4

	maxPlain = 256 << 10 // before compression
)

// codec encodes and decodes records. Compressors are large (hundreds of KiB) and therefore reused.
// The zero value works.
type codec struct {
	writers sync.Pool // of *flate.Writer
	readers sync.Pool // of io.ReadCloser that is a flate.Resetter
}

// pack encodes the packed part, in room if that is long enough. The error wraps [ErrSession] or is [ErrTooLarge].
func (c *codec) pack(room []byte, s *Session) (b []byte, deflated bool, percent int, err error) {
	if len(s.SessionPolicy) == 0 && len(s.PolicyARNs) == 0 && len(s.Tags) == 0 && len(s.TransitiveKeys) == 0 {
		return []byte{0, 0, 0, 0}, false, 0, nil
	}
	if len(s.PolicyARNs) > maxARNs || len(s.Tags) > maxTags || len(s.TransitiveKeys) > maxTags {
		return nil, false, 0, fmt.Errorf("%w: too many policies or tags", ErrSession)
	}
	e := encoder{b: room}
	e.string("session policy", s.SessionPolicy, maxPolicy)
	e.number(uint64(len(s.PolicyARNs)))
	for _, a := range s.PolicyARNs {
		e.string("policy ARN", a, maxARN)
	}
	e.number(uint64(len(s.Tags)))
	for _, t := range s.Tags {
		e.string("tag key", t.Key, maxTagKey)
		e.string("tag value", t.Value, maxTagVal)
	}
	e.number(uint64(len(s.TransitiveKeys)))
	for _, k := range s.TransitiveKeys {
		e.string("transitive tag key", k, maxTagKey)
	}
	if e.tooLong != "" {
		return nil, false, 0, fmt.Errorf("%w: a %s is too long", ErrSession, e.tooLong)
	}
	b = e.b
	if len(b) > maxPlain {
		return nil, false, percentOf(len(b)), ErrTooLarge
	}
	if len(b) >= deflateFrom {
		z, err := c.deflate(b)
		if err != nil {
			return nil, false, 0, fmt.Errorf("%w: %w", ErrSession, err)
		}
		if len(z) < len(b) {
			b, deflated = z, true
		}
	}
	percent = percentOf(len(b))
	if len(b) > PackedLimit {
		return nil, false, percent, ErrTooLarge
	}
	return b, deflated, percent, nil
}

// percentOf rounds up, so that 100 is within the limit and 101 is not.
func percentOf(n int) int { return (n*100 + PackedLimit - 1) / PackedLimit }

func (c *codec) deflate(b []byte) ([]byte, error) {
	w, ok := c.writers.Get().(*flate.Writer)
	if !ok {
		var err error
		if w, err = flate.NewWriter(io.Discard, flate.BestSpeed); err != nil {
			return nil, err
		}
	}
	defer c.writers.Put(w)
	e := encoder{b: make([]byte, 0, len(b)/2)}
	e.number(uint64(len(b)))
	out := bytes.NewBuffer(e.b)
	w.Reset(out)
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	w.Reset(io.Discard) // the pool must not keep the policy's buffer
	return out.Bytes(), nil
}

// inflate reads exactly the promised length, which is bounded, and nothing may follow it.
func (c *codec) inflate(d *decoder) ([]byte, error) {
	n := d.number(maxPlain)
	if d.bad || n < deflateFrom {
		return nil, errRecord
	}
	src := bytes.NewReader(d.b)
	r, ok := c.readers.Get().(io.ReadCloser)
	if !ok {
		r = flate.NewReader(nil)
	}
	defer c.readers.Put(r)
	if err := r.(flate.Resetter).Reset(src, nil); err != nil {
		return nil, errRecord
	}
	out := make([]byte, n)
	if _, err := io.ReadFull(r, out); err != nil {
		return nil, errRecord
	}
	var more [1]byte
	if k, err := r.Read(more[:]); k != 0 || err != io.EOF || src.Len() != 0 {
		return nil, errRecord
	}
	return out, nil
}

// unpack reads the packed part, which is all that is left in d.
func (c *codec) unpack(s *Session, d *decoder, deflated bool) error {
	if deflated {
		plain, err := c.inflate(d)
		if err != nil {
			return err
		}
		*d = newDecoder(plain)
	}
	s.SessionPolicy = d.string(maxPolicy)
	if n := int(d.number(maxARNs)); n > 0 {
		s.PolicyARNs = make([]string, n)
		for i := range s.PolicyARNs {
			s.PolicyARNs[i] = d.string(maxARN)
		}
	}
	if n := int(d.number(maxTags)); n > 0 {
		s.Tags = make([]Tag, n)
		for i := range s.Tags {
			s.Tags[i] = Tag{Key: d.string(maxTagKey), Value: d.string(maxTagVal)}
		}
	}
	if n := int(d.number(maxTags)); n > 0 {
		s.TransitiveKeys = make([]string, n)
		for i := range s.TransitiveKeys {
			s.TransitiveKeys[i] = d.string(maxTagKey)
		}
	}
	if d.bad || len(d.b) != 0 {
		return errRecord
	}
	return nil
}
