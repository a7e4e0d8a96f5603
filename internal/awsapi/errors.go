package awsapi

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// Error is an API error with two faces: Code, Status and Message go to the client, Cause and Explain never do.
type Error struct {
	Code    string        // public; the query protocol's form ("AccessDenied"), translated for the JSON protocols
	Status  int           // HTTP status
	Message string        // public: AWS's text first, then ": " and our reason
	Cause   error         // private, to the log
	Explain string        // private, to the audit event only
	Members []ErrorMember // public, to the JSON protocols: what else the model's error holds
}

// ErrorMember is a member of a modelled error beside its message.
type ErrorMember struct{ Name, Text string }

// Errorf makes an Error. A %w verb keeps its operand as the private cause, too.
func Errorf(code string, status int, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Status: status, Message: err.Error(), Cause: errors.Unwrap(err)}
}

// Error is the public face.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Unwrap is the private cause.
func (e *Error) Unwrap() error { return e.Cause }

// Because returns a copy with a private cause.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.Cause = cause
	return &c
}

// Explained returns a copy with an explanation for the audit event.
func (e *Error) Explained(text string) *Error {
	c := *e
	c.Explain = text
	return &c
}

// With returns a copy with one more member.
func (e *Error) With(name, text string) *Error {
	c := *e
	c.Members = append(slices.Clip(c.Members), ErrorMember{name, text})
	return &c
}

// AccessDenied is the refusal by policy (403).
func AccessDenied(format string, args ...any) *Error {
	return Errorf("AccessDenied", http.StatusForbidden, format, args...)
}

// Validation is a constraint that the model cannot express, broken by the request (400).
func Validation(format string, args ...any) *Error {
	return Errorf("ValidationError", http.StatusBadRequest, format, args...)
}

// Internal hides cause behind InternalFailure (500).
func Internal(cause error) *Error {
	return &Error{Code: "InternalFailure", Status: http.StatusInternalServerError, Message: "The request processing has failed because of an unknown error, exception or failure.", Cause: cause}
}

// AsError finds the public face of err; an error that has none becomes InternalFailure.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return Internal(err)
}
