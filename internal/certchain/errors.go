package certchain

import "fmt"

// Reason is the bounded class of a refusal, fit for a metrics label.
type Reason string

// The reasons that an [Error] can carry.
const (
	Malformed    Reason = "Malformed"    // the bytes are no certificate, list or header that we accept
	Untrusted    Reason = "Untrusted"    // no valid path to the anchor
	Insufficient Reason = "Insufficient" // the leaf breaks an end-entity constraint
	Revoked      Reason = "Revoked"      // a certificate of the path is on a CRL
	Expired      Reason = "Expired"      // a notAfter of the path has passed
	NotYetValid  Reason = "NotYetValid"  // a notBefore of the path lies ahead
	Weak         Reason = "Weak"         // key or signature algorithm not accepted
)

// Texts that clients of the AWS service know, word for word.
const (
	msgUntrusted        = "Untrusted signing certificate"
	msgInsufficient     = "Untrusted certificate. Insufficient certificate"
	msgRevoked          = "Certificate revoked"
	msgBasicConstraints = "Incorrect basic constraints for CA certificate"
)

// Texts of our own, where the service's wording is not known.
const (
	msgMalformed   = "Invalid certificate"
	msgExpired     = "Certificate expired"
	msgNotYetValid = "Certificate not yet valid"
	msgBadAnchor   = "Invalid CA certificate"
	msgBadCRL      = "Invalid certificate revocation list"
)

// Error is a refusal. Message is the text that clients match on, Detail our reason, which
// concerns only what the caller sent; it may be empty.
type Error struct {
	Reason  Reason
	Message string
	Detail  string
}

// Error returns "Message: Detail".
func (e *Error) Error() string {
	if e.Detail == "" {
		return e.Message
	}
	return e.Message + ": " + e.Detail
}

func refuse(reason Reason, message, format string, args ...any) *Error {
	return &Error{Reason: reason, Message: message, Detail: clip(fmt.Sprintf(format, args...), maxDetail)}
}

// maxDetail bounds an error's length, which holds names from a stranger's certificate.
const maxDetail = 600

// clip shortens s to at most n bytes without cutting a character in two.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n] + "…"
}
