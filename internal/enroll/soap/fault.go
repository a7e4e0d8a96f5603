package soap

import "github.com/rolecall/rolecall/internal/enroll/hresult"

// FaultCode is a SOAP 1.2 fault code.
type FaultCode string

// The fault codes in use.
const (
	Sender         FaultCode = "s:Sender"
	Receiver       FaultCode = "s:Receiver"
	MustUnderstand FaultCode = "s:MustUnderstand"
)

const (
	actionFault  = NSAddressing + "/fault"
	actionDetail = NSEnrollment + "/RequestSecurityTokenCertificateEnrollmentWSDetailFault"
)

// Fault is a message without detail.
func Fault(code FaultCode, relatesTo, reason string) []byte {
	var w Writer
	w.Begin(actionFault, relatesTo)
	w.reason(code, reason)
	w.Close("s:Fault")
	return w.End()
}

// EnrollmentFault is the fault of MS-WSTEP 3.1.4.1.2.7: the client shows the reason and acts on the code. invalid says
// that asking again for the same is useless; requestID may be "".
func EnrollmentFault(relatesTo string, e *hresult.Error, invalid bool, requestID string) []byte {
	var w Writer
	w.Begin(actionDetail, relatesTo)
	w.reason(Receiver, e.Error())
	w.Open("s:Detail")
	w.Open("CertificateEnrollmentWSDetail", "xmlns", NSEnrollment)
	w.Nil("BinaryResponse")
	w.Number("ErrorCode", int64(e.Code.Signed()))
	w.Bool("InvalidRequest", invalid)
	if requestID == "" {
		w.Nil("RequestID")
	} else {
		w.Leaf("RequestID", requestID)
	}
	w.Close("CertificateEnrollmentWSDetail")
	w.Close("s:Detail")
	w.Close("s:Fault")
	return w.End()
}

// reason writes a fault up to its detail.
func (w *Writer) reason(code FaultCode, reason string) {
	w.Open("s:Fault")
	w.Open("s:Code")
	w.Leaf("s:Value", string(code))
	w.Close("s:Code")
	w.Open("s:Reason")
	w.Leaf("s:Text", reason, "xml:lang", "en-US")
	w.Close("s:Reason")
}
