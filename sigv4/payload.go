package sigv4

// The values of X-Amz-Content-Sha256 that are not a hash.
const (
	UnsignedPayload          = "UNSIGNED-PAYLOAD"
	StreamingSigned          = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	StreamingSignedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	StreamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

	emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// PayloadMode says what protects the body.
type PayloadMode int

// The modes.
const (
	PayloadHashed    PayloadMode = iota // the signature covers the hash of the whole body
	PayloadUnsigned                     // nothing covers it
	PayloadStreaming                    // aws-chunked: read it through OpenStream, which checks it
	payloadUnknown
)

// payloadMode classifies a value of X-Amz-Content-Sha256.
func payloadMode(v string) PayloadMode {
	switch v {
	case UnsignedPayload:
		return PayloadUnsigned
	case StreamingSigned, StreamingSignedTrailer, StreamingUnsignedTrailer:
		return PayloadStreaming
	}
	if len(v) != 64 || !isLowerHex(v) {
		return payloadUnknown
	}
	return PayloadHashed
}

// payload decides the last line of the canonical request: text, or "" for the body's own hash.
func (c *Claims) payload(k *Check) (string, error) {
	v := c.PayloadHash
	if v == "" {
		switch {
		case k.Style == S3 && c.Presigned:
			return UnsignedPayload, nil
		case k.Style == S3:
			return "", fail(Incomplete, "Missing required header for this request: x-amz-content-sha256")
		}
		return "", nil
	}
	mode := payloadMode(v)
	switch {
	case mode == payloadUnknown:
		return "", fail(Incomplete, "X-Amz-Content-Sha256 is neither a SHA-256 hash nor a known payload mode")
	case mode == PayloadHashed:
		return v, nil
	case c.X509() || k.Style != S3 && !k.AllowUnsignedPayload:
		// The body of a query or JSON protocol holds the operation itself: it may not be left out of the signature.
		return "", fail(PayloadMismatch, "the body must be signed; X-Amz-Content-Sha256 %s is not accepted here", v)
	case mode == PayloadStreaming && c.Presigned:
		return "", fail(PayloadMismatch, "a presigned URL cannot have the payload mode %s", v)
	}
	return v, nil
}
