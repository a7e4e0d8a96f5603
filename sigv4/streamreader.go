package sigv4

import (
	"bufio"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// StreamReader decodes an aws-chunked body and verifies it on the way. Bytes of a signed chunk are handed out only
// once its signature is verified. Bytes of an unsigned stream are handed out as they come: they are good only if Read
// ends in io.EOF. Any other error is final and an *Error, or the body's own error.
type StreamReader struct {
	br     *bufio.Reader
	frame  *framing
	chain  *chain // nil in the unsigned mode
	limits StreamLimits
	remain int64  // decoded bytes still to come
	data   []byte // verified and not yet handed out
	buf    []byte // backs data
	left   int64  // of the current unsigned chunk
	inside bool   // within an unsigned chunk
	short  bool   // a chunk below the minimum came: it must have been the last
	value  string // of the trailer
	err    error
}

// OpenStream returns a reader for r.Body, whose payload mode is one of the streaming ones. Call Verify first: it checks
// the signature that the chain of chunks hangs on. A nil limits stands for the defaults.
func (c *Claims) OpenStream(r *http.Request, key Key, limits *StreamLimits) (*StreamReader, error) {
	s := &StreamReader{limits: limits.orDefaults()}
	var err error
	if s.frame, err = readFraming(r.Header, c.PayloadHash, s.limits.MaxLength); err != nil {
		return nil, err
	}
	if s.frame.signed {
		if s.chain, err = newChain(c, key); err != nil {
			return nil, err
		}
	}
	if r.Body == nil {
		return nil, fail(Incomplete, "the request has no body")
	}
	s.remain = s.frame.length
	s.br = bufio.NewReaderSize(r.Body, 4096)
	return s, nil
}

// Trailer is the checksum header that followed the body, such as x-amz-checksum-crc32c, and its verified value. Both
// are empty before Read returned io.EOF, and in the mode without a trailer.
func (s *StreamReader) Trailer() (name, value string) {
	if !errors.Is(s.err, io.EOF) || s.value == "" {
		return "", ""
	}
	return s.frame.trailer, s.value
}

// Length is the number of bytes the decoded body has.
func (s *StreamReader) Length() int64 { return s.frame.length }

// Read implements io.Reader.
func (s *StreamReader) Read(p []byte) (int, error) {
	for len(p) > 0 {
		switch {
		case len(s.data) > 0:
			n := copy(p, s.data)
			s.data = s.data[n:]
			return n, nil
		case s.err != nil:
			return 0, s.err
		case s.inside:
			n, err := s.readUnsigned(p)
			if err != nil {
				s.err = err
			}
			if n > 0 {
				return n, nil
			}
		default:
			s.err = s.nextChunk()
		}
	}
	return 0, nil
}

// nextChunk reads a chunk's line, and in the signed modes the chunk; io.EOF after the last.
func (s *StreamReader) nextChunk() error {
	line, err := s.line()
	if err != nil {
		return err
	}
	size, signature, err := s.chunkLine(line)
	if err != nil {
		return err
	}
	if size > s.remain {
		return fail(PayloadMismatch, "the body is longer than x-amz-decoded-content-length")
	}
	if size == 0 {
		return s.finish(signature)
	}
	s.remain -= size
	if !s.frame.signed {
		s.left, s.inside = size, true
		return nil
	}
	if s.short {
		return fail(Incomplete, "every chunk but the last must have at least %d bytes", s.limits.MinChunk)
	}
	if size > int64(s.limits.MaxChunk) {
		return fail(Incomplete, "a chunk is larger than %d bytes", s.limits.MaxChunk)
	}
	s.short = size < int64(s.limits.MinChunk)
	if err := s.fill(int(size)); err != nil {
		return err
	}
	if err := s.checkChunk(s.buf, signature); err != nil {
		return err
	}
	if s.frame.sum != nil {
		s.frame.sum.Write(s.buf)
	}
	if err := s.endOfLine(); err != nil {
		return err
	}
	s.data = s.buf
	return nil
}

// chunkLine takes "SIZE" or "SIZE;chunk-signature=HEX" apart.
func (s *StreamReader) chunkLine(line string) (size int64, signature string, err error) {
	digits := line
	if s.frame.signed {
		var ok bool
		if digits, signature, ok = strings.Cut(line, chunkExtension); !ok || len(signature) != 64 {
			return 0, "", fail(Incomplete, "a chunk has no chunk-signature")
		}
	}
	if len(digits) == 0 || len(digits) > 15 || strings.Trim(digits, "0123456789abcdefABCDEF") != "" {
		return 0, "", fail(Incomplete, "a chunk's size is not a hexadecimal number")
	}
	size, perr := strconv.ParseInt(digits, 16, 64)
	if perr != nil {
		return 0, "", fail(Incomplete, "a chunk's size is not a hexadecimal number")
	}
	return size, signature, nil
}

// fill reads n bytes into s.buf. It grows with what arrives, not with what the chunk's line promises.
func (s *StreamReader) fill(n int) error {
	s.buf = s.buf[:0]
	for len(s.buf) < n {
		step := min(n-len(s.buf), max(64<<10, len(s.buf)))
		s.buf = slices.Grow(s.buf, step)
		got, err := io.ReadFull(s.br, s.buf[len(s.buf):len(s.buf)+step])
		s.buf = s.buf[:len(s.buf)+got]
		if err != nil {
			return truncated(err)
		}
	}
	return nil
}

func (s *StreamReader) readUnsigned(p []byte) (int, error) {
	n, err := s.br.Read(p[:min(int64(len(p)), s.left)])
	s.frame.sum.Write(p[:n])
	s.left -= int64(n)
	if s.left > 0 {
		return n, truncated(err)
	}
	s.inside = false
	return n, s.endOfLine()
}

func (s *StreamReader) checkChunk(data []byte, signature string) error {
	want := s.chain.chunk(data)
	if subtle.ConstantTimeCompare(want[:], []byte(signature)) != 1 {
		return fail(Mismatch, "the signature of a chunk does not match")
	}
	s.chain.prev = want
	return nil
}

// finish handles the chunk of size 0 and what follows it.
func (s *StreamReader) finish(signature string) error {
	if s.remain != 0 {
		return fail(PayloadMismatch, "the body is %d bytes shorter than x-amz-decoded-content-length", s.remain)
	}
	if s.frame.signed {
		if err := s.checkChunk(nil, signature); err != nil {
			return err
		}
	}
	if s.frame.trailer == "" {
		if err := s.endOfLine(); err != nil {
			return err
		}
		return s.endOfBody(0)
	}
	if err := s.readTrailer(); err != nil {
		return err
	}
	return io.EOF
}

// readTrailer reads the trailing checksum and, in the signed mode, the signature over it.
func (s *StreamReader) readTrailer() error {
	var value, signature string
	for range maxTrailerLines {
		line, err := s.line()
		if err != nil {
			return err
		}
		if line == "" {
			// One S3 client ends the checksum's line with LF and puts an empty line before the signature.
			if s.frame.signed && value != "" && signature == "" {
				continue
			}
			break
		}
		name, v, _ := strings.Cut(line, ":")
		name, v = strings.ToLower(name), strings.Trim(v, " ")
		switch {
		case v == "":
			return fail(Incomplete, "a trailing header has no value")
		case name == s.frame.trailer && value == "" && signature == "":
			value = v
		case name == trailerSignature && s.frame.signed && value != "" && signature == "":
			signature = v
		default:
			return fail(Incomplete, "the trailing header %q was not announced, comes twice or in the wrong place", clip(name))
		}
	}
	if value == "" || s.frame.signed && signature == "" {
		return fail(Incomplete, "the body has not the trailing headers it announced")
	}
	if s.frame.signed {
		want := s.chain.trailer(s.frame.trailer, value)
		if subtle.ConstantTimeCompare(want[:], []byte(signature)) != 1 {
			return fail(Mismatch, "the signature of the trailing header does not match")
		}
	}
	if base64.StdEncoding.EncodeToString(s.frame.sum.Sum(nil)) != value {
		return fail(PayloadMismatch, "the body does not have the checksum of its trailing header %s", s.frame.trailer)
	}
	s.value = value
	if err := s.endOfBody(2); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// line reads up to CRLF. A bare LF ends a line too; both forms of the trailer are in use.
func (s *StreamReader) line() (string, error) {
	b, err := s.br.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		return "", truncated(err)
	}
	if err != nil || len(b) > maxChunkLine {
		return "", fail(Incomplete, "a line between chunks is longer than %d bytes", maxChunkLine)
	}
	return strings.TrimSuffix(string(b[:len(b)-1]), "\r"), nil
}

func (s *StreamReader) endOfLine() error {
	var crlf [2]byte
	for i := range crlf {
		b, err := s.br.ReadByte()
		if err != nil {
			return truncated(err)
		}
		crlf[i] = b
	}
	if crlf != [2]byte{'\r', '\n'} {
		return fail(Incomplete, "a chunk is not followed by CRLF")
	}
	return nil
}

// endOfBody expects nothing more, or up to extra bytes of line ends, and returns io.EOF.
func (s *StreamReader) endOfBody(extra int) error {
	for i := 0; ; i++ {
		b, err := s.br.ReadByte()
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		if err != nil {
			return err
		}
		if i >= extra || b != "\r\n"[i&1] {
			return fail(Incomplete, "the body goes on after its last chunk")
		}
	}
}

// truncated turns an early end of the body into an *Error.
func truncated(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fail(Incomplete, "the body ended before its last chunk")
	}
	return err
}
