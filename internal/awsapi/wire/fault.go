package wire

import "fmt"

// FaultCode is AWS's code for a request that cannot be understood.
type FaultCode string

// The codes of a [Fault], with status 400 throughout.
const (
	SerializationException FaultCode = "SerializationException" // JSON that is malformed or of the wrong types
	MalformedQueryString   FaultCode = "MalformedQueryString"   // a form that cannot be split
	MalformedInput         FaultCode = "MalformedInput"         // a form value of the wrong type
	ValidationFailure      FaultCode = "ValidationError"        // constraints of the model
)

// Fault is a request that cannot be decoded or breaks its model; the message is for the client.
type Fault struct {
	Code    FaultCode
	Message string
}

// Error implements error.
func (f *Fault) Error() string { return string(f.Code) + ": " + f.Message }

func faultf(code FaultCode, format string, args ...any) *Fault {
	return &Fault{Code: code, Message: fmt.Sprintf(format, args...)}
}
