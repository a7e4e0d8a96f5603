package authority

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"strings"

	"github.com/rolecall/rolecall/internal/certchain/dn"
)

// MaxCSRBytes bounds a certificate signing request, in PEM.
const MaxCSRBytes = 32 << 10

// CSR is a certificate signing request whose sender holds the private key. Only [ParseCSR] and
// [ParseProven] make one.
type CSR struct{ req *x509.CertificateRequest }

// ParseCSR reads one PEM block and checks it: proof of possession, key, limits. The error is an *[Error] with reason BadCSR.
func ParseCSR(data []byte) (*CSR, error) {
	if len(data) > MaxCSRBytes {
		return nil, refuse(BadCSR, "the CSR is larger than %d bytes", MaxCSRBytes)
	}
	block, rest := pem.Decode(data)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, refuse(BadCSR, "the CSR must be one PEM block")
	}
	if block.Type != "CERTIFICATE REQUEST" && block.Type != "NEW CERTIFICATE REQUEST" {
		return nil, refuse(BadCSR, "a PEM block %q is not a CSR", clip(block.Type))
	}
	return ParseProven(block.Bytes, selfSigned)
}

// selfSigned is the proof of possession that a CSR carries itself: a signature made with SHA-256 or stronger.
func selfSigned(req *x509.CertificateRequest) error {
	switch req.SignatureAlgorithm {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA, x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512:
	default:
		return refuse(BadCSR, "the CSR's signature algorithm %s is not accepted, SHA-256 or stronger is required", req.SignatureAlgorithm)
	}
	if err := req.CheckSignature(); err != nil {
		return refuse(BadCSR, "the CSR's signature was not made with its key")
	}
	return nil
}

// ParseProven reads a CSR in DER whose proof of possession may stand outside of it: possession is asked whether the sender
// holds the key of the parsed request, and its error refuses the CSR. Key and limits are checked as by [ParseCSR]. Other
// errors are an *[Error] with reason BadCSR.
func ParseProven(der []byte, possession func(*x509.CertificateRequest) error) (*CSR, error) {
	if len(der) > MaxCSRBytes {
		return nil, refuse(BadCSR, "the CSR is larger than %d bytes", MaxCSRBytes)
	}
	req, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, refuse(BadCSR, "the CSR cannot be parsed: %s", clip(strings.TrimPrefix(err.Error(), "x509: ")))
	}
	if why := weakKey(req.PublicKey); why != "" {
		fault := WeakKey
		if key, ok := req.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < minRSABits {
			fault = ShortKey
		}
		return nil, &Error{Reason: BadCSR, Text: why, Key: fault}
	}
	if err := possession(req); err != nil {
		return nil, err
	}
	if err := checkSubject(req.RawSubject); err != nil {
		return nil, err
	}
	if len(req.Extensions) > maxExtensions {
		return nil, refuse(BadCSR, "the CSR asks for more than %d extensions", maxExtensions)
	}
	for i, e := range req.Extensions {
		for _, other := range req.Extensions[:i] {
			if other.Id.Equal(e.Id) {
				return nil, refuse(BadCSR, "the CSR asks for extension %s twice", e.Id)
			}
		}
		if len(e.Value) > maxExtensionBytes {
			return nil, refuse(BadCSR, "extension %s has %d bytes, at most %d are accepted", e.Id, len(e.Value), maxExtensionBytes)
		}
		if !wellFormed(e.Value) {
			return nil, refuse(BadCSR, "the value of extension %s is not one DER element", e.Id)
		}
	}
	return &CSR{req}, nil
}

// Request returns the parsed request, which must not be changed.
func (c *CSR) Request() *x509.CertificateRequest { return c.req }

// extension finds a requested extension.
func (c *CSR) extension(match func(pkix.Extension) bool) (pkix.Extension, bool) {
	for _, e := range c.req.Extensions {
		if match(e) {
			return e, true
		}
	}
	return pkix.Extension{}, false
}

// checkSubject bounds a name that is copied as it is.
func checkSubject(raw []byte) error {
	name, err := dn.Parse(raw)
	if err != nil {
		return refuse(BadCSR, "the subject is malformed")
	}
	if len(name) > maxAttributes {
		return refuse(BadCSR, "the subject has more than %d attributes", maxAttributes)
	}
	names, ok := name.Values(dn.CommonName)
	if !ok {
		return refuse(BadCSR, "the subject's common name cannot be read")
	}
	for _, cn := range names {
		if len(cn) > maxCommonName {
			return refuse(BadCSR, "the subject's common name has more than %d bytes", maxCommonName)
		}
	}
	return nil
}
