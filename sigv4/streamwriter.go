package sigv4

import (
	"encoding/base64"
	"io"
	"net/http"
	"strconv"
)

// StreamWriter encodes a body as aws-chunked. Close ends the stream; it does not close the writer below.
type StreamWriter struct {
	w     io.Writer
	frame *framing
	chain *chain // nil in the unsigned mode
	size  int
	buf   []byte // data of the chunk being filled
	out   []byte
	left  int64 // decoded bytes still to come
	err   error
}

// NewStreamWriter writes the body of r, which Sign has signed with one of the streaming payload modes, the header
// X-Amz-Decoded-Content-Length, and for the trailer modes X-Amz-Trailer with the name of one checksum. chunk is the
// bytes in a chunk, at least 8 KiB; 0 stands for 64 KiB. See EncodedLength for the request's Content-Length.
func NewStreamWriter(w io.Writer, r *http.Request, secretAccessKey string, chunk int) (*StreamWriter, error) {
	c, err := Parse(r)
	if err != nil {
		return nil, err
	}
	s := &StreamWriter{w: w, size: chunk}
	if s.size == 0 {
		s.size = 64 << 10
	}
	if s.size < minChunk || s.size > defaultMaxChunk {
		return nil, fail(Incomplete, "a chunk has %d to %d bytes", minChunk, defaultMaxChunk)
	}
	if s.frame, err = readFraming(r.Header, c.PayloadHash, 1<<62); err != nil {
		return nil, err
	}
	if s.frame.signed {
		if s.chain, err = newChain(c, DeriveKey(secretAccessKey, c.Date, c.Region, c.Service)); err != nil {
			return nil, err
		}
	}
	s.left = s.frame.length
	return s, nil
}

// Write implements io.Writer. It fails once more is written than X-Amz-Decoded-Content-Length says.
func (s *StreamWriter) Write(p []byte) (int, error) {
	if s.err == nil && int64(len(p)) > s.left {
		s.err = fail(PayloadMismatch, "the body is longer than x-amz-decoded-content-length")
	}
	total := 0
	for len(p) > 0 && s.err == nil {
		n := min(s.size-len(s.buf), len(p))
		s.buf = append(s.buf, p[:n]...)
		p, total, s.left = p[n:], total+n, s.left-int64(n)
		if len(s.buf) == s.size {
			s.flush()
		}
	}
	return total, s.err
}

// Close writes what is left, the last chunk and the trailer.
func (s *StreamWriter) Close() error {
	if s.err == nil && s.left != 0 {
		s.err = fail(PayloadMismatch, "the body is shorter than x-amz-decoded-content-length")
	}
	if s.err == nil && len(s.buf) > 0 {
		s.flush()
	}
	if s.err != nil {
		return s.err
	}
	b := s.head(s.out[:0], nil)
	if name := s.frame.trailer; name != "" {
		value := base64.StdEncoding.EncodeToString(s.frame.sum.Sum(nil))
		b = append(append(append(append(b, name...), ':'), value...), "\r\n"...)
		if s.frame.signed {
			sig := s.chain.trailer(name, value)
			b = append(append(b, trailerSignature...), ':')
			b = append(append(b, sig[:]...), "\r\n"...)
		}
	}
	if _, err := s.w.Write(append(b, "\r\n"...)); err != nil {
		s.err = err
		return err
	}
	s.err = io.ErrClosedPipe
	return nil
}

// head appends a chunk's line.
func (s *StreamWriter) head(b, data []byte) []byte {
	b = strconv.AppendInt(b, int64(len(data)), 16)
	if s.frame.signed {
		s.chain.prev = s.chain.chunk(data)
		b = append(append(b, chunkExtension...), s.chain.prev[:]...)
	}
	return append(b, "\r\n"...)
}

func (s *StreamWriter) flush() {
	if s.frame.sum != nil {
		s.frame.sum.Write(s.buf)
	}
	s.out = append(append(s.head(s.out[:0], s.buf), s.buf...), "\r\n"...)
	s.buf = s.buf[:0]
	_, s.err = s.w.Write(s.out)
}

// EncodedLength is the number of bytes that a StreamWriter makes of a body of n bytes, or -1 if the mode is not a
// streaming one or the trailer not a known checksum. trailer is ignored in the mode without one.
func EncodedLength(mode string, n int64, chunk int, trailer string) int64 {
	if payloadMode(mode) != PayloadStreaming || n < 0 {
		return -1
	}
	if chunk == 0 {
		chunk = 64 << 10
	}
	line := func(size int64) int64 {
		l := int64(len(strconv.FormatInt(size, 16))) + 2
		if mode != StreamingUnsignedTrailer {
			l += int64(len(chunkExtension)) + 64
		}
		return l
	}
	total := n / int64(chunk) * (line(int64(chunk)) + int64(chunk) + 2)
	if rest := n % int64(chunk); rest > 0 {
		total += line(rest) + rest + 2
	}
	total += line(0) + 2
	if mode != StreamingSigned {
		sum := newChecksum(trailer)
		if sum == nil {
			return -1
		}
		total += int64(len(trailer)) + 1 + int64(base64.StdEncoding.EncodedLen(sum.Size())) + 2
	}
	if mode == StreamingSignedTrailer {
		total += int64(len(trailerSignature)) + 1 + 64 + 2
	}
	return total
}
