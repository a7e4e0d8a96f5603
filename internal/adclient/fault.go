package adclient

import (
	"strconv"
	"strings"

	"github.com/rolecall/rolecall/internal/enroll/hresult"
	"github.com/rolecall/rolecall/internal/enroll/soap"
)

// maxReason bounds what is shown of a server's text.
const maxReason = 1000

// readFault reads a SOAP 1.2 fault with MS-WSTEP's detail, if it has one (3.1.4.1.2.7).
func readFault(body *soap.Element) error {
	e := &Refused{Reason: "no reason given"}
	if reason, err := body.Child(soap.NSEnvelope, "Reason"); err == nil && reason != nil && len(reason.Children) > 0 {
		text := strings.Join(strings.Fields(reason.Children[0].Text), " ")
		if text != "" {
			e.Reason = text[:min(len(text), maxReason)]
		}
	}
	detail, err := body.Child(soap.NSEnvelope, "Detail")
	if err != nil || detail == nil {
		return e
	}
	specific, err := detail.Child(soap.NSEnrollment, "CertificateEnrollmentWSDetail")
	if err != nil || specific == nil {
		return e
	}
	if text, err := specific.ChildText(soap.NSEnrollment, "ErrorCode"); err == nil {
		if n, err := strconv.ParseInt(text, 10, 32); err == nil {
			e.Code = hresult.Code(uint32(n)) //nolint:gosec // the sign bit is part of the code
		}
	}
	return e
}
