// Package soap reads and writes the SOAP 1.2 messages of Windows' enrollment protocols, MS-XCEP and MS-WSTEP: envelope,
// WS-Addressing headers, a WS-Security user name with password, faults.
//
// Reading is strict and bounded: no document types, no entities but XML's own, no comments or processing instructions,
// and limits on bytes, depth, elements and attributes. There is no XML signature and no SOAP 1.1.
//
// Start with [Read] and [Writer].
package soap

// Namespaces of the messages.
const (
	NSEnvelope   = "http://www.w3.org/2003/05/soap-envelope"
	NSAddressing = "http://www.w3.org/2005/08/addressing"
	NSSecurity   = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	NSInstance   = "http://www.w3.org/2001/XMLSchema-instance"
	NSEnrollment = "http://schemas.microsoft.com/windows/pki/2009/01/enrollment"
	nsSchema     = "http://www.w3.org/2001/XMLSchema"
)

// ContentType is that of requests and answers (RFC 3902).
const ContentType = "application/soap+xml"

// Limits of a message that is read.
const (
	MaxBytes      = 256 << 10
	maxDepth      = 24
	maxElements   = 1000
	maxAttributes = 32
	maxHeader     = 2048 // bytes of a header's text

	MaxAnswerBytes    = 8 << 20
	maxAnswerElements = 200_000
)
