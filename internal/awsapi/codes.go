package awsapi

import (
	"net/http"

	"github.com/rolecall/rolecall/internal/awsapi/wire"
)

// jsonCodes is how the JSON protocols spell the common errors of the query protocol.
var jsonCodes = map[string]string{
	"AccessDenied":               "AccessDeniedException",
	"ExpiredToken":               "ExpiredTokenException",
	"IncompleteSignature":        "IncompleteSignatureException",
	"InvalidAction":              "UnknownOperationException",
	"InvalidClientTokenId":       "UnrecognizedClientException",
	"MethodNotAllowed":           "MethodNotAllowedException",
	"MissingAuthenticationToken": "MissingAuthenticationTokenException",
	"RequestEntityTooLarge":      "RequestEntityTooLargeException",
	"RequestExpired":             "RequestExpiredException",
	"ServiceUnavailable":         "ServiceUnavailableException",
	"SignatureDoesNotMatch":      "InvalidSignatureException",
	"Throttling":                 "ThrottlingException",
	"UnsupportedOperation":       "UnsupportedOperationException",
	"ValidationError":            "ValidationException",
}

// public is the code and status that a client of the protocol sees.
func public(p wire.Protocol, e *Error) (code string, status int) {
	code, status = e.Code, e.Status
	if status < 400 || status > 599 {
		status = http.StatusInternalServerError
	}
	if !p.JSON() {
		return code, status
	}
	if c, ok := jsonCodes[code]; ok {
		code = c
	}
	// The JSON 1.x services refuse with 400 where the others say 403.
	if status == http.StatusForbidden && p != wire.RESTJSON {
		status = http.StatusBadRequest
	}
	return code, status
}

// RESTCode is the code that a client of a REST-JSON service sees, for the records of a [RawHandler].
func (e *Error) RESTCode() string {
	code, _ := public(wire.RESTJSON, e)
	return code
}

// fromFault is the public face of a request that could not be decoded.
func fromFault(f *wire.Fault) *Error {
	return &Error{Code: string(f.Code), Status: http.StatusBadRequest, Message: f.Message}
}
