package sigv4

import "fmt"

// Reason classifies an [Error]. The set is closed, so it can label a metric.
type Reason string

// The reasons.
const (
	NotSigned       Reason = "not-signed"       // no signature in header or query
	Incomplete      Reason = "incomplete"       // malformed, oversized or missing parts
	Expired         Reason = "expired"          // clock skew or the end of a presigned URL; Detail names the offset
	BadScope        Reason = "bad-scope"        // the credential scope contradicts the date or has a wrong terminator
	UnsignedHeader  Reason = "unsigned-header"  // a header that must be signed is not
	PayloadMismatch Reason = "payload-mismatch" // the body is not what was signed, or may not be left unsigned
	Mismatch        Reason = "mismatch"         // the signature does not verify
	BadAlgorithm    Reason = "bad-algorithm"    // unknown algorithm, or one that does not fit the key
)

// Error is every error of this package that concerns a request. Detail speaks only of what the caller sent and holds
// no secret: it may be shown to the caller.
type Error struct {
	Reason Reason
	Detail string
}

// Error implements error.
func (e *Error) Error() string {
	if e.Detail == "" {
		return "sigv4: " + string(e.Reason)
	}
	return "sigv4: " + string(e.Reason) + ": " + e.Detail
}

// Is reports whether target is an *Error of the same reason without a detail of its own, so that
// errors.Is(err, &Error{Reason: Expired}) asks for the reason alone.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Reason == e.Reason && (t.Detail == "" || t.Detail == e.Detail)
}

// ErrNotSigned is what [Parse] returns for a request without a signature.
var ErrNotSigned error = &Error{Reason: NotSigned}

func fail(reason Reason, format string, args ...any) error {
	return &Error{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// clip bounds text from a request that goes into a Detail.
func clip(s string) string {
	const most = 128
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
