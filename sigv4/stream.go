package sigv4

import (
	"crypto/sha256"
	"hash"
	"net/http"
	"strconv"
	"strings"
)

// aws-chunked framing: each chunk is "SIZE[;chunk-signature=HEX]" CRLF DATA CRLF, the last has size 0, and in the
// trailer modes header lines follow it. Signed chunks form a chain that starts at the request's own signature.
const (
	chunkExtension   = ";chunk-signature="
	trailerSignature = "x-amz-trailer-signature"
	chunkAlgorithm   = "AWS4-HMAC-SHA256-PAYLOAD"
	trailAlgorithm   = "AWS4-HMAC-SHA256-TRAILER"

	minChunk        = 8 << 10 // S3's minimum for every signed chunk but the last
	defaultMaxChunk = 16 << 20
	defaultMaxTotal = 5 << 30 // S3's limit for one PUT
	maxChunkLine    = 256
	maxTrailerLines = 8
)

// StreamLimits bounds what OpenStream accepts. The zero value works.
type StreamLimits struct {
	MinChunk  int   // bytes of every signed chunk but the last; 0: 8 KiB, negative: no minimum
	MaxChunk  int   // bytes of a signed chunk, which is held in memory until it is verified; 0: 16 MiB
	MaxLength int64 // bytes of the decoded body; 0: 5 GiB
}

func (l *StreamLimits) orDefaults() StreamLimits {
	out := StreamLimits{MinChunk: minChunk, MaxChunk: defaultMaxChunk, MaxLength: defaultMaxTotal}
	if l == nil {
		return out
	}
	if l.MinChunk != 0 {
		out.MinChunk = l.MinChunk
	}
	if l.MaxChunk > 0 {
		out.MaxChunk = l.MaxChunk
	}
	if l.MaxLength > 0 {
		out.MaxLength = l.MaxLength
	}
	return out
}

// chain signs or verifies one chunk after the other.
type chain struct {
	key     Key
	amzDate string
	scope   scope
	prev    [64]byte // the signature before, in hexadecimal
	buf     []byte
}

func newChain(c *Claims, key Key) (*chain, error) {
	ch := &chain{key: key, amzDate: c.amzDate, scope: scope{c.Date, c.Region, c.Service}}
	if copy(ch.prev[:], c.Signature) != len(ch.prev) || len(c.Signature) != len(ch.prev) || c.Algorithm != AlgorithmHMAC {
		return nil, fail(Incomplete, "signed chunks need a request signed with %s", AlgorithmHMAC)
	}
	return ch, nil
}

// next computes the signature that follows prev.
func (ch *chain) next(algorithm, prefix string, data []byte) [64]byte {
	sum := sha256.Sum256(data)
	b := append(append(ch.buf[:0], algorithm...), '\n')
	b = append(append(b, ch.amzDate...), '\n')
	b = append(ch.scope.append(b), '\n')
	b = append(append(b, ch.prev[:]...), '\n')
	b = append(b, prefix...)
	b = appendHex(b, sum[:])
	ch.buf = b
	mac := hmacSHA256(ch.key[:], b)
	var out [64]byte
	appendHex(out[:0], mac[:])
	return out
}

// chunk is the signature of a chunk of data. The line before the data's hash is that of an empty string.
func (ch *chain) chunk(data []byte) [64]byte { return ch.next(chunkAlgorithm, emptyHash+"\n", data) }

// trailer is the signature of the trailing header.
func (ch *chain) trailer(name, value string) [64]byte {
	return ch.next(trailAlgorithm, "", []byte(name+":"+value+"\n"))
}

// framing is what the headers of a streaming request promise.
type framing struct {
	signed  bool
	length  int64  // decoded
	trailer string // lower-case name, "" without
	sum     hash.Hash
}

// readFraming reads X-Amz-Decoded-Content-Length and X-Amz-Trailer for a payload mode.
func readFraming(h http.Header, mode string, maxLength int64) (*framing, error) {
	f := &framing{signed: mode != StreamingUnsignedTrailer}
	if payloadMode(mode) != PayloadStreaming {
		return nil, fail(Incomplete, "the payload is not a stream of chunks")
	}
	v, ok, err := single(h, "X-Amz-Decoded-Content-Length")
	if err != nil {
		return nil, err
	}
	n, perr := strconv.ParseUint(v, 10, 63)
	if !ok || perr != nil {
		return nil, fail(Incomplete, "x-amz-decoded-content-length is missing or not a number")
	}
	if n > uint64(maxLength) {
		return nil, fail(Incomplete, "x-amz-decoded-content-length is larger than %d bytes", maxLength)
	}
	f.length = int64(n)
	name, ok, err := single(h, "X-Amz-Trailer")
	switch {
	case err != nil:
		return nil, err
	case mode == StreamingSigned && ok:
		return nil, fail(Incomplete, "x-amz-trailer does not go with the payload mode %s", mode)
	case mode == StreamingSigned:
		return f, nil
	case !ok:
		return nil, fail(Incomplete, "the payload mode %s needs x-amz-trailer", mode)
	}
	f.trailer = strings.ToLower(name)
	if f.sum = newChecksum(f.trailer); f.sum == nil {
		return nil, fail(Incomplete, "x-amz-trailer %q is not the name of one known checksum", clip(name))
	}
	return f, nil
}
