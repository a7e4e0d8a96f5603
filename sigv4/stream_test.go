package sigv4

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// streamed is a signed streaming request and its encoded body.
func streamed(t rapid.TB, mode, trailer string, data []byte, chunk int) (*http.Request, []byte) {
	t.Helper()
	r := rawRequest("PUT", "s3.example", "/b/k", "Content-Encoding:aws-chunked")
	r.Header.Set("X-Amz-Decoded-Content-Length", itoa(len(data)))
	if trailer != "" {
		r.Header.Set("X-Amz-Trailer", trailer)
	}
	r.ContentLength = EncodedLength(mode, int64(len(data)), chunk, trailer)
	in := input()
	in.Style, in.Service, in.BodySHA256 = S3, "s3", mode
	if err := Sign(r, in); err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	w, err := NewStreamWriter(&body, r, suiteSecret, chunk)
	if err != nil {
		t.Fatal(err)
	}
	for rest := data; len(rest) > 0; {
		n := min(len(rest), 5000)
		if _, err := w.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if int64(body.Len()) != r.ContentLength {
		t.Fatalf("EncodedLength %d, body %d", r.ContentLength, body.Len())
	}
	return r, body.Bytes()
}

func itoa(n int) string {
	return string(appendInt(nil, n))
}

func appendInt(b []byte, n int) []byte {
	if n >= 10 {
		b = appendInt(b, n/10)
	}
	return append(b, '0'+byte(n%10))
}

// decode verifies the request and reads the body.
func decode(r *http.Request, body io.Reader, limits *StreamLimits) ([]byte, *StreamReader, error) {
	c, err := Parse(r)
	if err != nil {
		return nil, nil, err
	}
	key := DeriveKey(suiteSecret, c.Date, c.Region, c.Service)
	if err := c.Verify(r, key, &Check{Now: now, Style: S3}); err != nil {
		return nil, nil, err
	}
	r.Body = io.NopCloser(body)
	s, err := c.OpenStream(r, key, limits)
	if err != nil {
		return nil, nil, err
	}
	data, err := io.ReadAll(s)
	return data, s, err
}

var streamModes = []struct{ mode, trailer string }{
	{StreamingSigned, ""},
	{StreamingSignedTrailer, "x-amz-checksum-crc32c"},
	{StreamingSignedTrailer, "x-amz-checksum-sha256"},
	{StreamingUnsignedTrailer, "x-amz-checksum-crc32"},
	{StreamingUnsignedTrailer, "x-amz-checksum-crc64nvme"},
	{StreamingUnsignedTrailer, "x-amz-checksum-sha1"},
}

func TestStreamRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.SampledFrom(streamModes).Draw(t, "mode")
		size := rapid.OneOf(rapid.IntRange(0, 20), rapid.IntRange(8000, 60000), rapid.Just(16384)).Draw(t, "size")
		data := bytes.Repeat([]byte{rapid.Byte().Draw(t, "fill")}, size)
		r, body := streamed(t, m.mode, m.trailer, data, rapid.SampledFrom([]int{8192, 10000, 0}).Draw(t, "chunk"))
		var in io.Reader = bytes.NewReader(body)
		if rapid.Bool().Draw(t, "split") {
			in = iotest.HalfReader(iotest.DataErrReader(in))
		}
		got, s, err := decode(r, in, nil)
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("read %d of %d bytes: %v", len(got), len(data), err)
		}
		if name, value := s.Trailer(); name != m.trailer || (value == "") != (m.trailer == "") {
			t.Fatalf("trailer %q %q", name, value)
		}
	})
}

// One flipped bit anywhere in the body is found before the stream ends well; in the signed modes before any byte of
// the chunk is handed out.
func TestStreamTamper(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.SampledFrom(streamModes).Draw(t, "mode")
		data := bytes.Repeat([]byte("abcdefg."), 2500)
		r, body := streamed(t, m.mode, m.trailer, data, 8192)
		at := rapid.IntRange(0, len(body)-1).Draw(t, "at")
		if rapid.Bool().Draw(t, "late") {
			at = rapid.IntRange(max(0, len(body)-200), len(body)-1).Draw(t, "at late")
		}
		bit := byte(1) << rapid.IntRange(0, 7).Draw(t, "bit")
		if bit == 0x20 {
			bit = 1 // the case of a hexadecimal size or of a header's name means nothing
		}
		c := body[at] ^ bit
		body[at] = c
		got, _, err := decode(r, bytes.NewReader(body), nil)
		if err == nil {
			t.Fatalf("byte %d (%q to %q) went unnoticed", at, c^bit, c)
		}
		if m.mode != StreamingUnsignedTrailer && !bytes.HasPrefix(data, got) {
			t.Fatal("an unverified byte was handed out")
		}
	})
}

// Every truncation is found.
func TestStreamTruncated(t *testing.T) {
	for _, m := range streamModes {
		r, body := streamed(t, m.mode, m.trailer, bytes.Repeat([]byte("x"), 9000), 8192)
		for n := range len(body) {
			if n > 300 && n < len(body)-300 && n%97 != 0 {
				continue
			}
			_, _, err := decode(r, bytes.NewReader(body[:n]), nil)
			wantReason(t, err, Incomplete)
		}
	}
}

func TestStreamRefusals(t *testing.T) {
	big := strings.Repeat("x", 9000)
	for _, c := range []struct {
		name, mode, trailer string
		length              string // X-Amz-Decoded-Content-Length, "" for the right one
		limits              *StreamLimits
		change              func(string) string
		want                Reason
	}{
		{"declared shorter", StreamingUnsignedTrailer, "x-amz-checksum-crc32", "8999", nil, nil, PayloadMismatch},
		{"declared longer", StreamingUnsignedTrailer, "x-amz-checksum-crc32", "9001", nil, nil, PayloadMismatch},
		{"over the limit", StreamingUnsignedTrailer, "x-amz-checksum-crc32", "", &StreamLimits{MaxLength: 8999}, nil, Incomplete},
		{"chunk over the limit", StreamingSigned, "", "", &StreamLimits{MaxChunk: 8191}, nil, Incomplete},
		{"chunk under the minimum", StreamingSigned, "", "", &StreamLimits{MinChunk: 8193}, nil, Incomplete},
		{"more after the end", StreamingSigned, "", "", nil, func(s string) string { return s + "x" }, Incomplete},
		{"more after the trailer", StreamingUnsignedTrailer, "x-amz-checksum-crc32", "", nil, func(s string) string { return s + "\r\nx" }, Incomplete},
		{"chunk extension in the unsigned mode", StreamingUnsignedTrailer, "x-amz-checksum-crc32", "", nil,
			func(s string) string { return strings.Replace(s, "2000\r\n", "2000;a=b\r\n", 1) }, Incomplete},
		{"negative size", StreamingUnsignedTrailer, "x-amz-checksum-crc32", "", nil,
			func(s string) string { return "-1\r\n" + s }, Incomplete},
		{"size overflow", StreamingUnsignedTrailer, "x-amz-checksum-crc32", "", nil,
			func(s string) string { return "ffffffffffffffff\r\n" + s }, Incomplete},
		{"long line", StreamingUnsignedTrailer, "x-amz-checksum-crc32", "", nil,
			func(s string) string { return strings.Repeat("0", 300) + s }, Incomplete},
		{"very long line", StreamingUnsignedTrailer, "x-amz-checksum-crc32", "", nil,
			func(s string) string { return strings.Repeat("0", 5000) + s }, Incomplete},
		{"other trailer", StreamingUnsignedTrailer, "x-amz-checksum-crc32", "", nil,
			func(s string) string { return strings.Replace(s, "checksum-crc32", "checksum-crc3c", 1) }, Incomplete},
		{"trailer twice", StreamingUnsignedTrailer, "x-amz-checksum-crc32", "", nil, func(s string) string {
			i := strings.Index(s, "x-amz-checksum")
			return s[:i] + s[i:len(s)-2] + s[i:]
		}, Incomplete},
		{"no trailer", StreamingUnsignedTrailer, "x-amz-checksum-crc32", "", nil,
			func(s string) string { return s[:strings.Index(s, "x-amz-checksum")] + "\r\n" }, Incomplete},
		{"no trailer signature", StreamingSignedTrailer, "x-amz-checksum-crc32", "", nil,
			func(s string) string { return s[:strings.Index(s, "x-amz-trailer-")] + strings.Repeat("\r\n", 9) }, Incomplete},
		{"wrong checksum", StreamingUnsignedTrailer, "x-amz-checksum-crc32", "", nil,
			func(s string) string { return strings.Replace(s, "xxx", "xyx", 1) }, PayloadMismatch},
		{"chunks swapped", StreamingSigned, "", "", nil, func(s string) string {
			i := strings.Index(s, "\r\n328;")
			return s[i+2:] + s[:i+2]
		}, Mismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, body := streamed(t, c.mode, c.trailer, []byte(big), 8192)
			text := string(body)
			if c.change != nil {
				if text = c.change(text); text == string(body) {
					t.Fatal("nothing changed")
				}
			}
			if c.length != "" {
				r.Header.Set("X-Amz-Decoded-Content-Length", c.length)
				in := input()
				in.Style, in.Service, in.BodySHA256 = S3, "s3", c.mode
				if err := Sign(r, in); err != nil {
					t.Fatal(err)
				}
			}
			_, _, err := decode(r, strings.NewReader(text), c.limits)
			wantReason(t, err, c.want)
		})
	}
}

// One S3 client ends the trailing checksum with LF and puts an empty line before the signature, as the S3
// documentation prints it.
func TestStreamTrailerOtherForm(t *testing.T) {
	r, body := streamed(t, StreamingSignedTrailer, "x-amz-checksum-crc32", []byte("hello"), 0)
	text := strings.Replace(string(body), "\r\nx-amz-trailer-signature", "\n\r\nx-amz-trailer-signature", 1)
	if got, _, err := decode(r, strings.NewReader(text), nil); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
}

// As boto3 sends it.
func TestStreamFromBoto(t *testing.T) {
	r, _ := streamed(t, StreamingUnsignedTrailer, "x-amz-checksum-crc32", []byte("hello"), 0)
	got, _, err := decode(r, strings.NewReader("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"), nil)
	if err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestStreamHeaderRefusals(t *testing.T) {
	for _, c := range []struct{ name, mode, trailer, length string }{
		{"no length", StreamingSigned, "", ""},
		{"bad length", StreamingSigned, "", "-1"},
		{"trailer without its mode", StreamingSigned, "x-amz-checksum-crc32", "1"},
		{"mode without trailer", StreamingSignedTrailer, "", "1"},
		{"unknown trailer", StreamingUnsignedTrailer, "x-amz-checksum-md4", "1"},
		{"two trailers", StreamingUnsignedTrailer, "x-amz-checksum-crc32,x-amz-checksum-sha1", "1"},
		{"not a checksum", StreamingUnsignedTrailer, "x-amz-meta-a", "1"},
		{"not a stream", emptyHash, "", "1"},
	} {
		h := http.Header{}
		if c.trailer != "" {
			h.Set("X-Amz-Trailer", c.trailer)
		}
		if c.length != "" {
			h.Set("X-Amz-Decoded-Content-Length", c.length)
		}
		_, err := readFraming(h, c.mode, 100)
		wantReason(t, err, Incomplete)
	}
}

// A body that fails below hands its own error up.
func TestStreamBodyError(t *testing.T) {
	r, body := streamed(t, StreamingSigned, "", bytes.Repeat([]byte("x"), 9000), 8192)
	boom := errors.New("boom")
	_, _, err := decode(r, io.MultiReader(bytes.NewReader(body[:4000]), iotest.ErrReader(boom)), nil)
	if !errors.Is(err, boom) {
		t.Errorf("got %v, want %v", err, boom)
	}
}

func TestStreamWriterLength(t *testing.T) {
	r, _ := streamed(t, StreamingSigned, "", []byte("hello"), 0)
	w, err := NewStreamWriter(io.Discard, r, suiteSecret, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write([]byte("hello!"))
	wantReason(t, err, PayloadMismatch)
	if w, err = NewStreamWriter(io.Discard, r, suiteSecret, 0); err != nil {
		t.Fatal(err)
	}
	wantReason(t, w.Close(), PayloadMismatch)
}

// The published check values for "123456789".
func TestChecksums(t *testing.T) {
	for name, want := range map[string]string{"crc32": "cbf43926", "crc32c": "e3069283", "crc64nvme": "ae8b14860a799888"} {
		h := newChecksum("x-amz-checksum-" + name)
		h.Write([]byte("123456789"))
		if got := string(appendHex(nil, h.Sum(nil))); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}
