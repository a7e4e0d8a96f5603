// Package hresult has the error codes that Windows' enrollment clients know, and the refusal that carries one. What a
// code means to a client stands in MS-ERREF and in MS-WCCE 2.2.
//
// It decides nothing. Start with [Refuse].
package hresult

import (
	"errors"
	"fmt"
)

// Code is an HRESULT (MS-ERREF 2.1). On the wire it is a signed decimal number.
type Code uint32

// The codes that are answered. Where MS-WCCE leaves the choice they are what AD CS answers, which its specification sometimes
// has otherwise: it wants [UnsupportedType] for a request without a template (3.2.2.6.2.1.4.1), and AD CS answers [NoType].
const (
	NotImplemented   Code = 0x80004001
	Failure          Code = 0x80004005
	AccessDenied     Code = 0x80070005
	InvalidData      Code = 0x8007000D
	InvalidArgument  Code = 0x80070057
	BadSignature     Code = 0x80090006
	Revoked          Code = 0x80092010
	Expired          Code = 0x800B0101
	BadSubject       Code = 0x80094001
	NoRequest        Code = 0x80094002
	BadRenewal       Code = 0x8009400E
	TemplateDenied   Code = 0x80094012
	AdminDenied      Code = 0x80094014
	WeakKey          Code = 0x80094016
	UnsupportedType  Code = 0x80094800
	NoType           Code = 0x80094801
	TypeConflict     Code = 0x80094802
	Signature        Code = 0x8009480B
	UPNRequired      Code = 0x8009480D
	GUIDRequired     Code = 0x8009480E
	DNSRequired      Code = 0x8009480F
	KeyLength        Code = 0x80094811
	EmailRequired    Code = 0x80094812
	TooManySigners   Code = 0x80094815
	RenewalPublicKey Code = 0x80094816
)

// String is the code's name, as Windows' headers have it.
func (c Code) String() string {
	switch c {
	case NotImplemented:
		return "E_NOTIMPL"
	case Failure:
		return "E_FAIL"
	case AccessDenied:
		return "E_ACCESSDENIED"
	case InvalidData:
		return "ERROR_INVALID_DATA"
	case InvalidArgument:
		return "E_INVALIDARG"
	case BadSignature:
		return "NTE_BAD_SIGNATURE"
	case Revoked:
		return "CRYPT_E_REVOKED"
	case Expired:
		return "CERT_E_EXPIRED"
	case BadSubject:
		return "CERTSRV_E_BAD_REQUESTSUBJECT"
	case NoRequest:
		return "CERTSRV_E_NO_REQUEST"
	case BadRenewal:
		return "CERTSRV_E_BAD_RENEWAL_CERT_ATTRIBUTE"
	case TemplateDenied:
		return "CERTSRV_E_TEMPLATE_DENIED"
	case AdminDenied:
		return "CERTSRV_E_ADMIN_DENIED_REQUEST"
	case WeakKey:
		return "CERTSRV_E_WEAK_SIGNATURE_OR_KEY"
	case UnsupportedType:
		return "CERTSRV_E_UNSUPPORTED_CERT_TYPE"
	case NoType:
		return "CERTSRV_E_NO_CERT_TYPE"
	case TypeConflict:
		return "CERTSRV_E_TEMPLATE_CONFLICT"
	case Signature:
		return "CERTSRV_E_SIGNATURE_REJECTED"
	case UPNRequired:
		return "CERTSRV_E_SUBJECT_UPN_REQUIRED"
	case GUIDRequired:
		return "CERTSRV_E_SUBJECT_DIRECTORY_GUID_REQUIRED"
	case DNSRequired:
		return "CERTSRV_E_SUBJECT_DNS_REQUIRED"
	case KeyLength:
		return "CERTSRV_E_KEY_LENGTH"
	case EmailRequired:
		return "CERTSRV_E_SUBJECT_EMAIL_REQUIRED"
	case TooManySigners:
		return "CERTSRV_E_TOO_MANY_SIGNATURES"
	case RenewalPublicKey:
		return "CERTSRV_E_RENEWAL_BAD_PUBLIC_KEY"
	}
	return "HRESULT"
}

// Signed is the code as the wire has it.
func (c Code) Signed() int32 { return int32(c) } //nolint:gosec // the sign bit is part of the code

// Error is a refusal that the client is told. Text is for the client and holds no secret.
type Error struct {
	Code Code
	Text string
}

// Error is the text a person reads: administrators search for the number and the name.
func (e *Error) Error() string { return fmt.Sprintf("%s. 0x%08x (%s)", e.Text, uint32(e.Code), e.Code) }

// Refuse makes a refusal. The text starts with a capital letter and ends without a full stop.
func Refuse(c Code, format string, args ...any) *Error {
	return &Error{Code: c, Text: fmt.Sprintf(format, args...)}
}

// Of is the refusal in err's chain, nil if there is none: then err is for the log alone.
func Of(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}
