package keysource

import "fmt"

// Error is a problem with a source and what to do about it. Neither text ever holds key material or a password.
type Error struct {
	Problem string // lower case, no full stop
	Advice  string // may be empty
	Cause   error  // may be nil; its text is not part of Error()
}

func (e *Error) Error() string { return e.Problem }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Hint is what the user can do, or "".
func (e *Error) Hint() string { return e.Advice }

// Errorf makes an Error with advice and a formatted problem. %w keeps the cause.
func Errorf(advice, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	e := &Error{Problem: err.Error(), Advice: advice}
	if w, ok := err.(interface{ Unwrap() error }); ok {
		e.Cause = w.Unwrap()
	}
	return e
}
