package authority

import (
	"errors"
	"fmt"
)

// ErrUnavailable is wrapped when a key cannot be reached now: its token is out, or does not answer.
var ErrUnavailable = errors.New("the key of the certificate authority cannot be reached")

// Reason is the bounded class of a refusal. Callers map it to their API's exceptions.
type Reason string

// The reasons of an [Error].
const (
	BadArgument    Reason = "BadArgument"    // a parameter of the request
	BadCSR         Reason = "BadCSR"         // the certificate signing request
	BadValidity    Reason = "BadValidity"    // the dates asked for
	BadCertificate Reason = "BadCertificate" // a CA certificate or its chain, to be imported
	Mismatch       Reason = "Mismatch"       // a CA certificate of another key or name
)

// Error is a refusal. Text is for the caller and holds no secret.
type Error struct {
	Reason Reason
	Text   string
	// Key is what is wrong with the public key of a CSR that is refused for it: ShortKey, WeakKey, or "" otherwise.
	Key KeyFault
}

// KeyFault is why a public key is not certified.
type KeyFault string

// What may be wrong with a key.
const (
	ShortKey KeyFault = "ShortKey" // fewer bits than are accepted
	WeakKey  KeyFault = "WeakKey"  // another kind, curve or exponent, a key that can be factored, or one that is blocked
)

func (e *Error) Error() string { return e.Text }

func refuse(r Reason, format string, args ...any) *Error {
	return &Error{Reason: r, Text: fmt.Sprintf(format, args...)}
}

// clip bounds what of a caller's text comes back in a message.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
